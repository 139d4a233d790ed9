"""The decision about a request, as a table."""

from __future__ import annotations

import json

import pytest

from ledger.policy import parse_policy
from ledger.proxy.deciding import Decider, Looking, Question
from ledger.redaction.numbering import DerivedNumbering
from tests.ledger.proxy.running import POLICY

CARD = "4111 1111 1111 1111"
MAIL = "mia.meier@example.org"
RULES = """
[[rules]]
name = "secret"
classes = ["restricted"]
vendors = ["azure"]
[[rules]]
name = "mail"
classes = ["confidential"]
in_flight = "redact"
[[rules]]
name = "public"
classes = ["public"]
"""


def looking() -> Looking:
    """How a text is looked into."""
    return Looking(DerivedNumbering(bytes(32), b"s"))


def never() -> Looking:
    """For questions that need no look."""
    raise AssertionError("the text was looked into")


@pytest.mark.parametrize(
    ("vendor", "declared", "text", "verdict", "rule", "reason"),
    [
        ("openai", "restricted", "hello", "refuse", "secret", "vendor"),
        ("azure", "restricted", "hello", "allow", "secret", ""),
        ("openai", "confidential", "hello", "allow", "mail", ""),
        ("openai", "confidential", MAIL, "redact", "mail", ""),
        ("openai", "confidential", CARD, "redact", "secret", ""),
        ("openai", "unspecified", "hello", "allow", "default", ""),
        ("openai", "unspecified", MAIL, "redact", "mail", ""),
        ("openai", "unspecified", CARD, "refuse", "secret", "vendor"),
        ("azure", "unspecified", CARD, "allow", "secret", ""),
        ("openai", "public", CARD, "refuse", "secret", "vendor"),
    ],
)
def test_decisions(vendor: str, declared: str, text: str, verdict: str, rule: str, reason: str) -> None:
    """Vendor, declared class and what is found decide together; of two rulings the stricter counts."""
    decider = Decider(parse_policy((POLICY + RULES).encode()))
    body = json.dumps({"messages": [{"role": "user", "content": text}]}).encode()
    found = decider.decide(Question("acme", vendor, declared, body), looking)
    assert (found.verdict, found.rule, found.reason) == (verdict, rule, reason)
    assert (found.body == body) is (verdict != "redact")
    assert (found.policy_id, found.policy_revision) == ("test", "1")


def test_nobody_looks_where_nothing_depends_on_it() -> None:
    """Where every class is ruled alike the text is not looked into; nor where the answer is no anyway."""
    plain = Decider(parse_policy(POLICY.encode()))
    assert plain.decide(Question("acme", "openai", "unspecified", b"{}"), never).verdict == "allow"
    decider = Decider(parse_policy((POLICY + RULES).encode()))
    assert decider.decide(Question("acme", "openai", "restricted", b"{}"), never).verdict == "refuse"
    assert decider.decide(Question("acme", "azure", "restricted", b"{}"), never).verdict == "allow"


def test_what_is_no_json_is_refused_only_where_it_must_be_redacted() -> None:
    """A body that can't be looked into counts as what it was declared; where that is to be redacted it stays here."""
    decider = Decider(parse_policy((POLICY + RULES).encode()))
    assert decider.decide(Question("acme", "openai", "confidential", b"?"), looking).reason == "not_readable"
    assert decider.decide(Question("acme", "openai", "unspecified", b"?"), looking).verdict == "allow"
