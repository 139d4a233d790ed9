"""The parts that real ledgers seldom push to their limits: matching, sorting in buckets, sums, columns."""

from __future__ import annotations

import io
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import IntegrityError, Unavailable
from ledger.segments.statement import Repeat
from ledger.signed import BadSignature
from ledger.verify import identity
from ledger.verify.columns import fixed_bytes, integers
from ledger.verify.identity import Identities, Twice
from ledger.verify.receipts import coverage
from ledger.verify.report import Collector, Place
from ledger.verify.scratch import FULL_ROWS, LEAF_ROWS, Scratch
from ledger.verify.statistics import wrong_statistics

_LEAVES = st.lists(st.integers(0, 4).map(lambda number: bytes([number]) * 32), max_size=8)


@given(leaves=_LEAVES, repeated=_LEAVES, covered=_LEAVES)
def test_coverage_matches_each_entry_once(leaves: list[bytes], repeated: list[bytes], covered: list[bytes]) -> None:
    """What is uncovered and what is unsealed are exactly the differences of the two multisets."""
    found = coverage(leaves, [Repeat(0, leaf, 0) for leaf in repeated], covered)
    sealed = Counter(leaves) + Counter(repeated)
    uncovered = Counter(leaves[at] for at in found.uncovered)
    uncovered += Counter(repeated[at] for at in found.repeats_uncovered)
    assert uncovered == sealed - Counter(covered)
    assert Counter(covered[at] for at in found.unsealed) == Counter(covered) - sealed


def _rows(ids: list[int]) -> np.ndarray:
    rows = np.zeros(len(ids), FULL_ROWS)
    rows["event_id"] = [number.to_bytes(16, "big") for number in ids]
    rows["submission_digest"] = [number.to_bytes(32, "big") for number in ids]
    return rows


@pytest.mark.parametrize("buffered", [1, 50, 1 << 20])
def test_ids_are_compared_over_all_buckets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, buffered: int) -> None:
    """An id that stands twice in one log is found, whatever lies between, and in two logs it is not one too many."""
    monkeypatch.setattr(identity, "BUFFERED_ROWS_MAX", buffered)
    numbers = list(range(400))
    random.Random(7).shuffle(numbers)
    numbers[390] = numbers[10]
    numbers[395] = numbers[20]
    marked = np.zeros(400, bool)
    marked[395] = True
    with Scratch(tmp_path) as scratch:
        identities = Identities(scratch)
        for at in range(0, 400, 40):
            identities.append(b"a" * 32, at, _rows(numbers[at : at + 40]), marked[at : at + 40])
            identities.append(b"b" * 32, at, _rows(numbers[at : at + 40]), np.ones(40, bool))
        assert list(identities.twice()) == [Twice(b"a" * 32, 10, 390)]
        for index in (0, 39, 40, 399):
            event_id, digest, _ = identities.at(b"b" * 32, index) or (b"", b"", b"")
            assert int.from_bytes(event_id, "big") == int.from_bytes(digest, "big") == numbers[index]
        assert identities.at(b"a" * 32, 400) is None
        assert identities.at(b"c" * 32, 0) is None
        identities.close()
    assert list(tmp_path.iterdir()) == []


def test_scratch_spills_and_cleans_up(tmp_path: Path) -> None:
    """Past its budget a table is a file; all are zero at first and gone in the end."""
    with Scratch(tmp_path, memory_bytes_max=LEAF_ROWS.itemsize * 10) as scratch:
        small, large = scratch.table(LEAF_ROWS, 10), scratch.table(LEAF_ROWS, 11)
        assert not isinstance(small, np.memmap)
        assert isinstance(large, np.memmap)
        assert not large["seen"].any()
        large["leaf"][3] = b"x" * 32
        assert large["leaf"][3].tobytes() == b"x" * 32
    assert list(tmp_path.iterdir()) == []


def test_columns_come_exactly_or_not_at_all() -> None:
    """A value of another length, a null, or a column of another type is never padded or cut."""
    good = [b"ab", b"\0\0", b"c\0"]
    for kind in (pa.binary(), pa.large_binary(), pa.binary(2)):
        found = fixed_bytes(pa.array([b"zz", *good], kind).slice(1), 2)
        assert found is not None
        assert [row.tobytes() for row in found] == good
    assert fixed_bytes(pa.array([b"ab", None], pa.binary()), 2) is None
    assert fixed_bytes(pa.array([b"a", b"abc"], pa.binary()), 2) is None
    assert fixed_bytes(pa.array([], pa.binary()), 2).shape == (0, 2)  # type: ignore[union-attr]
    assert integers(pa.array([1, None])) is None
    assert integers(pa.array(["x"])) is None


_VALUES = [0x0123_4567_89AB_CDEF, 0x0223_4567_89AB_CDEF, 0x0323_4567_89AB_CDEF]


def _parquet(**options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"index": _VALUES}), sink, use_dictionary=False, compression="NONE", **options)
    return sink.getvalue()


def _with_statistics(least: int, greatest: int) -> pq.ParquetFile:
    """The file with other bounds in its footer; the rows stay."""
    data = _parquet()
    rows = b"".join(value.to_bytes(8, "little") for value in _VALUES)
    footer = data.index(rows) + len(rows)
    head, tail = data[:footer], data[footer:]
    for value, other in ((_VALUES[0], least), (_VALUES[2], greatest)):
        tail = tail.replace(value.to_bytes(8, "little"), other.to_bytes(8, "little"))
    return pq.ParquetFile(io.BytesIO(head + tail))


def test_statistics_must_enclose_the_rows() -> None:
    """Bounds that leave a row out are named, since readers would skip it; wider ones hide nothing."""
    assert list(wrong_statistics(_with_statistics(_VALUES[0], _VALUES[2]))) == []
    assert list(wrong_statistics(_with_statistics(_VALUES[0] - 1, _VALUES[2] + 1))) == []
    for least, greatest in ((_VALUES[0] + 1, _VALUES[2]), (_VALUES[0], _VALUES[2] - 1)):
        (message,) = wrong_statistics(_with_statistics(least, greatest))
        assert message == "row group 0, column index: its statistics do not enclose its values"
    (message,) = wrong_statistics(pq.ParquetFile(io.BytesIO(_parquet(write_page_index=True))))
    assert "page index" in message


@pytest.mark.parametrize(
    ("error", "rule"),
    [
        (IntegrityError("partition 1, round 2: begins elsewhere (R5)"), "R5"),
        (IntegrityError("a/b.round: is missing"), "missing"),
        (IntegrityError("a/b.parquet: its SHA-256 is 00, expected 01"), "digest"),
        (IntegrityError("a/b: is malformed: text"), "format"),
        (BadSignature("partition 1, round 2: the signature does not hold"), "signature"),
        (Unavailable("a/b: cannot be read: Input/output error"), "unreadable"),
    ],
)
def test_errors_become_findings_with_their_place(error: IntegrityError | Unavailable, rule: str) -> None:
    """The place in front of a message is the finding's place, and a rule behind it the finding's rule."""
    collector = Collector()
    collector.error(Place(1, 2), error)
    (finding,) = collector.report("files", ()).findings
    assert finding.rule == rule
    assert f"{finding.where}: {finding.message}" in str(error)
