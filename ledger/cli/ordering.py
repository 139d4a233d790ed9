"""Who orders what destroys, or forbids that: by a token where roles are configured, else as he says.

The system's permissions decide who can run a command on this machine at all. A roles file makes erasures and holds say
who ordered them by something better than a name on the command line: `ledger.identity.commands`. Going on with what was
ordered before (`--resume`) and checking a certificate need no order.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from ledger.cli.options import Command, open_home
from ledger.errors import Misconfigured
from ledger.identity.commands import ordered_by
from ledger.identity.rights import Call


def ordered(call: Call) -> Callable[[Command], Command]:
    """`--token-file`; the command's `requester` is whose token it is."""

    def decorate(command: Command) -> Command:
        def with_order(
            home: Path, tenant: str | None, requester: str | None, token_file: Path | None, **rest: Any
        ) -> Any:
            if tenant is not None and rest.get("check") is None and not rest.get("resume"):
                name = ordered_by(open_home(home).config(), call, tenant, token_file)
                if name is not None and requester not in (None, name):
                    raise Misconfigured(f"--requester: the token is that of {name}, got {requester}")
                requester = name or requester
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
