"""The policy file: TOML, every key known, every name declared.

    name = "acme-capture"            # with the version, what events carry
    version = "3"                    # another one for every change of the file

    [default]
    mode = "redacted"                # full, redacted or metadata
    retention = "standard"
    unclassified = "confidential"    # what data counts as that nobody classified
    vendors = ["openai", "azure"]    # optional: the only vendors that may receive data
    in_flight = "allow"              # optional: what the recording proxy does: allow, redact or refuse

    [retention]                      # months kept after the month of receipt; 0: for ever
    standard = 24
    short = 3

    [[rules]]                        # the first that matches decides
    name = "health records"
    tenants = ["clinic"]             # optional, as are kinds and classes: all of them; "_org" is the company's own log
    kinds = ["request", "tool_call"]
    classes = ["restricted"]
    mode = "metadata"                # optional, as are retention, vendors and in_flight: the default's
    retention = "short"
    vendors = ["azure"]              # [] for none

    [[patterns]]                     # optional: what redaction takes out besides the built-in rules
    name = "customer_number"         # the keys are those of `ledger.redaction.custom`
    pattern = "K-[0-9]{6}"

What is wrong is one `Misconfigured` that names the place, what was expected and what was found.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any

from ledger.errors import Misconfigured
from ledger.policy.rules import CLASSES, IN_FLIGHT, MODES, InFlight, Mode, Policy, RetentionClass, Rule
from ledger.record.payload import KINDS
from ledger.redaction.builtin import BUILTIN
from ledger.redaction.custom import pack_with
from ledger.redaction.rule import RulePack
from ledger.strict_toml import StrictReader, load_toml
from ledger.tenants import ORG, check_tenant_name

FILE_BYTES_MAX = 64 * 1024
RULES_MAX = 1_000
MONTHS_MAX = 1_200
FOR_EVER = 0

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def parse_policy(data: bytes, where: str = "policy") -> Policy:
    """The policy in a file's bytes. `Misconfigured`, beginning with `where`, when it is not one."""
    tree = load_toml(data, where, FILE_BYTES_MAX)
    return _Reader(where).policy(tree, sha256(data).digest())


class _Reader(StrictReader):
    """Reads one document."""

    def policy(self, tree: dict[str, Any], digest: bytes) -> Policy:
        self.keys(tree, {"name", "version", "default", "retention"}, {"rules", "patterns"}, "")
        retention = self._retention(self.table(tree["retention"], "retention"))
        classes = {each.name for each in retention}
        default = self.table(tree["default"], "default")
        self.keys(default, {"mode", "retention", "unclassified"}, {"vendors", "in_flight"}, "default")
        rules = tree.get("rules", [])
        if not isinstance(rules, list) or len(rules) > RULES_MAX:
            raise self.wrong("rules", f"at most {RULES_MAX} tables [[rules]]", rules)
        read = tuple(
            self._rule(self.table(each, f"rules[{i}]"), f"rules[{i}]", classes) for i, each in enumerate(rules)
        )
        names = [each.name for each in read]
        for i, taken in enumerate(names):
            if taken in names[:i]:
                raise Misconfigured(f"{self.where}: rules[{i}].name: expected a name of its own, {taken!r} is taken")
        name, version = self.match(tree["name"], "name", _NAME), self.match(tree["version"], "version", _VERSION)
        return Policy(
            name,
            version,
            self.one_of(default["unclassified"], "default.unclassified", CLASSES),
            Rule(
                "default",
                mode=self._mode(default["mode"], "default.mode"),
                retention=self.one_of(default["retention"], "default.retention", sorted(classes)),
                vendors=self._vendors(default, "default"),
                in_flight=self._in_flight(default, "default"),
            ),
            read,
            retention,
            digest,
            self._pack(name, version, tree.get("patterns", [])),
        )

    def _pack(self, name: str, version: str, patterns: Any) -> RulePack:
        if not isinstance(patterns, list):
            raise self.wrong("patterns", "tables [[patterns]]", patterns)
        if not patterns:
            return BUILTIN
        entries = [self.table(each, f"patterns[{i}]") for i, each in enumerate(patterns)]
        try:
            return pack_with(name, version, entries)
        except Misconfigured as error:
            raise Misconfigured(f"{self.where}: {error}") from None

    def _rule(self, tree: dict[str, Any], at: str, retention: set[str]) -> Rule:
        self.keys(tree, {"name"}, {"tenants", "kinds", "classes", "mode", "retention", "vendors", "in_flight"}, at)
        name = self.text(tree["name"], f"{at}.name", "a name")
        if name == "default":
            raise self.wrong(f"{at}.name", "another name; the default has this one", name)
        return Rule(
            name,
            self._set(tree, at, "tenants", self._tenant),
            self._set(tree, at, "kinds", lambda value, here: self.one_of(value, here, KINDS)),
            self._set(tree, at, "classes", lambda value, here: self.one_of(value, here, CLASSES)),
            self._mode(tree["mode"], f"{at}.mode") if "mode" in tree else None,
            self.one_of(tree["retention"], f"{at}.retention", sorted(retention)) if "retention" in tree else None,
            self._vendors(tree, at),
            self._in_flight(tree, at),
        )

    def _retention(self, tree: dict[str, Any]) -> tuple[RetentionClass, ...]:
        if not tree:
            raise self.wrong("retention", "at least one class", tree)
        found = []
        for name, months in tree.items():
            at = f"retention.{name}"
            self.match(name, at, _NAME)
            if type(months) is not int or not 0 <= months <= MONTHS_MAX:
                raise self.wrong(at, f"months from 0 (for ever) to {MONTHS_MAX}", months)
            found.append(RetentionClass(name, None if months == FOR_EVER else months))
        return tuple(found)

    def _vendors(self, tree: dict[str, Any], at: str) -> frozenset[str] | None:
        if tree.get("vendors") == []:
            return frozenset()
        return self._set(tree, at, "vendors", lambda value, here: self.text(value, here, "a name"))

    def _in_flight(self, tree: dict[str, Any], at: str) -> InFlight | None:
        if "in_flight" not in tree:
            return None
        for each in IN_FLIGHT:
            if tree["in_flight"] == each:
                return each
        raise self.wrong(f"{at}.in_flight", f"one of {', '.join(IN_FLIGHT)}", tree["in_flight"])

    def _set(self, tree: dict[str, Any], at: str, key: str, read: Any) -> frozenset[str] | None:
        if key not in tree:
            return None
        values, here = tree[key], f"{at}.{key}"
        if not isinstance(values, list) or not values:
            raise self.wrong(here, "a list of one or more; leave it out for all", values)
        return frozenset(read(value, f"{here}[{i}]") for i, value in enumerate(values))

    def _mode(self, value: Any, at: str) -> Mode:
        for mode in MODES:
            if value == mode:
                return mode
        raise self.wrong(at, f"one of {', '.join(MODES)}", value)

    def _tenant(self, value: Any, at: str) -> str:
        tenant = self.text(value, at, "a name")
        if tenant == ORG:
            return tenant
        try:
            check_tenant_name(tenant)
        except Misconfigured as error:
            raise Misconfigured(f"{self.where}: {at}: {error}") from None
        return tenant
