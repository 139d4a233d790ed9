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

from dataclasses import dataclass, field

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


@dataclass(slots=True)
class _Before:
    """The sealed events of one log and id: the first of all, the first under each key, and each body's first.

    A producer may send one id with any number of bodies; what it costs to tell the next one must not grow with them.
    """

    first: int | SameStretch
    of_key: dict[bytes, int | SameStretch] = field(default_factory=dict)
    of_body: dict[tuple[bytes, bytes], int | SameStretch] = field(default_factory=dict)

    def add(self, where: int | SameStretch, row: np.ndarray) -> None:
        """Takes in the next one, in index order."""
        key_id, digest = bytes(row["key_id"]), bytes(row["digest"])
        self.of_key.setdefault(key_id, where)
        self.of_body.setdefault((key_id, digest), where)


def identify(seen: np.ndarray, ids: np.ndarray, index: IdIndex) -> Identified:
    """Decides for every event. `ids` is an (n, 16) byte array; `seen` are `SEEN` rows (their index is not used)."""
    twice = sorted(_not_first(ids, seen["log"]))
    before, known = _sealed_before(seen, ids, twice, index)
    dropped = np.zeros(len(seen), dtype=bool)
    earlier: dict[int, int | SameStretch] = {}
    marks: dict[int, str] = {}
    for place in sorted(known.union(twice)):
        row = seen[place]
        identity = _identity(seen, ids, place)
        others = before.get(identity)
        if others is None:
            others = before[identity] = _Before(SameStretch(place))
        elif (repeated := others.of_body.get((bytes(row["key_id"]), bytes(row["digest"])))) is not None:
            dropped[place] = True
            earlier[place] = repeated
            continue
        else:
            same_key = others.of_key.get(bytes(row["key_id"]))
            marks[place] = "undetermined" if same_key is None else "conflict"
            earlier[place] = others.first if same_key is None else same_key
        others.add(SameStretch(place), row)
    return Identified(dropped, earlier, marks)


def _sealed_before(
    seen: np.ndarray, ids: np.ndarray, twice: list[int], index: IdIndex
) -> tuple[dict[bytes, _Before], set[int]]:
    """What the index knows under each log and id, and the places asked for whose id it knows. Each id is asked once."""
    asked = np.ones(len(seen), dtype=bool)
    first: dict[bytes, int] = {}
    for place in twice:
        asked[place] = first.setdefault(_identity(seen, ids, place), place) == place
    places = np.flatnonzero(asked)
    before: dict[bytes, _Before] = {}
    known: set[int] = set()
    for position, row in index.find(ids[places]):
        place = int(places[position])
        if row["log"] != seen[place]["log"]:
            continue
        where = int(row["index"])
        known.add(place)
        before.setdefault(_identity(seen, ids, place), _Before(where)).add(where, row)
    return before, known


def _identity(seen: np.ndarray, ids: np.ndarray, place: int) -> bytes:
    log: bytes = seen[place]["log"].tobytes()
    return log + bytes(ids[place].tobytes())


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
