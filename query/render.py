"""A reconstruction as a person reads it: one step after the other, what governed it, what is wrong with it.

Plain text without colour, for a given width. Each step begins with a rule that says when, what and whether it is
proven; each event is named by its id and place at the end of its step; the checkpoints that the proofs stand on close
the story.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from query.artifacts import Act
from query.evidence import ContentView, SealedEvent
from query.flags import Flag
from query.governance import Governed
from query.layout import block, cut, printable, wrap
from query.order import merged
from query.plain import uuid_text
from query.replay import summary, who
from query.story import SignedCheckpoint, Step, Story

WIDTH = 100
CONTENT_LINES_MAX = 40
_INDENT = "   "
_Told = tuple[str, str | None, tuple[bool, ...]]
_QUIET = frozenset({"actor.user"})
"""Contents told elsewhere."""


def story(told: Story, width: int = WIDTH, content_lines_max: int = CONTENT_LINES_MAX) -> str:
    """The whole story."""
    lines = [*_head(told, width), ""]
    shown: dict[_Told, int] = {}
    for step in told.steps:
        lines += [*_step(step, told.effective_at, shown, width, content_lines_max), ""]
    lines += [*_unended(told, width), *checkpoints(told.checkpoints, width)]
    return "\n".join(lines) + "\n"


def time_of(at: datetime, *, known: bool = True) -> str:
    """A time to the millisecond in UTC; marked where it is only that of receipt."""
    text = at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"
    return text if known else f"{text} (received)"


def proof_of(events: tuple[SealedEvent, ...]) -> str:
    """The worst proof state of some events."""
    states = {event.proof.state for event in events}
    return next(each for each in ("failed", "unchecked", "proven") if each in states or each == "proven").upper()


def flag_line(flag: Flag, width: int, indent: str = _INDENT) -> Iterator[str]:
    """One flag, wrapped."""
    first, *rest = wrap(f"{flag.code.replace('_', ' ')}: {flag.detail}", width - len(indent) - 2)
    yield f"{indent}! {first}"
    yield from (f"{indent}  {each}" for each in rest)


def checkpoints(found: tuple[SignedCheckpoint, ...], width: int) -> Iterator[str]:
    """The checkpoints that proofs stand on."""
    if found:
        yield "Checkpoints"
    for each in found:
        yield cut(f"{_INDENT}{each.origin}", width)
        signed = "signed" if each.note is not None else "as the signed rounds state it; no note found yet"
        yield f"{_INDENT}  {each.size} events, root {each.root.hex()}, {signed}"


def _head(told: Story, width: int) -> Iterator[str]:
    what = {"user": "user", "session": "session", "correlation": "correlation id", "event": "event"}[told.selector.kind]
    yield cut(f"Reconstruction of {what} {printable(told.selector.value)} in tenant {told.tenant}", width)
    if told.selector.kind == "user":
        yield f"{_INDENT}pseudonym {told.person.hex()}" if told.person else f"{_INDENT}no such person is known here"
    if told.window.start or told.window.end:
        start = time_of(told.window.start) if told.window.start else "the beginning"
        yield f"{_INDENT}from {start} to {time_of(told.window.end) if told.window.end else 'now'}"
    if told.known_at:
        yield f"{_INDENT}as known at {time_of(told.known_at)}: nothing that was sealed later"
    if told.effective_at:
        yield f"{_INDENT}as effective at {time_of(told.effective_at)}: every step is judged by what was in force then"
    events = sum(len(step.events) + len(step.amendments) for step in told.steps)
    state = "every event is proven" if told.proven else "NOT EVERY EVENT IS PROVEN"
    yield f"{_INDENT}{len(told.steps)} steps, {events} events" + (f"; {state}" if events else "")


def _step(
    step: Step, effective_at: datetime | None, shown: dict[_Told, int], width: int, content_lines_max: int
) -> Iterator[str]:
    everything = (*step.events, *step.amendments)
    title = f"── {step.number} ── {time_of(step.at, known=step.time_known)} ── {proof_of(everything)} "
    yield title + "─" * max(2, width - len(title))
    yield from _indented(summary(step.events[0], step.events), width)
    yield from _indented(_circumstances(step), width)
    if step.requested_by is not None:
        basis = "" if step.requested_by_basis == "stated" else ", by its call id"
        yield f"{_INDENT}asked for by step {step.requested_by}{basis}"
    if step.tool_calls:
        yield f"{_INDENT}its answer asked for step{'s' * (len(step.tool_calls) > 1)} " + ", ".join(
            map(str, step.tool_calls)
        )
    yield from _details(step, width)
    for each in step.governance:
        yield from _governed(each, step, effective_at or step.at, shown, width)
    for event in everything:
        for content in event.contents:
            yield from _content(content, event, step, width, content_lines_max)
    for flag in step.flags:
        yield from flag_line(flag, width)
    for event in everything:
        yield from _indented(_name(event, step), width)


def _circumstances(step: Step) -> str:
    event = step.events[-1]
    values = event.values
    user = next((each.text for each in event.contents if each.slot == "actor.user" and each.text), None)
    parts = [who(event)]
    if user:
        parts.append(f"user {user}")
    for label, name in (("session", "session_id"), ("correlation", "correlation_id"), ("grant", "grant_id")):
        if values[name]:
            parts.append(f"{label} {values[name]}")
    if values["decision"] != "unspecified":
        rule = f" by {values['decision_rule']}" if values["decision_rule"] else ""
        policy = " ".join(each for each in (values["decision_policy_id"], values["decision_policy_revision"]) if each)
        parts.append(f"policy {policy or 'unnamed'}: {values['decision']}{rule}")
    parts.append(f"captured {values['capture_mode']} under {values['capture_policy_version']}")
    if step.ended_at is not None:
        parts.append(f"{step.ending} {time_of(step.ended_at)}")
    return " · ".join(parts)


def _details(step: Step, width: int) -> Iterator[str]:
    """What else the body tells, in one paragraph."""
    events = step.events
    names: tuple[str, ...] = ()
    if step.kind == "request":
        names = ("vendor", "region", "deployment", "temperature", "tokens_in", "tokens_out", "latency_ms")
    elif step.kind == "tool_call":
        names = ("version", "provider", "destination", "call_id", "approver", "approval_verdict", "latency_ms")
    elif step.kind == "change":
        names = ("from_revision", "author", "ticket", "owner")
    elif step.kind == "access":
        names = ("case_id", "contents_decrypted", "result")
    parts = [f"{name.replace('_', ' ')} {merged(events, name)}" for name in names if merged(events, name) is not None]
    if step.kind == "request":
        for each in merged(events, "retrieved") or []:
            index = " ".join(part for part in (each["index_id"], each["index_revision"]) if part)
            parts.append(f"retrieved from {index or 'an index'} ({each['access_verdict']})")
        for each in merged(events, "guardrails") or []:
            parts.append(f"guardrail {each['name']} {each['version'] or ''}: {each['verdict']}".replace("  ", " "))
    if parts:
        yield from _indented(" · ".join(parts), width)


def _governed(each: Governed, step: Step, judged_at: datetime, shown: dict[_Told, int], width: int) -> Iterator[str]:
    """What governed an artifact's use; told in full where it first counts, later by that step's number."""
    is_named = each.revision is None or each.artifact_id.endswith(each.revision)
    named = f"{each.kind} {each.artifact_id}" + ("" if is_named else f" {each.revision}")
    named += f" ({each.role})" if each.role else ""
    later = tuple(change.claimed_at > judged_at for change in each.changes)
    before = shown.setdefault((named, each.text, later), step.number)
    if before != step.number:
        yield from _indented(f"governed: {named}, as in step {before}", width)
        for flag in each.flags:
            yield from flag_line(flag, width, _INDENT + "  ")
        return
    yield from _indented(f"governed: {named}", width)
    for change, is_later in zip(each.changes, later, strict=True):
        yield from _indented(("later: " if is_later else "") + _change(change), width, _INDENT + "  ")
    if each.text is not None:
        yield f"{_INDENT}  text as approved"
        yield from block(each.text, width, indent=f"{_INDENT}  │ ", lines_max=CONTENT_LINES_MAX)
    elif each.kind == "prompt" and each.text_unavailable:
        yield from _indented(f"text as approved: none; {each.text_unavailable}", width, _INDENT + "  ")
    for flag in each.flags:
        yield from flag_line(flag, width, _INDENT + "  ")


def _change(change: Act) -> str:
    body = change.event.body
    parts = [f"{time_of(change.claimed_at)} {change.action}"]
    if change.action in ("roll_back", "retire"):
        parts[0] += f" of {change.from_revision or change.to_revision or 'the one in effect'}"
        if change.action == "roll_back" and change.to_revision:
            parts[0] += f" to {change.to_revision}"
    if body["author"]:
        parts.append(f"author {body['author']}{_standing(body['author_standing'], body['author_source'])}")
    if change.reviewers:
        reviewers = (f"{each['name']}{_standing(each['standing'], each['source'])}" for each in change.reviewers)
        parts.append(f"reviewed by {', '.join(reviewers)}")
    parts += [_evaluation(each) for each in body["evaluations"]]
    if body["ticket"]:
        parts.append(f"ticket {body['ticket']}")
    reason = change.event.content("reason")
    if reason is not None and reason.text:
        parts.append(f"reason: {reason.text}")
    parts.append(f"{change.event.proof.state}, {change.event.tenant} {uuid_text(change.event.event_id)}")
    return " · ".join(parts)


def _standing(standing: str, source: str | None) -> str:
    """Whether somebody's part is verified, and where that is recorded."""
    known = [each for each in (standing if standing != "unspecified" else None, source) if each]
    return f" ({', '.join(known)})" if known else ""


