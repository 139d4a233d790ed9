"""What is known of one erasure or expiry: who wanted it, how far it is, what it destroyed.

    marked      nobody is given the keys any more; caches may still hold them for one lease
    rewrapped   what survives in the buckets touched stands under new bucket keys
    destroyed   rows and old bucket keys are deleted: from here on nothing brings the contents back
    wiped       nothing of what was deleted stands in the database's files
    counted     the sealed contents that nobody can open any more are counted, by log
    published   the event is durable in each of the tenant's logs
    done        the reason is wiped from here; the event has it

One after the other; each step is one transaction or can be done twice, so whoever finds one unfinished goes on with it.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from ledger.errors import IntegrityError, Rejected
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.destruction_tables import has_tables

ID_BYTES = 16
CHUNK_ROWS = 200

Kind = Literal["erasure", "expiry"]
Phase = Literal["marked", "rewrapped", "destroyed", "wiped", "counted", "published", "done"]

PHASES: tuple[Phase, ...] = ("marked", "rewrapped", "destroyed", "wiped", "counted", "published", "done")


class Held(Rejected):
    """A legal hold forbids it."""


@dataclass(frozen=True, slots=True)
class Request:
    """Who wants it, who approved, on what legal ground, and why. Everything but the reason ends up in clear."""

    requester: str
    approvers: tuple[str, ...]
    legal_ground: str
    reason: str

    def to_bytes(self) -> bytes:
        """As it is sealed in the key store."""
        return json.dumps([self.requester, list(self.approvers), self.legal_ground, self.reason]).encode()

    @classmethod
    def of_bytes(cls, data: bytes) -> Request:
        """The inverse of `to_bytes`."""
        try:
            requester, approvers, legal_ground, reason = json.loads(data)
        except ValueError:
            raise IntegrityError("destructions: a request is not what was written") from None
        return cls(requester, tuple(approvers), legal_ground, reason)


@dataclass(frozen=True, slots=True)
class Destruction:
    """One erasure or expiry. Times are Unix milliseconds, None: not yet.

    `pseudonyms`: of an erasure, the persons' own. `counts`: sealed contents that it made unreadable, by log id in hex.
    """

    destruction_id: bytes
    tenant: str
    kind: Kind
    phase: Phase
    request: Request
    retention_class: str | None
    month: str | None
    marked_at_ms: int
    destroyed_at_ms: int | None
    pseudonyms: tuple[bytes, ...]
    scope_ids: tuple[bytes, ...]
    keys_destroyed: int
    counts: dict[str, int]

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do in the key store and in the event log."""
        return self.phase == "done"

    @property
    def correlation_id(self) -> str:
        """What its events share."""
        return correlation_id(self.kind, self.destruction_id)

    def reached(self, phase: Phase) -> bool:
        """Whether it is as far as this, or further."""
        return PHASES.index(self.phase) >= PHASES.index(phase)


def correlation_id(kind: str, destruction_id: bytes) -> str:
    """What the events of one erasure or expiry share."""
    return f"{kind}:{destruction_id.hex()}"


def cut_ids(joined: bytes) -> tuple[bytes, ...]:
    """Ids of 16 bytes that stand back to back."""
    return tuple(joined[at : at + ID_BYTES] for at in range(0, len(joined), ID_BYTES))


def destroyed_by(rows: Rows, tenant: str, scope_ids: frozenset[bytes]) -> dict[bytes, str]:
    """Of those of these scopes that were destroyed or are about to be, the correlation id of the events that say so."""
    if not has_tables(rows):
        return {}
    found: dict[bytes, str] = {}
    for kind, destruction_id, joined in rows.execute(
        "SELECT kind, destruction_id, scope_ids FROM destructions WHERE tenant = ?", (tenant,)
    ):
        found.update((each, correlation_id(kind, destruction_id)) for each in cut_ids(joined) if each in scope_ids)
    return found


def explained(database: KeyDatabase, tenant: str, scope_ids: Collection[bytes]) -> bool:
    """Whether the store knows all of these scopes: it has them, or an erasure or expiry that destroyed them."""
    with database.read() as rows:
        gone = frozenset(scope_ids) - {scope_id for scope_id, _, _ in scopes_by_id(rows, tenant, scope_ids)}
        return not gone or gone == destroyed_by(rows, tenant, gone).keys()


def scopes_by_id(rows: Rows, tenant: str, scope_ids: Collection[bytes]) -> set[tuple[bytes, bytes, int]]:
    """(scope id, row key, bucket) of those of these scopes that are there."""
    wanted = list(scope_ids)
    found: set[tuple[bytes, bytes, int]] = set()
    for start in range(0, len(wanted), CHUNK_ROWS):
        chunk = wanted[start : start + CHUNK_ROWS]
        found.update(
            rows.execute(
                "SELECT scope_id, row_key, bucket FROM scopes WHERE tenant = ? "
                f"AND scope_id IN ({', '.join('?' * len(chunk))})",
                (tenant, *chunk),
            ).fetchall()
        )
    return found
