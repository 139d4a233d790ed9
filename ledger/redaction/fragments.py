"""Pieces of patterns that several rules share.

Letters are those of Latin, Greek and Cyrillic script, as ranges: the classes of all of Unicode make automata a hundred
times as large, and the forms the rules know are written in these scripts.
"""

from __future__ import annotations

# What may stand between a word that announces a value and the value: punctuation, quotes (JSON's, escaped too), markup,
# and a few small words of several languages; never a comma or another number.
GLUE = (
    r"(?i:[\s:=#.\"'`\\*_({\[<>|/-]|number|num|nummer|numéro|número|numero|numer|nº|n°|nr|no|id|is|was|it's|ist|lautet|es|"
    r"est|è|é|är|on|at|am|the|to|el|le|la|il|em|op|\([a-zäöüéè/. -]*\)|：|।|是|号码|号)*"
)

# Beside a word: what triggers use for `\b`, which would double the states of the automaton.
BEFORE = r"(?:^|[^0-9A-Za-z])"
AFTER = r"(?:[^0-9A-Za-z]|$)"

LETTER = r"A-Za-z\x{C0}-\x{52F}"
CAPITAL = r"A-Z\x{C0}-\x{DE}\x{100}-\x{17F}"

# A capitalized word of a name in an address, and a town of up to four.
WORD = rf"[{CAPITAL}][{LETTER}\x{{300}}-\x{{36F}}'.-]*"
TOWN = rf"{WORD}(?: (?:(?:am|an der|de|de la|la|le|les|del|di|sur|upon|den|a\.d\.) )?{WORD}){{0,3}}"


# Where a number may begin or end: `_` parts words here, though it is a letter to `\b`. What it consumes is no part of
# the value, so a value beside it stands in a group.
EDGE = r"(?:\b|_)"


def whole(value: str) -> str:
    """`value` where it stands between two edges, as group 1."""
    return rf"{EDGE}({value}){EDGE}"


def announced(words: str, value: str, camel: str = "", after: str = "") -> str:
    """`value` where one of `words` announces it, alone or at the end of a name (`home_phone`, `homePhone`).

    `camel` has the words as they are written inside a name in camel case; `after` must follow the value.
    """
    return rf"{trigger(words, camel)}{GLUE}({value}){after}"


def trigger(words: str, camel: str = "") -> str:
    """The announcing words alone."""
    begun = rf"(?i:{EDGE}(?:{words}))"
    return rf"(?:{begun}|[a-z](?:{camel}))" if camel else begun
