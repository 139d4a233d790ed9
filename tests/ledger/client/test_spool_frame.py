"""Frames of the spool as bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.client.spool_frame import HEADER_BYTES, Frame, Row, frame_bytes, read_segment

counts = st.integers(0, 2**64 - 1)
rows = st.builds(Row, event_id=st.binary(min_size=16, max_size=16), sequence=counts, dropped=counts)
frames = st.builds(
    Frame,
    key_id=st.binary(min_size=8, max_size=8),
    boot_id=st.binary(min_size=16, max_size=16),
    rows=st.lists(rows, min_size=1, max_size=4).map(tuple),
    box=st.binary(max_size=80) | st.just(b"ALF1" * 10),
)
segments = st.lists(frames, min_size=1, max_size=4)


@given(segments)
def test_a_segment_reads_back(written: list[Frame]) -> None:
    """Frames are read back as they were written, and their size is known before."""
    data = b"".join(frame.encode() for frame in written)
    assert len(data) == sum(frame_bytes(len(frame.rows), len(frame.box)) for frame in written)
    found = read_segment(data)
    assert (list(found.frames), found.torn_bytes, found.damaged_frames) == (written, 0, 0)


@given(segments, st.data())
def test_a_cut_segment_loses_only_the_frame_that_is_cut(written: list[Frame], data: st.DataObject) -> None:
    """Wherever a crash cuts a segment, every frame before the cut is whole and the rest is recognized as torn."""
    encoded = [frame.encode() for frame in written]
    whole = b"".join(encoded)
    at = data.draw(st.integers(0, len(whole)))
    found = read_segment(whole[:at])
    kept = next((i for i in range(len(encoded) + 1) if sum(map(len, encoded[: i + 1])) > at), len(encoded))
    assert list(found.frames) == written[:kept]
    assert found.torn_bytes == at - sum(map(len, encoded[:kept]))
    assert found.damaged_frames == 0


@given(segments, st.data())
def test_a_flipped_bit_loses_only_its_frame(written: list[Frame], data: st.DataObject) -> None:
    """Damage anywhere in a frame loses this frame and no other, and is counted or taken for a torn end."""
    encoded = [frame.encode() for frame in written]
    victim = data.draw(st.integers(0, len(written) - 1))
    at = data.draw(st.integers(0, len(encoded[victim]) - 1))
    bad = bytearray(encoded[victim])
    bad[at] ^= 1 << data.draw(st.integers(0, 7))
    found = read_segment(b"".join([*encoded[:victim], bytes(bad), *encoded[victim + 1 :]]))
    assert list(found.frames) == written[:victim] + written[victim + 1 :]
    last_header = victim == len(written) - 1 and at < HEADER_BYTES
    assert (found.damaged_frames, found.torn_bytes > 0) == ((0, True) if last_header else (1, False))
    if at >= HEADER_BYTES:
        assert found.damaged_events == len(written[victim].rows)


@given(st.binary(max_size=400))
def test_garbage_is_no_frame(garbage: bytes) -> None:
    """Bytes that are no frames are torn, not an error."""
    assert read_segment(garbage).frames == ()
    assert read_segment(bytes(400)).torn_bytes == 400
