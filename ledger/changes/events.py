"""Change events out of what a repository says, under ids that a second run derives again.

A run of CI may be repeated at any time, and must add nothing. So an event says nothing that another run would say
otherwise (no clock, no run, no version of this program), and its id is derived (`derived_event_id`, UUIDv8) from

    the commit's time | "change" | repository | commit | kind and id | action | SHA-256 of the event without its id

`commit` is the one that brought the revision in, not the one that happened to be deployed: deploying ten later commits
that leave a prompt alone adds nothing either. Where evidence was added since (a further review, another report) the
event is another one, beside the first.

What happens twice on purpose (a revision deployed again after it was rolled back) needs an `again`, any text that tells
the second time from the first, such as the id of the pipeline's run.

Times: an event claims none unless one is given. It takes effect when the gateway receives it, by the gateway's own
clock; when it was committed and reviewed stands in its description.

| field of the Change        | holds                                                                     |
| -------------------------- | ------------------------------------------------------------------------- |
| artifact id, revisions     | `ledger.changes.artifacts`                                                |
| author                     | the authors, separated by `, `                                            |
| author standing and source | verified, `signed-commit:COMMIT`, where each signed; else asserted, `commit:COMMIT` |
| reviewers                  | of an approval, a review, a deployment: those that count; of a proposal none |
| evaluations                | every metric of the reports on it                                         |
| artifact text              | the bytes, with a proposal, an approval and a deployment                  |
| description                | JSON: repository, commits, path, what was there before, reviews, reports  |

The event's correlation id is `REPOSITORY/commit/COMMIT`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal

from ledger.changes.artifacts import Artifact
from ledger.changes.gate import Candidate, Outcome
from ledger.changes.reviews import Claim, names_of
from ledger.client.ids import TIME_MS_MAX, derived_event_id
from ledger.v1 import event_pb2 as pb

Action = Literal["propose", "review", "approve", "deploy", "roll_back", "retire"]
SERVICE = "audit-ledger-change"
TEXT_BYTES_MAX = 1024 * 1024
"""Of an artifact that stands in the event; a larger one stays in the repository, under its digest."""

_ACTIONS = {
    "propose": pb.CHANGE_ACTION_PROPOSE,
    "review": pb.CHANGE_ACTION_REVIEW,
    "approve": pb.CHANGE_ACTION_APPROVE,
    "deploy": pb.CHANGE_ACTION_DEPLOY,
    "roll_back": pb.CHANGE_ACTION_ROLL_BACK,
    "retire": pb.CHANGE_ACTION_RETIRE,
}
_WITH_TEXT = frozenset({"propose", "approve", "deploy"})
_WITH_EVALUATIONS = frozenset({"review", "approve", "deploy"})


@dataclass(frozen=True, slots=True)
class Occasion:
    """What is the same for all events of one call."""

    repository: str
    tenants: tuple[str, ...] = ()
    ticket: str = ""
    reason: str = ""
    effective_at: datetime | None = None
    again: str = ""
    by: str = ""
    """Who orders a roll back or a removal, where it is not the commit's author."""


def change_event(
    occasion: Occasion,
    action: Action,
    outcome: Outcome,
    reviewers: Sequence[Claim] = (),
    told: dict[str, Any] | None = None,
) -> pb.Event:
    """The Change for one artifact."""
    candidate = outcome.candidate
    event = pb.Event(phase=pb.PHASE_SINGLE, classification=pb.CLASSIFICATION_INTERNAL)
    event.producer.service = SERVICE
    event.producer.capture_path = pb.CAPTURE_PATH_CI
    event.story.correlation_id = f"{occasion.repository}/commit/{candidate.origin}"
    change = event.change
    change.artifact_kind = getattr(pb, f"ARTIFACT_KIND_{candidate.kind.upper()}")
    change.artifact_id = candidate.id
    change.action = _ACTIONS[action]
    _put_revisions(change, action, candidate)
    _put_author(change, occasion, action, candidate)
    change.reviewers.extend(each.to_event() for each in reviewers)
    if action in _WITH_EVALUATIONS:
        change.evaluations.extend(each.to_event() for each in outcome.scores)
    change.ticket = occasion.ticket
    change.tenants.extend(occasion.tenants)
    if occasion.effective_at is not None:
        change.effective_at.FromDatetime(occasion.effective_at)
        event.occurred_at.FromDatetime(occasion.effective_at)
    if occasion.reason:
        change.reason.text = occasion.reason
    if candidate.artifact is not None:
        change.owner = candidate.artifact.place.source.owner
        if action in _WITH_TEXT:
            _put_text(change, occasion, candidate.artifact, candidate.origin)
    change.description.media_type = "application/json"
    described = _description(occasion, outcome, reviewers, change.evaluations, told or {})
    change.description.text = json.dumps(described, ensure_ascii=False, sort_keys=True)
    event.event_id = _id_of(event, occasion, action, candidate)
    return event


