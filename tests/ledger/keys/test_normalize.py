"""The pinned normalization: vectors that must never change, and its properties."""

from __future__ import annotations

import sys
import unicodedata
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Rejected
from ledger.keys.normalize import exact_bytes, normalize_v1
from ledger.keys.unicode14 import assignment_flips, was_assigned

VECTORS = [
    ("mia_li_3668", "6d69615f6c695f33363638"),
    ("  Mia.Li@Example.ORG\n", "6d69612e6c69406578616d706c652e6f7267"),
    ("Mia \t\u00a0 Li", "6d6961206c69"),
    ("Mia\u2028Li", "6d6961206c69"),
    ("ＭＩＡ", "6d6961"),
    ("ﬁona", "66696f6e61"),
    ("Straße", "73747261737365"),
    ("STRASSE", "73747261737365"),
    ("Jose\u0301", "6a6f73c3a9"),
    ("JOS\u00c9", "6a6f73c3a9"),
    ("\u0130stanbul", "69cc877374616e62756c"),
    ("ΣΊΣΥΦΟΣ", "cf83ceafcf83cf85cf86cebfcf83"),
    ("σίσυφος", "cf83ceafcf83cf85cf86cebfcf83"),
    ("\u00df\u0323", "73e1b9a3"),  # folding leaves s, s, dot below; the second NFKC composes it
    ("a\u200bb", "61e2808b62"),  # zero width: not white space
    ("\x1cA\x1f", "1c611f"),  # information separators: not white space
    ("王小明", "e78e8be5b08fe6988e"),
    ("\U0001e030A", "f09e80b061"),  # assigned in Unicode 15 with a decomposition: left as it is
]


@pytest.mark.parametrize(("identifier", "expected"), VECTORS)
def test_vectors(identifier: str, expected: str) -> None:
    """Version 1 gives exactly these bytes, under every Python."""
    assert normalize_v1(identifier).hex() == expected


def test_every_character_is_pinned() -> None:
    """The normalization of every character alone, hashed over all of Unicode, is what it was when it was frozen."""
    total = sha256()
    for code_point in range(sys.maxunicode + 1):
        if 0xD800 <= code_point < 0xE000:
            continue
        try:
            normalized = normalize_v1(chr(code_point))
        except Rejected:
            normalized = b""
        total.update(len(normalized).to_bytes(8, "big") + normalized)
    assert total.hexdigest() == "5d7c7b8cbaada66aa30c6fef29318d65129923d2d8632492ddd2aea2eadf8b88"


@pytest.mark.skipif(unicodedata.unidata_version != "14.0.0", reason="needs a Python whose Unicode is exactly 14.0")
def test_the_table_is_unicode_14() -> None:
    """The frozen table of assigned characters is that of Unicode 14.0."""
    flips = []
    before = False
    for code_point in range(sys.maxunicode + 1):
        assigned = unicodedata.category(chr(code_point)) != "Cn"
        if assigned != before:
            flips.append(code_point)
        before = assigned
    assert assignment_flips() == tuple(flips)
    assert was_assigned("a")
    assert not was_assigned("\U0001e030")


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_normalizing_twice_is_normalizing_once(identifier: str) -> None:
    """An identifier that is normalized already meets the one it came from."""
    try:
        once = normalize_v1(identifier)
    except Rejected:
        return
    assert normalize_v1(once.decode()) == once


@given(st.text(st.characters(exclude_categories=["Cs", "Cn"])))
def test_composed_and_decomposed_spellings_meet(identifier: str) -> None:
    """Canonically equal texts, which look alike, are one identifier."""
    composed = unicodedata.normalize("NFC", identifier)
    decomposed = unicodedata.normalize("NFD", identifier)
    try:
        assert normalize_v1(composed) == normalize_v1(decomposed)
    except Rejected:
        with pytest.raises(Rejected):
            normalize_v1(decomposed)


@given(st.text(st.characters(max_codepoint=127)))
def test_ascii_takes_the_same_way(identifier: str) -> None:
    """The short way for ASCII gives what the long way gives."""
    try:
        short = normalize_v1(identifier)
    except Rejected:
        short = b""
    assert normalize_v1(identifier + " é") == (short + b" " if short else b"") + "é".encode()


def test_exact_ids_stay_as_they_are() -> None:
    """Ids of machines are their UTF-8, spaces and case included; a lone surrogate has none."""
    assert exact_bytes(" S-1 ") == b" S-1 "
    with pytest.raises(Rejected):
        exact_bytes("\udfff")
