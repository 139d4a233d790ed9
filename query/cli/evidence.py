"""The commands `checkpoint`, `prove` and `disclose`: evidence to take away."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import click

from ledger.cli.connecting import Connection, connection_options
from ledger.cli.options import OUTPUT_FILE, Command, home_option, json_option, tenant_option
from ledger.cli.output import print_json
from ledger.errors import Unavailable
from ledger.v1 import query_pb2
from query import plain
from query.cli import asking
from query.cli.answering import Asked, answer, question_options
from query.cli.asking import ask_option


@click.command(short_help="The newest signed checkpoints of a tenant's logs.")
@home_option
@tenant_option
@ask_option
@connection_options
@click.option("-o", "--output", type=OUTPUT_FILE, help="Write the signed note to this file; for a tenant with one log.")
@json_option
def checkpoint(
    home: Path, tenant: str, ask: str | None, connection: Connection, output: Path | None, as_json: bool
) -> None:
    """Print the newest signed checkpoint of each log of a tenant: a C2SP signed note.

    Keep it elsewhere: audit-ledger verify --since FILE then shows whether the ledger still goes on from it.

    \b
    Examples:
      audit-ledger checkpoint --tenant acme -o checkpoint.txt
      audit-ledger checkpoint --tenant acme --json
    """
    asked = Asked(home, tenant, None, None, "", "", connection=connection)
    if ask is not None:
        answered = asking.ask(asked, ask, "Checkpoint", query_pb2.CheckpointRequest())
        found, notes = json.loads(answered.json), list(answered.checkpoints)
    else:
        signed = answer(asked, lambda queries, _: queries.checkpoints(tenant))
        found, notes = [plain.checkpoint(each) for each in signed], [each.note for each in signed if each.note]
    if as_json:
        print_json(found)
    elif output is None:
        click.echo("\n".join(notes), nl=False)
    if len(notes) < len(found) or not found:
        raise Unavailable(f"tenant {tenant}: {'no signed note is there yet' if found else 'nothing is sealed yet'}")
    if output is not None:
        if len(notes) != 1:
            raise click.UsageError(f"--output: tenant {tenant} has {len(notes)} logs, and a file holds one checkpoint")
        output.write_text(notes[0], "utf-8")
        click.echo(f"checkpoint of {found[0]['size']} events written to {output}", err=True)


def index_option(command: Command) -> Command:
    """`--index N`, passed as `index: int | None`."""
    told = "Of several events of this id (a conflict), the one at this index of its log. Default: the first."
    return click.option("--index", type=click.IntRange(0), help=told)(command)


def tell_of_others(index: int, also_at: Sequence[int]) -> None:
    """A note that the id alone does not say which event is meant."""
    if also_at:
        others = ", ".join(map(str, also_at))
        told = f"this is the one at index {index}; --index names another: {others}"
        click.echo(f"note: {len(also_at) + 1} events of this id are sealed, {told}", err=True)


@click.command(short_help="An offline proof for one event.")
@click.argument("event_id", type=click.UUID)
@question_options
@ask_option
@index_option
@click.option("-o", "--output", type=OUTPUT_FILE, help="Write the proof to this file, the payload to FILE.payload.")
def prove(asked: Asked, as_json: bool, ask: str | None, event_id: UUID, index: int | None, output: Path | None) -> None:
    """Prove that an event is in its log: a C2SP tlog-proof bundle, with the signed checkpoint in it.

    The leaf is SHA-256(0x00 || payload); --json gives the payload in hex, -o writes it beside the proof.

    \b
    Examples:
      audit-ledger prove 01981b2e-7c1f-7d40-9c62-5a8f3e0b7a11 --tenant acme -o proof.txt
      audit-ledger prove 01981b2e-7c1f-7d40-9c62-5a8f3e0b7a11 --tenant acme --json
    """
    if ask is not None and index is not None:
        raise click.UsageError("--index works on a home, not with --ask")
    if ask is not None:
        request = query_pb2.ProveRequest(event_id=event_id.bytes)
        proven = json.loads(asking.ask(asked, ask, "Prove", request).json)
    else:
        found = answer(asked, lambda queries, reader: queries.prove(asked.tenant, event_id.bytes, reader, index))
        proven = found.to_json()
    tell_of_others(proven["index"], proven.get("also_at", ()))
    if output is not None:
        payload = output.with_name(output.name + ".payload")
        output.write_text(proven["proof"], "utf-8")
        payload.write_bytes(bytes.fromhex(proven["payload"]))
    if as_json:
        print_json(proven)
    elif output is None:
        click.echo(proven["proof"], nl=False)
    else:
        click.echo(f"event {event_id}, index {proven['index']} of {proven['log']}")
        click.echo(f"leaf {proven['leaf_hash']}")
        click.echo(f"proof written to {output}, payload to {payload}")
