"""The command group `tenant`: making tenants and looking at them. Export and deletion have modules of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ledger.cli.lazy import LazyGroup
from ledger.cli.options import home_option, json_option, open_home
from ledger.cli.ordering import requester_option
from ledger.cli.output import print_json, print_table
from ledger.errors import Rejected
from ledger.final_statement import open_final_statement
from ledger.keys.tenant_deletion import TenantDeletions, Waits
from ledger.operations import Operations, Outcome
from ledger.tenants import ORG, Tenant
from ledger.tlog.note import VerifierKey
from ledger.trust import TrustedKeys

_ELSEWHERE = {"export": "ledger.cli.exporting:export", "delete": "ledger.cli.deleting:delete"}


@click.group(cls=LazyGroup, places=_ELSEWHERE, short_help="Add, list, show, export and delete tenants.")
def tenant() -> None:
    """Add, list, show, export and delete tenants. A tenant has a log of its own (or several shards), fixed when it is
    made. docs/TENANTS.md tells of their end."""


@tenant.command()
@home_option
@click.argument("name")
@click.option("--shards", type=click.IntRange(1, 256), default=1, show_default=True, help="Logs for a hot tenant.")
@requester_option
@json_option
def add(home: Path, name: str, shards: int, requester: str, as_json: bool) -> None:
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
        how = Outcome(f"tenant {name} added", shards)
        Operations(keys.database).note(ORG, "configuration", "tenants", requester, how)
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
    columns = ["tenant", "shards", "state", "created_at"]
    rows = [[each.name, len(each.logs), each.state, each.created_at.isoformat(timespec="seconds")] for each in found]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table(columns, rows, right=["shards"])


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


@tenant.command(short_help="Print the final statement of a deleted tenant.")
@home_option
@click.argument("name", required=False)
@click.option(
    "--check",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Check a final statement against a trust file, and do nothing else.",
)
@click.option(
    "--trust",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Public keys, instead of the home's file.",
)
@json_option
def statement(home: Path, name: str | None, check: Path | None, trust: Path | None, as_json: bool) -> None:
    """Print the signed final statement of a tenant whose deletion is done; or check one, for which no home is needed.

    \b
    Examples:
      audit-ledger tenant statement acme > final.txt
      audit-ledger tenant statement --check final.txt --trust trust.json
    """
    if (name is None) == (check is None):
        raise click.UsageError("expected NAME, or --check FILE")
    if check is not None:
        note = check.read_text("utf-8")
    else:
        opened = open_home(home)
        config = opened.config()
        with opened.keys(config) as keys:
            found = TenantDeletions(keys.database, keys.master, Waits(0.0, 0.0)).find(name or "")
        if found is None or not found.finished:
            told = "was not deleted" if found is None else f"is being deleted: {found.phase}"
            raise Rejected("tenant", f"{name} {told}; there is no final statement")
        note = found.statement
    said = open_final_statement(note, TrustedKeys.load(trust or open_home(home).config().ledger.trust))
    if as_json:
        logs = [{"origin": log.origin, "size": log.size, "root": log.root.hex()} for log in said.logs]
        print_json({"ledger": said.ledger, "tenant": said.tenant, "logs": logs, "statement": note})
    else:
        click.echo(note if check is None else f"signed by {said.ledger}:\n\n{said.text()}", nl=False)


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
        print_json({"tenant": tenant.name, "state": tenant.state, "logs": logs})
        return
    click.echo(f"tenant {tenant.name}{'' if tenant.state == 'open' else f', {tenant.state}'}")
    for log in logs:
        click.echo(f"  shard {log['shard']} in partition {log['partition']}: origin {log['origin']}")
        for key in log["verifier_keys"]:
            click.echo(f"    verifier key {key}")
