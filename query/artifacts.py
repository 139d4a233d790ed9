"""What governed at a time: prompts, models, policies and other artifacts, from the Changes about them. Pure functions.

An *artifact* is (kind, id); it has revisions. A Change acts on it at its *claimed* time: effective, else occurred, else
received. A Change that claims a time before its sealing by more than the tolerance is *backdated*; its *solid* time is
that of its sealing, of other Changes the claimed one. What only a backdated claim supports is never taken for granted:
an approval counts for a use only if its solid time is not after the use, and a backdated Change is flagged wherever it
counts.

What the actions mean for the revision in effect, by claimed times:

    deploy       `to_revision` is in effect
    roll_back    `from_revision` (where unset: the one in effect) is not; in effect is `to_revision`, where unset the
                 one that was in effect before
    retire       `to_revision`, else `from_revision`, else the one in effect, is not, and none takes its place

*Approvals* of a revision are its `approve` Changes, and a `deploy` that names reviewers. Of a model the revision is the
version that answered: a Change states it whole (`gpt-4o-2024-08-06`) or behind the artifact's id (`2024-08-06` of
`gpt-4o`). A Change that states no revision is about all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from query.evidence import SealedEvent
from query.flags import is_backdated


@dataclass(frozen=True, slots=True)
class Act:
    """One Change about an artifact."""

    event: SealedEvent
    claimed_at: datetime
    solid_at: datetime
    backdated: bool

    @property
    def artifact_id(self) -> str:
        """The artifact's id."""
        return str(self.event.body["artifact_id"])

    @property
    def action(self) -> str:
        """propose, review, approve, deploy, roll_back or retire."""
        return str(self.event.body["action"])

    @property
    def to_revision(self) -> str | None:
        """The revision it leads to."""
        found: str | None = self.event.body["to_revision"]
        return found

    @property
    def from_revision(self) -> str | None:
        """The revision it leaves."""
        found: str | None = self.event.body["from_revision"]
        return found

    @property
    def digest(self) -> bytes | None:
        """SHA-256 of the artifact it is about."""
        found: bytes | None = self.event.body["artifact_sha256"]
        return found

    @property
    def reviewers(self) -> list[dict[str, Any]]:
        """Name, standing and source of each reviewer."""
        return list(self.event.body["reviewers"])

    @property
    def approves(self) -> bool:
        """Whether it is an approval."""
        return self.action == "approve" or (self.action == "deploy" and bool(self.reviewers))


@dataclass(frozen=True, slots=True)
class InEffect:
    """The state of an artifact at a time: the revision in effect and the act that put it there, None where none is.

    `withdrawn` are the revisions that were rolled back or retired and not deployed again, with the act that did it.
    """

    revision: str | None = None
    since: Act | None = None
    withdrawn: tuple[tuple[str, Act], ...] = ()

    def withdrawal(self, matches: Iterable[str]) -> Act | None:
        """The act that withdrew one of these revisions."""
        names = set(matches)
        return next((act for revision, act in self.withdrawn if revision in names), None)


def acts_of(changes: Iterable[SealedEvent], tolerance: timedelta) -> list[Act]:
    """Changes as acts, in the order of their claimed times, then of their sealing."""
    acts = []
    for event in changes:
        claimed_at = event.body["effective_at"] or event.at
        backdated = is_backdated(event, tolerance)
        acts.append(Act(event, claimed_at, max(event.sealed_at, claimed_at) if backdated else claimed_at, backdated))
    acts.sort(key=lambda act: (act.claimed_at, act.event.sealed_at, act.event.log.tenant, act.event.index))
    return acts


def in_effect(acts: Sequence[Act], at: datetime) -> InEffect:
    """The state of one artifact at a time, as the acts up to then claim it. `acts` as `acts_of` orders them."""
    stack: list[tuple[str | None, Act]] = []
    withdrawn: dict[str, Act] = {}
    for act in acts:
        if act.claimed_at > at:
            break
        if act.action == "deploy":
            stack.append((act.to_revision, act))
            withdrawn.pop(act.to_revision or "", None)
        elif act.action == "roll_back":
            left = act.from_revision or (stack[-1][0] if stack else None)
            if left is not None:
                withdrawn[left] = act
            stack = [pair for pair in stack if pair[0] != left]
            target = act.to_revision or (stack[-1][0] if stack else None)
            if target is not None:
                withdrawn.pop(target, None)
                stack = [*(pair for pair in stack if pair[0] != target), (target, act)]
        elif act.action == "retire":
            gone = act.to_revision or act.from_revision or (stack[-1][0] if stack else None)
            if gone is not None:
                withdrawn[gone] = act
            was_in_effect = bool(stack) and stack[-1][0] == gone
            stack = [] if was_in_effect else [pair for pair in stack if pair[0] != gone]
    revision, since = stack[-1] if stack else (None, None)
    return InEffect(revision, since, tuple(withdrawn.items()))


def about(acts: Iterable[Act], revisions: Iterable[str]) -> list[Act]:
    """The acts that lead to one of these names of a revision or withdraw it, and those about all revisions."""
    wanted = set(revisions)
    return [
        act
        for act in acts
        if (act.to_revision is None and act.from_revision is None)
        or act.to_revision in wanted
        or (act.from_revision in wanted and act.action in ("roll_back", "retire"))
    ]


def leading_to(acts: Iterable[Act], revisions: Iterable[str]) -> list[Act]:
    """The acts whose artifact is one of these revisions: not those that leave it."""
    wanted = set(revisions)
    return [
        act
        for act in acts
        if act.action not in ("roll_back", "retire")
        and (act.to_revision in wanted or (act.to_revision is None and act.from_revision is None))
    ]
