"""Takes the values out of a text.

1. The text's matching view is made (`view`).
2. Rules (`matcher`) and other detectors find candidates in it.
3. A value found once is taken out wherever it stands in the text, announced or not (`_repeats`).
4. Overlaps are resolved: what starts first wins, then the longer, then the earlier rule. What sticks out of a loser
   past the winner is redacted with the winner, so that nothing that was found stays behind in part.
5. Each value is numbered by its normal form, each finding mapped back to the text and replaced by a placeholder; in
   JSON, token by token (`json_text`). Text that came looking like a placeholder is escaped (`placeholder`).

All other characters stay as they are. The work is linear in the text, but for sorting what was found.

`redact` never raises on any text; what a detector raises is not caught. Redacting twice: the placeholders of the
first time are then text that came looking like placeholders. With `literals="keep"`, for text known to be redacted
already, they are left, and redacting is idempotent.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cache
from typing import Literal

from ledger.errors import Misconfigured
from ledger.redaction.builtin import BUILTIN
from ledger.redaction.finding import LITERAL, Classification, Detector, Finding, Redacted, highest
from ledger.redaction.json_text import Document, looks_like_json, scan
from ledger.redaction.matcher import Candidate, Matcher
from ledger.redaction.normalize import NORMALS
from ledger.redaction.numbering import Numbering
from ledger.redaction.placeholder import is_empty, is_type, lookalikes, placeholder
from ledger.redaction.rule import Rule, RulePack
from ledger.redaction.view import View, view_of

_JSON_LINES = ("application/x-ndjson", "application/jsonl", "application/json-lines", "application/x-jsonlines")
# Detectors come behind every rule.
_DETECTORS_PRIORITY = 1 << 20
_DIGIT = re.compile(rb"[0-9]")
REPEATED_BYTES_MIN = 6
REPEATED_BYTES_MAX = 200
REPEATED_VALUES_MAX = 100
_TOUCHING = frozenset(b"-.,/+:@_%")


class Redactor:
    """A rule pack and other detectors, ready to use; may be shared by threads."""

    def __init__(
        self,
        pack: RulePack = BUILTIN,
        detectors: Sequence[Detector] = (),
        literals: Literal["escape", "keep"] = "escape",
    ) -> None:
        """Raises `Misconfigured` for a pack that can't be compiled."""
        self._matcher = Matcher(pack)
        self._detectors = tuple(detectors)
        self._types = frozenset(rule.type for rule in pack.rules)
        self._keep = literals == "keep"
        self._pack = pack.identity
        self.identity = _identity(pack.identity, detectors)

    def redact(
        self, text: str, numbering: Numbering, media_type: str = "text/plain", also: Sequence[Detector] = ()
    ) -> Redacted:
        """`text` without what was found in it; `also` are detectors for this text alone.

        It is taken for JSON where `media_type` says so or where it begins like an object or array, and is JSON; else it
        is plain text.
        """
        view = view_of(text)
        literals = lookalikes(view.data)
        candidates = self._matcher.candidates(view.data)
        for place, detector in enumerate((*self._detectors, *also)):
            candidates += _detected(detector, _DETECTORS_PRIORITY + place, view)
        identity = _identity(self._pack, (*self._detectors, *also)) if also else self.identity
        if not candidates and (not literals or self._keep):
            return Redacted(text, (), (), "public", identity)
        if literals:
            candidates = self._beside(candidates, literals, view.data)
        chosen = _resolved(candidates)
        repeats = _repeats(chosen, view.data)
        if repeats:
            chosen = _resolved(chosen + repeats)
        return _replaced(text, view, chosen, numbering, _document(text, media_type), identity)

    def _beside(self, candidates: list[Candidate], literals: list[tuple[int, int]], data: bytes) -> list[Candidate]:
        """The candidates that are more than a look-alike, and the look-alikes that no candidate lies in.

        A look-alike with one of our types and a short number has no value in it, though its type may seem to announce
        one ("password:1"). Where look-alikes are kept they stand for values taken out before, and whatever else is in
        one or touches one was looked at then, beside the value.
        """
        if self._keep:
            grown = _Spans([(_joined(data, start, -1), _joined(data, end, 1)) for start, end in literals])
            return [each for each in candidates if not grown.touch(each.start, each.end)]
        empty = _Spans([span for span in literals if is_empty(data[span[0] : span[1]], self._types)])
        kept = [each for each in candidates if not empty.hold(each.start, each.end)]
        inner = sorted(each.start for each in kept)
        for start, end in literals:
            place = bisect_right(inner, start - 1)
            if place == len(inner) or inner[place] >= end:
                kept.append(Candidate(start, end, _LITERAL_RULE, 1 << 30))
        return kept


_LITERAL_RULE = Rule(LITERAL, LITERAL, "", "public")


class _Spans:
    """Spans in order that do not overlap, to be asked about."""

    def __init__(self, spans: list[tuple[int, int]]) -> None:
        self._spans = spans
        self._starts = [start for start, _ in spans]

    def touch(self, start: int, end: int) -> bool:
        """Whether one of them overlaps [start, end) or meets it."""
        place = bisect_right(self._starts, end) - 1
        return place >= 0 and self._spans[place][1] >= start

    def hold(self, start: int, end: int) -> bool:
        """Whether [start, end) is one of them, or begins inside one."""
        place = bisect_right(self._starts, start) - 1
        if place < 0 or start >= self._spans[place][1]:
            return False
        return start > self._starts[place] or end == self._spans[place][1]


