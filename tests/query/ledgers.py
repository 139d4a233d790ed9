"""Ledgers for the query tests: a small real one, its sources, and the shortest way to publish and ask."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from consumers.compaction import CompactionLimits, Compactor
from ledger.client.builders import change
from ledger.v1 import event_pb2 as pb
from query.access import Reader
from query.opening import sources_of
from query.reading import Reading, Sources
from query.reconstruct import reconstruct
from query.service import Queries, QueryLimits
from query.story import Selector, SelectorKind, Story, Window
from tests.small_ledger import SmallLedger

TOLERANCE = timedelta(hours=1)
READER = Reader("eve", "auditor", "case-7")


class IntoTheLog:
    """Publishes accesses straight into the small ledger's event log."""

    def __init__(self, small: SmallLedger) -> None:
        self.small = small
        self.published: list[tuple[str, pb.Event]] = []

    async def publish(self, tenant: str, event: pb.Event) -> None:
        """As a gateway would."""
        await self.small.publish(tenant, event)
        self.published.append((tenant, event))


@dataclass(slots=True)
class Asked:
    """A small ledger and everything to question it with."""

    small: SmallLedger

    @property
    def derived(self) -> Path:
        """Where derived files go."""
        return self.small.folder / "derived"

    def sources(self) -> Sources:
        """Sources that have read nothing yet."""
        return sources_of(self.small.store, self.derived, self.small.trust, self.small.keys, self.small.tenants)

    def reading(self, tenant: str = "acme", known_at: datetime | None = None) -> Reading:
        """One question's reading, from fresh sources."""
        return Reading(self.sources(), tenant, known_at)

    def story(self, kind: SelectorKind, value: str, tenant: str = "acme", **given: Any) -> Story:
        """A reconstruction from fresh sources."""
        reading = self.reading(tenant, given.get("known_at"))
        return reconstruct(
            reading,
            Selector(kind, value),
            given.get("window", Window()),
            given.get("tolerance", TOLERANCE),
            effective_at=given.get("effective_at"),
            open_contents=given.get("open_contents", True),
        )

    def queries(self, publisher: Any = None) -> Queries:
        """The service's engine."""
        return Queries(self.sources(), publisher or IntoTheLog(self.small), QueryLimits())

    async def seal(self, tenant: str, *events: pb.Event) -> None:
        """Publishes and seals."""
        await self.small.publish(tenant, *events)
        await self.small.seal()

    async def compact(self, **limits: int) -> None:
        """Compacts every log of partition 0, and commits that."""
        Compactor(self.small.store, 0, self.small.trust(), CompactionLimits(**limits)).run()
        await self.small.seal()


def ago(minutes: float) -> datetime:
    """So many minutes before now."""
    return datetime.now(UTC) - timedelta(minutes=minutes)


def digest(text: str) -> bytes:
    """SHA-256 of a text."""
    return sha256(text.encode()).digest()


def prompt_change(action: str, revision: str | None, at: datetime, **fields: Any) -> pb.Event:
    """A Change of the prompt `greeting`."""
    given: dict[str, Any] = {
        "artifact_kind": "prompt",
        "artifact_id": "greeting",
        "action": action,
        "to_revision": revision,
        "author": "dana",
        "occurred_at": at,
        **fields,
    }
    return change(**{name: value for name, value in given.items() if value is not None})


def release(revision: str, at: datetime, text: str = "Greet {name}.", **fields: Any) -> list[pb.Event]:
    """An approval with review and evaluation, and a deployment a second later."""
    given: dict[str, Any] = {
        "artifact_sha256": digest(text),
        "artifact_text": text,
        "reviewers": [pb.Reviewer(name="priya", standing=pb.REVIEW_STANDING_VERIFIED)],
        "evaluations": [
            pb.Evaluation(
                suite="s",
                metric="m",
                score=0.9,
                threshold=0.8,
                artifact_sha256=digest(text),
                verdict=pb.EVALUATION_VERDICT_PASSED,
            )
        ],
        **fields,
    }
    return [
        prompt_change("approve", revision, at, **given),
        prompt_change("deploy", revision, at + timedelta(seconds=1), artifact_sha256=given["artifact_sha256"]),
    ]


def use(revision: str | None, at: datetime, text: str = "Greet {name}.") -> dict[str, Any]:
    """The fields of a request that used the prompt."""
    prompt = {"prompt_id": "greeting", "role": "system", "template_sha256": digest(text)}
    return {"occurred_at": at, "prompts": [prompt if revision is None else {**prompt, "revision": revision}]}
