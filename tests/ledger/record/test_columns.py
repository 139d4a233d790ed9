"""Payloads as columns: the same values, the same refusals, as one by one; and no byte changes its owner."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import textwrap
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import IntegrityError
from ledger.record.columns import NotColumnar, decode_columns
from ledger.record.payload import (
    KINDS,
    decode_payload,
    encode_event_record,
    encode_payload,
)
from ledger.record.schemas import EVENT_RECORD, HEADER_BYTES, PAYLOAD
from ledger.record.spelling import varint_lengths
from tests.ledger.record.payloads import ANY_PAYLOAD, PAYLOADS_OF
from tests.ledger.record.test_payload import sample

# Rust reads it at the first panic of the process; a backtrace for each hostile payload would take minutes.
os.environ["RUST_BACKTRACE"] = "0"
NINE_ONES = b"\xff" * 9


def columns_of(payloads: list[bytes]) -> list[dict[str, Any]]:
    """The payloads decoded in columns, back as rows."""
    return decode_columns(PAYLOAD, payloads).to_pylist()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_every_kind_reads_the_same_in_columns(kind: str, data: st.DataObject) -> None:
    """All fields, set or not, of all kinds are the same values by either reader."""
    payloads = [encode_payload(values) for values in data.draw(st.lists(PAYLOADS_OF[kind], min_size=1, max_size=3))]
    assert columns_of(payloads) == [decode_payload(payload) for payload in payloads]


@settings(max_examples=40, deadline=None)
@given(st.lists(ANY_PAYLOAD, min_size=1, max_size=5))
def test_kinds_side_by_side_read_the_same(values: list[dict[str, Any]]) -> None:
    """A batch of several kinds decodes row by row to what was encoded."""
    assert columns_of([encode_payload(each) for each in values]) == values


@given(
    st.lists(
        st.tuples(st.binary(max_size=30), st.lists(st.tuples(st.text(max_size=5), st.binary(max_size=20)))),
        min_size=1,
        max_size=5,
    )
)
@settings(max_examples=50, deadline=None)
def test_event_records_read_the_same(records: list[tuple[bytes, list[tuple[str, bytes]]]]) -> None:
    """The values of the event log come back in columns, contents in their order."""
    encoded = [encode_event_record(payload, contents) for payload, contents in records]
    table = decode_columns(EVENT_RECORD, encoded)
    found = [
        (p, [(c["slot"], c["ciphertext"]) for c in cs])
        for p, cs in zip(*(table[n].to_pylist() for n in ("payload", "contents")), strict=True)
    ]
    assert found == records


def test_types_are_the_documented_ones() -> None:
    """Columns have one type each, whatever the rows hold: null bodies too."""
    schema = decode_columns(PAYLOAD, [encode_payload(sample())]).schema
    assert schema.names == [field["name"] for field in PAYLOAD.definition["fields"]]
    assert schema.field("event_id").type == pa.large_binary()
    assert schema.field("kind").type == pa.large_string()
    assert schema.field("received_at").type == pa.timestamp("us", tz="UTC")
    assert schema.field("clock_skewed").type == pa.bool_()
    assert schema.field("request").type.field("operation").type == pa.large_string()
    assert schema.field("request").type.field("streamed").type == pa.bool_()


def moved(payloads: list[bytes], at: int, count: int) -> list[bytes]:
    """The payloads with `count` bytes moved from the end of one to the front of the next datum."""
    first, second = payloads[at], payloads[at + 1]
    tail = first[-count:]
    shifted = [first[:-count], second[:HEADER_BYTES] + tail + second[HEADER_BYTES:]]
    return payloads[:at] + shifted + payloads[at + 2 :]


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY_PAYLOAD, min_size=2, max_size=4), st.data())
def test_bytes_moved_to_the_next_datum_are_noticed(values: list[dict[str, Any]], data: st.DataObject) -> None:
    """Concatenated, the bytes are the same; apart, they are not: the guards tell."""
    payloads = [encode_payload(each) for each in values]
    at = data.draw(st.integers(0, len(payloads) - 2))
    count = data.draw(st.integers(1, len(payloads[at]) - HEADER_BYTES))
    with pytest.raises(NotColumnar):
        decode_columns(PAYLOAD, moved(payloads, at, count))


@settings(max_examples=60, deadline=None)
@given(st.lists(ANY_PAYLOAD, min_size=1, max_size=4), st.data())
def test_a_datum_too_short_or_too_long_is_noticed_at_every_place(
    values: list[dict[str, Any]], data: st.DataObject
) -> None:
    """First, middle or last: what ends early or late spoils the batch."""
    payloads = [encode_payload(each) for each in values]
    at = data.draw(st.integers(0, len(payloads) - 1))
    if data.draw(st.booleans()):
        cut = data.draw(st.integers(HEADER_BYTES, len(payloads[at]) - 1))
        payloads[at] = payloads[at][:cut]
    else:
        payloads[at] += data.draw(st.binary(min_size=1, max_size=600))
    with pytest.raises(NotColumnar):
        decode_columns(PAYLOAD, payloads)


def test_a_datum_that_swallows_its_neighbour_is_noticed() -> None:
    """A text that claims the next datum as its own, and a copy of that datum behind, do not add up."""
    victim = encode_payload(sample(tenant="victim"))
    honest = encode_payload(sample(derived_fields=["x"]))
    claimed = len(victim) - HEADER_BYTES + 16 + 1
    greedy = honest.replace(b"\x02\x02x\x00", b"\x02" + _long(claimed) + b"x")
    assert greedy != honest
    for batch in ([greedy, victim], [greedy, victim, victim], [greedy + victim[HEADER_BYTES:], victim]):
        with pytest.raises(NotColumnar):
            decode_columns(PAYLOAD, batch)


def test_two_datums_in_one_item_are_noticed() -> None:
    """Two rows out of one item would shift every row behind them."""
    one = encode_payload(sample())
    with pytest.raises(NotColumnar):
        decode_columns(PAYLOAD, [one + one[HEADER_BYTES:], one])
    with pytest.raises(NotColumnar):
        decode_columns(PAYLOAD, [one + os.urandom(16) + one[HEADER_BYTES:], one])


def _long(value: int) -> bytes:
    zigzag = (value << 1) ^ (value >> 63)
    out = bytearray()
    while zigzag > 0x7F:
        out.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    return bytes([*out, zigzag])


def bent(random_: random.Random, payload: bytes) -> bytes:
    """A payload with a few bytes flipped, set, lost or added where they hurt."""
    data = bytearray(payload)
    for _ in range(random_.randrange(1, 4)):
        at = random_.randrange(HEADER_BYTES, len(data))
        choice = random_.randrange(4)
        if choice == 0:
            data[at] ^= 1 << random_.randrange(8)
        elif choice == 1:
            data[at] = random_.choice([0, 1, 2, 3, 0x7F, 0x80, 0xFF])
        elif choice == 2:
            del data[at : at + random_.randrange(1, 5)]
        else:
            bombs = [_long(2**62), _long(-(2**63)), NINE_ONES + b"\x7f", b"\x80\x80\x00", b"\x80" * 12 + b"\x01"]
            data[at : at + random_.randrange(2)] = random_.choice(bombs)
        if len(data) <= HEADER_BYTES + 1:
            break
    return bytes(data)


@settings(max_examples=150, deadline=None)
@given(ANY_PAYLOAD, st.randoms(use_true_random=True))
def test_hostile_bytes_are_judged_the_same_by_both_readers(values: dict[str, Any], random_: random.Random) -> None:
    """Bent bytes decode in columns exactly when they decode alone, to the same values, and never crash."""
    data = bent(random_, encode_payload(values))
    try:
        alone = decode_payload(data)
    except IntegrityError:
        with pytest.raises(NotColumnar):
            decode_columns(PAYLOAD, [data])
    else:
        # By their bytes: a NaN that came out of the bending is not equal to itself.
        assert [encode_payload(each) for each in (alone, *columns_of([data]))] == [data, data]


@pytest.mark.parametrize("number", [2**62, -(2**62) - 1, 2**63 - 1, -(2**63)])
def test_ten_byte_numbers_have_no_spare_bits(number: int) -> None:
    """The tenth byte of a number has one bit of use; a datum with others set is another spelling, and refused."""
    payload = encode_payload(sample(producer_sequence=number))
    assert columns_of([payload])[0]["producer_sequence"] == number
    at = payload.index(_long(number)) + 9
    with pytest.raises(NotColumnar, match="ten bytes"):
        decode_columns(PAYLOAD, [payload[:at] + bytes([payload[at] | 0x02]) + payload[at + 1 :]])


@pytest.mark.parametrize("micros", [253_402_300_800_000_000, -62_135_596_800_000_001])
def test_times_without_a_calendar_are_refused(micros: int) -> None:
    """A time that the one-by-one reader refuses is refused here too."""
    with pytest.raises(NotColumnar, match="years"):
        decode_columns(PAYLOAD, [encode_payload(sample(received_at=micros))])


@pytest.mark.parametrize("raw", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"])
def test_texts_that_are_not_utf8_are_refused(raw: bytes) -> None:
    """A text in a payload is UTF-8, or the batch is not decoded."""
    payload = encode_payload(sample(tenant="tenant"))
    with pytest.raises(NotColumnar):
        decode_columns(PAYLOAD, [payload.replace(b"\x0ctenant", _long(len(raw)) + raw)])


@pytest.mark.parametrize("size", range(1, 10))
def test_lengths_of_numbers_at_the_edges_of_every_size(size: int) -> None:
    """The largest and smallest numbers of n bytes, and their neighbours, take as many bytes as the encoder writes."""
    bound = 1 << (7 * size - 1)
    numbers = [bound - 1, bound, -bound, -bound - 1]
    assert varint_lengths(np.array(numbers)).tolist() == [len(_long(number)) for number in numbers]


@pytest.mark.parametrize("branch", [1, 3, 4, 5, 0x7F])
@pytest.mark.parametrize("value", [None, "x"])
def test_a_union_has_the_branches_of_the_schema_only(branch: int, value: str | None) -> None:
    """Readers differ in what a branch that is not there means, so it means nothing, null or not."""
    payload = encode_payload(sample(derived_fields=["abcdef"], actor_user=None, actor_user_relation=value))
    at = payload.index(b"\x0cabcdef\x00") + 9
    assert columns_of([payload])[0]["actor_user_relation"] == value
    with pytest.raises(NotColumnar):
        decode_columns(PAYLOAD, [payload, payload[:at] + bytes([branch]) + payload[at + 1 :], payload])


def test_hostile_bytes_neither_show_content_nor_end_the_process() -> None:
    """In a process of little memory, panics are caught, bombs are not built, and stderr shows no byte of a payload."""
    script = """
        import random, resource, sys
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
        from ledger.record.columns import NotColumnar, decode_columns
        from ledger.record.payload import encode_event_record
        from ledger.record.schemas import EVENT_RECORD, PAYLOAD
        from tests.ledger.record.test_columns import bent
        from tests.ledger.record.test_payload import sample
        from ledger.record.payload import encode_payload
        rounds = random.Random(int(sys.argv[1]))
        marked = "confidential" * 8
        payload = encode_payload(sample(tenant=marked, derived_fields=[marked] * 5))
        record = encode_event_record(payload, [(marked, marked.encode() * 20)] * 5)
        refused = 0
        for _ in range(400):
            for schema, data in ((PAYLOAD, payload), (EVENT_RECORD, record)):
                try:
                    decode_columns(schema, [data, bent(rounds, data), data])
                except NotColumnar as error:
                    refused += 1
                    assert "confidential" not in str(error)
        print("refused", refused)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script), str(random.randrange(10**6))],
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "RUST_BACKTRACE": "0", "POLARS_MAX_THREADS": "2"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[1]) > 400
    assert "confid" not in done.stderr


def test_nothing_to_decode_is_a_mistake_of_the_caller() -> None:
    """An empty batch has no columns."""
    with pytest.raises(ValueError, match="at least one"):
        decode_columns(PAYLOAD, [])
