"""Naming which slots differ, where an event's contents are not those its payload describes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256

from ledger.segments.objects import FileStore
from ledger.segments.placement import Placement
from ledger.segments.round import CONTENTS, EVENTS
from ledger.verify.contents import ContentSums, explain, unmatched
from ledger.verify.files import Named
from ledger.verify.leaves import Stretch
from ledger.verify.rounds import RoundSeen
from ledger.verify.whereabouts import Piece, rows_of

EXPLAINED_MAX = 16
"""Of how many events of one statement the slots are named."""


def explain_contents(
    store: FileStore, seen: RoundSeen, stretch: Stretch, placement: Placement | None, sums: ContentSums
) -> Iterator[tuple[str, str]]:
    """(rule, message) for each content of a statement's events that is not as described."""
    wrong = unmatched(stretch.rows)
    if not len(wrong):
        return
    statement = stretch.statement
    indexes = statement.first_index + wrong[:EXPLAINED_MAX]
    removed = sums.removed.get(statement.log_id, set()) if placement is not None else set[tuple[int, str]]()
    payloads: dict[int, bytes] = {}
    for batch in rows_of(store, _pieces(seen, stretch, placement, EVENTS), statement.log_id, ["payload"], indexes):
        payloads.update(zip(batch["index"].to_pylist(), batch["payload"].to_pylist(), strict=True))
    found: defaultdict[int, list[tuple[str, bytes, bytes | None, bytes]]] = defaultdict(list)
    columns = ["slot", "event_id", "subject", "ciphertext"]
    for batch in rows_of(store, _pieces(seen, stretch, placement, CONTENTS), statement.log_id, columns, indexes):
        for index, slot, event_id, subject, ciphertext in zip(
            *(batch[name].to_pylist() for name in ("index", *columns)), strict=True
        ):
            found[index].append((slot, event_id, subject, sha256(ciphertext).digest()))
    for index in indexes.tolist():
        explained = list(explain(index, payloads[index], found[index], removed)) if index in payloads else []
        yield from explained or [("content", f"index {index}: its contents are not those its payload describes")]
    if len(wrong) > EXPLAINED_MAX:
        yield (
            "content",
            f"{len(wrong) - EXPLAINED_MAX} more events of this statement have contents that are not described",
        )


def _pieces(seen: RoundSeen, stretch: Stretch, placement: Placement | None, role: str) -> list[Piece]:
    statement = stretch.statement
    if placement is not None:
        return [
            Piece(file.first_index, file.end_index, Named(seen.place, file.name, file.sha256, file.bytes))
            for file in placement.files
            if file.role == role
        ]
    named = seen.round.file(role)
    if named is None:
        return []
    file = Named(seen.place, named.name, named.sha256, named.bytes)
    return [Piece(statement.first_index, statement.first_index + statement.count, file)]
