"""A replay, and a list of finds, as a person reads them. Plain text for a given width."""

from __future__ import annotations

from collections.abc import Iterator

from query.find import Finds
from query.layout import cut, printable, table, wrap
from query.plain import uuid_text
from query.render import WIDTH, checkpoints, flag_line, proof_of, time_of
from query.replay import ArtifactState, Line, Replay, summary, who


def replay(told: Replay, width: int = WIDTH) -> str:
    """The timeline, what never ended, and the state."""
    story = told.story
    lines = [
        cut(f"Replay of {story.selector.kind} {printable(story.selector.value)} in tenant {story.tenant}", width),
        f"   {len(told.lines)} events; " + ("every one is proven" if story.proven else "NOT EVERY ONE IS PROVEN"),
    ]
    if story.known_at:
        lines.append(f"   as known at {time_of(story.known_at)}")
    lines.append("")
    for line in told.lines:
        lines += _line(line, width)
    if told.unended:
        lines += ["", "Started and never ended"]
        for step in told.unended:
            what = printable(summary(step.events[0], step.events))
            lines.append(cut(f"   step {step.number}, {time_of(step.at, known=step.time_known)}: {what}", width))
    if told.state_at is not None:
        lines += ["", f"In effect at {time_of(told.state_at)}"]
        for each in told.state:
            lines += _state(each, width)
        if not told.state:
            lines.append("   no artifact is known")
    lines += ["", *checkpoints(told.checkpoints, width)]
    return "\n".join(lines).rstrip() + "\n"


def finds(found: Finds, width: int = WIDTH) -> str:
    """What was found, as a table."""
    rows = [
        (time_of(event.at, known=True), event.kind, summary(event), who(event), event.proof.state,
         uuid_text(event.event_id))
        for event in found.events
    ]  # fmt: skip
    text = table(("time", "kind", "what", "who", "proof", "event"), rows, width, whole=("time", "event"))
    return text + ("\nthere are more\n" if found.more else "\n")


def _line(line: Line, width: int) -> Iterator[str]:
    known = " " if line.time_known else "~"
    phase = "" if line.event.phase == "single" else f" {line.event.phase}"
    text = f"{time_of(line.at)}{known} {line.step:>3} {proof_of((line.event,)).lower():<9} {line.who}: {line.summary}"
    yield cut(printable(f"{text}{phase}"), width)
    for flag in line.flags:
        yield from flag_line(flag, width, " " * 30)


def _state(each: ArtifactState, width: int) -> Iterator[str]:
    revision = each.state.revision or "no revision"
    text = f"{each.kind} {each.artifact_id}: {revision}"
    if each.since is not None:
        body = each.since.event.body
        author = f" by {body['author']}" if body["author"] else ""
        text += f", since {time_of(each.since.claimed_at)} ({each.since.action}{author})"
    for revision, act in each.state.withdrawn:
        text += f"; {revision} {'retired' if act.action == 'retire' else 'rolled back'} {time_of(act.claimed_at)}"
    first, *rest = wrap(text, width - 3)
    yield f"   {first}"
    yield from (f"     {line}" for line in rest)
    if each.judged is not None:
        for change in each.judged.changes:
            for one in change.event.body["evaluations"]:
                score = "" if one["score"] is None else f" {one['score']:g}"
                yield cut(f"     evaluated {one['suite']}, {one['metric']}{score}: {one['verdict']}", width)
        for flag in each.judged.flags:
            yield from flag_line(flag, width, "     ")
