"""Checks on what may stand in a payload: names, ids, digests, enum values.

A *name* is bounded text in clear: 1 to 256 printable characters (no control, format or separator character other than
single spaces inside, none that nobody can see: text could hide behind it), at most 8 words. Longer or freer text is a
content and has a content's field. A name never holds the identifier of a person named in the same event, however it is
spelled (both are compared in the form by which a person is found, `ledger.keys.normalize`); an identifier of fewer than
4 characters must not be the whole name. Nor does it hold an e-mail address or a token (`ledger.redaction.clear_names`).
Fields for accountable people (author, reviewers, approvers, readers) are exempt: they stand in clear on purpose.

Every check raises `Rejected` with the field's path; the message tells lengths and positions, never the value.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ledger.errors import Rejected
from ledger.keys.normalize import normalize_v1
from ledger.redaction.clear_names import held_in

NAME_CHARACTERS_MAX = 256
NAME_WORDS_MAX = 8
IDENTIFIER_CHARACTERS_MAX = 512
LIST_ITEMS_MAX = 256
PERSONS_MAX = 1_024
"""Named in one event, in all its contents."""

IDS_MAX = 4_096
"""Of a list of ids of keys, scopes or pseudonyms: an erasure names every month and class of a person."""
IDENTIFIER_CHARACTERS_LEAST = 4

_FOLDS_TO_LOWER = re.compile("[!-~]+").fullmatch
"""Of ASCII without white space, lower case is all that normalization does."""

# Printable by Python's word, yet nothing is seen of them: the default-ignorable code points that are letters or marks
# (joiner, fillers, variation selectors), and the blank braille pattern.
_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)


def name(value: str, field: str) -> str | None:
    """The name, or None where the field is unset."""
    if not value:
        return None
    if len(value) > NAME_CHARACTERS_MAX:
        raise Rejected(field, f"a name has at most {NAME_CHARACTERS_MAX} characters, got {len(value)}")
    if not value.isprintable():
        at = next(i for i, character in enumerate(value) if not character.isprintable())
        raise Rejected(field, f"character {at} (U+{ord(value[at]):04X}) may not stand in a name")
    if not value.isascii() and (unseen := _UNSEEN.search(value)):
        at = unseen.start()
        raise Rejected(field, f"character {at} (U+{ord(value[at]):04X}) cannot be seen and may not stand in a name")
    if value.count(" ") >= NAME_WORDS_MAX or value != value.strip() or "  " in value:
        raise Rejected(
            field, f"expected a name of at most {NAME_WORDS_MAX} words with single spaces between, got free text"
        )
    return value


def required(value: str, field: str) -> str:
    """A name that must be there."""
    checked = name(value, field)
    if checked is None:
        raise Rejected(field, "is required")
    return checked


def names(values: Sequence[str], field: str) -> list[str]:
    """A list of names, none of them empty."""
    bounded(values, field)
    return [required(value, f"{field}[{i}]") for i, value in enumerate(values)]


def bounded(values: Sequence[object], field: str, most: int = LIST_ITEMS_MAX) -> None:
    """Refuses lists longer than any event needs."""
    if len(values) > most:
        raise Rejected(field, f"at most {most} items, got {len(values)}")


def identifier(value: str, field: str) -> str:
    """A person's identifier: not empty, bounded, printable. It never enters the payload."""
    if not value or not value.strip():
        raise Rejected(field, "is required")
    if len(value) > IDENTIFIER_CHARACTERS_MAX:
        raise Rejected(field, f"at most {IDENTIFIER_CHARACTERS_MAX} characters, got {len(value)}")
    if not value.isprintable():
        raise Rejected(field, "holds a control character")
    return value


def exactly(value: bytes, length: int, field: str) -> bytes | None:
    """Bytes of a fixed length, or None where the field is unset."""
    if not value:
        return None
    if len(value) != length:
        raise Rejected(field, f"expected {length} bytes, got {len(value)}")
    return value


def all_exactly(values: Sequence[bytes], length: int, field: str, most: int = LIST_ITEMS_MAX) -> list[bytes]:
    """A list of byte strings of a fixed length."""
    bounded(values, field, most)
    for i, value in enumerate(values):
        if len(value) != length:
            raise Rejected(f"{field}[{i}]", f"expected {length} bytes, got {len(value)}")
    return list(values)


def signed(value: int, field: str) -> int:
    """A count that the payload's 64-bit signed integer can hold."""
    if value > 0x7FFF_FFFF_FFFF_FFFF:
        raise Rejected(field, "is larger than a signed 64-bit integer")
    return value


def finite(value: float, field: str) -> float:
    """A number that compares and encodes the same everywhere."""
    if value != value or value in (float("inf"), float("-inf")):
        raise Rejected(field, "is not a finite number")
    return value


def may_hold(text: str, identifiers: Iterable[str]) -> bool:
    """Whether one of the identifiers may stand in `text`, or in a part of it. Cheap, and never wrong when it denies."""
    if not text.isascii():
        return True
    text = text.lower()
    return any(_folded(each) in text for each in identifiers)


def check_clear(texts: Iterable[tuple[str, str]]) -> None:
    """Refuses names that hold what may not stand in clear (`ledger.redaction.clear_names`); (field, name) pairs."""
    for field, text in texts:
        held = held_in(text)
        if held is not None:
            raise Rejected(
                field, f"holds a value of type {held}, and names stand in clear for ever: use a content for it"
            )


def check_no_identifier(texts: Iterable[tuple[str, str]], identifiers: Iterable[str], random: str = "") -> None:
    """Refuses names that hold an identifier of a person named in the event. `texts` are (field, name) pairs.

    `random`: a name of random digits, the trace id in hex. What it holds by chance says nothing of anybody; one in two
    thousand holds a given four digits.
    """
    wanted = [_folded(each) for each in identifiers]
    for field, text in texts:
        folded = _folded(text)
        for each in wanted:
            if folded == each or (len(each) >= IDENTIFIER_CHARACTERS_LEAST and each in folded and text != random):
                raise Rejected(field, "holds the identifier of a person named in this event; names are not erasable")


def _folded(text: str) -> str:
    if _FOLDS_TO_LOWER(text):
        return text.lower()
    return normalize_v1(text).decode("utf-8")
