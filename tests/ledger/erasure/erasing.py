"""An erasure in a small ledger, step by step, with a publisher that writes straight into the event log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ledger.erasure.affected import SealedContents
from ledger.erasure.proceeding import Proceeding
from ledger.keys.destruction import Request
from ledger.keys.erasure import Destructions
from ledger.keys.master import LocalMasterKey
from ledger.v1 import event_pb2 as pb
from tests.small_ledger import SmallLedger

REQUEST = Request("olga", ("paul",), "GDPR Art. 17", "asked for by letter")


class Killed(BaseException):
    """The process ends here."""


@dataclass(slots=True)
class Published:
    """Publishes into the small ledger's event log; fails as often as it is told to."""

    small: SmallLedger
    fail_with: list[BaseException] = field(default_factory=list)
    events: list[pb.Event] = field(default_factory=list)

    async def publish(self, tenant: str, events: Sequence[pb.Event]) -> None:
        """See `OwnPublisher.publish`."""
        for event in events:
            await self.small.publish(tenant, event)
            self.events.append(event)
            if self.fail_with:
                raise self.fail_with.pop()


def destructions(small: SmallLedger) -> Destructions:
    """Without a lease."""
    return Destructions(small.database, LocalMasterKey.load(small.folder / "master.key"), lease_s=0.0)


def proceeding(
    small: SmallLedger, publisher: Published, on_step: Callable[[str], None] = lambda step: None
) -> Proceeding:
    """What carries erasures out."""
    return Proceeding(
        destructions(small),
        small.tenants,
        lambda tenant: SealedContents(small.store, small.trust, tenant),
        publisher,
        "test",
        60,
        on_step,
    )
