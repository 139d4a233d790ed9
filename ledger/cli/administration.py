"""The commands `init` and `tenant`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ledger.cli.options import home_option, json_option, open_home
from ledger.cli.output import print_json, print_table
from ledger.home import Home
from ledger.note import VerifierKey
from ledger.tenants import Tenant
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


@click.group(short_help="Add, list and show tenants.")
def tenant() -> None:
    """Add, list and show tenants. A tenant has a log of its own (or several shards), fixed when it is made."""


@tenant.command()
@home_option
@click.argument("name")
@click.option("--shards", type=click.IntRange(1, 256), default=1, show_default=True, help="Logs for a hot tenant.")
@json_option
def add(home: Path, name: str, shards: int, as_json: bool) -> None:
    """Make a tenant. Its log ids are told to the tenant and its auditors.

    \b
    Example:
      audit-ledger tenant add acme
    """
    opened = open_home(home)
    config = opened.config()
    with opened.keys(config) as keys:
        made = keys.tenants.add(name, shards)
        trust = opened.write_trust(config, keys)
    _show(made, trust, as_json)


@tenant.command(name="list")
@home_option
@json_option
def list_(home: Path, as_json: bool) -> None:
    """List all tenants, the reserved ones (_org, _system) too.

    \b
    Example:
      audit-ledger tenant list --json
    """
    opened = open_home(home)
    config = opened.config()
    with opened.keys(config) as keys:
        found = keys.tenants.all()
    rows = [[each.name, len(each.logs), each.created_at.isoformat(timespec="seconds")] for each in found]
    if as_json:
        print_json([{"tenant": name, "shards": shards, "created_at": at} for name, shards, at in rows])
    else:
        print_table(["tenant", "shards", "created"], rows, right=["shards"])


@tenant.command()
@home_option
@click.argument("name")
@json_option
def show(home: Path, name: str, as_json: bool) -> None:
    """Show a tenant's logs and the keys that its checkpoints verify under.

    \b
    Example:
      audit-ledger tenant show acme --json
    """
    opened = open_home(home)
    config = opened.config()
    with opened.keys(config) as keys:
        found = keys.tenants.get(name)
        trust = TrustedKeys.load(config.ledger.trust)
    if found is None:
        raise click.UsageError(f"tenant {name} is unknown; audit-ledger tenant add {name} makes it")
    _show(found, trust, as_json)


def _show(tenant: Tenant, trust: TrustedKeys, as_json: bool) -> None:
    logs: list[dict[str, Any]] = [
        {
            "shard": log.shard,
            "partition": log.partition,
            "log_id": log.log_id.hex(),
            "origin": log.origin,
            "verifier_keys": [str(VerifierKey(log.origin, key.public_key)) for key in trust.for_role("ledger")],
        }
        for log in tenant.logs
    ]
    if as_json:
        print_json({"tenant": tenant.name, "logs": logs})
        return
    click.echo(f"tenant {tenant.name}")
    for log in logs:
        click.echo(f"  shard {log['shard']} in partition {log['partition']}: origin {log['origin']}")
        for key in log["verifier_keys"]:
            click.echo(f"    verifier key {key}")
