"""Legal holds: persons whose contents must be kept, whatever they or the calendar ask for.

A hold has an id that its order gave it, and names one person of one tenant by her keyed hash. While it stands:

- she is not erased, nor is anybody with whom she shares a session, nor anybody who is named for a content with her;
- no month of a retention class in which she has contents expires.

A hold that is released stays as a row, since its LegalHold events name it; when she is erased afterwards, her hash in
it goes with the rest of her. What is being destroyed can't be held any more, and is not said to be. The row and the
event are two steps: a hold counts from the row on, and `recorded` says whether the event is durable. Whoever asks again
goes on where it stopped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ledger.errors import Rejected
from ledger.keys.cache import LeaseCache
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.destruction import Request
from ledger.keys.destruction_tables import has_tables, make_tables
from ledger.keys.hierarchy import KeyHierarchy, TenantRing
from ledger.keys.master import MasterKey
from ledger.keys.provider import HolderRef
from ledger.keys.sealed_rows import SealedRows
from ledger.keys.sealing import row_identity
from ledger.keys.tenant_seal import open_by_tenant, seal_by_tenant

COLUMNS = (
    "hold_id, pseudonym, placed_at_ms, released_at_ms, recorded, tenant_key_generation, request, holder_hash, tenant"
)
CHUNK_ROWS = 200
FORGOTTEN = bytes(32)
"""In place of the hash of a person who was erased."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold. `recorded`: the event of its last change is durable. Times are Unix milliseconds."""

    tenant: str
    hold_id: str
    pseudonym: bytes
    placed_at_ms: int
    released_at_ms: int | None
    recorded: bool
    request: Request

    @property
    def stands(self) -> bool:
        """Whether it forbids anything."""
        return self.released_at_ms is None


class Holds:
    """The holds of one key store. Calls block."""

    def __init__(
        self, database: KeyDatabase, master: MasterKey, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000
    ) -> None:
        self._database = database
        self._hierarchy = KeyHierarchy(master, LeaseCache(1_000, 0.0))
        self._now_ms = now_ms

    def place(self, tenant: str, hold_id: str, identifier: str, request: Request) -> Hold:
        """A new hold on a person, or the one that stands under this id for her already.

        `Rejected` for a person who is not known, for one of whose keys some are being destroyed already, and for an id
        that stands for another one or was released.
        """
        make_tables(self._database)
        with self._database.write() as rows:
            ring = self._ring(rows, tenant)
            holder_hash = ring.holder_hash(HolderRef("person", identifier))
            found = self._find(rows, ring, hold_id)
            if found is not None:
                hold, held = found
                if held != holder_hash or not hold.stands:
                    raise Rejected("hold_id", f"{hold_id} names another hold already, of this tenant")
                return hold
            holders = SealedRows(rows, self._hierarchy, ring, 0.0).holders_by_hash([holder_hash])
            if holder_hash not in holders:
                raise Rejected("subject", f"tenant {tenant} has no such person")
            _check_not_doomed(rows, tenant, holder_hash)
            generation, sealed = seal_by_tenant(ring, request.to_bytes(), hold_identity(tenant, hold_id))
            hold = Hold(tenant, hold_id, holders[holder_hash].pseudonym, self._now_ms(), None, False, request)
            rows.execute(
                "INSERT INTO holds (tenant, hold_id, holder_hash, pseudonym, placed_at_ms, released_at_ms, recorded, "
                "tenant_key_generation, request) VALUES (?, ?, ?, ?, ?, NULL, 0, ?, ?)",
                (tenant, hold_id, holder_hash, hold.pseudonym, hold.placed_at_ms, generation, sealed),
            )
        return hold

    def release(self, tenant: str, hold_id: str, request: Request) -> Hold:
        """End a hold; one that is released already is answered as it is. `Rejected` when there is none."""
        make_tables(self._database)
        with self._database.write() as rows:
            ring = self._ring(rows, tenant)
            found = self._find(rows, ring, hold_id)
            if found is None:
                raise Rejected("hold_id", f"tenant {tenant} has no hold {hold_id}")
            hold, _ = found
            if hold.stands:
                generation, sealed = seal_by_tenant(ring, request.to_bytes(), hold_identity(tenant, hold_id))
                rows.execute(
                    "UPDATE holds SET released_at_ms = ?, recorded = 0, tenant_key_generation = ?, request = ? "
                    "WHERE tenant = ? AND hold_id = ?",
                    (self._now_ms(), generation, sealed, tenant, hold_id),
                )
                found = self._find(rows, ring, hold_id)
        if found is None:
            raise Rejected("hold_id", f"tenant {tenant} has no hold {hold_id}")
        return found[0]

    def recorded(self, hold: Hold) -> None:
        """The event of its last change is durable."""
        with self._database.write() as rows:
            rows.execute("UPDATE holds SET recorded = 1 WHERE tenant = ? AND hold_id = ?", (hold.tenant, hold.hold_id))

    def all(self, tenant: str) -> list[Hold]:
        """Every hold of a tenant, released ones too, by id."""
        with self._database.read() as rows:
            if not has_tables(rows):
                return []
            ring = self._ring(rows, tenant)
            found = rows.execute(f"SELECT {COLUMNS} FROM holds WHERE tenant = ? ORDER BY hold_id", (tenant,)).fetchall()
            return [_hold(ring, row) for row in found]

    def _ring(self, rows: Rows, tenant: str) -> TenantRing:
        ring = self._hierarchy.ring(rows, tenant, 0.0)
        if ring is None:
            raise Rejected("tenant", f"tenant {tenant} has no persons yet")
        return ring

    def _find(self, rows: Rows, ring: TenantRing, hold_id: str) -> tuple[Hold, bytes] | None:
        row = rows.execute(
            f"SELECT {COLUMNS} FROM holds WHERE tenant = ? AND hold_id = ?", (ring.tenant, hold_id)
        ).fetchone()
        return None if row is None else (_hold(ring, row), row[7])


