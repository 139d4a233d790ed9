"""Who read what: every answer is preceded by an Access event, published like any other and durable.

The order is the promise: compute, publish the Access, wait until it is durable, give the answer. When the ledger cannot
take the Access now, the answer is not given (`Unavailable`): nobody reads unrecorded. A query that failed shows nothing
and leaves nothing, but for SQL, whose error messages can quote what they stumbled over. The command line makes one
exception, on a home that can't be written: metadata is given there unrecorded, contents never (`query.cli.answering`).

The query's own text is a content of the Access. Persons do not stand in it: an identifier asked for is replaced by its
pseudonym, in SQL and in the reason every one that is found (`query.without_persons`). An unknown person is recorded as
unknown: a question leaves no trace of somebody who is not there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from ledger.client.ids import event_id
from ledger.errors import Rejected, Unavailable
from ledger.gateway import own
from ledger.identity.tls import ClientTls
from ledger.keys.process import ProcessKey
from ledger.record.names import name
from ledger.tenants import ORG, SYSTEM
from ledger.v1 import event_pb2 as pb

QueryKind = Literal["reconstruct", "replay", "find", "sql", "prove", "disclose", "export"]

DEADLINE_S = 10.0
_KINDS = {
    "reconstruct": pb.QUERY_KIND_RECONSTRUCT,
    "replay": pb.QUERY_KIND_REPLAY,
    "find": pb.QUERY_KIND_FIND,
    "sql": pb.QUERY_KIND_SQL,
    "prove": pb.QUERY_KIND_PROVE,
    "disclose": pb.QUERY_KIND_DISCLOSE,
    "export": pb.QUERY_KIND_EXPORT,
}
REASON_CHARACTERS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads, in which role, for what. In clear, readers are accountable; but for the reason, which is free text and
    stands with the query, in a content."""

    name: str
    role: str = ""
    case_id: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            raise Rejected("reader.name", "is required: who reads is recorded")
        for field in ("name", "role", "case_id"):
            name(getattr(self, field), f"reader.{field}")
        if len(self.reason) > REASON_CHARACTERS_MAX:
            raise Rejected("reader.reason", f"at most {REASON_CHARACTERS_MAX} characters, got {len(self.reason)}")


@dataclass(frozen=True, slots=True)
class Accessed:
    """What an answer will show."""

    kind: QueryKind
    query: Mapping[str, Any]
    events_touched: int
    contents_decrypted: int
    failed: bool = False


class AccessPublisher(Protocol):
    """Publishes events into a tenant's log."""

    async def publish(self, tenant: str, event: pb.Event) -> None:
        """Return once the event is durable; `Unavailable` when it is not, or nobody knows."""


class AccessRecorder:
    """Records what is read."""

    def __init__(self, publisher: AccessPublisher, build: str) -> None:
        self._publisher = publisher
        self._build = build

    async def record(self, tenant: str, reader: Reader, accessed: Accessed) -> None:
        """Publish one Access. Readings of `_system`, to which nobody publishes, are recorded in `_org`."""
        await self._publisher.publish(ORG if tenant == SYSTEM else tenant, self.event(reader, accessed))

    def event(self, reader: Reader, accessed: Accessed) -> pb.Event:
        """The Access event."""
        event = pb.Event(event_id=event_id(), phase=pb.PHASE_SINGLE)
        event.occurred_at.GetCurrentTime()
        event.producer.service = "audit-ledger-query"
        event.producer.version = self._build
        event.producer.capture_path = pb.CAPTURE_PATH_STUB
        event.classification = pb.CLASSIFICATION_CONFIDENTIAL
        access = event.access
        access.reader, access.role, access.case_id = reader.name, reader.role, reader.case_id
        access.query_kind = _KINDS[accessed.kind]
        access.events_touched = accessed.events_touched
        access.contents_decrypted = accessed.contents_decrypted
        access.result = pb.ACCESS_RESULT_FAILED if accessed.failed else pb.ACCESS_RESULT_ANSWERED
        access.query.media_type = "application/json"
        asked = {**accessed.query, **({"reason": reader.reason} if reader.reason else {})}
        access.query.text = json.dumps(asked, ensure_ascii=False, sort_keys=True)
        return event


class GatewayPublisher(own.GatewayPublisher):
    """Publishes Accesses through a gateway. Use it on one event loop; `close` it."""

    def __init__(
        self, address: str, process_key: ProcessKey, deadline_s: float = DEADLINE_S, tls: ClientTls | None = None
    ) -> None:
        super().__init__(address, process_key, deadline_s, tls)

    async def publish(self, tenant: str, event: pb.Event) -> None:
        """See `AccessPublisher.publish`."""
        try:
            await super().publish(tenant, event)
        except (own.NotTaken, Rejected) as error:
            why = error.why if isinstance(error, own.NotTaken) else error.reason
            raise Unavailable(f"the access could not be recorded ({why}), so the answer is not given") from None
