"""What a reader wrote, as his Access keeps it: no person in it, however he spelled her."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from query.without_persons import without_persons

MIA, LI, NEIL = bytes([1]) * 16, bytes([2]) * 16, bytes([3]) * 16
PERSONS = {"mia_li_3668": MIA, "mia li": LI, "o'neil": NEIL, 'say "x"': LI, "42": MIA, "mia@example.org": MIA}


class Keys:
    """A key store that knows some persons, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def scope_keys(self, tenant: str, scope_ids: Iterable[bytes]) -> dict[bytes, bytes]:
        """Of nobody."""
        return {}

    def destroyed_by(self, tenant: str, scope_ids: Iterable[bytes]) -> dict[bytes, str]:
        """By nobody."""
        return {}

    def pseudonym(self, tenant: str, identifier: str) -> bytes | None:
        """By the exact spelling."""
        self.asked += 1
        assert (tenant, identifier.strip() != "") == ("acme", True)
        return PERSONS.get(identifier)


def cleaned(text: str) -> str:
    """The text as it is kept."""
    return without_persons(text, Keys(), "acme")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("a = 'mia_li_3668'", f"a = 'pseudonym:{MIA.hex()}'"),
        ("a = $$mia_li_3668$$", f"a = 'pseudonym:{MIA.hex()}'"),
        ("a = $q$mia li$q$", f"a = 'pseudonym:{LI.hex()}'"),
        ('a = "mia li"', f"a = 'pseudonym:{LI.hex()}'"),
        ("a = 'o''neil'", f"a = 'pseudonym:{NEIL.hex()}'"),
        ('a = "say ""x"""', f"a = 'pseudonym:{LI.hex()}'"),
        ("a LIKE '%mia li%'", f"a LIKE 'pseudonym:{LI.hex()}'"),
        ("a LIKE '%to mia_li_3668 %'", f"a LIKE '%to pseudonym:{MIA.hex()} %'"),
        ("a IN ('42', 42)", f"a IN ('pseudonym:{MIA.hex()}', 42)"),
        ("SELECT 1 -- that's for mia_li_3668.", f"SELECT 1 -- that's for pseudonym:{MIA.hex()}."),
        ("SELECT 1 /*mia_li_3668*/", f"SELECT 1 /*pseudonym:{MIA.hex()}*/"),
        ("complaint of mia_li_3668, by letter", f"complaint of pseudonym:{MIA.hex()}, by letter"),
        ("o'neil was here", f"pseudonym:{NEIL.hex()} was here"),
        ("complaint of mia@example.org", f"complaint of pseudonym:{MIA.hex()}"),
        ("complaint of bob.b+1@mail.example.org.", "complaint of [address]."),
        ("'acme' and mia_li_36689 are nobody", "'acme' and mia_li_36689 are nobody"),
        ("", ""),
    ],
)
def test_no_person_stays(written: str, kept: str) -> None:
    """Every way of quoting, patterns of LIKE, comments and free text; nothing else is changed."""
    assert cleaned(written) == kept


@pytest.mark.parametrize("piece", ["a", "a.", "$a", "'", '"a', "a@", "a'", "-", "%$"])
def test_no_text_takes_long(piece: str) -> None:
    """Texts made to be slow are not: time grows as length does."""
    began = time.process_time()
    cleaned((piece * 100_000)[:99_999])
    assert time.process_time() - began < 2


def test_each_word_is_looked_up_once() -> None:
    """However often a word stands in a text."""
    keys = Keys()
    without_persons("SELECT mia_li_3668, mia_li_3668 FROM 'mia_li_3668' " * 1_000, keys, "acme")
    assert keys.asked < 10
