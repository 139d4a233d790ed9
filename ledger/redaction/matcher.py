"""Finds candidates: one pass for all triggers, then only the rules whose trigger was seen.

RE2 matches in time linear in the text for every pattern. After a candidate that its check refused, the search goes on
from its second word, so that a number behind a look-alike is found, but only in candidates of bounded length: this too
is linear in the text.

RE2's sets answer "nothing" when they run out of memory for their automaton. That would be a leak, so the set has ample
memory and one more pattern, the empty one, which stands in every text: an answer without it is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import re2

from ledger.errors import Misconfigured
from ledger.redaction.checks import CHECKS, Check
from ledger.redaction.normalize import NORMALS
from ledger.redaction.rule import Rule, RulePack

_NO_WORD = re.compile(rb"[^0-9A-Za-z]")
# A refused candidate no longer than this is looked into from its second word on; a longer one is passed over.
RESUMED_BYTES_MAX = 48
# The next element of a list, and the longest announcement that is taken for those behind the first.
_ELEMENT = re.compile(rb"[^,\[\]{}\n]{0,16},[\\\"'\s]{0,12}([^,\[\]{}\"'\\\n]{1,48})")
LISTED_HEAD_BYTES_MAX = 64
# What RE2 may use for the automaton of one rule, and for that of all triggers: bounds, reached on hostile texts only.
RULE_MEMORY_BYTES_MAX = 4 << 20
TRIGGERS_MEMORY_BYTES_MAX = 64 << 20


class Candidate(NamedTuple):
    """Bytes [start, end) of a view are a value by this rule."""

    start: int
    end: int
    rule: Rule
    priority: int


class Matcher:
    """A compiled rule pack."""

    def __init__(self, pack: RulePack) -> None:
        """Raises `Misconfigured` for a pattern RE2 refuses, or a check or normal form that doesn't exist."""
        self.pack = pack
        self._set: Any = re2.Set.SearchSet(_options(TRIGGERS_MEMORY_BYTES_MAX))
        self._rules: list[_Compiled] = []
        for priority, rule in enumerate(pack.rules):
            where = f"redaction rule {rule.name}"
            if rule.check and rule.check not in CHECKS:
                raise Misconfigured(f"{where}: there is no check {rule.check!r}")
            if rule.normal not in NORMALS:
                raise Misconfigured(f"{where}: there is no normal form {rule.normal!r}")
            pattern = compiled(rule.pattern, where)
            try:
                self._set.Add(rule.trigger or rule.pattern)
            except re2.error as error:
                raise Misconfigured(f"{where}: its trigger is no RE2 pattern") from error
            self._rules.append(_Compiled(rule, priority, pattern.finditer, pattern.groups, CHECKS.get(rule.check)))
        self._sentinel = self._set.Add("")
        try:
            self._set.Compile()
        except re2.error as error:
            raise Misconfigured(f"redaction pack {pack.identity}: its triggers are too large together") from error

    def candidates(self, data: bytes) -> list[Candidate]:
        """Every value any rule finds in `data`, in no order; they may overlap."""
        found: list[Candidate] = []
        seen = self._set.Match(data)
        if not seen or self._sentinel not in seen:
            raise Misconfigured(f"redaction pack {self.pack.identity}: RE2 ran out of memory for its triggers")
        for number in seen:
            if number == self._sentinel:
                continue
            _add(found, self._rules[number], data)
        return found


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A rule ready to run: `find` answers the matches in data from a place on."""

    rule: Rule
    priority: int
    find: Callable[[bytes, int], Iterator[Any]]
    groups: int
    check: Check | None


def _add(found: list[Candidate], compiled_rule: _Compiled, data: bytes) -> None:
    """Puts what one rule finds in `data` into `found`."""
    rule, priority, check = compiled_rule.rule, compiled_rule.priority, compiled_rule.check
    listed = 0
    matches = compiled_rule.find(data, 0)
    while (match := next(matches, None)) is not None:
        # The binding looks a group up anew at every call: once is enough.
        begun, behind = match.span()
        start, end = _value(match, compiled_rule.groups) if compiled_rule.groups else (begun, behind)
        if check is not None:
            span = check(data, start, end)
            if span is None:
                matches = compiled_rule.find(data, _resumed(data, start, end))
                continue
            start, end = span
        if start < end:
            found.append(Candidate(start, end, rule, priority))
            if begun < start and start >= listed:
                listed = _add_listed(found, compiled_rule, data, begun, start, end)
        if end != behind and end > begun:
            # What stood behind the value may be the edge of the next.
            matches = compiled_rule.find(data, end)


def _add_listed(found: list[Candidate], compiled_rule: _Compiled, data: bytes, begun: int, start: int, end: int) -> int:
    """What announces the first value of a list announces the others: adds those, and answers where the list ends.

    Each element is looked at behind the announcing word, as if it were the first.
    """
    head = data[begun:start]
    if len(head) > LISTED_HEAD_BYTES_MAX or not head.rstrip(b"\\\"' \t\r\n").endswith(b"["):
        return end
    while (element := _ELEMENT.match(data, end)) is not None:
        seen = head + element.group(1)
        for match in compiled_rule.find(seen, 0):
            span: tuple[int, int] | None = _value(match, compiled_rule.groups)
            if span is not None and compiled_rule.check is not None:
                span = compiled_rule.check(seen, *span)
            if span is not None and len(head) <= span[0] < span[1]:
                at = element.start(1) - len(head)
                found.append(Candidate(at + span[0], at + span[1], compiled_rule.rule, compiled_rule.priority))
            break
        end = element.end()
    return end


def _resumed(data: bytes, start: int, end: int) -> int:
    """Where to look on after a refused candidate: at its second word, or behind it where it is long."""
    if end - start > RESUMED_BYTES_MAX:
        return end
    following = _NO_WORD.search(data, start + 1, end)
    return end if following is None else following.end()


def compiled(pattern: str, where: str) -> Any:
    """The compiled pattern; `Misconfigured` names `where` and RE2's reason, never the text it was tried on."""
    try:
        return re2.compile(pattern, _options(RULE_MEMORY_BYTES_MAX))
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        raise Misconfigured(f"{where}: no RE2 pattern: {reason}") from error


def _value(match: Any, groups: int) -> tuple[int, int]:
    """The first group that took part, else the whole match."""
    for group in range(1, groups + 1):
        span: tuple[int, int] = match.span(group)
        if span[0] >= 0:
            return span
    whole: tuple[int, int] = match.span()
    return whole


def _options(memory_bytes_max: int) -> Any:
    options = re2.Options()
    options.max_mem = memory_bytes_max
    options.log_errors = False
    return options
