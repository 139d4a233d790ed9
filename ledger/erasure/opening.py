"""From a ledger's home to the parts by which it erases."""

from __future__ import annotations

from collections.abc import Callable

from ledger import __version__
from ledger.config import LedgerConfig
from ledger.erasure.affected import SealedContents
from ledger.erasure.certificate import certificate_text, sign_certificate
from ledger.erasure.proceeding import Proceeding
from ledger.gateway.own import OwnPublisher, ThroughGateway
from ledger.home import Home, OpenKeys, ledger_key_name
from ledger.keys.destruction import Destruction
from ledger.keys.erasure import Destructions
from ledger.keys.holds import Holds
from ledger.keys.store import KeyCacheLimits
from ledger.segments.objects import FileStore
from ledger.tenants import Tenant
from ledger.trust import TrustedKeys
from ledger.trust.current_signer import CurrentSigner

LEASE_S = KeyCacheLimits().lease_s
"""How long caches of this ledger's processes hold a key."""


def suppressed_s(config: LedgerConfig) -> int:
    """How long a person is remembered after her erasure: as long as a client's spool can be opened."""
    return config.gateway.spool_key_seal_s + config.gateway.spool_age_max_s


class Erasing:
    """A home's destructions and holds, and how they are carried out."""

    def __init__(self, home: Home, config: LedgerConfig, keys: OpenKeys, to: str | None = None) -> None:
        self._config = config
        self._keys = keys
        self.destructions = Destructions(keys.database, keys.master, lease_s=LEASE_S)
        self.holds = Holds(keys.database, keys.master)
        self.publisher: OwnPublisher = ThroughGateway(home, keys, to)

    def contents_of(self, tenant: Tenant) -> SealedContents:
        """The tenant's sealed contents."""
        ledger = self._config.ledger
        return SealedContents(FileStore(ledger.segments), lambda: TrustedKeys.load(ledger.trust), tenant)

    def proceeding(self, on_step: Callable[[str], None]) -> Proceeding:
        """What carries destructions out."""
        return Proceeding(
            self.destructions,
            self._keys.tenants,
            self.contents_of,
            self.publisher,
            __version__,
            suppressed_s(self._config),
            on_step,
        )

    def certificate(self, destruction: Destruction, tenant: Tenant) -> str:
        """The signed note, by the key that was good when the keys were destroyed: that is when verifiers look."""
        ledger = self._config.ledger
        text = certificate_text(ledger.name, destruction, tenant)
        signers = CurrentSigner(
            self._keys.store, "ledger", ledger_key_name(ledger.name), lambda: TrustedKeys.load(ledger.trust)
        )
        return sign_certificate(text, signers((destruction.destroyed_at_ms or 0) * 1_000))
