"""Tiles against the rounds: derived, so whatever is wrong with them costs time and nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ledger.errors import IntegrityError, Unavailable
from ledger.fsck.lines import FsckLine
from ledger.fsck.partition import PartitionLook
from ledger.proofs import LogLeaves, RoundLeaves
from ledger.segments.holdings import LogHoldings
from ledger.segments.objects import FileStore
from ledger.tiles import DerivedDamaged, Tiles

_LOG = re.compile(r"[0-9a-f]{64}")
_ROUNDS = re.compile(r"rounds-([0-9]{4,})")


def check_tiles(store: FileStore, folder: Path, looks: Mapping[int, PartitionLook]) -> Iterator[FsckLine]:
    """The tiles of every log in `folder`."""
    if not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        name = f"{folder.name}/{path.name}"
        source = _source(store, path.name, looks)
        if source is None:
            yield FsckLine("unknown", name, "is not the tiles of a log that the rounds know")
        else:
            yield from _check(name, Tiles(path), source)


def _source(store: FileStore, name: str, looks: Mapping[int, PartitionLook]) -> LogLeaves | RoundLeaves | None:
    if match := _ROUNDS.fullmatch(name):
        found = looks.get(int(match[1]))
        return RoundLeaves(found.history, found.holdings) if found else None
    if not _LOG.fullmatch(name):
        return None
    log_id = bytes.fromhex(name)
    for found in looks.values():
        held: LogHoldings | None = found.holdings.logs.get(log_id)
        if held is not None:
            return LogLeaves(store, found.history, log_id, held)
    return None


def _check(name: str, tiles: Tiles, source: LogLeaves | RoundLeaves) -> Iterator[FsckLine]:
    try:
        size = tiles.size
        if size > source.size:
            yield FsckLine("derived-damaged", name, f"covers {size} leaves, the log has {source.size}")
            return
        if size < source.size:
            yield FsckLine("derived-stale", name, f"covers {size} of {source.size} leaves")
        stated = _root(source, size)
        if stated is not None and tiles.root(size) != stated:
            yield FsckLine("derived-damaged", name, f"its root of {size} leaves is not that of the rounds")
    except (DerivedDamaged, OSError) as error:
        yield FsckLine("derived-damaged", name, error.strerror or "" if isinstance(error, OSError) else str(error))


def _root(source: LogLeaves | RoundLeaves, size: int) -> bytes | None:
    """The root that the rounds state for a size; None where they state none."""
    try:
        return source.root(size)
    except (IntegrityError, Unavailable):
        return None
