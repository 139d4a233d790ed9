"""Object names: one name a number, read back as what was written, and nothing else read as one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.segments import names

DIGEST = bytes(range(32))


def test_names_are_the_documented_ones() -> None:
    """Each kind of object stands where the documentation says."""
    assert names.round_name(0, 0) == "partitions/0000/rounds/000000000000.round"
    assert names.segment_name(12, "events", 7, DIGEST) == "partitions/0012/events/000000000007-0001020304050607.parquet"
    assert names.segment_name(0, "contents", 1, DIGEST).endswith("/contents/000000000001-0001020304050607.parquet")
    assert names.segment_name(0, "statements", 1, DIGEST).endswith("/statements/000000000001-0001020304050607.bundle")
    assert names.placement_name(0, DIGEST) == f"partitions/0000/placements/{DIGEST.hex()}.placement"
    assert names.checkpoints_name(0, 5) == "partitions/0000/checkpoints/000000000005.checkpoints"
    assert names.compacted_name(DIGEST, "events", DIGEST) == f"logs/{DIGEST.hex()}/events/{DIGEST.hex()[:32]}.parquet"


@given(st.integers(0, 10**6), st.integers(0, 2**64 - 1), st.binary(min_size=32, max_size=32))
def test_numbers_come_back(partition: int, number: int, digest: bytes) -> None:
    """A round's and a file's number is read from its name, however long."""
    assert names.round_number(names.round_name(partition, number)) == number
    for part in ("events", "contents", "statements"):
        assert names.segment_number(names.segment_name(partition, part, number, digest)) == number
    assert names.segment_number(names.checkpoints_name(partition, number)) == number


@pytest.mark.parametrize(
    "name",
    [
        "partitions/0000/rounds/0000000000001.round",
        "partitions/0000/rounds/1.round",
        "partitions/0000/rounds/00000000000a.round",
        "partitions/0000/rounds/٠٠٠٠٠٠٠٠٠٠٠١.round",
        "partitions/0000/rounds/000000000001.round.bak",
        "partitions/0000/rounds/000000000001.round\n",
        "partitions/00000/rounds/000000000001.round",
        "partitions/0/rounds/000000000001.round",
        "x/partitions/0000/rounds/000000000001.round",
        "partitions/0000/events/000000000001.round",
    ],
)
def test_a_number_has_one_name(name: str) -> None:
    """Other zeros, other digits, other endings: not a round's name, so no round is counted twice."""
    assert names.round_number(name) is None
    assert names.segment_number(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "partitions/0000/events/000000000001-0001020304050607.bundle",
        "partitions/0000/events/0000000000001-0001020304050607.parquet",
        "partitions/0000/events/000000000001-00010203040506.parquet",
        "partitions/0000/events/000000000001-000102030405060G.parquet",
        "partitions/0000/others/000000000001-0001020304050607.parquet",
        "partitions/0000/statements/000000000001-0001020304050607.bundle.bak",
        "partitions/0000/checkpoints/000000000001-0001020304050607.checkpoints",
    ],
)
def test_other_files_are_no_rounds_files(name: str) -> None:
    """What a round cannot have written has no number."""
    assert names.segment_number(name) is None
