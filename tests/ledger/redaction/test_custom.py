"""A customer's own patterns, and what is wrong with a bad one."""

from __future__ import annotations

import pytest

from ledger.errors import Misconfigured
from ledger.redaction.builtin import BUILTIN
from ledger.redaction.custom import pack_with
from ledger.redaction.redactor import Redactor
from tests.ledger.redaction.shared import numbering


def test_patterns_are_found_with_checksum_and_context() -> None:
    """A pattern alone, one whose values must pass a checksum, and one that a word must announce."""
    pack = pack_with(
        "acme",
        "3",
        [
            {"name": "payment_id", "pattern": r"\b(?:credit|gift)_card_[0-9]{7}\b"},
            {
                "name": "member",
                "pattern": r"\bM[0-9]{7}([0-9]{8})\b",
                "checksum": "luhn",
                "classification": "restricted",
            },
            {"name": "customer", "pattern": "[0-9]{6}", "context": "customer|Kundennummer"},
        ],
    )
    redactor = Redactor(pack)
    found = redactor.redact("gift_card_3481935, customer no: 123456, order 123456x, M123456700000018", numbering())
    assert found.text == "⟨payment_id:1⟩, customer no: ⟨customer:1⟩, order 123456x, M1234567⟨member:1⟩"
    assert found.classification == "restricted"
    assert found.pack.startswith("acme/3@")
    assert redactor.redact("M123456700000019, 123456", numbering()).findings == ()


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"name": "x", "pattern": "(a"}, r"pattern 1 \(x\): no RE2 pattern: missing \)"),
        ({"name": "x", "pattern": r"(?=a)b"}, "no RE2 pattern"),
        ({"name": "x", "pattern": "a*"}, "matches the empty text"),
        ({"name": "x", "pattern": "a" * 3000}, "3000 characters"),
        ({"name": "x", "pattern": r"(?:\pL{1,500}\pN){9}"}, "no RE2 pattern|steps"),
        ({"name": "X y", "pattern": "a"}, "lower-case"),
        ({"name": "email", "pattern": "a"}, "built-in"),
        ({"name": "x"}, "pattern must be a text"),
        ({"name": "x", "pattern": "a", "colour": "red"}, "unknown key 'colour'"),
        ({"name": "x", "pattern": "a", "checksum": "sum"}, "no checksum 'sum'"),
        ({"name": "x", "pattern": "a", "context": "(b"}, "no RE2 pattern"),
        ({"name": "x", "pattern": "a", "classification": "secret"}, "no classification 'secret'"),
        ({"name": "x", "pattern": 7}, "pattern must be a text"),
    ],
)
def test_a_bad_pattern_is_refused_with_its_reason(entry: dict[str, object], reason: str) -> None:
    """The message names the entry and what is wrong with it."""
    with pytest.raises(Misconfigured, match=reason):
        pack_with("acme", "1", [entry])


def test_a_name_stands_once() -> None:
    """Two patterns of one name would be two rules nobody can tell apart."""
    with pytest.raises(Misconfigured, match="twice"):
        pack_with("acme", "1", [{"name": "x", "pattern": "a"}, {"name": "x", "pattern": "b"}])


def test_a_checksum_never_raises_on_what_a_pattern_finds() -> None:
    """Values that are too long, too short or no digits for a scheme are no values."""
    for checksum in ("luhn", "verhoeff", "mod11_10", "ean13", "mod97"):
        redactor = Redactor(pack_with("acme", "1", [{"name": "x", "pattern": r"#[^#]*#", "checksum": checksum}]))
        for text in ("#ab#", "#1#", "##", "#é١#", f"#{'9' * 5000}#", "#12345a#"):
            redactor.redact(text, numbering())


def test_a_pack_is_named_by_what_is_in_it() -> None:
    """The identity changes with any rule; the built-in pack's is pinned, so that a change is made knowingly."""
    packs = [
        BUILTIN,
        pack_with("acme", "1", [{"name": "x", "pattern": "a"}]),
        pack_with("acme", "1", [{"name": "x", "pattern": "b"}]),
    ]
    assert len({pack.identity for pack in packs}) == 3
    assert BUILTIN.identity == "builtin/1@235942cf3f9e0455"
