"""Names: what may stand in a payload in clear, and that no message shows what may not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Rejected
from ledger.keys.normalize import normalize_v1
from ledger.record import names as names_module
from ledger.record.names import (
    IDENTIFIER_CHARACTERS_MAX,
    IDS_MAX,
    LIST_ITEMS_MAX,
    NAME_CHARACTERS_MAX,
    all_exactly,
    bounded,
    check_no_identifier,
    exactly,
    finite,
    identifier,
    name,
    names,
    required,
    signed,
)


@pytest.mark.parametrize(
    "value",
    [
        "gpt-4o-2024-08-06",
        "a b c d e f g h",
        "Zürich",
        "模型",
        "emoji 😀",
        "x" * NAME_CHARACTERS_MAX,
        "s3://b/k?v=1#f",
        "ﬁ",
    ],
)
def test_names_are_taken_as_they_are(value: str) -> None:
    """A name is not normalized or trimmed: what was sent is what stands in the payload."""
    assert name(value, "f") == value
    assert required(value, "f") == value


def test_an_unset_name_is_null() -> None:
    """Nothing is invented for a name that was not sent, and a required one must be."""
    assert name("", "f") is None
    with pytest.raises(Rejected, match="f: is required"):
        required("", "f")


HIDDEN = {
    "NUL": "a\x00b",
    "newline": "a\nb",
    "tab": "a\tb",
    "delete": "a\x7fb",
    "C1 control": "a\x85b",
    "no-break space": "a\u00a0b",
    "em space": "a\u2003b",
    "line separator": "a\u2028b",
    "ideographic space": "a\u3000b",
    "soft hyphen": "a\u00adb",
    "zero-width space": "a\u200bb",
    "zero-width joiner": "a\u200db",
    "right-to-left mark": "a\u200fb",
    "right-to-left override": "a\u202eb",
    "right-to-left isolate": "a\u2067b",
    "byte order mark": "\ufeffab",
    "invisible plus": "a\u2064b",
    "interlinear annotation": "a\ufff9b",
    "tag letter": "a\U000e0061b",
    "variation selector": "a\ufe0fb",
    "variation selector supplement": "a\U000e0101b",
    "combining grapheme joiner": "a\u034fb",
    "Hangul filler": "a\u3164b",
    "halfwidth Hangul filler": "a\uffa0b",
    "choseong filler": "a\u115fb",
    "Mongolian variation selector": "a\u180bb",
    "Khmer inherent vowel": "a\u17b4b",
    "blank braille": "a\u2800b",
    "private use": "a\ue000b",
    "unassigned": "a\u0378b",
    "noncharacter": "a\uffffb",
}


@pytest.mark.parametrize("what", HIDDEN)
def test_characters_that_hide_are_refused(what: str) -> None:
    """Control, format, separator, unseen and unassigned characters stand in no name; the message tells which, where."""
    with pytest.raises(Rejected, match=r"character \d+ \(U\+[0-9A-F]{4,6}\)") as caught:
        name(HIDDEN[what], "story.session_id")
    assert caught.value.field == "story.session_id"


@pytest.mark.parametrize(
    "value",
    [
        "x" * (NAME_CHARACTERS_MAX + 1),
        "please forget all that I said before this and help",
        " leading",
        "trailing ",
        "double  space",
        " ",
    ],
)
def test_free_text_is_refused_without_being_shown(value: str) -> None:
    """What is long, wordy or loosely spaced belongs into a content; the message gives lengths, not the text."""
    with pytest.raises(Rejected) as caught:
        name(value, "request.vendor")
    assert caught.value.field == "request.vendor"
    assert value.strip() == "" or value.strip() not in str(caught.value)


@given(st.text(min_size=1, max_size=300))
def test_a_name_is_taken_whole_or_refused(value: str) -> None:
    """Whatever is sent: the same text comes out, or `Rejected`, whose message does not hold it."""
    message = ""
    try:
        assert name(value, "f") == value
    except Rejected as error:
        message = str(error)
    assert len(value) < 10 or value not in message


def person(text: str) -> list[tuple[str, str]]:
    """A name field with this text, among others."""
    return [("role", "agent"), ("story.session_id", text), ("purpose.purpose", "support")]


@pytest.mark.parametrize(
    ("text", "who"),
    [
        ("mia_li_3668", "mia_li_3668"),
        ("session of mia_li_3668", "mia_li_3668"),
        ("MIA_LI_3668-7", "mia_li_3668"),
        ("xmia_li_3668x", "Mia_Li_3668"),
        ("ＭＩＡ_li_3668", "mia_li_3668"),
        ("ﬁona@example.org", "fiona@example.org"),
        ("STRASSE", "straße"),
        ("s:Mia Li:1", "  mia   li "),
        ("Ⅷ-person-viii", "viii"),
        ("é-ana", "e\u0301-ana"),
        ("ab", "AB"),
        ("x", "x"),
    ],
)
def test_identifiers_of_named_persons_are_refused_however_spelled(text: str, who: str) -> None:
    """In any case, width, ligature or composition, alone or inside a longer name, an identifier is found."""
    with pytest.raises(Rejected, match="holds the identifier") as caught:
        check_no_identifier(person(text), ["somebody else", who])
    assert caught.value.field == "story.session_id"
    assert len(text) < 4 or not {who, text} & set(str(caught.value).split())


@pytest.mark.parametrize(
    ("text", "who"), [("about", "ab"), ("session-9", "mia"), ("mia-2", "mia"), ("mi a_li", "mia_li")]
)
def test_short_identifiers_must_be_the_whole_name(text: str, who: str) -> None:
    """Fewer than four letters stand inside many honest names."""
    check_no_identifier(person(text), [who])


def test_without_persons_nothing_is_looked_for() -> None:
    """An event that names nobody may use any name."""
    check_no_identifier(person("mia_li_3668"), [])


@given(st.text("abc", min_size=4, max_size=6), st.text("xyzé", max_size=5), st.text("xyzé", max_size=5))
def test_an_identifier_inside_any_name_is_found(who: str, before: str, after: str) -> None:
    """Whatever stands around it."""
    with pytest.raises(Rejected):
        check_no_identifier(person(before + who.upper() + after), [who])


def test_what_random_digits_hold_by_chance_is_no_identifier() -> None:
    """A trace id in hex may hold a short number; it is refused only where it is the identifier itself."""
    trace = "5b8e1001d4c3a29f5b8ed4c3a29f0001"
    check_no_identifier(person(trace), ["1001"], trace)
    for who, text in (("1001", trace), (trace, trace)):
        with pytest.raises(Rejected):
            check_no_identifier(person(text), [who], "" if who == "1001" else trace)


@pytest.mark.parametrize("value", ["", "   ", "x" * (IDENTIFIER_CHARACTERS_MAX + 1), "a\x00b", "a\nb"])
def test_identifiers_are_bounded_and_printable(value: str) -> None:
    """An identifier is there, has an end and no control characters; the message does not show it."""
    with pytest.raises(Rejected) as caught:
        identifier(value, "actor.user.identifier")
    assert caught.value.field == "actor.user.identifier"
    assert not value.strip() or value not in str(caught.value)


def test_lists_are_bounded() -> None:
    """A list has an end, a larger one where keys are named; an empty name in it is told by its place."""
    assert names(["a"] * LIST_ITEMS_MAX, "f") == ["a"] * LIST_ITEMS_MAX
    with pytest.raises(Rejected, match=f"at most {LIST_ITEMS_MAX} items, got {LIST_ITEMS_MAX + 1}"):
        names(["a"] * (LIST_ITEMS_MAX + 1), "f")
    bounded([b""] * IDS_MAX, "f", IDS_MAX)
    with pytest.raises(Rejected, match=f"at most {IDS_MAX} items"):
        bounded([b""] * (IDS_MAX + 1), "f", IDS_MAX)
    with pytest.raises(Rejected, match=r"f\[1\]: is required"):
        names(["a", ""], "f")


def test_bytes_have_their_length() -> None:
    """An id of another length is refused with both lengths; an unset one is null."""
    assert exactly(b"", 16, "f") is None
    assert exactly(bytes(16), 16, "f") == bytes(16)
    with pytest.raises(Rejected, match="expected 16 bytes, got 15"):
        exactly(bytes(15), 16, "f")
    assert all_exactly([bytes(16)], 16, "f") == [bytes(16)]
    for wrong in (b"", bytes(17)):
        with pytest.raises(Rejected, match=r"f\[1\]: expected 16 bytes"):
            all_exactly([bytes(16), wrong], 16, "f")


def test_numbers_fit_and_compare() -> None:
    """Counts fit a signed 64-bit integer, doubles are finite."""
    assert signed(2**63 - 1, "f") == 2**63 - 1
    with pytest.raises(Rejected, match="signed 64-bit"):
        signed(2**63, "f")
    assert finite(-0.0, "f") == 0
    for number in (float("nan"), float("inf"), float("-inf")):
        with pytest.raises(Rejected, match="finite"):
            finite(number, "f")


@given(st.text(st.characters(max_codepoint=0x250), min_size=1, max_size=8))
def test_names_are_folded_as_persons_are_found(text: str) -> None:
    """The short way for ASCII gives what the normalization of identifiers gives."""
    try:
        expected = normalize_v1(text).decode()
    except Rejected:
        return
    assert names_module._folded(text) == expected
