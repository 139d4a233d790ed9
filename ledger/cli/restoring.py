"""The command `restore`."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.options import home_option, json_option, open_home
from ledger.cli.ordering import requester_option
from ledger.cli.output import print_json, print_table
from ledger.erasure.opening import suppressed_s
from ledger.erasure.restoring import Restored, Restoring
from ledger.keys.replay import KeyReplay
from ledger.keys.tenant_deletion import TenantDeletions, Waits
from ledger.operations import Operations, Outcome
from ledger.segments.objects import FileStore
from ledger.tenants import ORG
from ledger.trust import TrustedKeys

SHOWN_MAX = 20


@click.command(short_help="Bring a key store from a backup up to the sealed events.")
@home_option
@requester_option
@json_option
def restore(home: Path, requester: str, as_json: bool) -> None:
    """After a key store was put back from a backup: do again every erasure and expiry that it missed, and say what was
    lost. Until then no other command opens it.

    Stop all of the ledger's services first. What the backup lacks, pseudonyms and keys made after it, is listed:
    such contents can't be read any more. Exit code 1 when there is any; their events and all proofs are whole.

    \b
    Example:
      audit-ledger restore
    """
    opened = open_home(home)
    config = opened.config()
    with opened.keys(config, restoring=True) as keys:
        restoring = Restoring(
            FileStore(config.ledger.segments),
            lambda: TrustedKeys.load(config.ledger.trust),
            keys.tenants,
            KeyReplay(keys.database, keys.master, lease_s=0.0),
            keys.newest_rounds,
            suppressed_s(config),
            TenantDeletions(keys.database, keys.master, Waits(0.0, 0.0)),
        )
        operations = Operations(keys.database)
        with operations.doing(ORG, "restore", "key store", requester) as ended:
            done = list(restoring.run())
            lost = sum(len(each.pseudonyms) + len(each.scope_ids) for each in done)
            again = sum(each.erasures + each.expiries for each in done)
            told = f"key store, {again} erasures and expiries done again, {lost} pseudonyms and scopes lost"
            ended.append(Outcome(told, again, succeeded=not lost))
        for each in done:
            if each.is_changed and not each.deletion:
                operations.note(each.tenant, "restore", "key store", requester, _outcome(each))
    if as_json:
        print_json([_row(each) for each in done])
    else:
        _show(done)
    if any(each.pseudonyms or each.scope_ids for each in done):
        raise click.exceptions.Exit(1)


def _outcome(done: Restored) -> Outcome:
    """What a tenant's own log is told."""
    lost = len(done.pseudonyms) + len(done.scope_ids)
    told = f"key store, {done.links} links, {done.holds} holds, {lost} pseudonyms and scopes lost"
    return Outcome(told, done.erasures + done.expiries, succeeded=not lost)


def _row(done: Restored) -> dict[str, object]:
    return {
        "tenant": done.tenant,
        "erasures": done.erasures,
        "expiries": done.expiries,
        "links": done.links,
        "holds": done.holds,
        "deletion": done.deletion,
        "unexplained_pseudonyms": [each.hex() for each in done.pseudonyms],
        "unexplained_scopes": [each.hex() for each in done.scope_ids],
    }


def _show(done: list[Restored]) -> None:
    columns = ["tenant", "erasures", "expiries", "links", "holds", "unexplained pseudonyms", "unexplained scopes"]
    rows = [
        [each.tenant, each.erasures, each.expiries, each.links, each.holds, len(each.pseudonyms), len(each.scope_ids)]
        for each in done
    ]
    print_table(columns, rows, right=columns[1:])
    for each in done:
        if each.deletion not in ("", "done"):
            click.echo(
                f"{each.tenant}: its deletion is {each.deletion}; `tenant delete {each.tenant} --resume` ends it"
            )
    for each in done:
        for what, found in (("pseudonym", each.pseudonyms), ("scope", each.scope_ids)):
            for value in found[:SHOWN_MAX]:
                click.echo(f"{each.tenant}: {what} {value.hex()} was made after the backup")
            if len(found) > SHOWN_MAX:
                click.echo(f"{each.tenant}: and {len(found) - SHOWN_MAX} more; --json has them all")
