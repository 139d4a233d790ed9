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
import tomllib
from hashlib import sha256
from typing import Any

from ledger.errors import Misconfigured, Rejected
from ledger.policy.rules import CLASSES, IN_FLIGHT, MODES, InFlight, Mode, Policy, RetentionClass, Rule
from ledger.record.names import name as payload_name
from ledger.record.payload import KINDS
from ledger.redaction.builtin import BUILTIN
from ledger.redaction.custom import pack_with
from ledger.redaction.rule import RulePack
from ledger.tenants import ORG, check_tenant_name

FILE_BYTES_MAX = 64 * 1024
RULES_MAX = 1_000
MONTHS_MAX = 1_200
SHOWN_CHARACTERS_MAX = 80
FOR_EVER = 0

KEY_PARTS_MAX = 8
# What may be a key: the reader takes a time that grows with the square of a key's parts.
_MAYBE_KEY = re.compile(r"[\w\"'.\t -]+")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def parse_policy(data: bytes, where: str = "policy") -> Policy:
    """The policy in a file's bytes. `Misconfigured`, beginning with `where`, when it is not one."""
    if len(data) > FILE_BYTES_MAX:
        raise Misconfigured(f"{where}: expected at most {FILE_BYTES_MAX} bytes, got {len(data)}")
    try:
        text = data.decode("utf-8")
        if any(_is_deep(found[0], text[found.end() : found.end() + 1]) for found in _MAYBE_KEY.finditer(text)):
            raise Misconfigured(f"{where}: expected keys of at most {KEY_PARTS_MAX} parts")
        tree = tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"{where}: expected TOML in UTF-8: {error}") from None
    except (ValueError, RecursionError):
        raise Misconfigured(f"{where}: expected TOML with numbers and lists of a sensible size") from None
    return _Reader(where).policy(tree, sha256(data).digest())


def _is_deep(run: str, behind: str) -> bool:
    """Whether this is a key, or the beginning of one that is cut off, of too many parts."""
    return run.count(".") >= KEY_PARTS_MAX and behind in ("=", "]", "")


