"""The policy file: `ledger.policy.document`."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Misconfigured
from ledger.policy import parse_policy
from ledger.policy.builtin import DEFAULT_POLICY
from ledger.policy.plain import warnings
from ledger.policy.rules import RetentionClass, Rule
from ledger.record.payload import KINDS

GOOD = """
name = "acme-capture"
version = "3"
[default]
mode = "redacted"
retention = "standard"
unclassified = "confidential"
vendors = ["openai", "azure"]
[retention]
standard = 24
short = 3
ever = 0
[[rules]]
name = "health records"
tenants = ["clinic"]
kinds = ["request", "tool_call"]
classes = ["restricted"]
mode = "metadata"
retention = "short"
vendors = []
[[rules]]
name = "the rest of the clinic"
tenants = ["clinic"]
"""


def changed(old: str, new: str) -> str:
    """The good policy with one thing changed."""
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def test_every_part_is_read() -> None:
    """A file that uses everything becomes the policy it says, known by the digest of its bytes."""
    policy = parse_policy(GOOD.encode())
    assert (policy.name, policy.version, policy.identity) == ("acme-capture", "3", "acme-capture/3")
    assert policy.unclassified == "confidential"
    assert policy.sha256 == sha256(GOOD.encode()).digest()
    assert policy.default == Rule(
        "default", mode="redacted", retention="standard", vendors=frozenset({"openai", "azure"})
    )
    assert policy.rules == (
        Rule(
            "health records",
            frozenset({"clinic"}),
            frozenset({"request", "tool_call"}),
            frozenset({"restricted"}),
            "metadata",
            "short",
            frozenset(),
        ),
        Rule("the rest of the clinic", frozenset({"clinic"})),
    )
    assert policy.retention == (
        RetentionClass("standard", 24),
        RetentionClass("short", 3),
        RetentionClass("ever", None),
    )


def test_a_new_ledger_redacts() -> None:
    """The policy that `init` writes redacts whatever is said about or by persons, and keeps artifacts exact."""
    policy = parse_policy(DEFAULT_POLICY.encode())
    modes = {kind: policy.decide("anybody", kind, "unspecified").mode for kind in KINDS}
    assert {kind for kind, mode in modes.items() if mode != "redacted"} == {"change"}
    assert modes["change"] == "full"
    assert list(warnings(policy)) == []


def test_the_company_log_can_be_named() -> None:
    """`_org` is the one reserved tenant that rules may name."""
    policy = parse_policy(changed('tenants = ["clinic"]', 'tenants = ["_org"]').encode())
    assert policy.rules[0].tenants == frozenset({"_org"})
    with pytest.raises(Misconfigured):
        parse_policy(changed('tenants = ["clinic"]', 'tenants = ["_system"]').encode())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "p: expected TOML in UTF-8: "),
        (changed('version = "3"\n', ""), "p: version: is missing"),
        (changed('version = "3"', "version = 3"), "p: version: expected text that matches "),
        (changed('version = "3"', 'version = "a b"'), "p: version: expected text that matches "),
        (changed('name = "acme-capture"', 'name = "Acme"'), "p: name: expected text that matches "),
        (changed('name = "acme-capture"', 'name = "acme"\nowner = "x"'), "p: owner: is unknown; expected one of "),
        (changed('mode = "redacted"', 'mode = "most"'), "p: default.mode: expected one of full, redacted, metadata"),
        (changed('mode = "redacted"\n', ""), "p: default.mode: is missing"),
        (changed('mode = "redacted"', 'mode = "full"\nmodes = 1'), "p: default.modes: is unknown"),
        (changed('retention = "standard"', 'retention = "x"'), "p: default.retention: expected one of ever, short, "),
        (changed('unclassified = "confidential"', 'unclassified = "secret"'), "p: default.unclassified: expected one "),
        (changed("standard = 24", "standard = -1"), "p: retention.standard: expected months from 0 "),
        (changed("standard = 24", "standard = true"), "p: retention.standard: expected months from 0 "),
        (changed("standard = 24", 'standard = "2y"'), "p: retention.standard: expected months from 0 "),
        (changed("standard = 24", "Standard = 24"), "p: retention.Standard: expected text that matches "),
        (changed('tenants = ["clinic"]', "tenants = []"), "p: rules[0].tenants: expected a list of one or more"),
        (changed('tenants = ["clinic"]', 'tenants = "clinic"'), "p: rules[0].tenants: expected a list of one or more"),
        (changed('tenants = ["clinic"]', 'tenants = ["A b"]'), "p: rules[0].tenants[0]: "),
        (changed('"request", ', '"requests", '), "p: rules[0].kinds[0]: expected one of request, tool_call, "),
        (changed('["restricted"]', '["secret"]'), "p: rules[0].classes[0]: expected one of public, internal, "),
        (changed('mode = "metadata"', 'mode = ""'), "p: rules[0].mode: expected one of full, redacted, metadata"),
        (changed("vendors = []", "vendors = [1]"), "p: rules[0].vendors[0]: expected a name, got 1"),
        (changed("vendors = []", "vendor = []"), "p: rules[0].vendor: is unknown"),
        (changed("vendors = []", 'in_flight = "deny"'), "p: rules[0].in_flight: expected one of allow, redact, refuse"),
        (changed('name = "health records"\n', ""), "p: rules[0].name: is missing"),
        (changed('name = "health records"', 'name = "default"'), "p: rules[0].name: expected another name"),
        (changed('"the rest of the clinic"', '"health records"'), "p: rules[1].name: expected a name of its own"),
        (GOOD + '[[patterns]]\nname = "x"\npattern = "("\n', "p: redaction pattern 1 (x): "),
        (GOOD + '[[patterns]]\nname = "x"\n', "p: redaction pattern 1 (x): pattern must be a text"),
        ("patterns = 1\n" + GOOD, "p: patterns: expected tables [[patterns]], got 1"),
        (changed("[default]", "[defaults]"), "p: defaults: is unknown"),
        (changed("[[rules]]", "[rules]"), "p: expected TOML in UTF-8: "),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    """A file that is not a policy is refused with the place, what was expected and what was found."""
    with pytest.raises(Misconfigured) as error:
        parse_policy(text.encode(), "p")
    assert str(error.value).startswith(message)


def test_a_giant_is_refused_unread() -> None:
    """A file that can't be a policy is not parsed."""
    with pytest.raises(Misconfigured, match="at most 65536 bytes"):
        parse_policy(b"#" * (64 * 1024 + 1))


@pytest.mark.parametrize("text", ["x = " + "1" * 5_000, "x = " + "[" * 3_000, ".".join("a" * 20_000) + " = 1"])
def test_what_would_take_for_ever_is_refused(text: str) -> None:
    """Numbers, lists and keys made to wear the reader out are refused like any other mistake."""
    with pytest.raises(Misconfigured, match="expected"):
        parse_policy(text.encode())


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_bytes_surprise_it(data: bytes) -> None:
    """Whatever the file holds, the answer is a policy or a refusal."""
    with pytest.raises(Misconfigured):
        parse_policy(data)
