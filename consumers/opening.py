"""From a ledger's home to the parts a sealer works with."""

from __future__ import annotations

from collections.abc import Callable

from consumers.id_index import IdIndex
from consumers.sealer import SealerLimits, SealerParts
from ledger import __version__
from ledger.config import LedgerConfig
from ledger.home import OpenKeys, ledger_key_name
from ledger.log.interface import EventLog
from ledger.segments.objects import FileStore
from ledger.tenants import SYSTEM, TenantLog, TenantRegistry, log_origin
from ledger.trust.current_signer import CurrentSigner
from ledger.trust.reader import trust_reader


def limits(config: LedgerConfig) -> SealerLimits:
    """The sealer's limits as configured."""
    sealer = config.sealer
    return SealerLimits(
        round_rows_max=sealer.round_rows_max,
        round_bytes_max=sealer.round_bytes_max,
        round_age_ms=sealer.round_age_ms,
        heartbeat_s=sealer.heartbeat_s,
        row_group_rows=sealer.row_group_rows,
        trim=sealer.trim,
    )


def parts(config: LedgerConfig, keys: OpenKeys, log: EventLog, partition: int) -> SealerParts:
    """What the sealer of one partition works with. The event log is started by the caller."""
    trust = trust_reader(config.ledger.trust)
    return SealerParts(
        store=FileStore(config.ledger.segments),
        log=log,
        incarnation=config.ledger.incarnation_bytes,
        logs=keys.tenants.partition_logs(partition),
        trust=trust,
        find_log=log_finder(keys.tenants, config.ledger.name),
        log_by_id=keys.tenants.log_by_id,
        newest=keys.newest_rounds,
        keys=keys.store,
        signer=CurrentSigner(keys.store, "ledger", ledger_key_name(config.ledger.name), trust),
        index=IdIndex(config.ledger.derived / "ids" / f"{partition:04d}"),
        build=__version__,
        has_ended=keys.tenants.has_ended,
    )


def log_finder(tenants: TenantRegistry, ledger_name: str) -> Callable[[str], TenantLog | None]:
    """A tenant's log by its origin. System logs are the sealer's own: no receipt may name one."""
    prefix = log_origin(ledger_name, b"")

    def find(origin: str) -> TenantLog | None:
        try:
            log = tenants.log_by_id(bytes.fromhex(origin.removeprefix(prefix)))
        except ValueError:
            return None
        return log if log is not None and log.origin == origin and log.tenant != SYSTEM else None

    return find
