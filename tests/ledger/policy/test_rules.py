"""The decision: `ledger.policy.rules`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.policy import IN_FLIGHT, MODES, InFlight, Policy, RetentionClass, Rule
from ledger.policy.rules import CLASSES, higher

DEFAULT = Rule("default", mode="redacted", retention="standard", vendors=frozenset({"openai"}))
RETENTION = (RetentionClass("standard", 24), RetentionClass("short", 3))


def policy(*rules: Rule, unclassified: str = "confidential") -> Policy:
    """A policy of these rules."""
    return Policy("p", "1", unclassified, DEFAULT, rules, RETENTION, bytes(32))


def test_without_a_rule_the_default_decides() -> None:
    """What no rule matches is the default's, under its name."""
    found = policy(Rule("clinic", tenants=frozenset({"clinic"}), mode="full")).decide("acme", "request", "public")
    assert (found.mode, found.retention, found.rule) == ("redacted", RETENTION[0], "default")


def test_the_first_match_decides_and_the_default_fills_in() -> None:
    """Of several rules that match the first counts alone; what it leaves out comes from the default, not the next."""
    rules = policy(
        Rule("short", kinds=frozenset({"request"}), retention="short"),
        Rule("whole", kinds=frozenset({"request"}), mode="full", vendors=frozenset()),
    )
    found = rules.decide("acme", "request", "public")
    assert (found.mode, found.retention.name, found.rule, found.vendors) == (
        "redacted",
        "short",
        "short",
        frozenset({"openai"}),
    )


@pytest.mark.parametrize(
    ("tenant", "kind", "data_class", "matches"),
    [
        ("clinic", "request", "restricted", True),
        ("acme", "request", "restricted", False),
        ("clinic", "change", "restricted", False),
        ("clinic", "request", "public", False),
    ],
)
def test_a_rule_matches_when_all_of_its_conditions_do(tenant: str, kind: str, data_class: str, matches: bool) -> None:
    """Tenant, kind and class are conditions that must hold together."""
    rule = Rule("r", frozenset({"clinic"}), frozenset({"request"}), frozenset({"restricted"}), "metadata")
    assert (policy(rule).decide(tenant, kind, data_class).rule == "r") is matches


def test_unclassified_data_counts_as_the_policy_says() -> None:
    """Data without a class is decided as data of the class that the policy names for it."""
    rule = Rule("r", classes=frozenset({"restricted"}), mode="metadata")
    assert policy(rule).decide("acme", "request", "unspecified").mode == "redacted"
    assert policy(rule, unclassified="restricted").decide("acme", "request", "unspecified").mode == "metadata"


def test_vendors_are_allowed_by_name() -> None:
    """Only the vendors named may receive; an empty list lets nobody, no list everybody; no vendor is no delivery."""
    listed = policy(Rule("none", classes=frozenset({"restricted"}), vendors=frozenset()))
    assert listed.decide("acme", "request", "public").allows("openai")
    assert not listed.decide("acme", "request", "public").allows("cohere")
    assert not listed.decide("acme", "request", "restricted").allows("openai")
    assert listed.decide("acme", "request", "restricted").allows(None)


@given(st.sampled_from(IN_FLIGHT), st.sampled_from(IN_FLIGHT))
def test_a_second_look_never_lets_more_leave(first: InFlight, second: InFlight) -> None:
    """When a class is raised, what happens in flight is the stricter of the two; a rule that says nothing allows."""
    rules = policy(Rule("low", classes=frozenset({"public"}), in_flight=first), Rule("high", in_flight=second))
    low, high = (rules.decide("acme", "request", each) for each in ("public", "restricted"))
    assert low.raised(high).in_flight == max(first, second, key=IN_FLIGHT.index)
    assert policy().decide("acme", "request", "public").in_flight == "allow"


@given(st.sampled_from(MODES), st.sampled_from(MODES))
def test_a_second_look_never_keeps_more(first: str, second: str) -> None:
    """When a class is raised the second ruling counts, in the stricter of the two modes."""
    one, two = (
        policy(Rule("r", mode=mode, retention=retention)).decide("acme", "request", "public")  # type: ignore[arg-type]
        for mode, retention in ((first, "standard"), (second, "short"))
    )
    raised = one.raised(two)
    assert MODES.index(raised.mode) == max(MODES.index(one.mode), MODES.index(two.mode))
    assert raised.retention.name == "short"


def test_classes_are_ordered() -> None:
    """The higher of two classes is the later one in the order; unclassified is below all."""
    for i, one in enumerate(CLASSES):
        assert higher("unspecified", one) == one
        for other in CLASSES[i:]:
            assert higher(one, other) == higher(other, one) == other
