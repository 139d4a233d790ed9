"""docs/OTLP.md has the tables that the mapping itself gives, and every attribute that it tells of is read."""

from __future__ import annotations

import re

from ledger.otlp.conventions import CONVENTIONS
from ledger.otlp.conventions.identity import USER
from ledger.otlp.manual import rewritten
from ledger.otlp.resource import ENVIRONMENT, INSTANCE, SAMPLING, SERVICE, SHARED, TENANT, VERSION
from tests.docs.test_otlp import DOCUMENT

TEXT = DOCUMENT.read_text("utf-8")


def test_the_tables_are_those_of_the_mapping() -> None:
    """`python -m ledger.otlp.manual docs/OTLP.md` changes nothing."""
    assert rewritten(TEXT) == TEXT


def test_every_attribute_of_ours_that_is_told_of_is_read() -> None:
    """Each `ledger.*` that the document names is read, and each that is read is named."""
    read = {
        row.attribute for convention in CONVENTIONS for row in convention.rows if row.attribute.startswith("ledger.")
    }
    read |= {TENANT, SAMPLING, *SHARED}
    named = set(re.findall(r"`(ledger\.[a-z_0-9.]+)`", TEXT))
    assert named == read


def test_the_order_of_users_is_told() -> None:
    """The prose names the users' attributes in the order in which they are asked."""
    places = [TEXT.index(f"`{attribute}`", TEXT.index("**User**")) for attribute in USER[:5]]
    assert places == sorted(places)


def test_what_a_resource_says_is_told() -> None:
    """Attributes of the resource that are read stand in the document."""
    for attribute in (*SERVICE, *VERSION, *ENVIRONMENT, *INSTANCE):
        assert f"`{attribute}`" in TEXT, attribute
