"""What is kept of an event: the policy's rulings, carried out on its contents before anything is encrypted.

For each content, the ruling for its tenant, kind and class:

    full      the content as it came
    redacted  what the rule pack finds is replaced by typed numbers (`ledger.redaction`), and so are the identifiers of
              the persons whom the event names, but where these are the content. A content that is no text can't be
              looked at; of it, metadata is all that is kept
    metadata  a digest under the person's own key, and the size

What redaction finds can raise the class, and then the policy rules again (`ledger.policy.rules`). A content is redacted
with the numbers of its correlation (else its session, else the event alone), so that an investigator can follow a value
through a story. The numbers come from a keyed hash, not from counting: every gateway gives a value the same one, now
and after a restart.

Evidence is never refused: that a vendor was given what it may not have, or that data was declared too low, is a finding
of its own beside the event, of rule `policy.vendor` or `policy.classification`. Its id is derived from the event's and
the policy's, so a retried event brings no second one.
"""

from __future__ import annotations

from collections.abc import Callable
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
from ledger.v1 import event_pb2 as pb

RULE_PREFIX = "policy."
RULINGS_REMEMBERED = 10_000
KEYS_REMEMBERED = 10_000
PERSONS_REMEMBERED = 1_000
PERSON = "person"
"""The type of a placeholder for a person whom the event names."""

IDENTITY_SLOTS = ("actor.user", "subjects.")


@dataclass(frozen=True, slots=True)
class Captured:
    """What the policy made of an event: for `assemble`, and the findings that go beside it."""

    capture: Capture
    findings: tuple[pb.Event, ...] = ()


class Capturer:
    """Carries out a policy. Safe for threads."""

    def __init__(self, policy: Callable[[], Policy], numbering_key: Callable[[str], bytes]) -> None:
        self._policy = policy
        self._redactor = Redactor(policy().pack)
        self._pack = policy().pack
        self._numbering_key = numbering_key
        self._keys: dict[str, bytes] = {}
        self._rulings: dict[tuple[bytes, str, str, str], Ruling] = {}

    def capture(self, tenant: str, submission: Submission) -> Captured:
        """What is kept of this event. Raises what the key store raises when it is asked for a tenant's first time."""
        policy, kind = self._policy(), submission.kind
        default = self._ruling(policy, tenant, kind, submission.envelope["declared_class"])
        if default.mode == "full" and self._all_alike(policy, tenant, submission):
            capture = Capture("full", policy.identity, default.retention.name)
            return Captured(capture, self._findings(policy, submission, capture, default))
        contents: dict[str, ContentCapture] = {}
        rulings: dict[str, Ruling] = {}
        for content in submission.contents:
            ruling = self._ruling(policy, tenant, kind, content.declared_class)
            contents[content.slot], rulings[content.slot] = self._content(policy, tenant, submission, content, ruling)
        detected = UNCLASSIFIED
        for each in contents.values():
            detected = higher(detected, each.detected_class)
        mode = max((each.mode for each in contents.values()), key=MODES.index, default=default.mode)
        capture = Capture(mode, policy.identity, default.retention.name, contents, detected)
        return Captured(capture, self._findings(policy, submission, capture, *rulings.values()))

    def _content(
        self, policy: Policy, tenant: str, submission: Submission, content: ContentInput, ruling: Ruling
    ) -> tuple[ContentCapture, Ruling]:
        data = content.data if content.data is not None else b""
        if ruling.mode != "redacted" or content.data is None:
            return ContentCapture(ruling.mode, ruling.retention.name, data), ruling
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            return ContentCapture("metadata", ruling.retention.name, data), ruling
        numbering = DerivedNumbering(self._key(tenant), _correlation(submission))
        known = () if content.slot.startswith(IDENTITY_SLOTS) else _known(submission.persons)
        found = self._redactor_of(policy).redact(text, numbering, content.media_type or "text/plain", known)
        if not found.counts:
            return ContentCapture("redacted", ruling.retention.name, data, rule_pack=found.pack), ruling
        declared = policy.unclassified if content.declared_class == UNCLASSIFIED else content.declared_class
        if CLASSES.index(found.classification) > CLASSES.index(declared):
            ruling = ruling.raised(self._ruling(policy, tenant, submission.kind, found.classification))
        kept = data if ruling.mode == "metadata" else found.text.encode("utf-8")
        captured = ContentCapture(
            ruling.mode, ruling.retention.name, kept, found.classification, found.pack, found.counts
        )
        return captured, ruling

    def _redactor_of(self, policy: Policy) -> Redactor:
        if policy.pack is not self._pack:
            self._redactor, self._pack = Redactor(policy.pack), policy.pack
        return self._redactor

    def _all_alike(self, policy: Policy, tenant: str, submission: Submission) -> bool:
        """Whether one ruling is for the whole event."""
        declared = submission.envelope["declared_class"]
        default = self._ruling(policy, tenant, submission.kind, declared)
        classes = {content.declared_class for content in submission.contents}
        return all(self._ruling(policy, tenant, submission.kind, each) == default for each in classes - {declared})

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

    def _findings(
        self, policy: Policy, submission: Submission, capture: Capture, *rulings: Ruling
    ) -> tuple[pb.Event, ...]:
        found = []
        vendor = submission.body.get("vendor") if submission.kind in ("request", "tool_call") else None
        if any(not ruling.allows(vendor) for ruling in rulings):
            found.append(_finding("vendor", pb.SEVERITY_HIGH, policy, submission))
        declared = {content.slot: content.declared_class for content in submission.contents}
        if any(
            declared[slot] != UNCLASSIFIED and higher(declared[slot], each.detected_class) != declared[slot]
            for slot, each in capture.contents.items()
        ):
            found.append(_finding("classification", pb.SEVERITY_MEDIUM, policy, submission))
        return tuple(found)


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


def _finding(rule: str, severity: pb.Severity, policy: Policy, submission: Submission) -> pb.Event:
    about = submission.event_id
    event_id = derived_event_id(event_time_ms(about), RULE_PREFIX + rule, policy.identity, about)
    event = pb.Event(event_id=event_id, phase=pb.PHASE_SINGLE, classification=pb.CLASSIFICATION_INTERNAL)
    event.producer.service = "audit-ledger-gateway"
    correlation_id = submission.envelope["correlation_id"]
    if correlation_id is not None:
        event.story.correlation_id = correlation_id
    event.finding.rule = RULE_PREFIX + rule
    event.finding.rule_version = policy.identity
    event.finding.severity = severity
    event.finding.status = pb.FINDING_STATUS_OPEN
    event.finding.evidence_event_ids.append(about)
    return event
