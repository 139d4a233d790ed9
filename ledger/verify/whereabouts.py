"""Where the rows of one log stand: its placement's files, and those of the rounds behind it.

For who needs a few rows, or one column, of one log, without verifying the ledger: the rounds' signatures and the
digests of what they name are checked, their succession is not. What is made of it is compared with a root that was
verified (`ledger.proofs`), or only tells apart what a finding says (`ledger.verify.awaited`).
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ledger.canonical import Malformed
from ledger.errors import IntegrityError
from ledger.segments.history import History
from ledger.segments.objects import FileStore
from ledger.segments.round import EVENTS, STATEMENTS, Round
from ledger.segments.rows import check_bytes, open_parquet, record_batches
from ledger.segments.statement import BUNDLE, STATEMENT, Statement, label
from ledger.verify.columns import integers
from ledger.verify.files import Files, Named
from ledger.verify.plan import Plan, plan
from ledger.verify.report import Collector, Place


@dataclass(frozen=True, slots=True)
class Piece:
    """A file that holds rows of the log with indexes in [first_index, end_index), and perhaps other logs' rows."""

    first_index: int
    end_index: int
    file: Named


def pieces_of(store: FileStore, history: History, log_id: bytes, plan_: Plan | None = None) -> list[Piece]:
    """The files that hold the log's rows now, by first index. `IntegrityError` when a statement of it is damaged."""
    made = plan_ or plan(history)
    pieces: list[Piece] = []
    placed = made.placements.get(log_id)
    size = 0
    if placed is not None:
        size = placed[1].size
        for file in placed[1].files:
            if file.role == EVENTS:
                named = Named(Place(history.partition), file.name, file.sha256, file.bytes)
                pieces.append(Piece(file.first_index, file.end_index, named))
    for number in made.numbers:
        round_, _ = history.read_round(number)
        statement = statement_of(store, round_, log_id)
        events = round_.file(EVENTS)
        if statement is not None and statement.count and events is not None and statement.first_index >= size:
            named = Named(Place(history.partition, number), events.name, events.sha256, events.bytes)
            pieces.append(Piece(statement.first_index, statement.first_index + statement.count, named))
    return sorted(pieces, key=lambda piece: (piece.first_index, piece.end_index))


def statement_of(store: FileStore, round_: Round, log_id: bytes) -> Statement | None:
    """The log's statement in a round; None when the round names none under its label."""
    wanted = label(log_id, round_.partition, round_.number)
    file = round_.file(STATEMENTS)
    if file is None or not any(entry.label == wanted for entry in round_.entries):
        return None
    data = store.read(file.name)
    check_bytes(data, file.sha256, file.name)
    try:
        for entry in BUNDLE.decode(data).entries:
            statement = STATEMENT.decode(entry.statement)
            if statement.log_id == log_id:
                return statement
    except Malformed as error:
        raise IntegrityError(f"{file.name}: is malformed: {error}") from None
    raise IntegrityError(f"{file.name}: lacks the statement of log {log_id.hex()} that its round names")


def rows_of(
    store: FileStore, pieces: list[Piece], log_id: bytes, columns: list[str], indexes: np.ndarray | None = None
) -> Iterator[pa.RecordBatch]:
    """The log's rows in these pieces (those of `indexes` only), in the files' order, with `index` and these columns.

    `IntegrityError` when a file is not the one that was named.
    """
    for piece in pieces:
        if indexes is not None and not ((indexes >= piece.first_index) & (indexes < piece.end_index)).any():
            continue
        collector = Collector()
        with ThreadPoolExecutor(1) as pool:
            stream = Files(store, collector, pool).open(piece.file)
        if stream is None:
            raise IntegrityError(str(collector.report("files", ()).findings[0]))
        with stream:
            try:
                for batch in record_batches(open_parquet(stream), ["log_id", "index", *columns]):
                    yield _filtered(batch, log_id, indexes)
            except (pa.ArrowException, OSError, KeyError, ValueError) as error:
                name = type(error).__name__
                raise IntegrityError(f"{piece.file.name}: is not a Parquet file of events ({name})") from None


def _filtered(batch: pa.RecordBatch, log_id: bytes, wanted: np.ndarray | None) -> pa.RecordBatch:
    found = integers(batch["index"])
    if found is None:
        raise IntegrityError("a file of events has rows without an index")
    own = np.asarray(pa.compute.equal(batch["log_id"], pa.scalar(log_id, pa.binary())).fill_null(False))
    if wanted is not None:
        own = own & np.isin(found, wanted)
    return batch.filter(pa.array(own, pa.bool_()))
