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


def test_very_short_values_are_passed_over() -> None:
    """A value of two characters would be found everywhere."""
    assert REDACTOR.redact("is it me", numbering(), also=[KnownValues({"it": "user"})]).text == "is it me"


def test_bad_values_are_refused() -> None:
    """More values than the limit, or a type no placeholder can have."""
    with pytest.raises(Misconfigured, match="257 given"):
        KnownValues({f"user-{number}": "user" for number in range(VALUES_MAX + 1)})
    with pytest.raises(Misconfigured, match="type"):
        KnownValues({"abc": "A type"})
