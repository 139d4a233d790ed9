"""What a reader must be told about an event besides what it says. Pure functions.

| code                      | meaning                                                                               |
| ------------------------- | ------------------------------------------------------------------------------------- |
| `proof_failed`            | the payload is not the leaf that the signed rounds vouch for                          |
| `content_finding`         | a stored content is missing or altered, and nothing allows that                       |
| `conflict`                | another body was sealed under the same id                                             |
| `undetermined`            | the same id was sealed twice; whether with the same body can't be told any more       |
| `backdated`               | it claims a time before its sealing by more than the tolerance                        |
| `clock_skew`              | it claims a time ahead of the gateway's clock                                         |
| `derived_fields`          | these fields were inferred, not observed                                              |
| `dropped_before`          | its producer dropped events just before it                                            |
| `sampled`                 | its producer records only a fraction of what happens                                  |
| `never_ended`             | the operation was started, and nothing says that it ended                             |
| `never_started`           | the operation ended, and nothing says that it was started                             |
| `by_session`              | it names nobody; it is here because it belongs to the person's session                |
| `by_reference`            | it is here because another event of the story refers to it, or it to one              |
| `never_approved`          | no approval of this revision is known                                                 |
| `approved_later`          | every approval of this revision is later than its use                                 |
| `not_deployed`            | no deployment of this revision is known                                               |
| `rolled_back`             | this revision was rolled back or retired at that time                                 |
| `other_in_effect`         | another revision was in effect at that time                                           |
| `effect_differs`          | asked as effective at another moment: at its own time another revision was in effect  |
| `revision_unknown`        | the event does not say which revision it used                                         |
| `template_differs`        | the template used has another digest than the approved artifact                       |
| `artifact_differs`        | Changes of one revision name artifacts with different digests                         |
| `text_differs`            | the text kept with the Change is not the artifact it names                            |
| `author_only_reviewer`    | nobody but the authors reviewed it, or nobody else verified                           |
| `no_reviewer`             | nobody is named as a reviewer                                                         |
| `reviewers_asserted`      | no review is verified                                                                 |
| `no_evaluation`           | no evaluation is named                                                                |
| `evaluation_failed`       | an evaluation failed                                                                  |
| `evaluation_of_other`     | an evaluation is of another artifact                                                  |
| `change_backdated`        | a Change that counts here claims a time before its sealing by more than the tolerance |
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from query.contents import FINDINGS
from query.evidence import SealedEvent


@dataclass(frozen=True, slots=True)
class Flag:
    """One thing to be told: its code (see the module) and what exactly, in words."""

    code: str
    detail: str

    def to_json(self) -> dict[str, str]:
        """For programs."""
        return {"code": self.code, "detail": self.detail}


def claimed_times(event: SealedEvent) -> list[tuple[str, datetime]]:
    """The times an event claims for itself, by field."""
    found = [("occurred_at", event.occurred_at), ("effective_at", event.body.get("effective_at"))]
    return [(name, at) for name, at in found if at is not None]


def is_backdated(event: SealedEvent, tolerance: timedelta) -> bool:
    """Whether a time it claims lies before its sealing by more than the tolerance."""
    return any(at < event.sealed_at - tolerance for _, at in claimed_times(event))


def event_flags(event: SealedEvent, tolerance: timedelta) -> tuple[Flag, ...]:
    """All flags that an event carries by itself."""
    flags: list[Flag] = []
    if event.proof.state == "failed":
        flags.append(Flag("proof_failed", event.proof.reason))
    flags.extend(
        Flag("content_finding", f"{each.slot}: {each.unavailable}")
        for each in event.contents
        if each.unavailable in FINDINGS
    )
    if event.mark is not None:
        flags.append(Flag(event.mark.kind, f"the first event of this id has index {event.mark.first_index}"))
    flags.extend(Flag(kind, f"another event of this id was sealed later, index {at}") for at, kind in event.repeated_at)
    flags.extend(
        Flag("backdated", f"{name} claims {at.isoformat()}, sealed {event.sealed_at.isoformat()}")
        for name, at in claimed_times(event)
        if at < event.sealed_at - tolerance
    )
    values = event.values
    if values["clock_skewed"]:
        flags.append(Flag("clock_skew", f"claims a time after it was received, {event.received_at.isoformat()}"))
    if values["derived_fields"]:
        flags.append(Flag("derived_fields", ", ".join(values["derived_fields"])))
    if values["dropped_count"]:
        flags.append(Flag("dropped_before", f"{values['dropped_count']} events of {_producer(event)}"))
    if values["declared_sampling"] is not None and values["declared_sampling"] < 1:
        flags.append(Flag("sampled", f"{_producer(event)} records {values['declared_sampling']:g} of its operations"))
    return tuple(flags)


def _producer(event: SealedEvent) -> str:
    boot = event.values["producer_boot_id"]
    named = event.values["producer_instance"] or event.values["producer_service"] or "its producer"
    return f"{named}, boot {UUID(bytes=boot)}" if boot else str(named)
