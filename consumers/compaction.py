"""Large files of one log, sorted by subject, proposed as a placement.

The rows of a log arrive in many rounds, between rows of other tenants. Compaction writes them into files under
the log's own prefix, one person's rows side by side, so that a look-up reads a few row groups instead of a file a
round. It changes where rows stand, and nothing else: leaves, chain, tree, proofs and checkpoints are as before.

What is rewritten: all rows behind the last placement, together with the placed files at its end that are smaller than
`rows_max`; a placed file that has grown to `rows_max` is left as it is, so every row is rewritten a bounded number of
times. New files are written under their digest, read back, and named by a placement that descends from the last one;
the placement is proposed, and counts when the sealer has checked it and a round has committed it. A crash before leaves
orphans; two compactors propose two placements of which the sealer takes one.

Contents that an Erasure or Expiry of the log made unreadable are dropped on the way (`consumers.removal`), also from
placed files that would otherwise stay as they are: their contents are written anew without them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import pyarrow as pa

from consumers.placement_check import check_placement, read_rows
from consumers.proposals import Proposals
from consumers.removal import removals
from ledger.segments import names
from ledger.segments.history import History
from ledger.segments.holdings import HeldFile, Holdings, LogHoldings
from ledger.segments.objects import FileStore
from ledger.segments.placement import NO_PLACEMENT, PlacedFile, Placement, encode_placement
from ledger.segments.round import CONTENTS, EVENTS
from ledger.segments.rows import CONTENTS_SCHEMA, ROW_GROUP_ROWS, to_parquet
from ledger.trust import TrustedKeys

Places = frozenset[tuple[int, str]]
"""(index, slot) of contents."""

ROWS_MAX = 200_000
ROWS_LEAST = 1


@dataclass(frozen=True, slots=True)
class CompactionLimits:
    """`rows_max`: rows of a compacted file. `rows_least`: new rows below which a log is left alone."""

    rows_max: int = ROWS_MAX
    rows_least: int = ROWS_LEAST
    row_group_rows: int = ROW_GROUP_ROWS


@dataclass(frozen=True, slots=True)
class Compacted:
    """What was proposed for one log."""

    log_id: bytes
    placement: bytes
    rows: int
    files_before: int
    files_after: int
    contents_removed: int = 0


class Compactor:
    """Compacts the logs of one partition."""

    def __init__(self, store: FileStore, partition: int, keys: TrustedKeys, limits: CompactionLimits) -> None:
        self._store = store
        self._history = History(store, partition, keys)
        self._proposals = Proposals(store, partition)
        self._partition = partition
        self._limits = limits

    def run(
        self, log_ids: Iterable[bytes] | None = None, on_log: Callable[[Compacted], None] = lambda done: None
    ) -> list[Compacted]:
        """Proposes a placement for each log that has enough new rows. `log_ids`: only these logs."""
        holdings = Holdings(self._history)
        holdings.refresh()
        self._history.check_contiguous()
        chosen = sorted(holdings.logs) if log_ids is None else [each for each in log_ids if each in holdings.logs]
        wanted = [each for each in chosen if not holdings.logs[each].is_deleted]
        done = []
        for log_id in wanted:
            compacted = self._compact(log_id, holdings.logs[log_id], holdings.state.head(log_id).placement)
            if compacted is not None:
                on_log(compacted)
                done.append(compacted)
        return done

    def _compact(self, log_id: bytes, log: LogHoldings, previous: bytes) -> Compacted | None:
        placed_size = log.placement.size if log.placement is not None else 0
        removed = removals(self._store, log_id, log)
        fresh = len(removed) - len(log.removed())
        if log.size - placed_size < max(self._limits.rows_least, 1) and not fresh:
            return None
        gone = frozenset((each.index, each.slot) for each in removed)
        kept = self._kept(log.placement)
        first = max((file.end_index for file in kept), default=0)
        files = self._without(log_id, kept, gone - {(each.index, each.slot) for each in log.removed()})
        sources = [file for file in log.files() if file.end_index > first]
        for span in _spans(first, log.size, self._limits.rows_max):
            files += self._write(log_id, [file for file in sources if _overlaps(file, span)], span, gone)
        placement = Placement(
            log_id=log_id,
            sequence_number=(log.placement.sequence_number if log.placement is not None else 0) + 1,
            previous=previous if log.placement is not None else NO_PLACEMENT,
            size=log.size,
            files=tuple(files),
            removed=removed,
        )
        check_placement(self._store, log, placement)
        data = encode_placement(placement)
        digest = sha256(data).digest()
        self._store.put(names.placement_name(self._partition, digest), data)
        self._proposals.propose(digest)
        return Compacted(log_id, digest, log.size - first, len(log.files()), len(files), fresh)

    def _kept(self, placement: Placement | None) -> list[PlacedFile]:
        """The placed files, from the first on, that are full and stay as they are."""
        if placement is None:
            return []
        events = sorted((file for file in placement.files if file.role == EVENTS), key=lambda file: file.first_index)
        end = 0
        for file in events:
            if file.rows < self._limits.rows_max:
                break
            end = file.end_index
        return [file for file in placement.files if file.end_index <= end]

    def _without(self, log_id: bytes, kept: list[PlacedFile], gone: Places) -> list[PlacedFile]:
        """The same files, but those with contents that are gone now written without them."""
        files: list[PlacedFile] = []
        for file in kept:
            span = (file.first_index, file.end_index)
            if file.role != CONTENTS or not any(span[0] <= index < span[1] for index, _ in gone):
                files.append(file)
                continue
            files += self._write_one(log_id, CONTENTS, read_rows(self._store, [file], span, log_id, None), span, gone)
        return files

    def _write(
        self, log_id: bytes, sources: Sequence[HeldFile], span: tuple[int, int], gone: Places
    ) -> list[PlacedFile]:
        files = []
        for role in (EVENTS, CONTENTS):
            table = self._rows(role, [file for file in sources if file.role == role], span, log_id)
            if table is not None:
                files += self._write_one(log_id, role, table, span, gone)
        return files

    def _write_one(
        self, log_id: bytes, role: str, table: pa.Table, span: tuple[int, int], gone: Places
    ) -> list[PlacedFile]:
        """One file, or none where nothing is left for it."""
        order = ["subject", "index"]
        if role == CONTENTS:
            order.append("slot")
            if gone:
                places = zip(table["index"].to_pylist(), table["slot"].to_pylist(), strict=True)
                table = table.filter(pa.array([place not in gone for place in places], pa.bool_()))
        if not table.num_rows:
            return []
        data = to_parquet(table.sort_by([(name, "ascending") for name in order]), self._limits.row_group_rows)
        digest = sha256(data).digest()
        name = names.compacted_name(log_id, role, digest)
        self._store.put(name, data)
        return [PlacedFile(role, name, digest, len(data), table.num_rows, *span)]

    def _rows(self, role: str, sources: list[HeldFile], span: tuple[int, int], log_id: bytes) -> pa.Table | None:
        if not sources:
            return None
        columns = None if role == EVENTS else CONTENTS_SCHEMA.names
        return read_rows(self._store, sources, span, log_id, columns)


def _spans(first: int, size: int, rows_max: int) -> list[tuple[int, int]]:
    return [(at, min(at + rows_max, size)) for at in range(first, size, rows_max)]


def _overlaps(file: HeldFile, span: tuple[int, int]) -> bool:
    return file.first_index < span[1] and span[0] < file.end_index
