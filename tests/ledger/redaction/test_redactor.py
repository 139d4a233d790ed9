"""What holds for every text."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import Misconfigured
from ledger.redaction.checks import Check
from ledger.redaction.finding import Classification, Detection
from ledger.redaction.numbering import SequentialNumbering
from ledger.redaction.redactor import Redactor
from ledger.redaction.view import view_of
from tests.ledger.redaction.shared import KEEPING, KEY, REDACTOR, numbering, redact

VALUES = [
    "anna@example.com", "4111 1111 1111 1111", "4111111111111111", "DE89 3704 0044 0532 0130 00", "203.0.113.7",
    "2001:db8::8a2e:370:7334", "00:1A:2B:3C:4D:5E", "dob 1990-04-05", "born April 5, 1990", "975 Sunset Drive",
    "Königstraße 12a", "SSN 078051120", "078-05-1120", "AB123456C", "12345678Z", "+1 (415) 555-0123", "06 12 34 56 78",
    "password=hunter2", "my password is hunter2!", "https://u:p4ssw0rd@example.com/", "AKIAIOSFODNN7EXAMPLE",
    "Bearer abcdef0123456789abcdef", "⟨email:1⟩", "⟨=card⟩", "44051401359", "token: a1b2c3d4e5f6g7h8", "2026-02-11",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----", "131052-308T",
]  # fmt: skip
GLUE = st.sampled_from(
    ["", " ", "-", ".", ",", ":", "/", "\n", "@", "+", "\u200b", "é", "1", "a", "😀", '"', "\\", "=", "⟩"]
)
MIXED = st.lists(st.tuples(st.sampled_from(VALUES) | st.text(max_size=6), GLUE), max_size=7).map(
    lambda parts: "".join(value + glue for value, glue in parts)
)


@settings(max_examples=400, deadline=None)
@given(st.text() | MIXED | st.text(alphabet=st.characters(), max_size=60))
def test_any_text_is_taken(text: str) -> None:
    """Nothing raises, findings lie in the text in order, and counts are theirs."""
    found = redact(text)
    end = 0
    for each in found.findings:
        assert end <= each.start < each.end <= len(text)
        end = each.end
    assert sum(count for _, count in found.counts) == len(found.findings)
    if not found.findings:
        assert found.text == text


@settings(max_examples=400, deadline=None)
@given(MIXED)
def test_what_is_between_findings_is_untouched(text: str) -> None:
    """The output is the input with each finding replaced, and nothing else changed."""
    found = redact(text)
    at = out = 0
    for each in found.findings:
        kept = text[at : each.start]
        assert found.text[out : out + len(kept)] == kept
        out = found.text.index("⟩", out + len(kept)) + 1
        at = each.end
    assert found.text[out:] == text[at:]


# The same examples each time: a rare one more is a report to act on, not a reason to fail somebody else.
@settings(max_examples=600, deadline=None, derandomize=True)
@given(MIXED)
def test_redacting_is_idempotent(text: str) -> None:
    """What was redacted once is left as it is, whatever stands beside the placeholders."""
    once = redact(text).text
    again = KEEPING.redact(once, numbering())
    assert again.text == once


@settings(max_examples=400, deadline=None)
@given(MIXED)
def test_no_value_that_was_found_stays_behind(text: str) -> None:
    """A found value of six characters or more, a digit among them, is nowhere in the output a word of its own."""
    found = redact(text)
    seen = view_of(found.text).text
    for each in found.findings:
        value = text[each.start : each.end]
        if each.type == "literal_placeholder" or len(value) < 6 or not any(c in "0123456789" for c in value):
            continue
        at = seen.find(value)
        while at >= 0:
            around = seen[max(0, at - 1) : at] + seen[at + len(value) : at + len(value) + 1]
            assert any(c.isascii() and c.isalnum() for c in around), value
            at = seen.find(value, at + 1)


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        st.integers() | st.sampled_from([4111111111111111, 44051401359, 78051120]) | MIXED,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MIXED, inner, max_size=3),
        max_leaves=8,
    ),
    st.booleans(),
    st.booleans(),
)
def test_json_stays_json_of_the_same_shape(value: object, ascii_only: bool, nested: bool) -> None:
    """Redacted JSON parses, inner JSON too, and has the same lists, objects and untouched numbers."""
    text = json.dumps([value], ensure_ascii=ascii_only)
    if nested:
        text = json.dumps({"arguments": text}, ensure_ascii=ascii_only)
    out = json.loads(redact(text, "application/json").text)
    if nested:
        out = json.loads(out["arguments"])
    _same_shape([value], out)


def _same_shape(before: object, after: object) -> None:
    if isinstance(before, dict):
        assert isinstance(after, dict)
        assert len(after) <= len(before)
    elif isinstance(before, list):
        assert isinstance(after, list)
        assert len(after) == len(before)
        for one, other in zip(before, after, strict=True):
            _same_shape(one, other)
    elif isinstance(before, int) and not isinstance(after, str):
        assert after == before


ADVERSARIAL = [
    "1 ", "4111", "4111 1111 ", "a@", "a@a.", "::1", "1.2.3.", "0-", "aa:", "password=", "born 1 ", "eyJhbGciOi.",
    "-----BEGIN PRIVATE KEY-----", "\\u0041", "\\\\", '\\"', "⟨a:1⟩", "⟨=", "1 Aa ", "Aa ", "ssn number ", "\u200b",
    "{", '["', "Bearer a1 ", "://a:", "DE89 3704 ", "x" * 50 + " ", "token: a1b2c3d4e5f6 ", "1234567890123456 ", "a",
    "12 rue Aa ", "+1 415 ", "dob 1990-04-05 078-05-1120 ", "⟨phone:1⟩ 4155550123 ", "key=", "sin no ", "0 ", "0.",
    '"phones":["4155552671",', '"4155552671",', '"phones":[1,', "_4111111111111111", "phone_", '"a_address', "%20",
    "4111%20", "&#64;", "a@b&#46;", "山", "山@", "山田@a.jp ", "homePhone", "sip://a@", "4111\n", "+49+30", "DE89..",
    "call 415 ",
]  # fmt: skip
ENDINGS = ["", "@x.png", "-----END PRIVATE KEY-----", "000000000", '"', "@"]


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("piece", ADVERSARIAL, ids=[repr(piece)[:20] for piece in ADVERSARIAL])
def test_the_work_grows_with_the_text_only(piece: str, ending: str, counted: Counted) -> None:
    """On hostile repetitions, four times the text has about four times the bytes searched and checked."""
    work = []
    for size in (2_000, 8_000):
        counted.bytes = 0
        counted.redactor.redact(piece * (size // len(piece)) + ending, SequentialNumbering(KEY, b"c"))
        work.append(counted.bytes)
    assert work[1] <= 4.6 * work[0] + 10_000


class Counted:
    """A redactor whose bytes searched and checked are counted."""

    def __init__(self) -> None:
        self.bytes = 0
        self.redactor = Redactor()
        matcher = self.redactor._matcher
        matcher._rules = [
            replace(each, find=self._find(each.find), check=each.check and self._check(each.check))
            for each in matcher._rules
        ]

    def _find(self, find: Callable[[bytes, int], Iterator[Any]]) -> Callable[[bytes, int], Iterator[Any]]:
        def counting(data: bytes, at: int) -> Iterator[Any]:
            for found in find(data, at):
                self.bytes += found.end() - at
                at = found.end()
                yield found
            self.bytes += len(data) - at

        return counting

    def _check(self, check: Check) -> Check:
        def counting(view: bytes, start: int, end: int) -> tuple[int, int] | None:
            self.bytes += end - start
            return check(view, start, end)

        return counting


@pytest.fixture(scope="module")
def counted() -> Counted:
    """One for all, as it takes a moment to compile."""
    return Counted()


class Names:
    """A detector of one name."""

    name = "names"
    version = "7"
    classification: Classification = "restricted"

    def __init__(self, found: Iterable[Detection] | None = None) -> None:
        self._found = found

    def find(self, text: str) -> Iterable[Detection]:
        if self._found is not None:
            return self._found
        at = text.find("Zoë")
        return [] if at < 0 else [Detection(at, at + 3, "person")]


def test_another_detector_finds_what_patterns_do_not() -> None:
    """Its findings are typed, numbered, mapped back and named in the identity like the rules'."""
    found = Redactor(detectors=[Names()]).redact('{"a":"é Zo\\u00eb, a@example.com"}', numbering(), "application/json")
    assert found.text == '{"a":"é ⟨person:1⟩, ⟨email:1⟩"}'
    assert found.classification == "restricted"
    assert found.pack == f"{REDACTOR.identity}+names/7"


@pytest.mark.parametrize("bad", [Detection(0, 99, "person"), Detection(-1, 2, "person"), Detection(0, 1, "A person")])
def test_a_detector_that_answers_nonsense_is_an_error(bad: Detection) -> None:
    """A span outside the text, or a type no placeholder can have, is not passed over in silence."""
    with pytest.raises(Misconfigured, match="detector names"):
        Redactor(detectors=[Names([bad])]).redact("short", numbering())


def test_an_overlap_is_won_by_the_first_then_the_longest() -> None:
    """And what sticks out of the loser goes with the winner, so that no half of a value stays behind."""
    redactor = Redactor(
        detectors=[Names([Detection(0, 8, "person"), Detection(4, 12, "place"), Detection(0, 3, "word")])]
    )
    assert redactor.redact("abcdefghijklmnop", numbering()).text == "⟨person:1⟩mnop"
