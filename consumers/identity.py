"""New, repeat, conflict or undetermined: what an event id seen before means.

Encryption is randomized, so a retried event has another leaf; the submission digest tells what it is. Among all sealed
events of the same log with the same id:

- none: the event is **new**;
- one with the same submission digest under the same key: a **repeat**, dropped, noted with the index of that one;
- else one under the same key: another body under the same id, a **conflict**: sealed in full, marked;
- else (all under other keys; after an erasure, say): **undetermined**: sealed in full, marked.

Events of the same stretch count as sealed once they are decided, in offset order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from consumers.id_index import IdIndex


@dataclass(frozen=True, slots=True)
class Identified:
    """For each event of a stretch whose log id, event id, digest and key id were given, what it is.

    `dropped[i]`: a repeat. `earlier` maps the place of a repeat or marked event to the earlier one: an index in the
    log, or (when it is in this same stretch) `SameStretch(place)`. `marks` maps a place to `conflict` or
    `undetermined`.
    """

    dropped: np.ndarray
    earlier: dict[int, int | SameStretch]
    marks: dict[int, str]


@dataclass(frozen=True, slots=True)
class SameStretch:
    """An earlier event that is in this stretch too, by its place."""

    place: int


@dataclass(frozen=True, slots=True)
class _Known:
    where: int | SameStretch
    digest: bytes
    key_id: bytes


def identify(seen: np.ndarray, ids: np.ndarray, index: IdIndex) -> Identified:
    """Decides for every event. `ids` is an (n, 16) byte array; `seen` are `SEEN` rows (their index is not used)."""
    known: dict[int, list[_Known]] = {}
    for place, row in index.find(ids):
        if row["log"] == seen[place]["log"]:
            known.setdefault(place, []).append(_known(int(row["index"]), row))
    twice = _not_first(ids, seen["log"])
    dropped = np.zeros(len(seen), dtype=bool)
    earlier: dict[int, int | SameStretch] = {}
    marks: dict[int, str] = {}
    in_stretch: dict[bytes, list[_Known]] = {}
    for place in sorted(known.keys() | twice):
        identity = bytes(seen[place]["log"]) + ids[place].tobytes()
        candidates = known.get(place, []) + in_stretch.get(identity, [])
        digest, key_id = bytes(seen[place]["digest"]), bytes(seen[place]["key_id"])
        same_key = [each for each in candidates if each.key_id == key_id]
        repeated = next((each for each in same_key if each.digest == digest), None)
        if repeated is not None:
            dropped[place] = True
            earlier[place] = repeated.where
            continue
        if candidates:
            marks[place] = "conflict" if same_key else "undetermined"
            earlier[place] = (same_key or candidates)[0].where
        in_stretch.setdefault(identity, []).append(_known(SameStretch(place), seen[place]))
    return Identified(dropped, earlier, marks)


def _known(where: int | SameStretch, row: np.ndarray) -> _Known:
    return _Known(where, bytes(row["digest"]), bytes(row["key_id"]))


def _not_first(ids: np.ndarray, logs: np.ndarray) -> set[int]:
    """The places of all events whose (log, id) stands more than once in this stretch, the first ones included."""
    if len(ids) < 2:
        return set()
    log_bytes = np.ascontiguousarray(logs).view(np.uint8).reshape(len(ids), 16)
    keys = np.hstack([log_bytes, ids])
    words = np.ascontiguousarray(keys).view(np.uint64).reshape(len(ids), 4)
    order = np.lexsort(tuple(words.T))
    same = np.flatnonzero((keys[order][1:] == keys[order][:-1]).all(axis=1))
    return {int(order[at]) for at in same} | {int(order[at + 1]) for at in same}
