"""Disguises are seen through, and every finding maps back to exactly the characters it stands for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.redaction.view import view_of
from tests.ledger.redaction.shared import redact

DISGUISED = [
    ("４１１１ １１１１ １１１１ １１１１", "⟨card:1⟩"),
    ("a 4111\u00a01111\u00a01111\u00a01111 z", "a ⟨card:1⟩ z"),
    ("078‑05‑1120", "⟨us_ssn:1⟩"),
    ("anna\u200b@exam\u00adple.com!", "⟨email:1⟩!"),
    ("anna＠example．com", "⟨email:1⟩"),
    ("+1 415\u2009555\u20110123", "⟨phone:1⟩"),
    ("4\u200d1\u200b1\ufeff1111111111111 x", "⟨card:1⟩ x"),
    ("٤١١١١١١١١١١١١١١١", "⟨card:1⟩"),
    ("𝟒𝟏𝟏𝟏 1111 1111 1111", "⟨card:1⟩"),
    ("😀🎉anna@example.com👍 4111111111111111 ß", "😀🎉⟨email:1⟩👍 ⟨card:1⟩ ß"),
    ("x\\u0061nna\\u0040example.com", "⟨email:1⟩"),
]


@pytest.mark.parametrize(("text", "expected"), DISGUISED, ids=[str(n) for n in range(len(DISGUISED))])
def test_a_disguised_value_is_found_whole(text: str, expected: str) -> None:
    """Full-width and other digits, odd blanks and hyphens, invisible characters and escapes hide nothing."""
    assert redact(text).text == expected


def test_invisible_characters_beside_a_value_stay() -> None:
    """Only what stands between a value's characters goes with it."""
    assert redact("\u200banna@example.com\u200b\u00ad.").text == "\u200b⟨email:1⟩\u200b\u00ad."


def test_a_pair_of_escaped_surrogates_is_one_character() -> None:
    """Escaped characters beyond the basic plane keep the map in step."""
    view = view_of("\\ud83d\\ude00 a\\u0062c")
    assert view.text == "😀 abc"
    assert view.source_span(0, 1) == (0, 12)
    assert view.source_span(2, 5) == (13, 21)


@settings(max_examples=400, deadline=None)
@given(st.text(alphabet=st.sampled_from('a9@ -\\u004/%2B&#6;\u200b\u00ad４\u00a0é😀\ud800"n'), max_size=40))
def test_spans_of_the_view_cover_the_text_in_order(text: str) -> None:
    """Characters of the view map to units of the text that neither overlap nor go back, inside the text."""
    view = view_of(text)
    assert len(view.data.decode("utf-8")) == len(view.text)
    before = 0
    for place in range(len(view.text)):
        start, end = view.source_span(place, place + 1)
        assert before <= start < end <= len(text)
        before = end


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.text(max_size=30))
def test_offsets_are_characters_of_the_text(before: str, after: str) -> None:
    """A finding's offsets point at the value, whatever characters stand before it."""
    text = f"{before} anna@example.com {after}"
    found = [each for each in redact(text).findings if text[each.start : each.end] == "anna@example.com"]
    assert found
