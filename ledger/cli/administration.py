"""The command `init`."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.options import home_option, json_option
from ledger.cli.output import print_json, print_table
from ledger.home import Home
from ledger.trust import TrustedKeys


@click.command(short_help="Make a new ledger.")
@home_option
@click.option("--name", default="audit.example.org", show_default=True, help="The ledger's name, for ever.")
@click.option(
    "--event-log", metavar="URL", help="kafka://HOST:PORT/TOPIC or sqlite:PATH. Default: embedded, in the home."
)
@click.option(
    "--key-store", metavar="URL", help="postgresql://USER@HOST/DATABASE?schema=NAME. Default: a file in the home."
)
@click.option("--partitions", type=click.IntRange(1, 4096), help="Partitions of the event log. Default: 1.")
@json_option
def init(
    home: Path, name: str, event_log: str | None, key_store: str | None, partitions: int | None, as_json: bool
) -> None:
    """Make a new ledger: configuration, master key, signing keys, event log.

    \b
    Examples:
      audit-ledger init --name audit.example.org
      audit-ledger init --event-log 'kafka://127.0.0.1:9092/audit?replication=1&min_isr=1' --partitions 4
      audit-ledger init --key-store 'postgresql://ledger@db.example.org/audit?schema=acme'
    """
    made = Home.create(home, name=name, event_log=event_log, key_store=key_store, partitions=partitions)
    config = made.config()
    trust = TrustedKeys.load(config.ledger.trust)
    keys = [{"role": key.role, "key": str(key.verifier)} for key in trust.keys]
    if as_json:
        print_json({"home": str(made.path), "name": name, "verifier_keys": keys})
        return
    click.echo(f"ledger {name} made in {made.path}")
    print_table(["role", "verifier key"], [[key["role"], key["key"]] for key in keys])
    click.echo("next: audit-ledger tenant add NAME, then audit-ledger up")
