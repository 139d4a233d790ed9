"""Contents against the payloads that describe them, in whatever order both are read.

Each payload descriptor with a ciphertext, and each content row, becomes one 128-bit value, a hash with a secret key
over its slot, event id, person and ciphertext SHA-256. For each event the values of its descriptors are added and
those of its content rows are subtracted: where the sum is zero, the rows are exactly those described, each once; the
key is random and known to this verification alone, so nobody can prepare rows that cancel out. Where it is not,
`explain` reads that event's rows once more and names the slot. This needs 16 bytes an event, in any order, where a
join would need all at once.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ledger.errors import IntegrityError
from ledger.record.payload import decode_payload
from ledger.segments.placement import Placement
from ledger.segments.rows import CONTENTS_SCHEMA, open_parquet, record_batches
from ledger.verify.columns import integers, objects
from ledger.verify.report import Collector, Place
from ledger.verify.scan import Rows, Target
from ledger.verify.statistics import wrong_statistics

_NOBODY = bytes(17)


@dataclass(frozen=True, slots=True)
class Described:
    """Descriptors with a ciphertext, in order: the row of their event, slot, event id, ciphertext digest, scopes."""

    rows: np.ndarray
    slots: list[str]
    event_ids: list[bytes]
    digests: list[bytes]
    scope_ids: pa.Array


def described(decoded: pa.Table) -> Described:
    """The descriptors of some payloads that have a ciphertext."""
    lists = decoded["contents"].combine_chunks()
    flat = lists.flatten()
    stored = flat.field("ciphertext_sha256").is_valid()
    rows = pc.list_parent_indices(lists).filter(stored).to_numpy(zero_copy_only=False)
    slots = flat.field("slot").filter(stored)
    digests = flat.field("ciphertext_sha256").filter(stored)
    event_ids = decoded["event_id"].combine_chunks().take(pa.array(rows, pa.int64()))
    scope_ids = flat.field("scope_ids").filter(stored)
    return Described(rows, objects(slots), objects(event_ids), objects(digests), scope_ids)  # type: ignore[arg-type]


@dataclass(slots=True)
class ContentSums:
    """Adds up descriptors and content rows. `removed[log id]` are the (index, slot) that a placement took out.

    `scopes_removed[log id]` are the scopes of each of those, by its payload.
    """

    collector: Collector
    removed: dict[bytes, set[tuple[int, str]]] = field(default_factory=dict)
    absent: defaultdict[bytes, int] = field(default_factory=lambda: defaultdict(int))
    scopes_removed: defaultdict[bytes, dict[tuple[int, str], frozenset[bytes]]] = field(
        default_factory=lambda: defaultdict(dict)
    )
    _key: bytes = field(default_factory=lambda: os.urandom(32))

    def take(self, placement: Placement) -> None:
        """Contents that the log's current placement says are gone."""
        self.removed[placement.log_id] = {(each.index, each.slot) for each in placement.removed}

    def expect(self, rows: Rows, wanted: Described, subjects: pa.Array, target: Target) -> None:
        """Adds the descriptors of a batch, but for those removed."""
        people = objects(subjects)
        indexes = integers(rows.columns["index"])
        values = []
        kept = []
        for number, (at, slot, event_id, digest) in enumerate(
            zip(wanted.rows.tolist(), wanted.slots, wanted.event_ids, wanted.digests, strict=True)
        ):
            log_id = target.spans[rows.spans[at]].log_id
            removed = self.removed.get(log_id)
            if removed and indexes is not None and (int(indexes[at]), slot) in removed:
                self.absent[log_id] += 1
                scopes = frozenset(wanted.scope_ids[number].as_py())
                self.scopes_removed[log_id][int(indexes[at]), slot] = scopes
                continue
            kept.append(at)
            values.append(self._value(slot, event_id, people[at], digest))
        self._add(target.table, rows.places[kept], values, 1)

    def read(self, stream: BinaryIO, name: str, place: Place, target: Target) -> int | None:
        """Subtracts the rows of a contents file; how many there were, None (and a finding) when it is unreadable."""
        count = 0
        try:
            file = open_parquet(stream)
            if not file.schema_arrow.equals(CONTENTS_SCHEMA):
                self.collector.add(place, name, "format", "has other columns than contents have, or of other types")
                return None
            for batch in record_batches(file, None):
                count += batch.num_rows
                if batch.num_rows:
                    self._batch(batch, name, place, target)
            for message in wrong_statistics(file):
                self.collector.add(place, name, "statistics", message)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            self.collector.add(place, name, "format", f"is not a Parquet file of contents ({type(error).__name__})")
            return None
        return count

    def _batch(self, batch: pa.RecordBatch, name: str, place: Place, target: Target) -> None:
        indexes = integers(batch["index"])
        if indexes is None or any(batch[column].null_count for column in ("log_id", "slot", "event_id", "ciphertext")):
            self.collector.add(place, name, "format", "a row has no log, index, slot, event id or ciphertext")
            return
        spans, places = target.place_of(batch["log_id"], indexes)
        foreign = np.flatnonzero(places < 0)
        if len(foreign):
            row = int(foreign[0])
            where = f"log {batch['log_id'][row].as_py().hex()}, index {indexes[row]}"
            self.collector.add(place, name, "content", f"{where}: a content of an event that is not in these files")
        kept = np.flatnonzero((places >= 0) & target.wanted[spans]) if target.spans else np.empty(0, np.int64)
        rows = batch.take(pa.array(kept, pa.int64()))
        columns = (objects(rows[column]) for column in ("slot", "event_id", "subject", "ciphertext"))
        values = [
            self._value(slot, event_id, subject, sha256(ciphertext).digest())
            for slot, event_id, subject, ciphertext in zip(*columns, strict=True)
        ]
        self._add(target.table, places[kept], values, -1)
        self.collector.count(contents=len(kept))

    def _value(self, slot: str, event_id: bytes, subject: bytes | None, digest: bytes) -> bytes:
        # Fixed sizes before the slot, so that two different rows never give the same bytes.
        person = _NOBODY if subject is None else b"\x01" + _sixteen(subject)
        return sha256(self._key + digest + _sixteen(event_id) + person + slot.encode()).digest()[:16]

    @staticmethod
    def _add(table: np.ndarray, places: np.ndarray, values: list[bytes], sign: int) -> None:
        if not values:
            return
        numbers = np.frombuffer(b"".join(values), np.uint64).reshape(len(values), 2)
        # Unsigned arithmetic wraps: subtracting is adding the complement.
        np.add.at(table["contents"], places, numbers if sign > 0 else (~numbers + np.uint64(1)))


