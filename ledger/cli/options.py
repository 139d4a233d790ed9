"""The options that many commands share, and opening a home as they say."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ledger.config import GatewayConfig
from ledger.errors import Misconfigured
from ledger.home import Home


class OutputFile(click.Path):
    """A file that a command will write. Where it can't be written, that is said before anything is done: before events
    are sent whose receipts would be lost, or an access is recorded to what nobody got."""

    def __init__(self) -> None:
        super().__init__(path_type=Path, dir_okay=False)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; fails with what stands in the way."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if not path.parent.is_dir():
            self.fail(f"there is no folder {path.parent}", param, ctx)
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            self.fail(f"{path} can't be written", param, ctx)
        return path


OUTPUT_FILE = OutputFile()

Command = TypeVar("Command", bound=Callable[..., Any])
DEFAULT_HOME = "./.audit-ledger"
EXIT_FINDING = 1


def home_option(command: Command) -> Command:
    """`--home DIR`, passed as `home: Path`."""
    return click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        default=DEFAULT_HOME,
        envvar="AUDIT_LEDGER_HOME",
        show_default=True,
        show_envvar=True,
        help="The ledger's home: configuration, keys, embedded log, segments.",
    )(command)


def tenant_option(command: Command) -> Command:
    """`--tenant T`, required, passed as `tenant: str`."""
    return click.option("--tenant", required=True, envvar="AUDIT_LEDGER_TENANT", help="The tenant.")(command)


def json_option(command: Command) -> Command:
    """`--json`, passed as `as_json: bool`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")(command)


def to_option(command: Command) -> Command:
    """`--to HOST:PORT`, passed as `to: str | None`."""
    return click.option(
        "--to", metavar="HOST:PORT", help="The gateway. Default: the one this home's configuration names."
    )(command)


def own_to_option(command: Command) -> Command:
    """The same for a command that has events of the ledger's own to publish (`ledger.gateway.own`)."""
    return click.option(
        "--to", metavar="HOST:PORT", help="Publish what it records through this gateway. Default: one of its own."
    )(command)


def open_home(path: Path) -> Home:
    """The home at `path`; `Misconfigured` with what to do when there is none."""
    return Home.open(path)


def gateway_address(to: str | None, home: Path) -> str:
    """Where the gateway is: `--to`, else what the home's configuration says."""
    return to if to is not None else open_home(home).config().gateway.listen


def gateway_config(path: Path) -> GatewayConfig | None:
    """The gateway's part of a home's configuration; None where there is no home, as where only `--to` is known."""
    try:
        return open_home(path).config().gateway
    except Misconfigured:
        return None
