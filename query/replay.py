"""Replay: an incident as an ordered timeline, and what governed at a moment of it.

The timeline has one line an event, phases apart, in the order in which a story reads; operations that were started and
never ended stand once more at its end. The *state* says, for each prompt, model, policy, tool, agent, guardrail and
grant that the incident's events refer to, which revision was in effect at the moment asked for (by default that of the
last event), since when, by whom, with which evaluation, and what is wrong with it. Of `_org`, only the Changes of those
artifacts are read; artifacts that the tenant's own Changes are about stand in the state whether or not they were used.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from query import plain
from query.artifacts import Act, InEffect, acts_of, in_effect
from query.evidence import SealedEvent
from query.flags import Flag
from query.governance import Governed, Use, judge, uses_of
from query.order import merged
from query.reading import Reading
from query.reconstruct import Governance, reconstruct
from query.story import Selector, SignedCheckpoint, Step, Story, Window

_ACCOUNTABLE = ("author", "reader", "human_reviewer", "owner")
STATE_KINDS = ("prompt", "model", "policy", "tool", "agent", "guardrail", "grant")


@dataclass(frozen=True, slots=True)
class Line:
    """One event of the timeline. `summary` is what it did, in a few words; `step` its step's number."""

    at: datetime
    time_known: bool
    step: int
    event: SealedEvent
    who: str
    summary: str
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True)
class ArtifactState:
    """What governed at the moment. `judged` is the revision in effect as if it had been used then, None if none was."""

    kind: str
    artifact_id: str
    state: InEffect
    judged: Governed | None

    @property
    def since(self) -> Act | None:
        """What put the revision in effect."""
        return self.state.since


@dataclass(frozen=True, slots=True)
class Replay:
    """The answer: the story's events as a timeline, what never ended, and the state at `state_at`."""

    story: Story
    lines: tuple[Line, ...]
    unended: tuple[Step, ...]
    state_at: datetime | None
    state: tuple[ArtifactState, ...]

    @property
    def checkpoints(self) -> tuple[SignedCheckpoint, ...]:
        """The signed checkpoints that it stands on."""
        return self.story.checkpoints

    def to_json(self) -> dict[str, Any]:
        """The whole answer for programs."""
        return {
            "tenant": self.story.tenant,
            "selector": {"kind": self.story.selector.kind, "value": self.story.selector.value},
            "window": plain.window(self.story.window),
            "known_at": plain.time_text(self.story.known_at),
            "proven": self.story.proven,
            "timeline": [_line(each) for each in self.lines],
            "never_ended": [
                {"step": step.number, "at": plain.time_text(step.at), "summary": summary(step.events[0], step.events)}
                for step in self.unended
            ],
            "state_at": plain.time_text(self.state_at),
            "state": [_state(each) for each in self.state],
            "checkpoints": [plain.checkpoint(each) for each in self.checkpoints],
        }


def replay(
    reading: Reading,
    selector: Selector,
    window: Window,
    tolerance: timedelta,
    *,
    state_at: datetime | None,
    open_contents: bool,
) -> Replay:
    """The timeline of a story, and the state at a moment."""
    story = reconstruct(reading, selector, window, tolerance, open_contents=open_contents)
    lines = tuple(_lines(story))
    moment = state_at or (lines[-1].at if lines else None)
    governance = Governance(reading, tolerance, open_contents=open_contents)
    state = () if moment is None else tuple(_states(reading, governance, story, moment, tolerance))
    return Replay(story, lines, story.unended, moment, state)


def who(event: SealedEvent) -> str:
    """Who acted: the agent or service, its role, and the person behind it by pseudonym."""
    values = event.values
    agent = values["actor_agent"]
    if agent and values["actor_agent_version"]:
        agent = f"{agent} {values['actor_agent_version']}"
    acting = (
        agent
        or values["actor_service"]
        or next((event.body[name] for name in _ACCOUNTABLE if event.body.get(name)), None)
    )
    parts = [acting or values["producer_service"] or "unknown"]
    if values["role"]:
        parts.append(f"as {values['role']}")
    if values["actor_user"] is not None:
        parts.append(f"for {values['actor_user'].hex()[:8]}")
    return " ".join(parts)