def _sixteen(value: bytes) -> bytes:
    """An id of another length is as wrong as any; it only must not be mistaken for a right one."""
    return value if len(value) == 16 else sha256(b"other" + value).digest()[:16]


def unmatched(rows: np.ndarray) -> np.ndarray:
    """The rows of a table whose contents are not those described, among the rows whose payload was decoded."""
    return np.flatnonzero((rows["contents"] != 0).any(axis=1) & (rows["decoded"] != 0))


def explain(
    index: int, payload: bytes, found: list[tuple[str, bytes, bytes | None, bytes]], removed: set[tuple[int, str]]
) -> Iterator[tuple[str, str]]:
    """(rule, message) for each slot of one event that is wrong; `found` are its content rows as (slot, event id,
    subject, ciphertext digest)."""
    try:
        values = decode_payload(payload)
    except IntegrityError:
        return
    wanted = {each["slot"]: each["ciphertext_sha256"] for each in values["contents"] if each["ciphertext_sha256"]}
    count = Counter(slot for slot, _, _, _ in found)
    subjects = values["subjects"]
    person = values["actor_user"] or (subjects[0]["pseudonym"] if subjects else None)
    for slot, digest in wanted.items():
        if (index, slot) in removed:
            if count[slot]:
                yield "removal", f"index {index}, slot {slot}: removed by the placement, but still there"
        elif not count[slot]:
            yield (
                "content",
                f"index {index}, slot {slot}: no content has it, and none was removed; expected {digest.hex()}",
            )
    for slot, event_id, subject, digest in found:
        if slot not in wanted:
            yield "content", f"index {index}, slot {slot}: a content that the payload does not describe"
        elif count[slot] > 1:
            yield "content", f"index {index}, slot {slot}: stands {count[slot]} times"
        elif digest != wanted[slot]:
            message = f"SHA-256 of the ciphertext is {digest.hex()}, the payload says {wanted[slot].hex()}"
            yield "content", f"index {index}, slot {slot}: {message}"
        elif event_id != values["event_id"] or subject != person:
            yield "column", f"index {index}, slot {slot}: event_id or subject is not what the payload says"
