"""The command `serve-query`."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.options import home_option, open_home
from ledger.cli.running import run_service
from query.server import run_query_server


@click.command(name="serve-query", short_help="Run a query server.")
@home_option
@click.option("--listen", metavar="HOST:PORT", help="Address of QueryService; port 0 takes a free one.")
@click.option("--gateway", metavar="HOST:PORT", help="The gateway that takes Access events. Default: as configured.")
def serve_query(home: Path, listen: str | None, gateway: str | None) -> None:
    """Run a query server: answers over gRPC, each preceded by an Access event. SIGTERM drains it.

    \b
    Examples:
      audit-ledger serve-query
      audit-ledger serve-query --listen 127.0.0.1:7446 --gateway 127.0.0.1:7443
    """
    opened = open_home(home)
    config = opened.config(flags={"query.listen": listen} if listen else {})
    run_service(
        lambda stop: run_query_server(
            opened, config, stop, lambda address: click.echo(f"query ready on {address}"), gateway=gateway
        )
    )
