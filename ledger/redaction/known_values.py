"""Values that the caller knows already: the identifiers of the persons an event names, say.

No pattern finds a user name; but where an event says who acts and whom it concerns, those identifiers need not stay in
its contents. They are found as whole words, however they are written:

- values are folded as the view folds texts (typographic quotes, hyphens, full-width letters, escapes);
- both are compared without regard to case and to how accents are composed (NFKD, case folded);
- quotes, backslashes and blanks in a value stand for any row of such signs, as escaping in JSON multiplies them.

The values live as long as this object and are in none of its answers.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate

from ledger.errors import Misconfigured
from ledger.redaction.finding import Classification, Detection
from ledger.redaction.placeholder import is_type
from ledger.redaction.view import view_of

VALUE_CHARS_MIN = 3
VALUES_MAX = 256
# How many different characters are remembered with their folding.
FOLDED_CHARS_MAX = 20_000
_MULTIPLIED = r'\\"\s'
_EDGES = '\\" \t\r\n'

# Finds the value in a folded text from a place on: the span, or None.
_Find = Callable[[str, int], tuple[int, int] | None]


class KnownValues:
    """A `Detector` of given values. Those under `VALUE_CHARS_MIN` characters are passed over: they stand everywhere.

    `values` maps each value to the type of its placeholder ("user").
    """

    def __init__(self, values: Mapping[str, str], classification: Classification = "confidential") -> None:
        if len(values) > VALUES_MAX:
            raise Misconfigured(f"known values: {len(values)} given, at most {VALUES_MAX} are looked for")
        for type_ in values.values():
            if not is_type(type_):
                raise Misconfigured("known values: a type must be lower-case ASCII letters, digits and underscores")
        folded = {_folded(view_of(value).text).strip(_EDGES): type_ for value, type_ in values.items()}
        self._values = [
            (_finder(value), type_)
            for value, type_ in folded.items()
            if len(unicodedata.normalize("NFC", value)) >= VALUE_CHARS_MIN
        ]
        self._classification = classification

    @property
    def name(self) -> str:
        return "known"

    @property
    def version(self) -> str:
        return "1"

    @property
    def classification(self) -> Classification:
        return self._classification

    def find(self, text: str) -> Iterable[Detection]:
        """Every place where one of the values stands as a word of its own."""
        seen = _folded(text)
        # A character of the text is one or more of `seen`: where equally many are, the places are the same.
        starts: list[int] | None = None
        found = []
        for find, type_ in self._values:
            span = find(seen, 0)
            while span is not None:
                start, end = span
                if _is_word(seen, start, end):
                    if len(seen) != len(text):
                        starts = starts or _starts(text)
                        found.append(Detection(bisect_right(starts, start) - 1, bisect_right(starts, end - 1), type_))
                    else:
                        found.append(Detection(start, end, type_))
                    span = find(seen, end)
                else:
                    span = find(seen, start + 1)
        return found


class _Folding(dict[int, str]):
    """Each character as it is compared, by its code; of one character at least."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", char).casefold()) or char
        if len(self) < FOLDED_CHARS_MAX:
            self[code] = folded
        return folded


_FOLDING = _Folding()


def _folded(text: str) -> str:
    return text.lower() if text.isascii() else text.translate(_FOLDING)


def _starts(text: str) -> list[int]:
    """Where each character of `text` begins in its folded form."""
    return list(accumulate((len(_FOLDING[ord(each)]) for each in text[:-1]), initial=0))


def _finder(value: str) -> _Find:
    parts = re.split(f"[{_MULTIPLIED}]+", value)
    if len(parts) > 1:
        search = re.compile(f"[{_MULTIPLIED}]++".join(map(re.escape, parts))).search

        def find_pattern(seen: str, at: int) -> tuple[int, int] | None:
            found = search(seen, at)
            return None if found is None else found.span()

        return find_pattern

    def find_text(seen: str, at: int) -> tuple[int, int] | None:
        start = seen.find(value, at)
        return None if start < 0 else (start, start + len(value))

    return find_text


def _is_word(seen: str, start: int, end: int) -> bool:
    """Whether no letter, digit or accent goes on with what stands at [start, end)."""
    after = seen[end : end + 1]
    return not (
        seen[max(0, start - 1) : start].isalnum() or after.isalnum() or (after and unicodedata.combining(after))
    )