class _Reader:
    """Reads one document; `where` leads every message."""

    def __init__(self, where: str) -> None:
        self._where = where

    def policy(self, tree: dict[str, Any], digest: bytes) -> Policy:
        self._keys(tree, {"name", "version", "default", "retention"}, {"rules", "patterns"}, "")
        retention = self._retention(self._table(tree["retention"], "retention"))
        classes = {each.name for each in retention}
        default = self._table(tree["default"], "default")
        self._keys(default, {"mode", "retention", "unclassified"}, {"vendors", "in_flight"}, "default")
        rules = tree.get("rules", [])
        if not isinstance(rules, list) or len(rules) > RULES_MAX:
            raise self._wrong("rules", f"at most {RULES_MAX} tables [[rules]]", rules)
        read = tuple(
            self._rule(self._table(each, f"rules[{i}]"), f"rules[{i}]", classes) for i, each in enumerate(rules)
        )
        names = [each.name for each in read]
        for i, taken in enumerate(names):
            if taken in names[:i]:
                raise Misconfigured(f"{self._where}: rules[{i}].name: expected a name of its own, {taken!r} is taken")
        name, version = self._match(tree["name"], "name", _NAME), self._match(tree["version"], "version", _VERSION)
        return Policy(
            name,
            version,
            self._one_of(default["unclassified"], "default.unclassified", CLASSES),
            Rule(
                "default",
                mode=self._mode(default["mode"], "default.mode"),
                retention=self._one_of(default["retention"], "default.retention", sorted(classes)),
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
            raise self._wrong("patterns", "tables [[patterns]]", patterns)
        if not patterns:
            return BUILTIN
        entries = [self._table(each, f"patterns[{i}]") for i, each in enumerate(patterns)]
        try:
            return pack_with(name, version, entries)
        except Misconfigured as error:
            raise Misconfigured(f"{self._where}: {error}") from None

    def _rule(self, tree: dict[str, Any], at: str, retention: set[str]) -> Rule:
        self._keys(tree, {"name"}, {"tenants", "kinds", "classes", "mode", "retention", "vendors", "in_flight"}, at)
        name = self._text(tree["name"], f"{at}.name")
        if name == "default":
            raise self._wrong(f"{at}.name", "another name; the default has this one", name)
        return Rule(
            name,
            self._set(tree, at, "tenants", self._tenant),
            self._set(tree, at, "kinds", lambda value, here: self._one_of(value, here, KINDS)),
            self._set(tree, at, "classes", lambda value, here: self._one_of(value, here, CLASSES)),
            self._mode(tree["mode"], f"{at}.mode") if "mode" in tree else None,
            self._one_of(tree["retention"], f"{at}.retention", sorted(retention)) if "retention" in tree else None,
            self._vendors(tree, at),
            self._in_flight(tree, at),
        )

    def _retention(self, tree: dict[str, Any]) -> tuple[RetentionClass, ...]:
        if not tree:
            raise self._wrong("retention", "at least one class", tree)
        found = []
        for name, months in tree.items():
            at = f"retention.{name}"
            self._match(name, at, _NAME)
            if type(months) is not int or not 0 <= months <= MONTHS_MAX:
                raise self._wrong(at, f"months from 0 (for ever) to {MONTHS_MAX}", months)
            found.append(RetentionClass(name, None if months == FOR_EVER else months))
        return tuple(found)

    def _vendors(self, tree: dict[str, Any], at: str) -> frozenset[str] | None:
        if tree.get("vendors") == []:
            return frozenset()
        return self._set(tree, at, "vendors", self._text)

    def _in_flight(self, tree: dict[str, Any], at: str) -> InFlight | None:
        if "in_flight" not in tree:
            return None
        for each in IN_FLIGHT:
            if tree["in_flight"] == each:
                return each
        raise self._wrong(f"{at}.in_flight", f"one of {', '.join(IN_FLIGHT)}", tree["in_flight"])

    def _set(self, tree: dict[str, Any], at: str, key: str, read: Any) -> frozenset[str] | None:
        if key not in tree:
            return None
        values, here = tree[key], f"{at}.{key}"
        if not isinstance(values, list) or not values:
            raise self._wrong(here, "a list of one or more; leave it out for all", values)
        return frozenset(read(value, f"{here}[{i}]") for i, value in enumerate(values))

    def _mode(self, value: Any, at: str) -> Mode:
        for mode in MODES:
            if value == mode:
                return mode
        raise self._wrong(at, f"one of {', '.join(MODES)}", value)

    def _tenant(self, value: Any, at: str) -> str:
        tenant = self._text(value, at)
        if tenant == ORG:
            return tenant
        try:
            check_tenant_name(tenant)
        except Misconfigured as error:
            raise Misconfigured(f"{self._where}: {at}: {error}") from None
        return tenant

    def _text(self, value: Any, at: str) -> str:
        if not isinstance(value, str) or not value:
            raise self._wrong(at, "a name", value)
        try:
            payload_name(value, at)
        except Rejected as error:
            raise Misconfigured(f"{self._where}: {at}: {error.reason}") from None
        return value

    def _match(self, value: Any, at: str, pattern: re.Pattern[str]) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise self._wrong(at, f"text that matches {pattern.pattern}", value)
        return value

    def _one_of(self, value: Any, at: str, known: Any) -> str:
        if not isinstance(value, str) or value not in known:
            raise self._wrong(at, f"one of {', '.join(known)}", value)
        return value

    def _table(self, value: Any, at: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._wrong(at, "a table", value)
        return value

    def _keys(self, tree: dict[str, Any], required: set[str], optional: set[str], at: str) -> None:
        prefix = f"{at}." if at else ""
        for key in tree:
            if key not in required | optional:
                known = ", ".join(sorted(required | optional))
                raise Misconfigured(f"{self._where}: {prefix}{key}: is unknown; expected one of {known}")
        for key in sorted(required - tree.keys()):
            raise Misconfigured(f"{self._where}: {prefix}{key}: is missing")

    def _wrong(self, at: str, expected: str, found: Any) -> Misconfigured:
        shown = repr(found)
        shown = shown if len(shown) <= SHOWN_CHARACTERS_MAX else f"{shown[:SHOWN_CHARACTERS_MAX]}..."
        return Misconfigured(f"{self._where}: {at}: expected {expected}, got {shown}")