def _evaluation(each: dict[str, Any]) -> str:
    score = "" if each["score"] is None else f" {each['score']:g}"
    against = "" if each["threshold"] is None else f" against {each['threshold']:g}"
    told = f"evaluated {each['suite']}, {each['metric']}{score}{against}: {each['verdict']}"
    proof = [f"run {each['run_id']}"] if each["run_id"] else []
    if each["dataset_sha256"]:
        proof.append(f"data set {each['dataset_sha256'].hex()[:12]}")
    return f"{told} ({', '.join(proof)})" if proof else told


def _content(content: ContentView, event: SealedEvent, step: Step, width: int, content_lines_max: int) -> Iterator[str]:
    if content.slot in _QUIET and content.text is not None:
        return
    label = content.slot if content.state == "full" else f"{content.slot} ({content.state.replace('_', ' ')})"
    if event in step.amendments:
        label += ", added later"
    if content.text is not None:
        yield f"{_INDENT}{printable(label)}"
        yield from block(content.text, width, indent=f"{_INDENT}│ ", lines_max=content_lines_max)
    elif content.data is not None:
        yield from _indented(f"{label}: {len(content.data)} bytes of {content.media_type}", width)
    else:
        elsewhere = f" ({content.reference})" if content.reference else ""
        yield from _indented(f"{label}: not shown, {content.unavailable}{elsewhere}", width)


def _name(event: SealedEvent, step: Step) -> str:
    role = "amendment" if event in step.amendments else event.phase
    label = "event" if role == "single" else f"event ({role})"
    return (
        f"{label} {uuid_text(event.event_id)} · index {event.index} · "
        f"sealed {time_of(event.sealed_at)} in round {event.round}"
    )


def _unended(told: Story, width: int) -> Iterator[str]:
    if not told.unended:
        return
    yield "Started and never ended"
    for step in told.unended:
        what = summary(step.events[0], step.events)
        yield cut(f"{_INDENT}step {step.number}, {time_of(step.at, known=step.time_known)}: {printable(what)}", width)
    yield ""


def _indented(text: str, width: int, indent: str = _INDENT) -> Iterator[str]:
    first, *rest = wrap(text, width - len(indent))
    yield f"{indent}{first}"
    yield from (f"{indent}  {each}" for line in rest for each in wrap(line, width - len(indent) - 2))
