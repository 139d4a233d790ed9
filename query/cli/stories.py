"""The commands `reconstruct`, `replay` and `find`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import click

from ledger.cli.options import EXIT_FINDING, Command
from ledger.cli.output import print_json, width
from ledger.record.payload import KINDS
from ledger.v1 import query_pb2
from query import plain, render, render_timeline
from query.cli import asking
from query.cli.answering import MOMENT, Asked, answer, question_options
from query.cli.asking import ask_option
from query.find import LIMIT_DEFAULT, LIMIT_MAX, Filters
from query.story import Selector, SelectorKind, Window
from query.told_once import told_once

_KINDS: tuple[SelectorKind, ...] = ("user", "session", "correlation", "event")


@dataclass(frozen=True, slots=True)
class _Sought:
    """What a story is looked up by, in which bounds, and how much of it is opened."""

    selector: Selector
    window: Window
    known_at: datetime | None
    metadata_only: bool


def _sought_options(command: Command) -> Command:
    """What a story is looked up by, and in which bounds; passed as `sought: _Sought`."""

    def with_sought(
        start: datetime | None, end: datetime | None, known_at: datetime | None, metadata_only: bool, **rest: Any
    ) -> Any:
        selector = _selector({kind: rest.pop(kind) for kind in _KINDS})
        return command(sought=_Sought(selector, Window(start, end), known_at, metadata_only), **rest)

    with_sought.__name__, with_sought.__doc__ = command.__name__, command.__doc__
    with_sought.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    decorated: Any = with_sought
    options = (
        click.option("--user", help="Everything about this person, by the identifier the services use."),
        click.option("--session", help="One session."),
        click.option("--correlation", help="One correlation id."),
        click.option("--event", metavar="UUID", help="One event and what belongs to it."),
        click.option("--from", "start", type=MOMENT, help="Only what began then or later."),
        click.option("--until", "end", type=MOMENT, help="Only what began before."),
        click.option("--known-at", type=MOMENT, help="Only what was sealed by then."),
        click.option("--metadata-only", is_flag=True, help="Leave contents closed."),
    )
    for option in reversed(options):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def _selector(given: dict[SelectorKind, str | None]) -> Selector:
    """The one that was given."""
    chosen = [(kind, value) for kind, value in given.items() if value is not None]
    if len(chosen) != 1:
        raise click.UsageError("expected exactly one of --user, --session, --correlation, --event")
    return Selector(*chosen[0])


def _asked_there(
    asked: Asked, address: str, method: str, message: Any, sought: _Sought, as_json: bool, **moments: datetime | None
) -> None:
    """The answer of the query service at `address`, printed."""
    message.metadata_only = sought.metadata_only
    request = asking.told(message, sought.selector, sought.window, as_json, known_at=sought.known_at, **moments)
    found = asking.ask(asked, address, method, request)
    asking.show(found, as_json, proven=found.proven)


def _require_proven(proven: bool) -> None:
    if not proven:
        raise click.exceptions.Exit(EXIT_FINDING)


@click.command(short_help="What happened, what governed it, and the proof of each event.")
@question_options
@ask_option
@_sought_options
@click.option(
    "--effective-at",
    type=MOMENT,
    help="Judge every step by what was in force then. Default: each step at its own time.",
)
def reconstruct(
    asked: Asked,
    as_json: bool,
    ask: str | None,
    sought: _Sought,
    effective_at: datetime | None,
) -> None:
    """Reconstruct a user's, session's, case's or event's story: each step with model, prompt and its approved text,
    input, output, tools, who had approved what, and the proof of each event.

    Exit code 1 when an event of it is not proven. A story of more than 10,000 events is refused: bound it with --from
    and --until.

    Two times, each by itself: --known-at leaves out all that was sealed later (what could be known then?);
    --effective-at names the moment whose prompts, models and policies every step is judged by (which rules apply?),
    as Changes claim it. What was claimed long after the fact is flagged as backdated.

    For people, what governed a step is told in full where it first takes part; --json tells it with every step.

    \b
    Examples:
      audit-ledger reconstruct --user mia_lindqvist --tenant acme --case INC-2207
      audit-ledger reconstruct --session chat-1002 --tenant acme --known-at 2026-05-15T15:00:00Z --json
      audit-ledger reconstruct --user mia_lindqvist --tenant acme --case INC-2207 --reason "complaint 881" \
        --ask audit.example.org:7444 --ca system --token-file token.jwt
      audit-ledger reconstruct --user mia_lindqvist --tenant acme --known-at 2026-06-01 --effective-at 2026-05-15
    """
    if ask is not None:
        message = query_pb2.ReconstructRequest()
        _asked_there(asked, ask, "Reconstruct", message, sought, as_json, effective_at=effective_at)
        return
    told = answer(
        asked,
        lambda queries, reader: queries.reconstruct(
            asked.tenant,
            sought.selector,
            reader,
            window=sought.window,
            known_at=sought.known_at,
            effective_at=effective_at,
            metadata_only=sought.metadata_only,
        ),
    )
    if as_json:
        print_json(plain.story(told))
    else:
        click.echo(render.story(told_once(told), width()), nl=False)
    _require_proven(told.proven)


@click.command(short_help="An incident as a timeline, with the state of what governed it.")
@question_options
@ask_option
@_sought_options
@click.option("--state-at", type=MOMENT, help="State of prompts, models and policies then. Default: at the last event.")
def replay(
    asked: Asked,
    as_json: bool,
    ask: str | None,
    sought: _Sought,
    state_at: datetime | None,
) -> None:
    """Replay an incident: one line an event, what was started and never ended, and which prompt, model and policy were
    in effect, since when and by whom.

    Exit code 1 when an event of it is not proven. One of more than 10,000 events is refused: bound it with --from and
    --until.

    \b
    Examples:
      audit-ledger replay --correlation case-chat-1002 --tenant acme
      audit-ledger replay --user mia_lindqvist --tenant acme --state-at 2026-05-15T15:00:00Z --json
    """
    if ask is not None:
        message = query_pb2.ReplayRequest()
        _asked_there(asked, ask, "Replay", message, sought, as_json, state_at=state_at)
        return
    told = answer(
        asked,
        lambda queries, reader: queries.replay(
            asked.tenant,
            sought.selector,
            reader,
            window=sought.window,
            known_at=sought.known_at,
            state_at=state_at,
            metadata_only=sought.metadata_only,
        ),
    )
    if as_json:
        print_json(told.to_json())
    else:
        click.echo(render_timeline.replay(told, width()), nl=False)
    _require_proven(told.story.proven)


@click.command(short_help="Events by kind, time, vendor, model, tool or policy: metadata only.")
@question_options
@ask_option
@click.option("--kind", "kinds", multiple=True, type=click.Choice(list(KINDS)), help="Of this kind; can be repeated.")
@click.option("--vendor", help="Requests to this vendor.")
@click.option("--model", help="Requests of this model, asked for or answered.")
@click.option("--tool", help="Calls of this tool.")
@click.option("--policy-version", help="Captured or decided under this version of a policy.")
@click.option("--from", "start", type=MOMENT, help="Only what happened from then on.")
@click.option("--until", "end", type=MOMENT, help="Only what happened before.")
@click.option("--known-at", type=MOMENT, help="Only what was sealed by then.")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=LIMIT_DEFAULT, show_default=True)
def find(
    asked: Asked,
    as_json: bool,
    ask: str | None,
    kinds: tuple[str, ...],
    vendor: str | None,
    model: str | None,
    tool: str | None,
    policy_version: str | None,
    start: datetime | None,
    end: datetime | None,
    known_at: datetime | None,
    limit: int,
) -> None:
    """Find events; their contents stay closed. The first --limit of them, by when they were received.

    Exit code 1 when one of them is not proven.

    \b
    Examples:
      audit-ledger find --tenant acme --tool issue_refund
      audit-ledger find --tenant acme --kind change --from 2026-05-01T00:00:00Z --json
      audit-ledger find --tenant acme --kind finding --known-at 2026-05-15T15:00:00Z
    """
    filters = Filters(kinds, Window(start, end), vendor, model, tool, policy_version)
    if ask is not None:
        answered = asking.ask(asked, ask, "Find", asking.found(filters, limit, as_json, known_at))
        proven = all(each.proof_state == query_pb2.PROOF_STATE_PROVEN for each in answered.events)
        asking.show(answered, as_json, proven=proven)
        return
    found = answer(asked, lambda queries, reader: queries.find(asked.tenant, filters, reader, limit, known_at=known_at))
    if as_json:
        print_json(found.to_json())
    else:
        click.echo(render_timeline.finds(found, width()), nl=False)
    if not found.proven:
        raise click.exceptions.Exit(EXIT_FINDING)
