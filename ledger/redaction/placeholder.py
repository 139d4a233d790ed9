"""What stands in the place of a value, and what happens to text that came looking like it.

    ⟨TYPE:NUMBER⟩      the value of TYPE that has this number inside the correlation
    ⟨TYPE⟩             a value of TYPE; the numbering had reached its bound
    ⟨=…TYPE:NUMBER⟩    text that stood in the input as ⟨…TYPE:NUMBER⟩: one `=` is put in front

So nobody can write a placeholder into a conversation and have it taken for a redaction: in what is stored, one without
`=` was put there by redaction, one with `=` was not, and taking one `=` away gives the input back. The type is
lower-case ASCII letters, digits and underscores, 32 at most.
"""

from __future__ import annotations

import re2

_LOOKALIKE = re2.compile("⟨=*[a-z][a-z0-9_]{0,31}(?::[0-9]{1,10})?⟩")
_OPENING = "⟨".encode()
_TYPE = re2.compile("[a-z][a-z0-9_]{0,31}")


def placeholder(type_: str, number: int | None) -> str:
    """What replaces a value. It holds no quote, backslash or control character, so it may stand in any JSON string."""
    return f"⟨{type_}⟩" if number is None else f"⟨{type_}:{number}⟩"


def is_type(name: str) -> bool:
    """Whether `name` can be the type of a placeholder."""
    return _TYPE.fullmatch(name) is not None


def is_empty(lookalike: bytes, types: frozenset[str]) -> bool:
    """Whether a look-alike can hold no value of its own: one of `types`, and a number of six digits at most."""
    type_, _, number = lookalike.decode("utf-8").strip("⟨=⟩").partition(":")
    return type_ in types and len(number) <= 6


def lookalikes(data: bytes) -> list[tuple[int, int]]:
    """Byte spans of everything in `data` that looks like a placeholder, escaped ones too."""
    if _OPENING not in data:
        return []
    return [found.span() for found in _LOOKALIKE.finditer(data)]
