"""Publishing Changes from the commands of `change`: the options, the sending, what is printed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ledger.changes.events import Occasion
from ledger.changes.naming import repository_name
from ledger.cli.changing_options import Looked, moment
from ledger.cli.changing_output import event_json, event_line
from ledger.cli.connecting import Connection, connection_options
from ledger.cli.options import (
    EXIT_FINDING,
    Command,
    gateway_address,
    gateway_config,
    home_option,
    json_option,
    to_option,
)
from ledger.cli.output import print_json
from ledger.cli.sending import GIVE_UP_S, Sender
from ledger.importers.records import Place
from ledger.tenants import ORG, check_tenant_name
from ledger.v1 import event_pb2 as pb


@dataclass(frozen=True, slots=True)
class Publishing:
    """Where events go, and what is the same for all of them."""

    home: Path
    to: str | None
    connection: Connection
    repository: str | None
    tenants: tuple[str, ...]
    ticket: str
    reason: str
    effective_at: str | None
    again: str
    wait: bool
    give_up_s: float
    dry_run: bool
    as_json: bool

    def occasion(self, looked: Looked, by: str = "") -> Occasion:
        """What every event says; `by`: who orders it, where that is not the commit's author."""
        for tenant in self.tenants:
            check_tenant_name(tenant)
        declaration = looked.commission.declaration
        return Occasion(
            repository_name(looked.repository, declaration, self.repository),
            self.tenants or declaration.tenants,
            self.ticket,
            self.reason,
            moment(self.effective_at, "--effective-at"),
            self.again,
            by,
        )


def publishing_options(command: Command) -> Command:
    """Where to, and what every event says; passed as `publishing: Publishing`."""

    def publishing(as_json: bool, **rest: Any) -> Any:
        names = (*Publishing.__slots__,)
        given = {name: rest.pop(name) for name in names if name in rest}
        return command(publishing=Publishing(as_json=as_json, **given), **rest)

    publishing.__name__, publishing.__doc__ = command.__name__, command.__doc__
    publishing.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    decorated: Any = publishing
    for option in (
        json_option,
        click.option("--dry-run", is_flag=True, help="Show what would be published; publish nothing."),
        click.option("--give-up", "give_up_s", type=click.FloatRange(0), default=GIVE_UP_S, show_default=True,
                     metavar="SECONDS", help="How long a gateway that is away or busy is tried again."),
        click.option("--wait", is_flag=True, help="Return when everything is sealed."),
        click.option("--again", default="", metavar="KEY",
                     help="Tells this time from an earlier one of the same commit, such as the run's id."),
        click.option("--effective-at", metavar="TIME", help="Default: when the gateway receives it."),
        click.option("--reason", default="", help="Why, in words; kept encrypted."),
        click.option("--ticket", default="", help="Ticket of this change."),
        click.option("--for-tenant", "tenants", multiple=True, metavar="T",
                     help="Whom it is for (repeatable). Default: as declared, else all tenants."),
        click.option("--repository", metavar="NAME",
                     help="The repository's name. Default: as declared, else that of its remote origin."),
        connection_options,
        to_option,
        home_option,
    ):  # fmt: skip
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


def publish_changes(events: Sequence[pb.Event], publishing: Publishing) -> None:
    """Publishes events into `_org`, or shows what would be published; exit code 1 where the gateway rejects one."""
    if publishing.dry_run:
        _show(events, publishing, {"dry_run": True})
        return
    if not events:
        _show(events, publishing, {"accepted": 0, "repeat": 0, "rejected": 0})
        return
    address = gateway_address(publishing.to, publishing.home)
    connection = publishing.connection.to(address, gateway_config(publishing.home))
    sender = Sender(address, ORG, publishing.give_up_s, connection)
    try:
        for _ in sender.send((Place("event", number), event) for number, event in enumerate(events, start=1)):
            pass
        checkpoints = sender.await_sealed() if publishing.wait else []
    finally:
        sender.close()
    counts = {name: sender.sent.counts.get(name, 0) for name in ("accepted", "repeat", "rejected")}
    _show(events, publishing, {**counts, "checkpoints": checkpoints})
    for each in sender.sent.refusals:
        click.echo(
            f"rejected: event {each.place.line}: {each.field + ': ' if each.field else ''}{each.reason}", err=True
        )
    if sender.sent.refusals:
        raise click.exceptions.Exit(EXIT_FINDING)


def _show(events: Sequence[pb.Event], publishing: Publishing, counts: dict[str, Any]) -> None:
    if publishing.as_json:
        print_json({**counts, "events": [event_json(each) for each in events]})
        return
    for each in events:
        click.echo(event_line(each))
    numbers = {name: value for name, value in counts.items() if isinstance(value, int) and name != "dry_run"}
    click.echo(
        ", ".join(f"{name}: {value}" for name, value in numbers.items()) or f"{len(events)} events, none published"
    )
    for checkpoint in counts.get("checkpoints", ()):
        click.echo(f"\nsealed; checkpoint:\n{checkpoint}", nl=False)
