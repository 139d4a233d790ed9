"""The Changes of the scenario: what may be used, who wrote and reviewed it, how it was evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import sha256

from ledger.client.builders import change
from ledger.scenario.prompts import PROMPT, TEXTS, digest
from ledger.v1 import event_pb2 as pb

OPENAI, ANTHROPIC = "gpt-4.1-2025-04-14", "claude-sonnet-4-20250514"
AGENT, AGENT_VERSION = "aria", "3.2.0"
POLICY, POLICY_REVISION = "refund-limits", "3"
AUTHOR, REVIEWER, APPROVER, ON_CALL = "dana.weiss", "priya.nair", "tomas.berg", "lena.koch"
_DATASET = sha256(b"support-regression 2025-05").digest()

Clock = Callable[[float], datetime]
"""Minutes since the scenario began to a time."""


def first_releases(at: Clock) -> Iterator[pb.Event]:
    """Revision 1 of the prompt, both models, the policy and the agent: all of it before the first conversation."""
    yield from _prompt_release("1", at, 0.0, score=0.93, ticket="SUP-310")
    for offset, vendor, model in ((2.0, "openai", OPENAI), (2.5, "anthropic", ANTHROPIC)):
        yield _approval("model", f"{vendor}/{model}", model, at(offset), score=0.91, ticket="ML-88")
        yield _deployment("model", f"{vendor}/{model}", model, at(offset + 0.2), ticket="ML-88")
    yield _approval("policy", POLICY, POLICY_REVISION, at(3.0), ticket="RISK-17", score=1.0)
    yield _deployment("policy", POLICY, POLICY_REVISION, at(3.2), ticket="RISK-17")
    yield _approval("agent", AGENT, AGENT_VERSION, at(3.5), ticket="SUP-311", score=0.95)
    yield _deployment("agent", AGENT, AGENT_VERSION, at(3.7), ticket="SUP-311")


def second_prompt(at: Clock) -> Iterator[pb.Event]:
    """Revision 2 of the prompt, properly released."""
    yield from _prompt_release("2", at, 9.0, score=0.90, ticket="SUP-342")


def rollback(at: Clock) -> pb.Event:
    """Back to revision 1."""
    return change(
        artifact_kind="prompt",
        artifact_id=PROMPT,
        action="roll_back",
        from_revision="2",
        to_revision="1",
        artifact_sha256=digest("1"),
        author=ON_CALL,
        author_standing="verified",
        author_source="signed-commit",
        reviewers=[_review(APPROVER)],
        ticket="INC-2207",
        reason="The agent offers refunds that nobody asked for; see the refused one of 480 EUR.",
        occurred_at=at(26.0),
        effective_at=at(26.0),
    )


def _prompt_release(revision: str, at: Clock, begin: float, *, score: float, ticket: str) -> Iterator[pb.Event]:
    before = str(int(revision) - 1) if revision != "1" else None
    for step, action in enumerate(("propose", "review", "approve", "deploy")):
        when = at(begin + step * 0.4)
        yield change(
            artifact_kind="prompt",
            artifact_id=PROMPT,
            action=action,
            from_revision=before,
            to_revision=revision,
            artifact_sha256=digest(revision),
            artifact_text=TEXTS[revision] if action in ("propose", "approve") else None,
            author=AUTHOR,
            author_standing="verified",
            author_source="signed-commit",
            reviewers=[] if action == "propose" else [_review(REVIEWER if action == "review" else APPROVER)],
            evaluations=[_evaluation(digest(revision), score)] if action in ("review", "approve") else [],
            ticket=ticket,
            occurred_at=when,
            effective_at=when if action == "deploy" else None,
        )


def _approval(kind: str, artifact: str, revision: str, when: datetime, *, ticket: str, score: float) -> pb.Event:
    return change(
        artifact_kind=kind,
        artifact_id=artifact,
        action="approve",
        to_revision=revision,
        author=AUTHOR,
        author_standing="verified",
        author_source="signed-commit",
        reviewers=[_review(REVIEWER), _review(APPROVER)],
        evaluations=[_evaluation(None, score)],
        ticket=ticket,
        occurred_at=when,
    )


def _deployment(kind: str, artifact: str, revision: str, when: datetime, *, ticket: str) -> pb.Event:
    return change(
        artifact_kind=kind,
        artifact_id=artifact,
        action="deploy",
        to_revision=revision,
        author=AUTHOR,
        author_standing="verified",
        author_source="signed-commit",
        reviewers=[_review(APPROVER)],
        ticket=ticket,
        occurred_at=when,
        effective_at=when,
    )


def _review(name: str) -> pb.Reviewer:
    return pb.Reviewer(name=name, standing=pb.REVIEW_STANDING_VERIFIED, source="github-review")


def _evaluation(artifact: bytes | None, score: float) -> pb.Evaluation:
    return pb.Evaluation(
        suite="support-regression",
        dataset_sha256=_DATASET,
        artifact_sha256=artifact,
        run_id=f"run-{int(score * 1000)}",
        metric="task_success",
        score=score,
        threshold=0.88,
        verdict=pb.EVALUATION_VERDICT_PASSED,
    )
