"""What a policy does, in plain words; and what of it can never happen.

`sentences` tells it rule by rule, in the order in which they are asked. `warnings` names what is probably a mistake and
no error: a rule that can never match because an earlier one takes all of its cases, a tenant that does not exist, a
retention class that nothing uses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ledger.policy.rules import CLASSES, InFlight, Mode, Policy, RetentionClass, Rule
from ledger.record.payload import KINDS
from ledger.redaction.builtin import BUILTIN

_KEPT: dict[Mode, str] = {
    "full": "contents are kept whole, encrypted",
    "redacted": "what patterns find is taken out, the rest is kept encrypted",
    "metadata": "no content is kept, only sizes and digests under the person's own key",
}

_IN_FLIGHT: dict[InFlight, str] = {
    "allow": "",
    "redact": "; a proxy takes out what patterns find before it leaves",
    "refuse": "; a proxy sends none of it",
}


def sentences(policy: Policy) -> Iterator[str]:
    """One sentence a rule, then the default, then what nobody classified."""
    for number, rule in enumerate(policy.rules, 1):
        yield f"{number}. {rule.name}: for {_cases(rule)}, {_does(policy, rule)}."
    yield f"{len(policy.rules) + 1}. Otherwise {_does(policy, policy.default)}."
    if policy.pack is not BUILTIN:
        own = ", ".join(rule.type for rule in policy.pack.rules[len(BUILTIN.rules) :])
        yield f"Patterns of its own are looked for besides the built-in ones: {own}."
    yield f"Data that nobody classified counts as {policy.unclassified}; a class that is found to be too low is raised."


def warnings(policy: Policy, tenants: Iterable[str] | None = None) -> Iterator[str]:
    """What is allowed and probably not meant. `tenants`: those there are, None: not known."""
    for i, rule in enumerate(policy.rules):
        for earlier in policy.rules[:i]:
            if _covers(earlier, rule):
                yield f"rule {rule.name} never decides: {earlier.name} stands before it and takes all of its cases"
                break
    known = None if tenants is None else set(tenants)
    for rule in policy.rules:
        for tenant in sorted(rule.tenants or ()):
            if known is not None and tenant not in known:
                yield f"rule {rule.name}: there is no tenant {tenant}"
    used = {rule.retention for rule in (*policy.rules, policy.default)}
    for each in policy.retention:
        if each.name not in used:
            yield f"retention class {each.name} is used by no rule"


def _cases(rule: Rule) -> str:
    parts = [
        _among("tenant", rule.tenants),
        _among("kind", rule.kinds),
        _among("class", rule.classes, "classes"),
    ]
    said = [part for part in parts if part]
    return " and ".join(said) if said else "everything"


def _among(one: str, values: frozenset[str] | None, many: str | None = None) -> str:
    if values is None:
        return ""
    return f"{one if len(values) == 1 else many or one + 's'} {_listed(values)}"


def _does(policy: Policy, rule: Rule) -> str:
    mode, retention = rule.mode or policy.default.mode, rule.retention or policy.default.retention
    if mode is None or retention is None:
        raise ValueError("the default of a policy has a mode and a retention class")
    vendors = policy.default.vendors if rule.vendors is None else rule.vendors
    in_flight = _IN_FLIGHT[rule.in_flight or policy.default.in_flight or "allow"]
    return f"{_KEPT[mode]}, {_for(policy.retention_class(retention))}; {_may(vendors)}{in_flight}"


def _for(retention: RetentionClass) -> str:
    if retention.months is None:
        return f"for ever ({retention.name})"
    months = "1 month" if retention.months == 1 else f"{retention.months} months"
    return f"for {months} after the month of receipt ({retention.name})"


def _may(vendors: frozenset[str] | None) -> str:
    if vendors is None:
        return "any vendor may receive it"
    return f"only {_listed(vendors)} may receive it" if vendors else "no vendor may receive it"


def _listed(values: Iterable[str]) -> str:
    ordered = sorted(values, key=lambda each: (CLASSES.index(each) if each in CLASSES else -1, each))
    return ordered[0] if len(ordered) == 1 else f"{', '.join(ordered[:-1])} or {ordered[-1]}"


def _covers(earlier: Rule, later: Rule) -> bool:
    return (
        _holds(earlier.tenants, later.tenants, None)
        and _holds(earlier.kinds, later.kinds, frozenset(KINDS))
        and _holds(earlier.classes, later.classes, frozenset(CLASSES))
    )


def _holds(larger: frozenset[str] | None, smaller: frozenset[str] | None, everything: frozenset[str] | None) -> bool:
    if larger is None or larger == everything:
        return True
    return smaller is not None and smaller <= larger