def held_among(rows: Rows, tenant: str, hashes: Iterable[bytes]) -> dict[bytes, str]:
    """Those of these hashes that a hold names, with the hold's id."""
    wanted = list(hashes)
    found: dict[bytes, str] = {}
    for start in range(0, len(wanted), CHUNK_ROWS):
        chunk = wanted[start : start + CHUNK_ROWS]
        found.update(
            rows.execute(
                "SELECT holder_hash, hold_id FROM holds WHERE tenant = ? AND released_at_ms IS NULL "
                f"AND holder_hash IN ({', '.join('?' * len(chunk))})",
                (tenant, *chunk),
            ).fetchall()
        )
    return found


def forget_held(rows: Rows, tenant: str, holder_hash: bytes) -> None:
    """Take the hash of a person who is erased out of the holds that she was under."""
    rows.execute(
        "UPDATE holds SET holder_hash = ? WHERE tenant = ? AND holder_hash = ?", (FORGOTTEN, tenant, holder_hash)
    )


def _check_not_doomed(rows: Rows, tenant: str, holder_hash: bytes) -> None:
    """`Rejected` while keys of hers, or of what stands for her, are being destroyed: that can't be undone."""
    found = rows.execute(
        "SELECT DISTINCT destructions.kind FROM doomed_scopes "
        "JOIN scopes ON scopes.tenant = doomed_scopes.tenant AND scopes.row_key = doomed_scopes.row_key "
        "JOIN destructions ON destructions.destruction_id = doomed_scopes.destruction_id "
        "WHERE doomed_scopes.tenant = ? AND (scopes.holder_hash = ? OR scopes.holder_hash IN "
        "(SELECT stand_in_hash FROM links WHERE tenant = ? AND person_hash = ?)) "
        "UNION SELECT destructions.kind FROM doomed_holders "
        "JOIN destructions ON destructions.destruction_id = doomed_holders.destruction_id "
        "WHERE doomed_holders.tenant = ? AND doomed_holders.holder_hash = ?",
        (tenant, holder_hash, tenant, holder_hash, tenant, holder_hash),
    ).fetchall()
    if found:
        kinds = " and ".join(sorted(f"an {kind}" for (kind,) in found))
        raise Rejected(
            "subject",
            f"{kinds} of hers is under way and can't be undone; `erase --resume` ends it, then what is left of her in "
            f"tenant {tenant} can be held",
        )


def _hold(ring: TenantRing, row: tuple[str, bytes, int, int | None, int, int, bytes, bytes, str]) -> Hold:
    hold_id, pseudonym, placed_at_ms, released_at_ms, recorded, generation, sealed, _, tenant = row
    data = open_by_tenant(ring, generation, sealed, hold_identity(tenant, hold_id), f"hold {hold_id}")
    return Hold(tenant, hold_id, pseudonym, placed_at_ms, released_at_ms, bool(recorded), Request.of_bytes(data))


def hold_identity(tenant: str, hold_id: str) -> bytes:
    """What binds a hold's request to its row."""
    return row_identity("holds", tenant, hold_id.encode())
