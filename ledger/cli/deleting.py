"""The command `tenant delete`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ledger.cli.options import OUTPUT_FILE, home_option, json_option, open_home, own_to_option
from ledger.cli.ordering import check_approvers, check_request, ordered, requesting
from ledger.cli.output import print_json, print_table, print_wrapped
from ledger.cli.rounds import CommandRounds
from ledger.cli.running import run
from ledger.config import LedgerConfig
from ledger.deletion.opening import Deleting, remains
from ledger.deletion.remains import files_of
from ledger.errors import Rejected
from ledger.home import OpenKeys
from ledger.keys.deletion_record import TenantDeletion
from ledger.keys.destruction import Request
from ledger.keys.holds import Holds
from ledger.note_time import note_time
from ledger.record.names import name
from ledger.segments.objects import FileStore
from ledger.tenants import SYSTEM, Tenant
from ledger.trust import TrustedKeys


@click.command(short_help="Delete a tenant: keys, contents, events, all but a signed final statement.")
@home_option
@own_to_option
@click.argument("tenant")
@ordered("DeleteTenant")
@requesting("Why; stands in clear in the final statement, so name no person.")
@click.option("--without-export", is_flag=True, help="Delete it though no recent export holds all of its events.")
@click.option("--dry-run", is_flag=True, help="Say what would be deleted and what stands in the way; change nothing.")
@click.option("--resume", is_flag=True, help="Go on with what was interrupted.")
@click.option("-o", "--output", type=OUTPUT_FILE, help="Write the final statement here.")
@json_option
def delete(
    home: Path,
    to: str | None,
    tenant: str,
    request: Request,
    without_export: bool,
    dry_run: bool,
    resume: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Close a tenant, destroy all of its keys, remove its events and contents, and print a signed final statement of
    the size and root of each of its logs. It can't be undone.

    No event of it is taken from the moment of the order. A legal hold on anybody in it refuses it; so does the lack of
    an export of at most 30 days that holds every event, unless --without-export says otherwise. --reason stands in
    clear in the final statement: name no person. It takes about a minute more than the work itself, because gateways
    and readers must have heard of it. What is interrupted goes on with --resume, and only when nothing is left it is
    called done.

    \b
    Examples:
      audit-ledger tenant delete acme --dry-run
      audit-ledger tenant delete acme --reason 'contract ended' --legal-ground 'contract 17, section 9' -o final.txt
      audit-ledger tenant delete acme --resume
    """
    opened = open_home(home)
    config = opened.config()
    with opened.keys(config) as keys:
        deleting = Deleting(opened, config, keys, CommandRounds(opened.path, quiet=as_json), to)
        if dry_run:
            _show_plan(_plan(config, keys, deleting, _tenant(keys, tenant)), as_json)
            return
        if resume:
            if without_export:
                deleting.deletions.go_without_export(tenant)
        else:
            _order(config, keys, deleting, tenant, request, without_export)
        done = run(deleting.proceeding(_teller(as_json)).go_on(tenant))
    if output is not None:
        output.write_text(done.statement, "utf-8")
    if as_json:
        print_json(_row(done))
    else:
        click.echo(done.statement, nl=False)


def _order(
    config: LedgerConfig, keys: OpenKeys, deleting: Deleting, tenant: str, request: Request, without_export: bool
) -> None:
    """Everything that can stand in the way is looked at before the tenant is closed."""
    check_request(request)
    check_approvers(config, request, "a tenant's deletion")
    if not request.reason:
        raise Rejected("reason", "is required: it stands in the final statement")
    name(request.reason, "reason")
    found = _tenant(keys, tenant)
    if found.state == "open" and not without_export:
        deleting.check_export(found, deleting.endings.of(found))
    deleting.deletions.close(tenant, request, without_export=without_export)


def _plan(config: LedgerConfig, keys: OpenKeys, deleting: Deleting, tenant: Tenant) -> dict[str, Any]:
    """What would be deleted, and what stands in the way."""
    store, trust = FileStore(config.ledger.segments), lambda: TrustedKeys.load(config.ledger.trust)
    ends = deleting.endings.of(tenant)
    files = files_of(store, trust, tenant)
    holds = Holds(keys.database, keys.master).all(tenant.name) if tenant.state in ("open", "closing") else []
    in_the_way = [f"legal hold {each.hold_id}" for each in holds if each.stands]
    if tenant.state == "open":
        try:
            deleting.check_export(tenant, ends)
        except Rejected as error:
            in_the_way.append(str(error))
    ordered_before = deleting.deletions.find(tenant.name)
    return {
        "tenant": tenant.name,
        "state": tenant.state,
        "phase": None if ordered_before is None else ordered_before.phase,
        "logs": [{"origin": end.log.origin, "events": end.head.size} for end in ends],
        "files": len(files),
        "bytes": sum(store.path(each).stat().st_size for each in files if store.exists(each)),
        "keys": deleting.deletions.count(tenant.name),
        "in_the_way": in_the_way,
        "remains": list(remains(config)),
    }


def _show_plan(plan: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(plan)
        return
    click.echo(", ".join(each for each in (f"tenant {plan['tenant']}", plan["state"], plan["phase"]) if each))
    print_table(["log", "events"], [[each["origin"], each["events"]] for each in plan["logs"]], right=["events"])
    click.echo(f"{plan['files']:,} files hold rows of it, {plan['bytes']:,} bytes, some with rows of other tenants too")
    print_table(["keys", "number"], [[what, count] for what, count in plan["keys"].items()], right=["number"])
    for each in plan["in_the_way"]:
        print_wrapped(f"in the way: {each}")
    for each in plan["remains"]:
        print_wrapped(f"would remain: {each}")


def _tenant(keys: OpenKeys, tenant: str) -> Tenant:
    found = keys.tenants.get(tenant)
    if found is None or tenant == SYSTEM:
        raise Rejected("tenant", f"there is no tenant {tenant}")
    return found


def _teller(as_json: bool) -> Callable[[str], None]:
    return lambda step: click.echo(step, err=True) if not as_json else None


def _row(done: TenantDeletion) -> dict[str, Any]:
    return {
        "tenant": done.tenant,
        "id": done.deletion_id.hex(),
        "phase": done.phase,
        "closed": note_time(done.closed_at_ms),
        "keys_destroyed": dict(done.counts),
        "keys_destroyed_at": note_time(done.destroyed_at_ms or 0),
        "statement": done.statement,
    }
