"""The roles file: what is wrong is refused by its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import Misconfigured
from ledger.identity.document import parse_roles, read_roles
from ledger.identity.plain import explained
from ledger.identity.revocation import read_revoked
from tests.ledger.identity.test_authority import ROLES


def test_a_roles_file_in_plain_words(tmp_path: Path) -> None:
    """Whoever checks a file reads who may do what, where keys come from, and that nobody else may do anything."""
    said = list(explained(parse_roles(ROLES.encode(), tmp_path)))
    assert said[0] == "version 1, 1 issuers, 4 grants"
    assert f"keys: {tmp_path}/jwks.json" in said[1]
    assert (
        "certificate uri:spiffe://example.org/support: producer of acme: publishes events, of the kinds request" in said
    )
    assert (
        "company: group audit: auditor of _org, acme: reads metadata and proofs, and contents of a granted " in said[6]
    )
    assert said[6].endswith("of 1 events")
    assert said[-1] == "everybody else may do nothing"
    assert list(explained(parse_roles(b'format = 1\nversion = "1"', tmp_path)))[-1] == "nobody may do anything"


WRONG = {
    "an unknown key": ('version = "1"', 'version = "1"\nextra = 1', "extra: is unknown"),
    "an unknown key of a grant": ('role = "investigator"', 'role = "investigator"\nrank = 1', r"grants\[2\].rank"),
    "an unknown key of an issuer": ('keys = "jwks.json"', 'keys = "jwks.json"\nkid = "x"', "issuers.company.kid"),
    "another format": ("format = 1", "format = 2", "format: expected 1"),
    "no version": ('version = "1"', "", "version: is missing"),
    "an unknown role": ('"investigator"', '"root"', r"grants\[2\].role"),
    "no tenants": ('tenants = ["beta"]', "tenants = []", r"grants\[1\].tenants"),
    "every tenant for an investigator": ('"mia@example.org"\ntenants = ["acme"]', '"m"\ntenants = ["*"]', "by name"),
    "a wrong tenant": ('tenants = ["beta"]', 'tenants = ["Beta!"]', "tenant name"),
    "no kinds": ('kinds = ["request"]', "", "kinds: is missing"),
    "a kind that only the ledger writes": ('kinds = ["request"]', 'kinds = ["access"]', "kinds: expected"),
    "kinds for a person": ('role = "investigator"', 'role = "investigator"\nkinds = ["request"]', "only for producer"),
    "a sample for an investigator": ('role = "investigator"', 'role = "investigator"\nsample = []', "only for auditor"),
    "a sample of no ids": ("01990c6e-5a3c-7d60-8a43-6f1b2c3d4e5f", "x", "sample: expected event ids"),
    "nobody": ('subject = "mia@example.org"', "", "a certificate, or an issuer"),
    "a certificate for a person": (
        'issuer = "company"\nsubject = "mia@example.org"',
        'certificate = "dns:x"',
        "a token",
    ),
    "an unknown issuer": (
        'issuer = "company"\nsubject',
        'issuer = "other"\nsubject',
        "issuer: expected one of company",
    ),
    "a group without a claim": ('groups_claim = "groups"\n', "", "names no groups_claim"),
    "an HMAC": ('["ES256", "RS256", "EdDSA"]', '["HS256"]', "algorithms"),
    "none": ('["ES256", "RS256", "EdDSA"]', '["none"]', "algorithms"),
    "keys in clear": ('keys = "jwks.json"', 'keys = "http://example.org/jwks.json"', "https"),
}


@pytest.mark.parametrize("lie", WRONG)
def test_what_is_wrong_names_its_place(tmp_path: Path, lie: str) -> None:
    """Nothing unknown, nothing half said, no role beyond what it may have."""
    old, new, said = WRONG[lie]
    assert old in ROLES
    with pytest.raises(Misconfigured, match=said):
        parse_roles(ROLES.replace(old, new).encode(), tmp_path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """Roles and revocations that can't be read are no empty ones."""
    with pytest.raises(Misconfigured, match="cannot read"):
        read_roles(tmp_path / "roles.toml")
    with pytest.raises(Misconfigured, match="cannot read"):
        read_revoked(tmp_path / "revoked.txt")
