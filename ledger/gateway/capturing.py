"""What is kept of an event: the policy's rulings, carried out on its contents before anything is encrypted.

For each content, the ruling for its tenant, kind and class:

    full      the content as it came
    redacted  what the rule pack finds is replaced by typed numbers (`ledger.redaction`), and so are the identifiers of
              the persons whom the event names, but where these are the content. A content that is no text in UTF-8 (or
              says that it is in another encoding, or has a NUL in it) can't be looked at; of it, metadata is all that
              is kept
    metadata  a digest under the person's own key, and the size

A content's class is the one declared for it, of a retrieved document at least the document's. What is found in it can
raise the class, and then the policy rules again (`ledger.policy.rules`). What is to be kept whole is looked at only
where it was declared public or internal: a class that is too low must not decide that nobody looks.

A content is redacted with the numbers of its correlation (else its session, else the event alone), so that an
investigator can follow a value through a story. The numbers come from a keyed hash, not from counting: every gateway
gives a value the same one, now and after a restart.

Evidence is never refused: that a vendor was given what it may not have, that a request to a model names no vendor
though only some may have such data, or that data was declared too low, is a finding of its own beside the event, of
rule `policy.vendor`, `policy.vendor_unknown` or `policy.classification`. It is the same however often the event comes:
its id is derived from the event's, and it says nothing that depends on the policy, which stands in the event. A request
that a policy refused before it left, and to which nobody answered, was given to no vendor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from ledger.client.ids import derived_event_id
from ledger.policy import MODES, Policy, Ruling
from ledger.policy.rules import CLASSES, UNCLASSIFIED, higher
from ledger.record.capture import Capture, ContentCapture
from ledger.record.submission import event_time_ms
from ledger.record.translate import ContentInput, Submission
from ledger.redaction.known_values import VALUES_MAX, KnownValues
from ledger.redaction.numbering import DerivedNumbering
from ledger.redaction.redactor import Redactor
from ledger.redaction.rule import RulePack
from ledger.v1 import event_pb2 as pb

RULE_PREFIX = "policy."
RULE_VERSION = "1"
LOOKED_INTO = ("public", "internal")
"""Declared classes of which contents are looked at even where they are to be kept whole."""

CHARSETS = ("utf-8", "utf8", "us-ascii", "ascii")
RETRIEVED = "retrieved."
INTERNAL = "internal"
RULINGS_REMEMBERED = 10_000
KEYS_REMEMBERED = 10_000
PERSONS_REMEMBERED = 1_000
PERSON = "person"
"""The type of a placeholder for a person whom the event names."""

IDENTITY_SLOTS = ("actor.user", "subjects.")
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\";\s]+)", re.I)


@dataclass(frozen=True, slots=True)
class Captured:
    """What the policy made of an event: for `assemble`, and the findings that go beside it."""

    capture: Capture
    findings: tuple[pb.Event, ...] = ()


class Capturer:
    """Carries out a policy. Safe for threads."""

    def __init__(self, policy: Callable[[], Policy], numbering_key: Callable[[str], bytes]) -> None:
        self._policy = policy
        self._redactor = _Ready(policy().pack, Redactor(policy().pack))
        self._numbering_key = numbering_key
        self._keys: dict[str, bytes] = {}
        self._rulings: dict[tuple[bytes, str, str, str], Ruling] = {}

    def whole(self, tenant: str, submission: Submission) -> Captured:
        """All of an event of the ledger's own: what it did must be readable to the letter, whatever the policy."""
        policy = self._policy()
        ruling = self._ruling(policy, tenant, submission.kind, submission.envelope["declared_class"])
        return Captured(Capture("full", policy.identity, ruling.retention.name))

    def capture(self, tenant: str, submission: Submission) -> Captured:
        """What is kept of this event. Raises what the key store raises when it is asked for a tenant's first time."""
        policy = self._policy()
        default = self._ruling(policy, tenant, submission.kind, submission.envelope["declared_class"])
        classes = {content.slot: _class_of(submission, content) for content in submission.contents}
        if self._is_whole(policy, tenant, submission, default, classes):
            capture = Capture("full", policy.identity, default.retention.name)
            return Captured(capture, _findings(submission, classes, capture, (default,)))
        contents: dict[str, ContentCapture] = {}
        rulings = [default]
        for content in submission.contents:
            contents[content.slot], ruling = self._content(policy, tenant, submission, content, classes[content.slot])
            if not _is_identity(content.slot):
                rulings.append(ruling)
        detected = UNCLASSIFIED
        for each in contents.values():
            detected = higher(detected, each.detected_class)
        mode = max((each.mode for each in contents.values()), key=MODES.index, default=default.mode)
        capture = Capture(mode, policy.identity, default.retention.name, contents, detected)
        return Captured(capture, _findings(submission, classes, capture, rulings))

    def _content(
        self, policy: Policy, tenant: str, submission: Submission, content: ContentInput, declared: str
    ) -> tuple[ContentCapture, Ruling]:
        ruling = self._ruling(policy, tenant, submission.kind, declared)
        data = content.data if content.data is not None else b""
        looked = ruling.mode == "redacted" or (ruling.mode == "full" and declared in LOOKED_INTO)
        text = _text_of(content) if looked else None
        if text is None:
            mode = "metadata" if ruling.mode == "redacted" and content.data is not None else ruling.mode
            return ContentCapture(mode, ruling.retention.name, data), ruling
        numbering = DerivedNumbering(self._key(tenant), _correlation(submission))
        known = () if _is_identity(content.slot) else _known(submission.persons)
        found = self._redactor_of(policy).redact(text, numbering, content.media_type or "text/plain", known)
        if not found.counts:
            return ContentCapture(ruling.mode, ruling.retention.name, data, rule_pack=found.pack), ruling
        if CLASSES.index(found.classification) > CLASSES.index(policy.class_of(declared)):
            ruling = ruling.raised(self._ruling(policy, tenant, submission.kind, found.classification))
        kept = found.text.encode("utf-8") if ruling.mode == "redacted" else data
        captured = ContentCapture(
            ruling.mode, ruling.retention.name, kept, found.classification, found.pack, found.counts
        )
        return captured, ruling

    def _is_whole(
        self, policy: Policy, tenant: str, submission: Submission, default: Ruling, classes: dict[str, str]
    ) -> bool:
        """Whether one ruling keeps all of the event, and nothing has to be looked at."""
        if default.mode != "full":
            return False
        return not any(
            each in LOOKED_INTO or self._ruling(policy, tenant, submission.kind, each) != default
            for each in set(classes.values())
        )

    def _redactor_of(self, policy: Policy) -> Redactor:
        ready = self._redactor
        if ready.pack is not policy.pack:
            ready = self._redactor = _Ready(policy.pack, Redactor(policy.pack))
        return ready.redactor

    def _ruling(self, policy: Policy, tenant: str, kind: str, data_class: str) -> Ruling:
        question = (policy.sha256, tenant, kind, data_class)
        found = self._rulings.get(question)
        if found is None:
            if len(self._rulings) >= RULINGS_REMEMBERED:
                self._rulings.clear()
            found = self._rulings[question] = policy.decide(tenant, kind, data_class)
        return found

    def _key(self, tenant: str) -> bytes:
        key = self._keys.get(tenant)
        if key is None:
            if len(self._keys) >= KEYS_REMEMBERED:
                self._keys.clear()
            key = self._keys[tenant] = self._numbering_key(tenant)
        return key


