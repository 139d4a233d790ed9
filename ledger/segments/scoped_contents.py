"""Which stored contents of some sealed events stand under given key scopes. Reads the typed columns; pure.

A content's scopes stand in its descriptor. They are public: random ids, of which only the key store knows whose.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

COLUMNS = ("log_id", "index", "contents")
"""What `contents_under` needs of an events file."""


@dataclass(frozen=True, slots=True)
class ScopedContent:
    """A content with a ciphertext, and those of the scopes asked for that it stands under."""

    index: int
    slot: str
    scope_ids: tuple[bytes, ...]


def contents_under(events: pa.Table, scope_ids: Collection[bytes]) -> list[ScopedContent]:
    """The stored contents of these rows that stand under one or more of these scopes."""
    if not events.num_rows or not scope_ids:
        return []
    column = events["contents"].combine_chunks()
    lists = column.chunk(0) if isinstance(column, pa.ChunkedArray) else column
    rows, contents = pc.list_parent_indices(lists), lists.flatten()
    of_content = pc.struct_field(contents, "scope_ids")
    owners, ids = pc.list_parent_indices(of_content), of_content.flatten()
    hit = pc.is_in(ids.cast(pa.binary()), value_set=pa.array(sorted(scope_ids), pa.binary()))
    found: defaultdict[int, list[bytes]] = defaultdict(list)
    for owner, scope_id in zip(owners.filter(hit).to_pylist(), ids.filter(hit).to_pylist(), strict=True):
        found[owner].append(scope_id)
    if not found:
        return []
    places = pa.array(sorted(found), pa.int64())
    stored = pc.struct_field(contents, "ciphertext_sha256").take(places).is_valid().to_pylist()
    slots = pc.struct_field(contents, "slot").take(places).to_pylist()
    indexes = np.asarray(events["index"])[np.asarray(rows.take(places))].tolist()
    return [
        ScopedContent(index, slot, tuple(found[place]))
        for place, is_stored, slot, index in zip(places.to_pylist(), stored, slots, indexes, strict=True)
        if is_stored
    ]
