"""The decision: what is kept of data of one class in an event of one kind of one tenant, and was it for this vendor.

The first rule that matches decides; without one the default does. What a rule leaves out is the default's. A rule
matches when the tenant, the kind and the class are each among those it names; one that names none is for all.

**Classes** are ordered: public, internal, confidential, restricted. Data that nobody classified counts as the policy's
`unclassified` class. What is found in data can raise its class (never lower it), and then the rules are asked again:
the second answer counts, but its mode is never laxer than the first's, so that a detector can only ever take away.

**Modes**, from the laxest: `full` keeps contents encrypted; `redacted` takes out what patterns find, then encrypts;
`metadata` keeps no content at all, only its size and a digest under the person's own key.

**In flight**, from the laxest: what the recording proxy does with a request before it leaves for a vendor that may
receive such data. `allow` lets it go as it is; `redact` takes out what patterns find; `refuse` sends nothing. A vendor
that may not receive the data receives nothing in any case.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from ledger.redaction.builtin import BUILTIN
from ledger.redaction.rule import RulePack

Mode = Literal["full", "redacted", "metadata"]
MODES: tuple[Mode, ...] = ("full", "redacted", "metadata")

InFlight = Literal["allow", "redact", "refuse"]
IN_FLIGHT: tuple[InFlight, ...] = ("allow", "redact", "refuse")

CLASSES = ("public", "internal", "confidential", "restricted")
"""From the lowest to the highest."""

UNCLASSIFIED = "unspecified"


@dataclass(frozen=True, slots=True)
class RetentionClass:
    """How long contents are kept: `months` after the end of the month in which they were received; None: for ever."""

    name: str
    months: int | None


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. None in `tenants`, `kinds`, `classes`: all of them. None elsewhere: as the default says.

    `vendors`: the only vendors that may receive such data.
    """

    name: str
    tenants: frozenset[str] | None = None
    kinds: frozenset[str] | None = None
    classes: frozenset[str] | None = None
    mode: Mode | None = None
    retention: str | None = None
    vendors: frozenset[str] | None = None
    in_flight: InFlight | None = None

    def matches(self, tenant: str, kind: str, data_class: str) -> bool:
        """Whether it is for this data. `data_class` is one of `CLASSES`."""
        return (
            (self.tenants is None or tenant in self.tenants)
            and (self.kinds is None or kind in self.kinds)
            and (self.classes is None or data_class in self.classes)
        )


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a policy says of some data. `rule`: the one that matched. `vendors`: who may receive it; None: everybody."""

    mode: Mode
    retention: RetentionClass
    rule: str
    vendors: frozenset[str] | None
    in_flight: InFlight = "allow"

    def allows(self, vendor: str | None) -> bool:
        """Whether this vendor may receive the data; nobody, and a vendor that is not known, receives nothing."""
        return self.vendors is None or vendor is None or vendor in self.vendors

    def raised(self, second: Ruling) -> Ruling:
        """The ruling on the same data after its class was raised: the second, but in nothing laxer than this."""
        return replace(
            second,
            mode=max(self.mode, second.mode, key=MODES.index),
            in_flight=max(self.in_flight, second.in_flight, key=IN_FLIGHT.index),
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that was checked: every retention class that is named is there. `sha256`: of the file's bytes.

    `pack`: what redaction takes out.
    """

    name: str
    version: str
    unclassified: str
    default: Rule
    rules: tuple[Rule, ...]
    retention: tuple[RetentionClass, ...]
    sha256: bytes
    pack: RulePack = BUILTIN

    @property
    def identity(self) -> str:
        """What events carry: `name/version`."""
        return f"{self.name}/{self.version}"

    def decide(self, tenant: str, kind: str, data_class: str) -> Ruling:
        """What becomes of data of this class (one of `CLASSES` or unclassified) in such an event."""
        rule = next(
            (each for each in self.rules if each.matches(tenant, kind, self.class_of(data_class))), self.default
        )
        mode, retention = rule.mode or self.default.mode, rule.retention or self.default.retention
        if mode is None or retention is None:
            raise ValueError("the default of a policy has a mode and a retention class")
        vendors = self.default.vendors if rule.vendors is None else rule.vendors
        in_flight = rule.in_flight or self.default.in_flight or "allow"
        return Ruling(mode, self.retention_class(retention), rule.name, vendors, in_flight)

    def class_of(self, declared: str) -> str:
        """What data of this declared class counts as."""
        return self.unclassified if declared == UNCLASSIFIED else declared

    def retention_class(self, name: str) -> RetentionClass:
        """The retention class of this name; `KeyError` when there is none."""
        for each in self.retention:
            if each.name == name:
                return each
        raise KeyError(name)


def higher(one: str, other: str) -> str:
    """The higher of two classes, either of which may be unclassified."""
    order = (UNCLASSIFIED, *CLASSES)
    return max(one, other, key=order.index)
