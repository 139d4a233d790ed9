"""The decision about a request before it leaves: allow, redact or refuse, by the capture policy.

1. The policy rules on the class that the caller declares. A vendor that may not receive such data receives nothing; so
   does every vendor where the rule's `in_flight` is `refuse`.
2. Where any higher class would be ruled otherwise, or the rule says `redact`, the request's text is looked into. A
   class that is found to be higher is ruled on anew, and the stricter of the two counts (`Ruling.raised`):
   - `refuse` refuses;
   - `redact` takes out what was found: what leaves is data of the declared class, which the vendor may have;
   - `allow` lets it go, to a vendor that may receive the higher class.
3. Where redaction is due and the body can't be looked into (no JSON, images, files), nothing leaves.

What is decided, by which policy and rule, goes into the event. Pure: a body and a policy in, a decision out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ledger.policy import InFlight, Policy, Ruling
from ledger.policy.rules import CLASSES
from ledger.proxy.redacting import Looked, look
from ledger.redaction.finding import Detector
from ledger.redaction.numbering import Numbering
from ledger.redaction.redactor import Redactor

KIND = "request"
Reason = Literal["", "vendor", "in_flight", "not_readable"]

WHY: dict[Reason, str] = {
    "": "",
    "vendor": "this vendor may not receive data of this class",
    "in_flight": "data of this class is not sent to any vendor through this proxy",
    "not_readable": "values must be taken out before this data is sent, and part of it can't be looked into",
}
"""What a refusal says to the caller: the reason, and nothing of the request."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a request. `body`: what leaves, and what is recorded. `rule`: that decided it.

    `detected`: the class found, "" where nobody looked or nothing was found. `counts`, `pack`: what was taken out by
    type, and by which patterns.
    """

    verdict: InFlight
    policy: str
    rule: str
    reason: Reason
    body: bytes
    data_class: str
    detected: str = ""
    counts: tuple[tuple[str, int], ...] = ()
    pack: str = ""

    @property
    def policy_id(self) -> str:
        """The policy's name."""
        return self.policy.rpartition("/")[0]

    @property
    def policy_revision(self) -> str:
        """The policy's version."""
        return self.policy.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be decided on. `declared`: a class, or `unspecified`."""

    tenant: str
    vendor: str
    declared: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Looking:
    """How a text is looked into. `also`: what to find besides, such as the identifier of the person who asks."""

    numbering: Numbering
    also: Sequence[Detector] = ()


class Decider:
    """Decides by one policy. Safe for threads."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self._redactor = Redactor(policy.pack)
        # There are few: tenants that this proxy serves, vendors behind it, and five classes.
        self._quick: dict[tuple[str, str, str], tuple[Ruling, Reason, bool]] = {}

    def needs_look(self, question: Question) -> bool:
        """Whether the text has to be looked into, which costs time with its length."""
        return self._first(question)[2]

    def decide(self, question: Question, looking: Callable[[], Looking]) -> Decision:
        """The decision; `looking` is asked only where the text has to be looked into."""
        first, reason, is_to_look = self._first(question)
        allowed = Decision(
            "allow", self.policy.identity, first.rule, "", question.body, self.policy.class_of(question.declared)
        )
        if reason != "":
            return replace(allowed, verdict="refuse", reason=reason)
        if not is_to_look:
            return allowed
        how = looking()
        looked = look(question.body, self._redactor, how.numbering, how.also)
        if looked is None:
            due = first.in_flight == "redact"
            return replace(allowed, verdict="refuse", reason="not_readable") if due else allowed
        return self._looked(question, first, allowed, looked)

    def _looked(self, question: Question, first: Ruling, allowed: Decision, looked: Looked) -> Decision:
        found = looked.classification if looked.counts else ""
        allowed = replace(allowed, detected=found)
        ruling = first
        if found and CLASSES.index(found) > CLASSES.index(allowed.data_class):
            ruling = first.raised(self._ruling(question, found))
            allowed = replace(allowed, rule=ruling.rule)
        if ruling.in_flight == "refuse":
            return replace(allowed, verdict="refuse", reason="in_flight")
        if ruling.in_flight == "redact":
            if looked.opaque:
                return replace(allowed, verdict="refuse", reason="not_readable")
            if not looked.counts:
                return allowed
            return replace(allowed, verdict="redact", body=looked.body, counts=looked.counts, pack=looked.pack)
        if not ruling.allows(question.vendor):
            return replace(allowed, verdict="refuse", reason="vendor")
        return allowed

    def _first(self, question: Question) -> tuple[Ruling, Reason, bool]:
        """The ruling on the declared class, the reason to refuse at once, and whether the text is to be looked into."""
        asked = (question.tenant, question.vendor, question.declared)
        found = self._quick.get(asked)
        if found is None:
            ruling = self._ruling(question, question.declared)
            reason = self._refusal(ruling, question.vendor)
            is_to_look = not reason and (ruling.in_flight == "redact" or self._may_be_stricter(question))
            found = self._quick[asked] = (ruling, reason, is_to_look)
        return found

    def _refusal(self, ruling: Ruling, vendor: str) -> Reason:
        if not ruling.allows(vendor):
            return "vendor"
        return "in_flight" if ruling.in_flight == "refuse" else ""

    def _may_be_stricter(self, question: Question) -> bool:
        """Whether any class that could be found is ruled otherwise."""
        declared = CLASSES.index(self.policy.class_of(question.declared))
        return any(
            ruling.in_flight != "allow" or not ruling.allows(question.vendor)
            for ruling in (self._ruling(question, each) for each in CLASSES[declared + 1 :])
        )

    def _ruling(self, question: Question, data_class: str) -> Ruling:
        return self.policy.decide(question.tenant, KIND, data_class)
