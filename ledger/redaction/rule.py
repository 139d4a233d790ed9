"""Rules and rule packs: data, with an identity that an event can name.

A **rule** says what a value looks like (`pattern`, RE2 syntax, over UTF-8; group 1 is the value where there is one,
else the whole match), which check it must pass besides, and how its written forms are made one (`normal`). `trigger`
is a cheaper pattern without which `pattern` cannot match: all triggers are looked for in one pass, and only rules
whose trigger stands in the text are tried.

A **pack** is a named, versioned list of rules. Where two findings overlap, the one that starts first wins, then the
longer, then the one whose rule stands earlier in the pack.

    digest = SHA-256 of the UTF-8 JSON {"format", "folding", "name", "version", "rules"}, keys sorted, no blanks
    identity = NAME/VERSION@first 16 hexadecimal digits of the digest

The digest covers the patterns and the *names* of the checks; a check whose answers change gets a new name.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property

from ledger.redaction.finding import Classification
from ledger.redaction.view import FOLDING_VERSION

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """One way to find values of one type; see the module's docstring. `normal` is a name in `normalize.NORMALS`."""

    name: str
    type: str
    pattern: str
    classification: Classification
    trigger: str = ""
    check: str = ""
    normal: str = "text"


@dataclass(frozen=True)
class RulePack:
    """Rules under a name and a version. `name` and `version` are printable ASCII without `/` and `@`."""

    name: str
    version: str
    rules: tuple[Rule, ...]

    @cached_property
    def canonical(self) -> bytes:
        """The bytes the digest is made of."""
        body = {
            "format": FORMAT,
            "folding": FOLDING_VERSION,
            "name": self.name,
            "version": self.version,
            "rules": [asdict(rule) for rule in self.rules],
        }
        return json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8")

    @cached_property
    def sha256(self) -> bytes:
        """SHA-256 of `canonical`."""
        return hashlib.sha256(self.canonical).digest()

    @cached_property
    def identity(self) -> str:
        """What an event says ran."""
        return f"{self.name}/{self.version}@{self.sha256.hex()[:16]}"

    def with_rules(self, name: str, version: str, rules: tuple[Rule, ...]) -> RulePack:
        """This pack and more rules behind its own, under a name of its own."""
        return replace(self, name=name, version=version, rules=(*self.rules, *rules))
