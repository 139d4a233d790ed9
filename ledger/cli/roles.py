"""The command `roles`."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.options import EXIT_FINDING, home_option, json_option, open_home
from ledger.cli.output import print_json
from ledger.client.tls import read_token
from ledger.errors import Misconfigured
from ledger.identity.authority import Authority, Caller
from ledger.identity.document import Grant, read_roles
from ledger.identity.errors import Unauthenticated
from ledger.identity.plain import explained, who
from ledger.identity.rights import CALLS, right

File = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(short_help="Explain who may do what.")
def roles() -> None:
    """Explain who may do what: the roles file that `ledger.roles` of the configuration names (docs/ROLES.md)."""


@roles.command()
@home_option
@click.argument("file", type=File, required=False)
@click.option("--token-file", type=File, help="Tell whose token this is, and what he may do.")
@json_option
def check(home: Path, file: Path | None, token_file: Path | None, as_json: bool) -> None:
    """Check a roles file and say in plain words what it does. Without FILE: the one of the home.

    Exit code 2, with the place that is wrong, when it is not a roles file; 1 for a token that does not hold.

    \b
    Examples:
      audit-ledger roles check roles.toml
      audit-ledger roles check roles.toml --token-file token.txt
    """
    path = file if file is not None else open_home(home).config().ledger.roles_file
    if path is None:
        raise Misconfigured("ledger.roles: is not set, so nobody is asked who he is; name a FILE to check one")
    if token_file is not None:
        _token(path, token_file, as_json)
        return
    found = read_roles(path)
    if as_json:
        print_json({"version": found.version, "grants": [_grant(each) for each in found.grants]})
        return
    for line in explained(found):
        click.echo(line)


def _token(path: Path, token_file: Path, as_json: bool) -> None:
    try:
        caller = Authority(path).by_token(read_token(token_file))
    except Unauthenticated as error:
        if as_json:
            print_json({"holds": False, "why": error.why})
        else:
            click.echo(f"the token does not hold: {error.why}")
        raise click.exceptions.Exit(EXIT_FINDING) from None
    if as_json:
        print_json({"holds": True, "name": caller.name, "grants": [_grant(each) for each in caller.grants]})
        return
    click.echo(f"the token holds; it is that of {caller.name}")
    for line in _may(caller):
        click.echo(line)


def _may(caller: Caller) -> list[str]:
    lines = []
    for grant in caller.grants:
        rights = [(call, right(grant.role, call)) for call in CALLS]
        said = ", ".join(call if each == "yes" else f"{call} ({each})" for call, each in rights if each != "denied")
        lines.append(f"as {grant.role} of {', '.join(sorted(grant.tenants))}: {said}")
    return lines or ["no grant is for him, so he may do nothing"]


def _grant(grant: Grant) -> dict[str, object]:
    return {
        "who": who(grant),
        "role": grant.role,
        "tenants": sorted(grant.tenants),
        "kinds": sorted(grant.kinds),
        "sample": len(grant.sample),
    }
