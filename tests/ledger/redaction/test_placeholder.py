"""Nobody can write a placeholder into a text and have it taken for a redaction."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.redaction.finding import LITERAL
from tests.ledger.redaction.shared import KEEPING, numbering, redact


def test_a_literal_placeholder_is_escaped_and_counted() -> None:
    """In what is stored a placeholder without `=` was put there by redaction; one that came with the text has one."""
    found = redact("⟨email:1⟩ says a@example.com")
    assert found.text == "⟨=email:1⟩ says ⟨email:1⟩"
    assert found.counts == (("email", 1), (LITERAL, 1))
    assert found.classification == "confidential"


def test_escaping_can_be_undone() -> None:
    """Text that looks escaped gets one more `=`, so that taking one away gives the input back."""
    text = "⟨=email:1⟩ ⟨==card⟩ ⟨iban:77⟩ ⟨Email:1⟩ ⟨a b⟩"
    assert redact(text).text == "⟨==email:1⟩ ⟨===card⟩ ⟨=iban:77⟩ ⟨Email:1⟩ ⟨a b⟩"
    assert redact(text).classification == "public"


def test_a_literal_placeholder_is_seen_through_json_escapes() -> None:
    """An escaped bracket is still one for whoever reads the parsed document."""
    out = redact('{"a": "\\u27e8email:1\\u27e9"}', "application/json").text
    assert json.loads(out) == {"a": "⟨=email:1⟩"}


def test_a_literal_placeholder_hides_nothing_beside_it() -> None:
    """A value next to, or around, text that looks like a placeholder is found all the same."""
    assert redact("⟨x:1⟩anna@example.com").text == "⟨=x:1⟩⟨email:1⟩"
    assert redact("password=⟨x:1⟩hunter2!").text == "password=⟨password:1⟩"
    assert redact("password=⟨hunter2⟩").text == "password=⟨password:1⟩"
    assert redact("⟨ssn:078051120⟩").text == "⟨ssn:⟨us_ssn:1⟩⟩"
    assert redact("password: ⟨password:1⟩ ok").text == "password: ⟨=password:1⟩ ok"


def test_a_text_known_to_be_redacted_keeps_its_placeholders() -> None:
    """Where literals are kept, redacting again changes nothing and finds nothing."""
    once = redact("password=hunter2, a@example.com, dob 1990-04-05").text
    again = KEEPING.redact(once, numbering())
    assert again.text == once
    assert again.findings == ()


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="⟨⟩=:a1@.b ", max_size=30))
def test_every_placeholder_in_the_output_is_ours(text: str) -> None:
    """Taking one `=` out of each escaped look-alike, and each value back for its placeholder, gives the input."""
    found = redact(text)
    rebuilt, at, out = [], 0, 0
    for each in found.findings:
        rebuilt.append(found.text[out : out + each.start - at])
        out += each.start - at
        value = text[each.start : each.end]
        put = f"⟨={value[1:]}" if each.type == LITERAL else f"⟨{each.type}:{each.number}⟩"
        assert found.text[out : out + len(put)] == put
        rebuilt.append(value)
        out, at = out + len(put), each.end
    assert "".join(rebuilt) + found.text[out:] == text