def _put_revisions(change: pb.Change, action: Action, candidate: Candidate) -> None:
    before, artifact = candidate.before, candidate.artifact
    if before is not None:
        change.from_revision = before.revision
    if artifact is not None:
        change.to_revision = artifact.revision
        change.artifact_sha256 = artifact.sha256
    elif before is not None and action == "retire":
        change.artifact_sha256 = before.sha256


def _put_author(change: pb.Change, occasion: Occasion, action: Action, candidate: Candidate) -> None:
    if occasion.by and action in ("roll_back", "retire"):
        change.author = occasion.by
        change.author_standing = pb.REVIEW_STANDING_ASSERTED
        change.author_source = "command-line"
        return
    change.author = names_of(candidate.authors)
    signed = candidate.signed_by_authors
    change.author_standing = pb.REVIEW_STANDING_VERIFIED if signed else pb.REVIEW_STANDING_ASSERTED
    change.author_source = f"{'signed-commit' if signed else 'commit'}:{candidate.origin}"


def _put_text(change: pb.Change, occasion: Occasion, artifact: Artifact, commit: str) -> None:
    content = change.artifact_text
    content.media_type = artifact.media_type
    if len(artifact.content) > TEXT_BYTES_MAX:
        place = f"{occasion.repository}/blob/{commit}/{artifact.place.path}"
        if len(place) <= 256:
            content.reference = place
        else:
            content.absent = True
        return
    try:
        content.text = artifact.content.decode("utf-8")
    except UnicodeDecodeError:
        content.data = artifact.content
        content.media_type = "application/octet-stream"


def _description(
    occasion: Occasion, outcome: Outcome, reviewers: Sequence[Claim], evaluations: Sequence[Any], told: dict[str, Any]
) -> dict[str, Any]:
    candidate = outcome.candidate
    found = candidate.artifact or candidate.before
    reports = {each.report.sha256.hex() for each in outcome.scores} if evaluations else set()
    said = {
        "repository": occasion.repository,
        "commit": candidate.origin,
        "committed_at_s": candidate.origin_at_s,
        "path": found.place.path if found is not None else None,
        "keys": found.place.keys if found is not None else None,
        "commits": list(candidate.commits),
        "authors": [each.name for each in candidate.authors],
        "before_sha256": candidate.before.sha256.hex() if candidate.before is not None else None,
        "reviews": [_told_review(each) for each in reviewers],
        "reports_sha256": sorted(reports),
        "again": occasion.again,
        **told,
    }
    return {name: value for name, value in said.items() if value not in (None, "", [])}


def _told_review(claim: Claim) -> dict[str, Any]:
    return {
        "who": claim.person.name if claim.person is not None else None,
        "source": claim.source,
        "commit": claim.commit,
        "at": claim.at or None,
        "verified": claim.verified,
    }


def _id_of(event: pb.Event, occasion: Occasion, action: str, candidate: Candidate) -> bytes:
    time_ms = min(max(candidate.origin_at_s * 1000, 0), TIME_MS_MAX)
    body = sha256(event.SerializeToString(deterministic=True)).digest()
    return derived_event_id(
        time_ms, "change", occasion.repository, candidate.origin, candidate.key, action, occasion.again, body
    )
