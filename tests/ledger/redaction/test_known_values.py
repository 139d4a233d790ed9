"""Identifiers that an event names need not stay in its contents."""

from __future__ import annotations

import pytest

from ledger.errors import Misconfigured
from ledger.redaction.known_values import VALUES_MAX, KnownValues
from tests.ledger.redaction.shared import REDACTOR, numbering


def test_a_known_identifier_goes_wherever_it_stands_as_a_word() -> None:
    """Without regard to case, in JSON too, typed and numbered; inside another word it stays."""
    known = KnownValues({"mia_li_3668": "user", "Zoë": "person"})
    text = '{"user_id":"Mia_Li_3668","note":"mia_li_36689, ZO\\u00cb and zoë, zoës"}'
    found = REDACTOR.redact(text, numbering(), "application/json", also=[known])
    assert found.text == '{"user_id":"⟨user:1⟩","note":"mia_li_36689, ⟨person:1⟩ and ⟨person:1⟩, zoës"}'
    assert found.pack == f"{REDACTOR.identity}+known/1"
    assert found.classification == "confidential"


def test_letters_that_grow_in_lower_case_keep_places_right() -> None:
    """A capital I with a dot is two characters in lower case; spans are those of the text all the same."""
    assert REDACTOR.redact("İİ abc-7 İ", numbering(), also=[KnownValues({"ABC-7": "user"})]).text == "İİ ⟨user:1⟩ İ"


@pytest.mark.parametrize(
    ("value", "text", "expected"),
    [
        ("seán o'brien", "by Seán O\u2019Brien.", "by ⟨user:1⟩."),
        ("seán o\u2019brien", "by SEÁN O'BRIEN.", "by ⟨user:1⟩."),
        ("jean\u2011luc", "(Jean-Luc)", "(⟨user:1⟩)"),
        ("jean-luc", "(jean\u2011luc)", "(⟨user:1⟩)"),
        ("\uff41\uff4e\uff4e\uff4177", "is anna77 here", "is ⟨user:1⟩ here"),
        ("anna77", "is \uff41\uff4e\uff4e\uff4177 here", "is ⟨user:1⟩ here"),
        ("mu\u0308ller77", "für M\u00fcller77, für", "für ⟨user:1⟩, für"),
        ("m\u00fcller77", "für Mu\u0308ller77, für", "für ⟨user:1⟩, für"),
        ("weiß", "Straße WEISS ß", "Straße ⟨user:1⟩ ß"),
        ('a"b77', r'{"user":"a\"b77"}', '{"user":"⟨user:1⟩"}'),
        ('a"b77', r'{"in":"{\"user\":\"a\\\"b77\"}"}', r'{"in":"{\"user\":\"⟨user:1⟩\"}"}'),
        ("corp\\anna", r'{"user":"corp\\anna"}', '{"user":"⟨user:1⟩"}'),
        ("corp\\nina", r'{"user":"corp\\nina"}', '{"user":"⟨user:1⟩"}'),
        ("corp\\bob", r"it is corp\bob.", "it is ⟨user:1⟩."),
        ("corp\\bob", r'{"user":"CORP\\bob"}', '{"user":"⟨user:1⟩"}'),
        ("o/b77", r'{"user":"o\/b77"}', '{"user":"⟨user:1⟩"}'),
        ("a-a", "xa-a-a", "xa-⟨user:1⟩"),
        ("zoe", "zoe\u0308 and zoe", "zoe\u0308 and ⟨user:1⟩"),
    ],
)
def test_a_value_is_found_however_it_is_written(value: str, text: str, expected: str) -> None:
    """Quotes, hyphens, full-width letters, composed accents, case and escapes make no difference, on either side."""
    assert REDACTOR.redact(text, numbering(), also=[KnownValues({value: "user"})]).text == expected


def test_one_value_in_two_forms_has_one_number() -> None:
    """How an accent is composed does not make another person of her."""
    known = KnownValues({"m\u00fcller77": "user"})
    found = REDACTOR.redact("m\u00fcller77, Mu\u0308ller77", numbering(), also=[known])
    assert found.text == "⟨user:1⟩, ⟨user:1⟩"


def test_a_detector_is_named_once_however_many_of_it_run() -> None:
    """What ran is a set: persons beyond the limit of one object don't show in the identity."""
    also = [KnownValues({"abc-7": "user"}), KnownValues({"abd-7": "user"})]
    assert REDACTOR.redact("abd-7 abc-7", numbering(), also=also).pack == f"{REDACTOR.identity}+known/1"


def test_very_short_values_are_passed_over() -> None:
    """A value of two characters would be found everywhere."""
    assert REDACTOR.redact("is it me", numbering(), also=[KnownValues({"it": "user"})]).text == "is it me"


def test_bad_values_are_refused() -> None:
    """More values than the limit, or a type no placeholder can have."""
    with pytest.raises(Misconfigured, match="257 given"):
        KnownValues({f"user-{number}": "user" for number in range(VALUES_MAX + 1)})
    with pytest.raises(Misconfigured, match="type"):
        KnownValues({"abc": "A type"})
