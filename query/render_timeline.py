"""A replay, and a list of finds, as a person reads them. Plain text for a given width.

A timeline has one line an event under a heading that names who acted, anew wherever that changes; finds are a table,
where it is too wide two lines an event. What does not fit goes on in the next line: nothing that tells events apart is
shortened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from query.evidence import SealedEvent
from query.find import Finds
from query.governance import Governed
from query.layout import RULE, WIDTH_LEAST, cells, cut, pad, printable, table, table_width, wrap
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
    lines += _timeline(told.lines, width)
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
    """What was found, as a table; two lines an event where it would be wider than `width`."""
    rows = [
        (
            time_of(each.at, known=True),
            each.proof.state,
            _kind(each),
            summary(each),
            uuid_text(each.event_id),
            who(each),
        )
        for each in found.events
    ]
    columns = ("time", "proof", "kind", "what", "event", "who")
    lines = [f"as known at {time_of(found.known_at)}"] if found.known_at else []
    if table_width(columns, rows) <= width:
        lines.append(table(columns, rows, width))
    else:
        lines += _in_two_lines(columns, rows, width)
    return "\n".join([*lines, *(["there are more"] if found.more else [])]) + "\n"


def _in_two_lines(columns: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Each row's first four cells, and below them the other two."""
    widths = [max(cells(printable(row[at])) for row in (columns, *rows)) for at in range(3)]
    indent = " " * (sum(widths) + 2 * len(widths))
    for at, row in enumerate((columns, *rows)):
        head = "  ".join(pad(printable(cell), size) for cell, size in zip(row, widths, strict=False))
        first, *rest = wrap(row[3], max(width - len(indent), WIDTH_LEAST // 2))
        yield f"{head}  {first}"
        yield from (f"{indent}{line}" for line in rest)
        first, *rest = wrap(row[5], max(width - 42, WIDTH_LEAST // 2))
        yield f"    {row[4]:<36}  {first}"
        yield from (f"{' ' * 42}{line}" for line in rest)
        if at == 0:
            yield RULE * width


def _kind(event: SealedEvent) -> str:
    return event.kind if event.phase == "single" else f"{event.kind} {event.phase}"


def _timeline(told: Sequence[Line], width: int) -> Iterator[str]:
    acting = None
    for line in told:
        if line.who != acting:
            acting = line.who
            yield from wrap(acting, width)
        yield from _line(line, width)
    if any(not line.time_known for line in told):
        yield "   ~ received then; when it happened is not known"


def _line(line: Line, width: int) -> Iterator[str]:
    known = " " if line.time_known else "~"
    phase = "" if line.event.phase == "single" else f", {line.event.phase}"
    head = f"   {time_of(line.at)}{known} {line.step:>3} {proof_of((line.event,)).lower():<6}  "
    first, *rest = wrap(f"{line.summary}{phase}", max(width - len(head), WIDTH_LEAST // 2))
    yield f"{head}{first}"
    yield from (f"{' ' * len(head)}{each}" for each in rest)
    for flag in line.flags:
        yield from flag_line(flag, width, " " * (len(head) - 2))


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
        # An approval and the deployment after it often name the same evaluation: told once.
        for told in dict.fromkeys(_evaluations(each.judged)):
            yield cut(f"     {told}", width)
        for flag in each.judged.flags:
            yield from flag_line(flag, width, "     ")


def _evaluations(judged: Governed) -> Iterator[str]:
    for change in judged.changes:
        for one in change.event.body["evaluations"]:
            score = "" if one["score"] is None else f" {one['score']:g}"
            yield printable(f"evaluated {one['suite']}, {one['metric']}{score}: {one['verdict']}")
