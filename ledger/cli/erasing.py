"""The commands `erase`, `expire` and `hold`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import click

from ledger import __version__
from ledger.cli.options import OUTPUT_FILE, home_option, json_option, open_home, own_to_option
from ledger.cli.ordering import check_approvers, check_request, ordered, request_options
from ledger.cli.output import print_json, print_table
from ledger.cli.rounds import CommandRounds
from ledger.cli.running import run
from ledger.config import LedgerConfig
from ledger.erasure.certificate import check_certificate
from ledger.erasure.events import events_of, hold_event
from ledger.erasure.months import expired_months
from ledger.erasure.opening import Erasing
from ledger.errors import Rejected
from ledger.home import OpenKeys
from ledger.keys.destruction import Destruction, Held, Request
from ledger.keys.holds import Hold
from ledger.policy import Policy
from ledger.policy.file import PolicyFile
from ledger.policy.register import PolicyRegister
from ledger.record.names import name
from ledger.tenants import SYSTEM, Tenant
from ledger.trust import TrustedKeys


@click.command(short_help="Erase a person: destroy her keys, for ever.")
@home_option
@own_to_option
@click.option("--tenant", envvar="AUDIT_LEDGER_TENANT", help="The tenant.")
@click.option("--subject", multiple=True, metavar="ID", help="The person's identifier; - reads it from standard input.")
@ordered("Erase")
@request_options
@click.option("--keep-shared", is_flag=True, help="Keep contents of sessions that other persons are linked to as well.")
@click.option("--now", is_flag=True, help="Remove the unreadable contents from the segments at once.")
@click.option("--resume", is_flag=True, help="Go on with what was interrupted, and begin nothing.")
@click.option(
    "--check",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Check a certificate against the ledger's trusted keys, and do nothing else.",
)
@click.option("-o", "--output", type=OUTPUT_FILE, help="Write the certificate here.")
@json_option
def erase(
    home: Path,
    to: str | None,
    tenant: str | None,
    subject: tuple[str, ...],
    request: Request,
    keep_shared: bool,
    now: bool,
    resume: bool,
    check: Path | None,
    output: Path | None,
    as_json: bool,
) -> None:
    """Destroy all keys of a person, so that nobody can read her contents any more, and publish an Erasure event.

    Her contents are unreadable everywhere at once when the keys are gone: in the event log, segments, indexes and
    backups of them. The next `compact` removes them from the segments, --now does so here. Proofs stay whole, and all
    events stay, under a pseudonym that leads to nobody. It can't be undone. A legal hold refuses it.

    It takes as long as caches may hold keys (30 s). What is interrupted is finished by the next `erase`.

    \b
    Examples:
      audit-ledger erase --tenant acme --subject mia_li_3668 --legal-ground 'GDPR Art. 17' --reason 'letter of 3 May'
      audit-ledger erase --tenant acme --subject - --approver paul --now --output certificate.txt < subject.txt
      audit-ledger erase --resume
      audit-ledger erase --check certificate.txt
    """
    opened = open_home(home)
    config = opened.config()
    if check is not None:
        _check(check, TrustedKeys.load(config.ledger.trust), as_json)
        return
    if resume == bool(subject) or (subject and tenant is None):
        raise click.UsageError("expected --tenant and --subject, or --resume, or --check")
    persons = tuple(sys.stdin.readline().strip() if each == "-" else each for each in subject)
    _check_request(config, request, persons)
    with opened.keys(config) as keys:
        erasing = Erasing(opened, config, keys, to)
        done = run(_finish_all(erasing, as_json))
        if persons and tenant is not None:
            marked = erasing.destructions.mark_persons(
                tenant,
                persons,
                request,
                keep_shared=keep_shared,
                may_destroy=_not_with_held(erasing, _tenant(keys, tenant)),
            )
            done.append(run(erasing.proceeding(_teller(as_json)).go_on(marked.destruction_id)))
        _show(erasing, keys, done, output, as_json)
        _say_what_is_left(keys, done)
    if now and done:
        CommandRounds(opened.path, quiet=as_json).remove_now()


@click.command(short_help="Destroy what is past its retention.")
@home_option
@own_to_option
@click.option("--tenant", help="Only this tenant. Default: all.")
@click.option("--dry-run", is_flag=True, help="Say what would expire, and change nothing.")
@request_options
@json_option
def expire(home: Path, to: str | None, tenant: str | None, dry_run: bool, request: Request, as_json: bool) -> None:
    """Destroy the keys of every retention class and month that is past the time the capture policy gives it: the one
    that a gateway took last. A policy.toml that says something else decides nothing here before a gateway takes it.

    The contents are unreadable at once and leave the segments with the next `compact`; the events stay. A month in
    which anybody is under a legal hold is left, and named; then the exit code is 1.

    \b
    Examples:
      audit-ledger expire --dry-run
      audit-ledger expire --legal-ground 'retention schedule 2026'
    """
    opened = open_home(home)
    config = opened.config()
    _check_request(config, request, ())
    held: list[str] = []
    with opened.keys(config) as keys:
        policy = _in_force(keys, config.ledger.capture_policy)
        erasing = Erasing(opened, config, keys, to)
        done = [] if dry_run else run(_finish_all(erasing, as_json))
        past = [] if policy is None else expired_months(keys.database, policy, tenant)
        due = [each for each in past if _is_open(keys, each.tenant)]
        if dry_run:
            _show_due([(each.tenant, each.retention_class, each.month, each.scopes) for each in due], as_json)
            return
        for each in due:
            try:
                marked = erasing.destructions.mark_month(each.tenant, each.retention_class, each.month, request)
            except Held as hold:
                held.append(f"{each.tenant}, class {each.retention_class}, month {each.month}: {hold}")
                continue
            if marked is not None:
                done.append(run(erasing.proceeding(_teller(as_json)).go_on(marked.destruction_id)))
        _show(erasing, keys, done, None, as_json)
        _say_what_is_left(keys, done)
    for line in held:
        click.echo(line, err=True)
    if held:
        raise click.exceptions.Exit(1)


def _in_force(keys: OpenKeys, path: Path) -> Policy | None:
    """The policy by which keys are destroyed for ever: the one that governs, not what somebody wrote into the file."""
    policy = PolicyRegister(keys.database).newest()
    if policy is not None and sha256(PolicyFile(path).read()).digest() != policy.sha256:
        click.echo(f"note: {path} is not the policy in force; {policy.identity}, which is, decides here", err=True)
    return policy


@click.group(short_help="Place, release and list legal holds.")
def hold() -> None:
    """Place, release and list legal holds. A hold forbids the erasure of a person and the expiry of her months."""


@hold.command()
@home_option
@own_to_option
@click.option("--tenant", required=True, envvar="AUDIT_LEDGER_TENANT", help="The tenant.")
@click.option("--subject", required=True, metavar="ID", help="The person's identifier.")
@click.argument("hold_id")
@ordered("Hold")
@request_options
def add(home: Path, to: str | None, tenant: str, subject: str, hold_id: str, request: Request) -> None:
    """Forbid that anything of a person is erased or expires, until HOLD_ID is released.

    \b
    Example:
      audit-ledger hold add CASE-2026-17 --tenant acme --subject mia_li_3668 --legal-ground 'court order 17/26'
    """
    _change_hold(home, to, hold_id, request, lambda erasing: erasing.holds.place(tenant, hold_id, subject, request))


@hold.command()
@home_option
@own_to_option
@click.option("--tenant", required=True, envvar="AUDIT_LEDGER_TENANT", help="The tenant.")
@click.argument("hold_id")
@ordered("Hold")
@request_options
def release(home: Path, to: str | None, tenant: str, hold_id: str, request: Request) -> None:
    """End a hold. What it forbade is allowed again, and does not happen by itself.

    \b
    Example:
      audit-ledger hold release CASE-2026-17 --tenant acme --legal-ground 'case closed'
    """
    _change_hold(home, to, hold_id, request, lambda erasing: erasing.holds.release(tenant, hold_id, request))


@hold.command("list")
@home_option
@click.option("--tenant", required=True, envvar="AUDIT_LEDGER_TENANT", help="The tenant.")
@json_option
def list_(home: Path, tenant: str, as_json: bool) -> None:
    """Show a tenant's holds, released ones too.

    \b
    Example:
      audit-ledger hold list --tenant acme
    """
    opened = open_home(home)
    config = opened.config()
    with opened.keys(config) as keys:
        _tenant(keys, tenant)
        found = Erasing(opened, config, keys).holds.all(tenant)
    rows = [
        {
            "hold": each.hold_id,
            "pseudonym": each.pseudonym.hex(),
            "stands": each.stands,
            "by": each.request.requester,
            "legal_ground": each.request.legal_ground,
            "recorded": each.recorded,
        }
        for each in found
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(list(rows[0]), [list(row.values()) for row in rows])
    else:
        click.echo("no holds")


def _change_hold(home: Path, to: str | None, hold_id: str, request: Request, change: Callable[[Erasing], Hold]) -> None:
    opened = open_home(home)
    config = opened.config()
    name(hold_id, "hold_id")
    _check_request(config, request, ())
    with opened.keys(config) as keys:
        erasing = Erasing(opened, config, keys, to)
        changed = change(erasing)
        if not changed.recorded:
            run(erasing.publisher.publish(changed.tenant, [hold_event(changed, __version__)]))
            erasing.holds.recorded(changed)
    click.echo(f"hold {hold_id} {'stands' if changed.stands else 'is released'}")


def _check_request(config: LedgerConfig, request: Request, persons: tuple[str, ...]) -> None:
    """Refuses what the event could not say, and what the rule of several persons forbids."""
    check_request(request)
    if persons:
        check_approvers(config, request, "an erasure")
    for person in persons:
        said = " ".join((request.reason, request.legal_ground, request.requester, *request.approvers)).casefold()
        if not person or person.casefold() in said:
            raise Rejected("reason", "names the person: what is kept of an erasure must not")


def _not_with_held(erasing: Erasing, tenant: Tenant) -> Callable[[frozenset[bytes], frozenset[bytes]], None]:
    def check(doomed: frozenset[bytes], held: frozenset[bytes]) -> None:
        if erasing.contents_of(tenant).any_under_both(doomed, held - doomed):
            names = ", ".join(each.hold_id for each in erasing.holds.all(tenant.name) if each.stands)
            raise Held("", f"she shares contents with a person under a legal hold ({names}); nothing was changed")

    return check


async def _finish_all(erasing: Erasing, as_json: bool) -> list[Destruction]:
    """Goes on with whatever was interrupted."""
    left = await asyncio.to_thread(erasing.destructions.unfinished)
    return [await erasing.proceeding(_teller(as_json)).go_on(each.destruction_id) for each in left]


def _teller(as_json: bool) -> Callable[[str], None]:
    return lambda step: click.echo(step, err=True) if not as_json else None


def _tenant(keys: OpenKeys, tenant: str) -> Tenant:
    found = keys.tenants.get(tenant)
    if found is None or tenant == SYSTEM:
        raise Rejected("tenant", f"there is no tenant {tenant}")
    if found.state != "open":
        raise Rejected("tenant", f"{tenant} was deleted, or is being: all its keys are destroyed with it")
    return found


def _is_open(keys: OpenKeys, tenant: str) -> bool:
    """Whether nobody is deleting it: then all its keys go anyway."""
    found = keys.tenants.get(tenant)
    return found is not None and found.state == "open"


def _show(erasing: Erasing, keys: OpenKeys, done: list[Destruction], output: Path | None, as_json: bool) -> None:
    notes = [erasing.certificate(each, _tenant(keys, each.tenant)) for each in done]
    if output is not None and notes:
        output.write_text("\n".join(notes), "utf-8")
    if as_json:
        print_json([_row(keys, each, note) for each, note in zip(done, notes, strict=True)])
    elif notes:
        click.echo("\n".join(notes), nl=False)
    else:
        click.echo("nothing to do")


def _say_what_is_left(keys: OpenKeys, done: list[Destruction]) -> None:
    if done and keys.database.leaves is not None:
        click.echo(f"note: {keys.database.leaves}", err=True)


def _row(keys: OpenKeys, done: Destruction, certificate: str) -> dict[str, Any]:
    events = events_of(done, _tenant(keys, done.tenant), "")
    return {
        "kind": done.kind,
        "id": done.destruction_id.hex(),
        "tenant": done.tenant,
        "pseudonyms": [each.hex() for each in done.pseudonyms],
        "retention_class": done.retention_class,
        "month": done.month,
        "keys_destroyed": done.keys_destroyed,
        "scopes_destroyed": len(done.scope_ids),
        "contents": sum(done.counts.values()),
        "events": [event.event_id.hex() for _, event in events],
        "certificate": certificate,
    }


def _show_due(due: list[tuple[str, str, str, int]], as_json: bool) -> None:
    columns = ["tenant", "class", "month", "scopes"]
    if as_json:
        print_json([dict(zip(columns, row, strict=True)) for row in due])
    elif due:
        print_table(columns, due, right=["scopes"])
    else:
        click.echo("nothing is past its retention")


def _check(path: Path, trust: TrustedKeys, as_json: bool) -> None:
    text = check_certificate(path.read_bytes(), trust)
    if as_json:
        print_json({"ledger": trust.ledger, "certificate": text})
    else:
        click.echo(f"signed by {trust.ledger}:\n\n{text}", nl=False)
