"""Same value, same number; and no value is kept."""

from __future__ import annotations

import pytest

from ledger.errors import Misconfigured
from ledger.redaction.numbering import DerivedNumbering, SequentialNumbering
from tests.ledger.redaction.shared import KEY, REDACTOR


def _numbering(correlation: bytes = b"c", values_max: int = 100) -> SequentialNumbering:
    return SequentialNumbering(KEY, correlation, values_max)


def test_written_forms_of_one_value_have_one_number() -> None:
    """Case of e-mail addresses, separators of numbers, 00 or + and the trunk zero make no other value."""
    pairs = [
        ("Anna@Example.com", "anna@example.COM"),
        ("4111 1111 1111 1111", "4111-1111-1111-1111"),
        ("DE89 3704 0044 0532 0130 00", "de89370400440532013000"),
        ("+49 (0)30 1234567", "0049 30 123 4567"),
        ("AB 12 34 56 C", "AB123456C"),
        ("00:1A:2B:3C:4D:5E", "001a.2b3c.4d5e"),
        ("４１１１ 1111 1111 1111", "4111\u200b111111111111"),
    ]
    for one, other in pairs:
        numbers = [each.number for each in REDACTOR.redact(f"{one} | {other}", _numbering()).findings]
        assert numbers == [1, 1], one


def test_numbers_go_on_through_a_correlation() -> None:
    """A second text of the correlation knows the values of the first, type by type."""
    numbering = _numbering()
    assert REDACTOR.redact("a@example.com 4111111111111111", numbering).text == "⟨email:1⟩ ⟨card:1⟩"
    assert REDACTOR.redact("b@example.com a@example.com", numbering).text == "⟨email:2⟩ ⟨email:1⟩"


def test_a_numbering_goes_on_from_its_state() -> None:
    """Another process that has key, correlation and state gives the numbers this one would give."""
    first = _numbering()
    REDACTOR.redact("a@example.com b@example.com 4111111111111111", first)
    second = SequentialNumbering.from_state(KEY, b"c", first.state)
    assert REDACTOR.redact("c@example.com b@example.com", second).text == "⟨email:3⟩ ⟨email:2⟩"


def test_nothing_of_a_value_is_in_the_state() -> None:
    """The state holds types and keyed hashes; with another key or correlation the same value has another hash."""
    states = []
    for key, correlation in ((KEY, b"c"), (KEY, b"d"), (bytes(32), b"c")):
        numbering = SequentialNumbering(key, correlation)
        numbering.number("email", "a@example.com")
        ((type_, digest),) = numbering.state
        assert type_ == "email"
        assert len(digest) == 16
        states.append(digest)
    assert len(set(states)) == 3


def test_memory_is_bounded() -> None:
    """Past the bound a new value gets no number and its placeholder says so; known values keep theirs."""
    numbering = _numbering(values_max=2)
    text = "a@example.com b@example.com c@example.com a@example.com"
    assert REDACTOR.redact(text, numbering).text == "⟨email:1⟩ ⟨email:2⟩ ⟨email⟩ ⟨email:1⟩"
    assert len(numbering.state) == 2


def test_derived_numbers_need_no_state() -> None:
    """Two processes with the key give one value one number in any order; another correlation gives another."""
    one, other = DerivedNumbering(KEY, b"c"), DerivedNumbering(KEY, b"c")
    other.number("email", "b@example.com")
    number = one.number("email", "a@example.com")
    assert number == other.number("email", "a@example.com")
    assert number is not None
    assert number >= 1
    assert number != DerivedNumbering(KEY, b"d").number("email", "a@example.com")
    assert number != one.number("phone", "a@example.com")


def test_a_short_key_is_refused() -> None:
    """A key that could be guessed protects nothing."""
    with pytest.raises(Misconfigured, match="15 bytes"):
        SequentialNumbering(bytes(15), b"c")
