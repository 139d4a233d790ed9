"""How far the deletion of a tenant is: one row a tenant; the steps stand in `ledger.keys.tenant_deletion`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ledger.keys.database import Rows
from ledger.keys.destruction import Request

DeletionPhase = Literal["closing", "ended", "destroyed", "cleared", "stated", "removed", "done"]
PHASES: tuple[DeletionPhase, ...] = ("closing", "ended", "destroyed", "cleared", "stated", "removed", "done")

TABLES = (
    """CREATE TABLE IF NOT EXISTS tenant_deletions (
        tenant TEXT NOT NULL PRIMARY KEY,
        deletion_id BLOB NOT NULL,
        phase TEXT NOT NULL,
        request BLOB NOT NULL,
        without_export INTEGER NOT NULL,
        closed_at_ms INTEGER NOT NULL,
        ended_at_ms INTEGER,
        destroyed_at_ms INTEGER,
        counts TEXT NOT NULL,
        statement TEXT NOT NULL
    )""",
)
COLUMNS = (
    "tenant, deletion_id, phase, request, without_export, closed_at_ms, ended_at_ms, destroyed_at_ms, counts, statement"
)


@dataclass(frozen=True, slots=True)
class TenantDeletion:
    """One tenant's deletion. Times are Unix milliseconds.

    `counts`: keys destroyed, by what they were; `statement`: the signed note, "" before `stated`.
    """

    tenant: str
    deletion_id: bytes
    phase: DeletionPhase
    request: Request
    without_export: bool
    closed_at_ms: int
    ended_at_ms: int | None
    destroyed_at_ms: int | None
    counts: Mapping[str, int]
    statement: str

    @property
    def correlation_id(self) -> str:
        """What the events of this deletion share."""
        return f"tenant-deletion:{self.deletion_id.hex()}"

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.phase == "done"

    def reached(self, phase: DeletionPhase) -> bool:
        """Whether this phase is done."""
        return PHASES.index(self.phase) >= PHASES.index(phase)


def has_tables(rows: Rows) -> bool:
    """Whether this store has the table."""
    return rows.has_table("tenant_deletions")


def deletion_of(
    tenant: str,
    deletion_id: bytes,
    phase: DeletionPhase,
    request: bytes,
    without_export: int,
    closed_at_ms: int,
    ended_at_ms: int | None,
    destroyed_at_ms: int | None,
    counts: str,
    statement: str,
) -> TenantDeletion:
    """A row of `COLUMNS`."""
    return TenantDeletion(
        tenant,
        bytes(deletion_id),
        phase,
        Request.of_bytes(bytes(request)),
        bool(without_export),
        closed_at_ms,
        ended_at_ms,
        destroyed_at_ms,
        json.loads(counts),
        statement,
    )
