"""What an erasure or expiry would destroy, and which legal holds stand in its way. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from ledger.keys.database import Rows
from ledger.keys.holds import held_among


@dataclass(frozen=True, slots=True)
class Doomed:
    """`holders`: hashes; `shared`: those that also stand for somebody else. `scopes`: (scope id, row key, bucket).

    `holds`: ids of holds that forbid it. `held_scope_ids`: all scopes of the persons under any hold.
    """

    holders: frozenset[bytes]
    shared: frozenset[bytes]
    scopes: tuple[tuple[bytes, bytes, int], ...]
    holds: frozenset[str]
    held_scope_ids: frozenset[bytes] = field(default=frozenset())

    @property
    def scope_ids(self) -> tuple[bytes, ...]:
        """The ids of the scopes."""
        return tuple([scope_id for scope_id, _, _ in self.scopes])


def of_persons(rows: Rows, tenant: str, persons: Collection[bytes], *, keep_shared: bool) -> Doomed:
    """What an erasure of these persons (hashes) destroys."""
    stand_ins = _stand_ins(rows, tenant, persons)
    others_of = {each: _persons(rows, tenant, each) - set(persons) for each in stand_ins}
    shared = {each for each, others in others_of.items() if others}
    others = {other for each in shared for other in others_of[each]}
    if keep_shared:
        stand_ins, shared, others = stand_ins - shared, set(), set()
    holders = frozenset(persons) | stand_ins
    scopes = _scopes_of(rows, tenant, holders)
    holds = frozenset(held_among(rows, tenant, {*holders, *others}).values())
    return Doomed(holders, frozenset(shared), tuple(scopes), holds, _held_scopes(rows, tenant))


def of_month(rows: Rows, tenant: str, retention_class: str, month: str) -> Doomed:
    """What the expiry of a retention class and month destroys. A hold on anybody in it forbids all of it.

    All of it, because a content may be under several persons' scopes, and dies with any.
    """
    found = rows.execute(
        "SELECT scope_id, row_key, bucket, holder_hash FROM scopes "
        "WHERE tenant = ? AND retention_class = ? AND month = ?",
        (tenant, retention_class, month),
    ).fetchall()
    holders = {holder_hash for _, _, _, holder_hash in found}
    linked = {person for holder in holders for person in _persons(rows, tenant, holder)}
    holds = frozenset(held_among(rows, tenant, {*holders, *linked}).values())
    return Doomed(frozenset(), frozenset(), tuple(row[:3] for row in found), holds)


def _held_scopes(rows: Rows, tenant: str) -> frozenset[bytes]:
    """Scopes of persons under a hold, and of what stands for them."""
    held = {
        each
        for (each,) in rows.execute(
            "SELECT holder_hash FROM holds WHERE tenant = ? AND released_at_ms IS NULL", (tenant,)
        )
    }
    found = _scopes_of(rows, tenant, held | _stand_ins(rows, tenant, held))
    return frozenset(scope_id for scope_id, _, _ in found)


def _stand_ins(rows: Rows, tenant: str, persons: Collection[bytes]) -> set[bytes]:
    found: set[bytes] = set()
    for person in persons:
        linked = rows.execute(
            "SELECT stand_in_hash FROM links WHERE tenant = ? AND person_hash = ?", (tenant, person)
        ).fetchall()
        found.update(each for (each,) in linked)
    return found


def _persons(rows: Rows, tenant: str, stand_in: bytes) -> set[bytes]:
    linked = rows.execute(
        "SELECT person_hash FROM links WHERE tenant = ? AND stand_in_hash = ?", (tenant, stand_in)
    ).fetchall()
    return {each for (each,) in linked}


def _scopes_of(rows: Rows, tenant: str, holders: Collection[bytes]) -> list[tuple[bytes, bytes, int]]:
    found: list[tuple[bytes, bytes, int]] = []
    for holder in holders:
        found += rows.execute(
            "SELECT scope_id, row_key, bucket FROM scopes WHERE tenant = ? AND bucket = ? AND holder_hash = ?",
            (tenant, holder[0], holder),
        ).fetchall()
    return found
