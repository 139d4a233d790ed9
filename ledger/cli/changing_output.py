"""What the commands of `change` print: artifacts, the gate's verdicts, events. For people, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import click
from google.protobuf.json_format import MessageToDict

from ledger.changes.artifacts import Artifact
from ledger.changes.gate import Failure, Outcome
from ledger.changes.gathering import Commission
from ledger.cli.output import print_table
from ledger.v1 import event_pb2 as pb

_SHORT = 12


def artifact_json(artifact: Artifact) -> dict[str, Any]:
    """One artifact for programs."""
    return {
        "kind": artifact.kind,
        "id": artifact.id,
        "revision": artifact.revision,
        "sha256": artifact.sha256.hex(),
        "path": artifact.place.path,
        "keys": artifact.place.keys or None,
        "pin": artifact.pin.verdict if artifact.pin is not None else None,
    }


def print_artifacts(commission: Commission) -> None:
    """The artifacts of a commit as a table."""
    rows = [
        (each.kind, each.id, each.revision, each.sha256.hex(), each.place.path)
        for each in commission.artifacts.values()
    ]
    declared = commission.declaration.path or "no declaration; the default is used"
    click.echo(f"commit {commission.commit}, {declared}")
    print_table(("kind", "id", "revision", "SHA-256", "path"), rows)


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """One judged artifact for programs."""
    candidate, artifact = outcome.candidate, outcome.candidate.artifact
    return {
        "artifact": candidate.key,
        "passed": outcome.passed,
        "from_revision": candidate.before.revision if candidate.before is not None else None,
        "to_revision": artifact.revision if artifact is not None else None,
        "sha256": artifact.sha256.hex() if artifact is not None else None,
        "commit": candidate.origin,
        "authors": [each.name for each in candidate.authors],
        "author_verified": candidate.signed_by_authors,
        "reviewers": [
            {"name": each.person.name, "source": each.source}
            for each in outcome.reviewed.counted
            if each.person is not None
        ],
        "refused_reviews": [{"code": each.code, "detail": each.detail} for each in outcome.reviewed.refused],
        "evaluations": [
            {
                "suite": each.report.suite,
                "metric": each.metric.name,
                "score": each.metric.score,
                "threshold": each.limit.value if each.limit is not None else None,
                "direction": None if each.limit is None else "at_least" if each.limit.at_least else "at_most",
                "passed": each.passed,
                "run_id": each.report.run_id,
            }
            for each in outcome.scores
        ],
        "failures": [_failure_json(each) for each in outcome.failures],
        "notes": list(outcome.notes),
    }


def _failure_json(failure: Failure) -> dict[str, str]:
    return {"code": failure.code, "detail": failure.detail}


def gate_json(commission: Commission, outcomes: Iterable[Outcome], stray: Sequence[Failure]) -> dict[str, Any]:
    """The gate's answer for programs."""
    told = [outcome_json(each) for each in outcomes]
    return {
        "commit": commission.commit,
        "base": commission.base,
        "passed": not stray and all(each["passed"] for each in told),
        "failures": [_failure_json(each) for each in stray],
        "artifacts": told,
    }


def print_gate(outcomes: Sequence[Outcome], stray: Sequence[Failure]) -> None:
    """The gate's answer for people."""
    for outcome in outcomes:
        click.echo(f"{'passed' if outcome.passed else 'FAILED'}  {_title(outcome)}")
        for line in _evidence(outcome):
            click.echo(f"        {line}")
        for failure in outcome.failures:
            click.echo(f"      ! {failure.code}: {failure.detail}")
        for note in outcome.notes:
            click.echo(f"        note: {note}")
    for failure in stray:
        click.echo(f"      ! {failure.code}: {failure.detail}")
    if not outcomes:
        click.echo("nothing to judge: no artifact differs")
    failed = sum(not each.passed for each in outcomes)
    verdict = "gate failed" if failed or stray else "gate passed"
    click.echo(f"{verdict}: {len(outcomes)} artifacts, {failed} of them failed")


def _title(outcome: Outcome) -> str:
    candidate = outcome.candidate
    before = candidate.before.revision if candidate.before is not None else "nothing"
    after = candidate.artifact.revision if candidate.artifact is not None else "removed"
    return f"{candidate.key}  {before} -> {after}  commit {candidate.origin[:_SHORT]}"


def _evidence(outcome: Outcome) -> Iterable[str]:
    candidate = outcome.candidate
    authors = ", ".join(each.name for each in candidate.authors) or "nobody"
    yield f"author {authors} ({'signed' if candidate.signed_by_authors else 'asserted'})"
    for claim in outcome.reviewed.counted:
        if claim.person is not None:
            yield f"reviewed by {claim.person.name} (verified): {claim.where}"
    for score in outcome.scores:
        verdict = {True: "passed", False: "failed", None: "no threshold"}[score.passed]
        expected = f", expected {score.limit}" if score.limit is not None else ""
        yield f"evaluated {score.report.suite}, {score.metric.name}: {score.metric.score:g}{expected}: {verdict}"


def event_json(event: pb.Event) -> dict[str, Any]:
    """One event, as `audit-ledger publish` takes it."""
    found: dict[str, Any] = MessageToDict(event, preserving_proto_field_name=True)
    return found


def event_line(event: pb.Event) -> str:
    """One event in a line."""
    change = event.change
    action = pb.ChangeAction.Name(change.action).removeprefix("CHANGE_ACTION_").lower()
    kind = pb.ArtifactKind.Name(change.artifact_kind).removeprefix("ARTIFACT_KIND_").lower()
    revisions = f"{change.from_revision or 'nothing'} -> {change.to_revision or 'nothing'}"
    by = ", ".join(each.name for each in change.reviewers)
    reviewed = f", reviewed by {by}" if by else ""
    return f"{action} {kind}:{change.artifact_id} {revisions}{reviewed}  {UUID(bytes=event.event_id)}"