def summary(event: SealedEvent, phases: tuple[SealedEvent, ...] | None = None) -> str:
    """What an event did, in a few words."""
    phases = phases or (event,)
    body = event.body
    match event.kind:
        case "request":
            asked, answered = merged(phases, "model_requested"), merged(phases, "model_answered")
            model = " → ".join(dict.fromkeys(each for each in (asked, answered) if each)) or "a model"
            ending = merged(phases, "error_class") or merged(phases, "finish_reason")
            return f"{merged(phases, 'operation') or 'request'} of {model}" + (f": {ending}" if ending else "")
        case "tool_call":
            outcome = merged(phases, "outcome")
            effect = merged(phases, "side_effect")
            return (
                f"tool {merged(phases, 'tool')}"
                + (f" ({effect})" if effect else "")
                + (f": {outcome}" if outcome else "")
            )
        case "change":
            target = body["to_revision"] or body["from_revision"] or ""
            return f"{body['action']} {body['artifact_kind']} {body['artifact_id']} {target}".strip()
        case "decision":
            return f"decision {body['decision_kind']}"
        case "finding":
            return f"finding {body['rule']} ({body['severity']}, {body['status']})"
        case "access":
            return f"access: {body['query_kind']}, {body['events_touched']} events"
        case "operation":
            return f"operation {body['action']}" + (f" of {body['target']}" if body["target"] else "")
        case _:
            return event.kind.replace("_", " ")


def _lines(story: Story) -> list[Line]:
    lines: list[tuple[datetime, Line]] = []
    floor: datetime | None = None
    for step in story.steps:
        # Steps keep their order, whatever their clocks say; a later phase stands where it happened.
        floor = step.at if floor is None else max(floor, step.at)
        for event in (*step.events, *step.amendments):
            is_head = event is step.events[0]
            told = summary(event, step.events if event is step.events[-1] else (event,))
            if event in step.amendments:
                told = f"amends step {step.number}: {told}"
            line = Line(
                at=event.at,
                time_known=event.occurred_at is not None,
                step=step.number,
                event=event,
                who=who(event),
                summary=told,
                flags=step.flags if is_head else (),
            )
            lines.append((floor if is_head else max(floor, event.at), line))
    return [line for _, line in sorted(lines, key=lambda pair: pair[0])]


def _states(
    reading: Reading, governance: Governance, story: Story, moment: datetime, tolerance: timedelta
) -> list[ArtifactState]:
    uses: dict[tuple[str, tuple[str, ...]], None] = {}
    for step in story.steps:
        for use in uses_of(step.events):
            uses[use.kind, use.ids] = None
    for change in reading.outlines([("kind", "change")])[0]:
        kind, artifact_id = change.body["artifact_kind"], change.body["artifact_id"]
        if kind in STATE_KINDS and not any(kind == known and artifact_id in ids for known, ids in uses):
            uses[kind, (artifact_id,)] = None
    found = []
    for kind, ids in sorted(uses, key=lambda use: (STATE_KINDS.index(use[0]), use[1])):
        changes = [event for artifact_id in ids for event in governance.changes(kind, artifact_id)]
        state = in_effect(acts_of(changes, tolerance), moment)
        if not changes and kind not in ("prompt", "model"):
            continue
        judged = None
        if state.revision is not None:
            judged = judge(Use(kind, ids, (state.revision,)), changes, moment, tolerance)
        artifact_id = judged.artifact_id if judged is not None else ids[0]
        found.append(ArtifactState(kind, artifact_id, state, judged))
    return found


def _line(line: Line) -> dict[str, Any]:
    return {
        "at": plain.time_text(line.at),
        "time_known": line.time_known,
        "step": line.step,
        "who": line.who,
        "summary": line.summary,
        "flags": [flag.to_json() for flag in line.flags],
        "event": plain.event(line.event),
    }


def _state(each: ArtifactState) -> dict[str, Any]:
    return {
        "artifact_kind": each.kind,
        "artifact_id": each.artifact_id,
        "in_effect": each.state.revision,
        "since": None if each.since is None else plain.act(each.since),
        "withdrawn": [
            {"revision": revision, "by": plain.act(withdrawal)} for revision, withdrawal in each.state.withdrawn
        ],
        "judged": None if each.judged is None else plain.governed(each.judged),
    }
