"""Who orders what destroys, hands out or forbids: by a token where roles are configured, else as he says.

The system's permissions decide who can run a command on this machine at all. A roles file makes erasures, holds,
exports and deletions say who ordered them by something better than a name on the command line:
`ledger.identity.commands`. Going on with what was ordered before (`--resume`) and checking a certificate need no order.
"""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ledger.cli.options import Command, open_home
from ledger.config import LedgerConfig
from ledger.errors import Misconfigured, Rejected
from ledger.identity.commands import ordered_by
from ledger.identity.rights import Call
from ledger.keys.destruction import Request
from ledger.record.names import name

ROLE = "ledger.cli.ordering.role"
"""Where a command's context has the role in which it is ordered; nowhere, where none are configured."""


def ordered(call: Call) -> Callable[[Command], Command]:
    """`--token-file`; the command's `requester` is whose token it is."""

    def decorate(command: Command) -> Command:
        def with_order(
            home: Path, tenant: str | None, requester: str | None, token_file: Path | None, **rest: Any
        ) -> Any:
            if tenant is not None and rest.get("check") is None and not rest.get("resume"):
                found = ordered_by(open_home(home).config(), call, tenant, token_file)
                if found is not None:
                    who, click.get_current_context().meta[ROLE] = found
                    if requester not in (None, who):
                        raise Misconfigured(f"--requester: the token is that of {who}, got {requester}")
                    requester = who
            return command(home=home, tenant=tenant, requester=requester, **rest)

        with_order.__name__, with_order.__doc__ = command.__name__, command.__doc__
        with_order.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
        option = click.option(
            "--token-file",
            type=click.Path(path_type=Path, dir_okay=False),
            help="File with the token (JWT) of who orders it; needed where roles are configured.",
        )
        return option(with_order)  # type: ignore[return-value]

    return decorate


def requesting(reason_help: str) -> Callable[[Command], Command]:
    """`--requester`, `--approver`, `--legal-ground`, `--reason`, passed as `request: Request`."""

    def decorate(command: Command) -> Command:
        def with_request(
            requester: str | None, approver: tuple[str, ...], legal_ground: str, reason: str, **rest: Any
        ) -> Any:
            return command(request=Request(requester or getpass.getuser(), approver, legal_ground, reason), **rest)

        with_request.__name__, with_request.__doc__ = command.__name__, command.__doc__
        with_request.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
        decorated: Any = with_request
        for option in (
            click.option("--reason", default="", help=reason_help),
            click.option("--legal-ground", default="", help="The legal ground, kept in clear, such as 'GDPR Art. 17'."),
            click.option(
                "--approver", multiple=True, metavar="NAME", help="Who approved it; more than once for several."
            ),
            click.option("--requester", metavar="NAME", help="Who orders it. Default: your user name."),
        ):
            decorated = option(decorated)
        return decorated  # type: ignore[no-any-return]

    return decorate


def requester_option(command: Command) -> Command:
    """`--requester`, passed as `requester: str`: who does it, for the Operation event."""
    return click.option(
        "--requester",
        metavar="NAME",
        default=getpass.getuser,
        show_default="your user name",
        help="Who does it; kept in clear in the Operation event.",
    )(command)


request_options = requesting("Why; kept encrypted in the event.")
"""For what publishes an event that keeps the reason."""


def check_request(request: Request) -> None:
    """`Rejected` for what the event could not say, and for who approves his own order."""
    for each in (request.requester, *request.approvers):
        name(each, "requester or approver")
    name(request.legal_ground, "legal ground")
    if request.requester in request.approvers:
        raise Rejected("approver", "nobody approves his own order")


def check_approvers(config: LedgerConfig, request: Request, what: str) -> None:
    """`Rejected` for fewer approvers than the rule of several persons demands."""
    least = config.erasure.approvers_least
    count = len(set(request.approvers))
    if count < least:
        raise Rejected("approver", f"{what} needs {least} approvers besides who orders it, got {count}")