def _joined(data: bytes, at: int, step: int) -> int:
    """`at`, or one byte on in the direction of `step` where a joining sign stands there."""
    beside = at if step > 0 else at - 1
    return at + step if 0 <= beside < len(data) and data[beside] in _TOUCHING else at


def _replaced(
    text: str, view: View, chosen: list[Candidate], numbering: Numbering, document: Document | None, identity: str
) -> Redacted:
    """The text with each of `chosen` replaced, and what there is to report."""
    parts: list[str] = []
    findings: list[Finding] = []
    counts: dict[str, int] = {}
    classes: set[Classification] = set()
    at = 0
    spans = view.char_spans([(each.start, each.end) for each in chosen])
    for each, (start, end) in zip(chosen, spans, strict=True):
        rule = each.rule
        source = view.source_span(start, end)
        places = [(*source, "")] if document is None else document.places(*source, after=at)
        if not places:
            continue
        number = None
        if rule is not _LITERAL_RULE:
            number = numbering.number(rule.type, NORMALS[rule.normal](view.text[start:end]))
            put = placeholder(rule.type, number)
        for place_start, place_end, quote in places:
            parts.append(text[at:place_start])
            parts.append(_escaped(text[place_start:place_end]) if rule is _LITERAL_RULE else f"{quote}{put}{quote}")
            at = place_end
        findings.append(Finding(places[0][0], at, rule.type, rule.name, number))
        counts[rule.type] = counts.get(rule.type, 0) + 1
        classes.add(rule.classification)
    parts.append(text[at:])
    return Redacted("".join(parts), tuple(findings), tuple(sorted(counts.items())), highest(classes), identity)


def _identity(pack: str, detectors: Sequence[Detector]) -> str:
    """The pack and each detector by name and version, once however many of it ran."""
    return "+".join(dict.fromkeys([pack, *(f"{each.name}/{each.version}" for each in detectors)]))


def _detected(detector: Detector, priority: int, view: View) -> list[Candidate]:
    """What a detector found, as candidates; `Misconfigured` for a type no placeholder can have or a span outside."""
    found = sorted(detector.find(view.text), key=lambda each: each.start)
    for each in found:
        if not is_type(each.type) or not 0 <= each.start <= each.end <= len(view.text):
            raise Misconfigured(f"detector {detector.name}: a detection with a bad type or span")
    found = [each for each in found if each.start < each.end]
    spans = view.byte_spans([(each.start, each.end) for each in found])
    return [
        Candidate(start, end, _detector_rule(detector.name, each.type, detector.classification), priority)
        for each, (start, end) in zip(found, spans, strict=True)
    ]


@cache
def _detector_rule(name: str, type_: str, classification: Classification) -> Rule:
    return Rule(name, type_, "", classification, normal="words")


def _resolved(candidates: list[Candidate]) -> list[Candidate]:
    """Candidates in order without overlaps; a winner takes over what sticks out of those it beats."""
    ordered = sorted(candidates, key=lambda each: (each.start, -each.end, each.priority))
    chosen: list[Candidate] = []
    for each in ordered:
        if chosen and each.start < chosen[-1].end:
            last = chosen[-1]
            if each.end > last.end:
                chosen[-1] = Candidate(last.start, each.end, last.rule, last.priority)
        else:
            chosen.append(each)
    return chosen


def _repeats(chosen: list[Candidate], data: bytes) -> list[Candidate]:
    """Where else the first `REPEATED_VALUES_MAX` chosen values stand, if a digit is in them; whole words only."""
    values: dict[bytes, Candidate] = {}
    for each in chosen:
        value = data[each.start : each.end]
        if REPEATED_BYTES_MIN <= len(value) <= REPEATED_BYTES_MAX and value not in values and _DIGIT.search(value):
            values[value] = each
            if len(values) == REPEATED_VALUES_MAX:
                break
    taken = {each.start for each in chosen}
    ends = {each.end for each in chosen}
    found = []
    for value, each in values.items():
        at = data.find(value)
        while at >= 0:
            end = at + len(value)
            after = end in taken or not data[end : end + 1].isalnum()
            if at not in taken and after and (at in ends or not data[at - 1 : at].isalnum()):
                found.append(Candidate(at, end, each.rule, each.priority))
            at = data.find(value, end)
    return found


def _document(text: str, media_type: str) -> Document | None:
    """The scanned document where the text is JSON."""
    kind = media_type.partition(";")[0].strip().lower()
    lines = kind in _JSON_LINES
    if lines or kind == "application/json" or kind.endswith("+json") or looks_like_json(text):
        tokens = scan(text, sequence=lines)
        if tokens is not None:
            return Document(text, tokens)
    return None


def _escaped(literal: str) -> str:
    """A look-alike with one `=` behind its bracket, which may itself be written as an escape."""
    bracket = literal.index("⟨") + 1 if "⟨" in literal else literal.lower().index("u27e8") + 5
    return f"{literal[:bracket]}={literal[bracket:]}"
