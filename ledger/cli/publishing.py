"""The commands `publish` and `import`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import click

from ledger.canonical import blob
from ledger.cli.connecting import Connection, connection_options
from ledger.cli.event_lines import NotAnEvent, parse_line
from ledger.cli.options import (
    EXIT_FINDING,
    Command,
    gateway_address,
    gateway_config,
    home_option,
    json_option,
    tenant_option,
    to_option,
)
from ledger.cli.output import print_json
from ledger.cli.progress import Progress
from ledger.cli.sending import GIVE_UP_S, Refusal, Sender, Sent
from ledger.errors import Rejected
from ledger.importers.openai_chat import read_conversations
from ledger.v1 import event_pb2 as pb


def _wait_option(command: Command) -> Command:
    """`--wait`, `--receipts FILE` and `--give-up SECONDS`."""
    waiting = click.option("--wait", is_flag=True, help="Return when everything is sealed; print the checkpoints.")
    giving_up = click.option(
        "--give-up",
        "give_up_s",
        type=click.FloatRange(0),
        default=GIVE_UP_S,
        show_default=True,
        metavar="SECONDS",
        help="How long a gateway that is away or busy is tried again.",
    )
    keeping = click.option(
        "--receipts", type=click.Path(path_type=Path, dir_okay=False), help="Append the signed receipts to this file."
    )
    return giving_up(keeping(waiting(command)))


@click.command(short_help="Publish events from JSON Lines.")
@click.argument("file", type=click.File("rb"))
@home_option
@tenant_option
@to_option
@connection_options
@_wait_option
@json_option
def publish(
    file: BinaryIO,
    home: Path,
    tenant: str,
    to: str | None,
    connection: Connection,
    wait: bool,
    receipts: Path | None,
    give_up_s: float,
    as_json: bool,
) -> None:
    """Publish FILE (or - for standard input): one event a line, in protobuf's JSON form.

    Bytes are base64. Lines that are no events and events that the gateway rejects are listed in the order of their
    lines, with column or field, and make the exit code 1; everything else is published.

    \b
    Examples:
      audit-ledger publish events.jsonl --tenant acme --to 127.0.0.1:7443 --wait
      cat events.jsonl | audit-ledger publish - --tenant acme
    """
    wrong: list[Refusal] = []

    def events() -> Iterator[tuple[int, pb.Event]]:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                event = parse_line(line)
            except NotAnEvent as error:
                wrong.append(Refusal(number, error.field, f"no event: {error.reason}", error.column))
            else:
                yield number, event

    _send(events(), _sender(to, home, tenant, give_up_s, connection), wait, receipts, as_json, wrong, {})


@click.group(name="import", short_help="Import conversations and logs you already have.")
def import_() -> None:
    """Import what you already have. Importing the same file again adds nothing."""


@import_.command(name="openai-chat")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@home_option
@tenant_option
@to_option
@connection_options
@click.option("--occurred-at", help="When the conversations took place, RFC 3339. Default: unknown, and said so.")
@click.option("--dry-run", is_flag=True, help="Read and count, publish nothing.")
@_wait_option
@json_option
def openai_chat(
    file: Path,
    home: Path,
    tenant: str,
    to: str | None,
    connection: Connection,
    occurred_at: str | None,
    dry_run: bool,
    wait: bool,
    receipts: Path | None,
    give_up_s: float,
    as_json: bool,
) -> None:
    """Import conversations in OpenAI chat format: JSON Lines, gzipped or not, one conversation a line.

    \b
    Examples:
      audit-ledger import openai-chat conversations.jsonl.gz --tenant acme --to 127.0.0.1:7443 --wait
      audit-ledger import openai-chat conversations.jsonl --tenant acme --dry-run
    """
    counts = {"conversations": 0, "requests": 0, "tool_calls": 0}
    wrong: list[Refusal] = []
    at = _moment(occurred_at)

    def events() -> Iterator[tuple[int, pb.Event]]:
        try:
            for conversation in read_conversations(file, at):
                counts["conversations"] += 1
                for event in conversation.events:
                    counts["requests" if event.HasField("request") else "tool_calls"] += 1
                    yield conversation.line, event
        except Rejected as error:
            wrong.append(_refused_line(error))

    if dry_run:
        for _ in events():
            pass
        _report(Sent(), [], as_json, wrong, counts)
    else:
        _send(events(), _sender(to, home, tenant, give_up_s, connection), wait, receipts, as_json, wrong, counts)


def _sender(to: str | None, home: Path, tenant: str, give_up_s: float, connection: Connection) -> Sender:
    address = gateway_address(to, home)
    return Sender(address, tenant, give_up_s, connection.to(address, gateway_config(home)))


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError("--occurred-at: expected an RFC 3339 time such as 2024-05-15T15:00:00Z") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _refused_line(error: Rejected) -> Refusal:
    """What the importer says, its line taken out of the field's path."""
    line, _, field = error.field.partition(": ")
    number = line.removeprefix("line ")
    return Refusal(int(number), field, error.reason) if number.isdecimal() else Refusal(None, error.field, error.reason)


def _send(
    events: Iterator[tuple[int, pb.Event]],
    sender: Sender,
    wait: bool,
    receipts: Path | None,
    as_json: bool,
    wrong: list[Refusal],
    counts: dict[str, int],
) -> None:
    try:
        try:
            with Progress("published", quiet=as_json) as progress:
                for done in sender.send(events):
                    progress.advance(done)
        finally:
            # What was acknowledged before giving up has its receipts too: sending it again brings no others.
            if receipts is not None:
                with open(receipts, "ab") as stream:
                    stream.writelines(blob.encode(receipt) for receipt in sender.sent.receipts)
        checkpoints = sender.await_sealed() if wait else []
    finally:
        sender.close()
    _report(sender.sent, checkpoints, as_json, wrong, counts)


def _report(sent: Sent, checkpoints: list[str], as_json: bool, wrong: list[Refusal], counts: dict[str, int]) -> None:
    # Lines that are no events are found before the gateway answers for those above them.
    ordered = sorted((*wrong, *sent.refusals), key=lambda each: math.inf if each.line is None else each.line)
    refused = [
        {"where": each.where, "line": each.line, "column": each.column, "field": each.field, "reason": each.reason}
        for each in ordered
    ]
    totals = {**counts, **{name: sent.counts.get(name, 0) for name in ("accepted", "repeat")}, "rejected": len(refused)}
    if as_json:
        print_json({**totals, "refused": refused, "checkpoints": checkpoints})
    else:
        click.echo(", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in totals.items()))
        for each in ordered:
            click.echo(f"rejected: {each.where}: {each.field + ': ' if each.field else ''}{each.reason}", err=True)
        for checkpoint in checkpoints:
            click.echo(f"\nsealed; checkpoint:\n{checkpoint}", nl=False)
    if refused:
        raise click.exceptions.Exit(EXIT_FINDING)
