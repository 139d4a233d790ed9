"""Event ids."""

from __future__ import annotations

import threading
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.client.ids import IdClock, derived_event_id, event_id


def test_an_event_id_is_a_version_7_uuid_with_the_time_in_front() -> None:
    """What `event_id` makes is an RFC 9562 UUIDv7 of the clock's millisecond."""
    clock = IdClock(lambda: 0x0123_4567_89AB)
    made = UUID(bytes=clock.next())
    assert (made.version, made.variant) == (7, "specified in RFC 4122")
    assert made.bytes[:6] == bytes.fromhex("0123456789ab")


@given(st.lists(st.integers(0, 2**47), min_size=1, max_size=200), st.randoms(use_true_random=False))
def test_ids_only_grow_whatever_the_clock_does(times: list[int], random: object) -> None:
    """Ids of one process are strictly increasing, also inside a millisecond and when the clock goes back."""
    now = iter(times)
    clock = IdClock(lambda: next(now), lambda count: random.randbytes(count))  # type: ignore[attr-defined]
    made = [clock.next() for _ in times]
    assert made == sorted(set(made))
    assert all(UUID(bytes=each).version == 7 for each in made)


def test_threads_never_make_the_same_id() -> None:
    """Ids made by many threads at once are distinct."""
    made: list[bytes] = []
    threads = [threading.Thread(target=lambda: made.extend(event_id() for _ in range(2_000))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8_000


def test_a_derived_id_is_a_version_8_uuid_and_the_same_every_time() -> None:
    """The bytes of a derived id are pinned: another process derives the same from the same parts."""
    made = derived_event_id(1_700_000_000_000, "conversation-7", b"\x01", "turn 3")
    assert UUID(bytes=made).version == 8
    assert made == derived_event_id(1_700_000_000_000, "conversation-7", b"\x01", "turn 3")
    assert made.hex() == "018bcfe568008496b60e994cfce0de86"


@pytest.mark.parametrize("parts", [("a", "bc"), ("ab", "c"), ("abc",), ("abc", ""), ("", "abc")])
def test_parts_do_not_run_into_each_other(parts: tuple[str, ...]) -> None:
    """Where one part ends and the next begins changes a derived id."""
    others = {("a", "bc"), ("ab", "c"), ("abc",), ("abc", ""), ("", "abc")} - {parts}
    assert derived_event_id(1, *parts) not in {derived_event_id(1, *other) for other in others}


def test_a_derived_id_needs_a_time_that_fits_and_a_part() -> None:
    """A negative or too large time, or nothing to derive from, is refused."""
    for time_ms in (-1, 2**48):
        with pytest.raises(ValueError, match="time"):
            derived_event_id(time_ms, "a")
    with pytest.raises(ValueError, match="part"):
        derived_event_id(0)
