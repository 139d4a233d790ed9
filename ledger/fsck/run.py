"""The whole look, and the broom."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from ledger.errors import IntegrityError, Unavailable
from ledger.fsck.derived import check_tiles
from ledger.fsck.lines import FsckLine
from ledger.fsck.object_names import CompactedObject, PartitionObject, kind_of
from ledger.fsck.partition import (
    PartitionLook,
    judge_marker,
    judge_missing,
    judge_newest,
    judge_numbered,
    judge_placement,
    look,
    named_by_placements,
)
from ledger.newest_rounds import NewestRound
from ledger.segments.history import History
from ledger.segments.objects import FileStore
from ledger.segments.placement import Placement
from ledger.trust import TrustedKeys

LEFTOVER_AGE_S = 3_600.0
"""A temporary file younger than this may be one that somebody is writing."""

DerivedCheck = Callable[[], Iterable[FsckLine]]
"""What another package has to say about what it derives."""


def fsck(
    store: FileStore,
    trust: TrustedKeys,
    derived: Path | None = None,
    *,
    remembered: Mapping[int, NewestRound] | None = None,
    checks: Iterable[DerivedCheck] = (),
    leftover_age_s: float = LEFTOVER_AGE_S,
    now_s: float | None = None,
) -> list[FsckLine]:
    """One line for each object that does not simply belong to the ledger; changes nothing.

    `derived`: the folder of derived files, of which the tiles are checked. `remembered`: what the key store remembers
    of the newest rounds, read before this is called. `now_s`: Unix seconds, None: now.
    """
    # Names first, rounds after: what a sealer publishes in between then is not taken for an orphan.
    present = store.walk()
    kinds = {name: kind_of(name) for name in present}
    partitions = {log.partition for log in trust.logs}
    partitions |= {kind.partition for kind in kinds.values() if isinstance(kind, PartitionObject)}
    looks = {each: look(History(store, each, trust)) for each in sorted(partitions)}
    lines = [line for found in looks.values() for line in found.lines]
    for partition, newest in (remembered or {}).items():
        if partition in looks:
            lines += judge_newest(looks[partition], newest)
    lines += _objects(kinds, looks)
    for found in looks.values():
        lines += judge_missing(found, set(present), store)
    lines += _leftovers(store, leftover_age_s, time.time() if now_s is None else now_s)
    if derived is not None:
        lines += check_tiles(store, derived / "tiles", looks)
    for check in checks:
        lines += check()
    return lines


def clean(store: FileStore, lines: Iterable[FsckLine]) -> list[str]:
    """Removes what is `removable` in these lines of `fsck`; returns the names removed."""
    removed = []
    for line in lines:
        if not line.removable:
            continue
        if line.kind == "leftover":
            (store.root / line.name).unlink(missing_ok=True)
        else:
            store.remove(line.name)
        removed.append(line.name)
    return removed


def _objects(
    kinds: dict[str, PartitionObject | CompactedObject | None], looks: dict[int, PartitionLook]
) -> Iterator[FsckLine]:
    present = set(kinds)
    markers = {kind.digest for kind in kinds.values() if isinstance(kind, PartitionObject) and kind.part == "proposals"}
    named = named_by_placements(looks.values(), _proposed(kinds, looks))
    for name, kind in kinds.items():
        if isinstance(kind, CompactedObject):
            if name not in named:
                yield FsckLine("pending", name, "no placement names it: a crash before, or a compactor at work")
        elif kind is None:
            yield FsckLine("unknown", name, "is no name that the ledger gives")
        elif kind.part == "placements":
            yield from judge_placement(looks[kind.partition], name, kind, kind.digest in markers)
        elif kind.part == "proposals":
            yield from judge_marker(looks[kind.partition], name, kind, present)
        elif kind.part != "rounds":
            yield from judge_numbered(looks[kind.partition], name, kind)


def _proposed(
    kinds: dict[str, PartitionObject | CompactedObject | None], looks: dict[int, PartitionLook]
) -> Iterator[Placement]:
    """The placements there are that no round has committed."""
    for kind in kinds.values():
        if isinstance(kind, PartitionObject) and kind.part == "placements":
            found = looks[kind.partition]
            if kind.digest not in found.committed:
                try:
                    yield found.history.placement(kind.digest)
                except (IntegrityError, Unavailable):
                    continue  # named when it is judged


def _leftovers(store: FileStore, age_s: float, now_s: float) -> Iterator[FsckLine]:
    for path in store.leftovers():
        try:
            age = now_s - path.stat().st_mtime
        except FileNotFoundError:
            continue  # its writer was at work, and is done
        name = path.relative_to(store.root).as_posix()
        message = f"a write that was cut off, or is under way: {max(age, 0):.0f} s old"
        yield FsckLine("leftover", name, message, removable=age >= age_s)
