"""What `publish` and `import` share: sending what a file holds, keeping receipts, waiting for the seal, the report."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ledger.canonical import blob
from ledger.cli.connecting import Connection, connection_options
from ledger.cli.options import (
    EXIT_FINDING,
    OUTPUT_FILE,
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
from ledger.cli.sending import GIVE_UP_S, Placed, Refusal, Sender, Sent


@dataclass(frozen=True, slots=True)
class Delivery:
    """Where to and how, as the options say."""

    home: Path
    tenant: str
    to: str | None
    connection: Connection
    wait: bool
    receipts: Path | None
    give_up_s: float
    as_json: bool

    def sender(self) -> Sender:
        """A connection to the gateway."""
        address = gateway_address(self.to, self.home)
        return Sender(address, self.tenant, self.give_up_s, self.connection.to(address, gateway_config(self.home)))


def delivery_options(command: Command) -> Command:
    """Home, tenant, gateway, connection, `--wait`, `--receipts`, `--give-up`, `--json`; passed as `delivery`."""

    def delivered(**given: Any) -> Any:
        own = {name: given.pop(name) for name in Delivery.__dataclass_fields__}
        return command(delivery=Delivery(**own), **given)

    delivered.__name__, delivered.__doc__ = command.__name__, command.__doc__
    delivered.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    decorated: Any = delivered
    for option in (json_option, _wait_options, connection_options, to_option, tenant_option, home_option):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def _wait_options(command: Command) -> Command:
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
    keeping = click.option("--receipts", type=OUTPUT_FILE, help="Append the signed receipts to this file.")
    return waiting(keeping(giving_up(command)))


def deliver(
    events: Iterator[Placed],
    delivery: Delivery,
    wrong: list[Refusal],
    counts: Mapping[str, int],
    sender: Callable[[], Sender] | None = None,
) -> None:
    """Sends the events and reports. `wrong` and `counts` are filled while `events` is read."""
    sending = (sender or delivery.sender)()
    try:
        try:
            with Progress("published", quiet=delivery.as_json) as progress:
                for done in sending.send(events):
                    progress.advance(done)
        finally:
            # What was acknowledged before giving up has its receipts too: sending it again brings no others.
            if delivery.receipts is not None:
                with open(delivery.receipts, "ab") as stream:
                    stream.writelines(blob.encode(receipt) for receipt in sending.sent.receipts)
        checkpoints = sending.await_sealed() if delivery.wait else []
    finally:
        sending.close()
    report(sending.sent, checkpoints, wrong, counts, as_json=delivery.as_json)


def report(
    sent: Sent, checkpoints: list[str], wrong: list[Refusal], counts: Mapping[str, int], *, as_json: bool
) -> None:
    """Says what became of everything; exit code 1 when something was refused."""
    ordered = _in_order(wrong, sent.refusals)
    refused = [
        {
            **({"file": each.place.file} if each.place.file else {}),
            "where": each.where,
            "line": each.place.line,
            "column": each.column,
            "field": each.field,
            "reason": each.reason,
        }
        for each in ordered
    ]
    totals = {**counts, **{name: sent.counts.get(name, 0) for name in ("accepted", "repeat")}, "rejected": len(refused)}
    if as_json:
        notes = [{"where": each.where, "line": each.place.line, "reason": each.reason} for each in sent.notes]
        noted = {"notes": notes} if notes else {}
        print_json({**totals, "refused": refused, **noted, "checkpoints": checkpoints})
    else:
        click.echo(", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in totals.items()))
        for each in ordered:
            click.echo(f"rejected: {each.where}: {each.field + ': ' if each.field else ''}{each.reason}", err=True)
        for each in sent.notes:
            click.echo(f"note: {each.where}: {each.reason}", err=True)
        for checkpoint in checkpoints:
            click.echo(f"\nsealed; checkpoint:\n{checkpoint}", nl=False)
    if refused:
        raise click.exceptions.Exit(EXIT_FINDING)


def _in_order(wrong: list[Refusal], refused: list[Refusal]) -> list[Refusal]:
    """By file, in the order in which files first came, then by line.

    Lines that are no events are found before the gateway answers for those above them.
    """
    files = {name: at for at, name in enumerate(dict.fromkeys(each.place.file for each in (*wrong, *refused)))}

    def place(each: Refusal) -> tuple[float, float, float]:
        at = each.place
        return files[at.file], math.inf if at.line is None else at.line, at.item or 0

    return sorted((*wrong, *refused), key=place)