@dataclass(frozen=True, slots=True)
class _Ready:
    """A rule pack and what runs it."""

    pack: RulePack
    redactor: Redactor


def _is_identity(slot: str) -> bool:
    return slot.startswith(IDENTITY_SLOTS)


def _class_of(submission: Submission, content: ContentInput) -> str:
    """The class declared for a content; a retrieved document's own counts where it is higher."""
    if not content.slot.startswith(RETRIEVED):
        return content.declared_class
    document = submission.body["retrieved"][int(content.slot.split(".")[1])]
    return higher(content.declared_class, document["classification"])


def _text_of(content: ContentInput) -> str | None:
    """The text of a content, None where it is none that can be looked at."""
    if content.data is None or b"\0" in content.data or _charset(content.media_type or "") not in CHARSETS:
        return None
    try:
        return content.data.decode("utf-8")
    except UnicodeDecodeError:
        return None


@lru_cache(maxsize=1_000)
def _charset(media_type: str) -> str:
    found = _CHARSET.search(media_type)
    return found[1].lower() if found else "utf-8"


def _findings(
    submission: Submission, classes: dict[str, str], capture: Capture, rulings: Iterable[Ruling]
) -> tuple[pb.Event, ...]:
    """What the policy finds wrong. Identifiers of persons are a class of their own making, and count for nothing."""
    found = []
    vendor = _vendor(submission)
    rulings = tuple(rulings)
    if _was_refused(submission):
        pass
    elif any(not ruling.allows(vendor) for ruling in rulings):
        found.append(_finding("vendor", pb.SEVERITY_HIGH, submission))
    elif vendor is None and submission.kind == "request" and any(ruling.vendors is not None for ruling in rulings):
        found.append(_finding("vendor_unknown", pb.SEVERITY_MEDIUM, submission))
    if any(_is_too_low(classes[slot], each) for slot, each in capture.contents.items() if not _is_identity(slot)):
        found.append(_finding("classification", pb.SEVERITY_MEDIUM, submission))
    return tuple(found)


