"""From a ledger's home to the parts by which it deletes a tenant."""

from __future__ import annotations

import time
from collections.abc import Callable

from ledger import __version__
from ledger.config import LedgerConfig
from ledger.deletion.ending import Endings, LogEnd
from ledger.deletion.proceeding import Parts, Rounds, TenantProceeding
from ledger.erasure.opening import LEASE_S
from ledger.export.record import Exports, check_exported
from ledger.gateway.own import ThroughGateway
from ledger.home import Home, OpenKeys, ledger_key_name
from ledger.keys.tenant_deletion import TenantDeletions, Waits
from ledger.segments.objects import FileStore
from ledger.tenants import CACHE_LEASE_S, Tenant
from ledger.trust import TrustedKeys
from ledger.trust.current_signer import CurrentSigner

WAITS = Waits(CACHE_LEASE_S, LEASE_S)
EXPORT_AGE_DAYS_MAX = 30


def remains(config: LedgerConfig) -> tuple[str, ...]:
    """What a final statement of this ledger says is left, and why."""
    kept = (
        "event log: records not trimmed yet, at most the newest of a partition"
        if config.sealer.trim
        else "event log: this ledger keeps it (sealer.trim is off): payloads with pseudonyms of nobody, contents that "
        "nobody can open; what trims it removes them"
    )
    return (
        "name and log ids: so that the name is not given again and old references stay clear",
        "statements and receipts in bundles, checkpoints: digests, ids and times that prove the rounds for others too",
        kept,
        "events of _org that name the tenant; findings of _system about records that could not be decoded, encrypted",
        "copies outside of this ledger: exports, disclosures, backups of files and of the key store",
    )


class Deleting:
    """A home's tenant deletions, and how they are carried out."""

    def __init__(self, home: Home, config: LedgerConfig, keys: OpenKeys, rounds: Rounds, to: str | None = None) -> None:
        self._config = config
        self._keys = keys
        self._rounds = rounds
        self._store = FileStore(config.ledger.segments)
        self._publisher = ThroughGateway(home, keys, to)
        self.deletions = TenantDeletions(keys.database, keys.master, WAITS)
        self.exports = Exports(keys.database)
        self.endings = Endings(self._store, self._trust)

    def check_export(self, tenant: Tenant, ends: list[LogEnd]) -> None:
        """`Rejected` unless the tenant was exported lately, and whole."""
        check_exported(self.exports, self.endings, tenant, ends, _now_ms(), EXPORT_AGE_DAYS_MAX)

    def proceeding(self, on_step: Callable[[str], None]) -> TenantProceeding:
        """What carries deletions out."""
        ledger = self._config.ledger
        parts = Parts(
            deletions=self.deletions,
            tenants=self._keys.tenants,
            store=self._store,
            derived=ledger.derived,
            trust=self._trust,
            publisher=self._publisher,
            rounds=self._rounds,
            signer=CurrentSigner(self._keys.store, "ledger", ledger_key_name(ledger.name), self._trust),
            check_export=self.check_export,
            ledger_name=ledger.name,
            build=__version__,
            remains=remains(self._config),
            now_ms=_now_ms,
        )
        return TenantProceeding(parts, on_step)

    def _trust(self) -> TrustedKeys:
        return TrustedKeys.load(self._config.ledger.trust)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
