"""The pinned normalization of a person's identifier, version 1.

Two spellings of one identifier must meet in one pseudonym, today and under every later Python: a row of the key store
is found by a keyed hash of these bytes, and a spelling that drifts leaves a person's old row behind when she is
erased. So this function never changes. A better rule is a second version beside it, and every row says which one made
it.

Version 1, exactly, on a text without lone surrogates:

1. Cut the text into runs of characters that Unicode 14.0 had assigned (`ledger.keys.unicode14`) and of others. The
   others stay as they are; steps 2 to 4 are done on each assigned run. This is what Unicode 14.0 itself does with them.
2. NFKC.
3. Full case folding (Python's `str.casefold`, no language's special rules).
4. NFKC again: folding can take apart what step 2 had composed, and without this step a text that is normalized already
   could change when it is normalized once more.
5. Each run of white space becomes one U+0020; at the start and at the end it is removed. White space is U+0009-U+000D,
   U+0020, U+0085, U+1680, U+2028 and U+2029 (step 2 has made U+0020 of all other spaces). Zero-width characters are
   not white space and stay.
6. UTF-8.

An identifier of nothing but white space is refused: all such callers would become one person.

Sessions and events have ids of machines, not spellings of people: theirs are taken byte for byte (version 0).
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby

from ledger.errors import Rejected
from ledger.keys.unicode14 import was_assigned

NORMALIZATION_NONE = 0
NORMALIZATION_V1 = 1

_WHITE_SPACE = re.compile("[\\x09-\\x0d\\x20\\x85\\u1680\\u2028\\u2029]+")


def normalize_v1(identifier: str) -> bytes:
    """The bytes that stand for a person's identifier. `Rejected` when nothing is left or it has no UTF-8."""
    if identifier.isascii():
        folded = identifier.lower()  # on ASCII, NFKC changes nothing and folding is lower case
    else:
        folded = "".join(
            _fold("".join(run)) if assigned else "".join(run) for assigned, run in groupby(identifier, was_assigned)
        )
    encoded = exact_bytes(_WHITE_SPACE.sub(" ", folded).strip(" "))
    if not encoded:
        raise Rejected("", "person's identifier: expected more than white space, got nothing after normalization")
    return encoded


def exact_bytes(identifier: str) -> bytes:
    """UTF-8 of an identifier as it is. `Rejected` for a lone surrogate, which has none."""
    try:
        return identifier.encode("utf-8")
    except UnicodeEncodeError:
        raise Rejected("", "identifier: expected text that can be UTF-8, got a lone surrogate") from None


def _fold(run: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", run).casefold())
