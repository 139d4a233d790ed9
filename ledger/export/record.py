"""What the ledger remembers of exports: when, how far each log was exported, by which manifest. In the key store.

A deletion demands an export that is recent and holds every event that others than the ledger wrote.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from ledger.deletion.ending import Endings, LogEnd
from ledger.errors import Rejected
from ledger.keys.database import KeyDatabase, Rows
from ledger.tenants import Tenant

TABLE = """CREATE TABLE IF NOT EXISTS tenant_exports (
    tenant TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    manifest_sha256 BLOB NOT NULL,
    contents INTEGER NOT NULL,
    sizes TEXT NOT NULL,
    PRIMARY KEY (tenant, at_ms)
)"""

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class ExportMade:
    """An export: `sizes` of each log, by log id in hex; `contents` decrypted for it; Unix milliseconds."""

    tenant: str
    at_ms: int
    manifest_sha256: bytes
    contents: int
    sizes: Mapping[str, int]


class Exports:
    """The exports of one key store. Calls block."""

    def __init__(self, database: KeyDatabase) -> None:
        self._database = database

    def add(self, made: ExportMade) -> None:
        """Remember one."""
        with self._database.write() as rows:
            rows.define(TABLE)
            rows.execute(
                "INSERT INTO tenant_exports (tenant, at_ms, manifest_sha256, contents, sizes) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (tenant, at_ms) DO NOTHING",
                (made.tenant, made.at_ms, made.manifest_sha256, made.contents, json.dumps(dict(made.sizes))),
            )

    def newest(self, tenant: str) -> ExportMade | None:
        """The last one of a tenant; None when there was none."""
        with self._database.read() as rows:
            if not _has_table(rows):
                return None
            found = rows.execute(
                "SELECT tenant, at_ms, manifest_sha256, contents, sizes FROM tenant_exports WHERE tenant = ? "
                "ORDER BY at_ms DESC LIMIT 1",
                (tenant,),
            ).fetchone()
        if found is None:
            return None
        name, at_ms, manifest, contents, sizes = found
        return ExportMade(name, at_ms, bytes(manifest), contents, json.loads(sizes))


def check_exported(
    exports: Exports, endings: Endings, tenant: Tenant, ends: list[LogEnd], now_ms: int, age_days_max: int
) -> ExportMade:
    """The export by which the tenant may be deleted; `Rejected` when there is none, it is old, or lacks events."""
    again = f"`tenant export {tenant.name}` makes one; --without-export goes on without"
    made = exports.newest(tenant.name)
    if made is None:
        raise Rejected("export", f"tenant {tenant.name} was never exported; {again}")
    if now_ms - made.at_ms > age_days_max * DAY_MS:
        raise Rejected("export", f"the last export of tenant {tenant.name} is older than {age_days_max} days; {again}")
    lacking = sum(endings.foreign_events(end, made.sizes.get(end.log.log_id.hex(), 0)) for end in ends)
    if lacking:
        raise Rejected("export", f"{lacking} events of tenant {tenant.name} came after its last export; {again}")
    return made


def _has_table(rows: Rows) -> bool:
    return rows.has_table("tenant_exports")