def _was_refused(submission: Submission) -> bool:
    """Whether a policy refused it before it left: then no vendor was given anything, and none answered."""
    refused: bool = submission.envelope["decision"] == "refuse"
    return refused and not any(content.slot == "output" for content in submission.contents)


def _is_too_low(declared: str, capture: ContentCapture) -> bool:
    return declared != UNCLASSIFIED and higher(declared, capture.detected_class) != declared


def _vendor(submission: Submission) -> str | None:
    """To whom the data went; None where to nobody outside, or where nobody said."""
    if submission.kind == "request":
        return submission.body["vendor"]  # type: ignore[no-any-return]
    if submission.kind == "tool_call" and submission.body["provider"] != INTERNAL:
        return submission.body["provider"]  # type: ignore[no-any-return]
    return None


@lru_cache(maxsize=PERSONS_REMEMBERED)
def _known(persons: tuple[str, ...]) -> tuple[KnownValues, ...]:
    parts = [persons[at : at + VALUES_MAX] for at in range(0, len(persons), VALUES_MAX)]
    return tuple(KnownValues(dict.fromkeys(part, PERSON)) for part in parts)


def _correlation(submission: Submission) -> bytes:
    """What values are numbered in, told apart from other kinds of story by its first byte."""
    envelope = submission.envelope
    if envelope["correlation_id"] is not None:
        return b"c" + str(envelope["correlation_id"]).encode()
    if submission.session_id is not None:
        return b"s" + submission.session_id.encode()
    return b"e" + submission.event_id


def _finding(rule: str, severity: pb.Severity, submission: Submission) -> pb.Event:
    about = submission.event_id
    event_id = derived_event_id(event_time_ms(about), RULE_PREFIX + rule, about)
    event = pb.Event(event_id=event_id, phase=pb.PHASE_SINGLE, classification=pb.CLASSIFICATION_INTERNAL)
    event.producer.service = "audit-ledger-gateway"
    correlation_id = submission.envelope["correlation_id"]
    if correlation_id is not None:
        event.story.correlation_id = correlation_id
    if submission.session_id is not None:
        event.story.session_id = submission.session_id
    event.finding.rule = RULE_PREFIX + rule
    event.finding.rule_version = RULE_VERSION
    event.finding.severity = severity
    event.finding.status = pb.FINDING_STATUS_OPEN
    event.finding.evidence_event_ids.append(about)
    return event
