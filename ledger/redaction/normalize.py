"""One value, one number: what of a written form counts when two values are compared.

The bytes given are those of the matching view, so full-width digits, zero-width characters and the like are gone.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable


def _text(value: str) -> str:
    return " ".join(value.split())


def _lower(value: str) -> str:
    return unicodedata.normalize("NFC", "".join(value.split()).casefold())


def _email(value: str) -> str:
    """Without regard to case, `%40` as `@`."""
    return _lower(value).replace("%40", "@")


def _compact(value: str) -> str:
    """Letters and digits, in capitals: cards, IBANs, national ids, MAC addresses."""
    return "".join(filter(str.isalnum, value.upper()))


def _phone(value: str) -> str:
    """Digits, with `00` as `+` and without the trunk zero in `+49 (0)30`."""
    international = value.startswith(("+", "00"))
    digits = "".join(filter(str.isdigit, value.replace("(0)", "")))
    return "+" + digits.removeprefix("00") if international else digits


def _words(value: str) -> str:
    """Letters and digits of every word, in lower case: addresses, dates."""
    return " ".join(
        "".join(each if each.isalnum() else " " for each in unicodedata.normalize("NFC", value.casefold())).split()
    )


NORMALS: dict[str, Callable[[str], str]] = {
    "text": _text,
    "lower": _lower,
    "email": _email,
    "compact": _compact,
    "phone": _phone,
    "words": _words,
}
