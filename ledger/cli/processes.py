"""The commands `serve` and `up`.

`serve` is one gateway, of one process or of several (`ledger.cli.gateways`).

`up` runs gateway, sealer and query server as child processes (`ledger.cli.children`). When one ends, all end, with its
message: a ledger that only half works must not look like one that does. On SIGTERM or SIGINT the gateway is told first,
so that what it still accepts is sealed; then the others.
"""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import click

from ledger.cli.children import Children
from ledger.cli.gateways import OTLP_READY, READY, end_with_parent, run_gateways
from ledger.cli.options import home_option, open_home
from ledger.cli.running import run_service
from ledger.config import LedgerConfig
from ledger.config.address import parse_address
from ledger.gateway.collector import settle
from ledger.gateway.sealed_rounds import SealedRounds
from ledger.gateway.server import run_gateway
from ledger.home import Home
from ledger.segments.objects import FileStore
from ledger.trust import TrustedKeys

otlp_option = click.option(
    "--otlp-http",
    metavar="HOST:PORT",
    help="Address of OTLP over HTTP; port 0 takes a free one. Default: as configured.",
)
PROCESSES_MAX = 64
GATEWAYS = click.IntRange(1, PROCESSES_MAX)


@click.command(short_help="Run a gateway.")
@home_option
@click.option("--listen", metavar="HOST:PORT", help="Address of IngestService; port 0 takes a free one.")
@otlp_option
@click.option("--metrics-listen", metavar="HOST:PORT", help="Address of /metrics and /healthz.")
@click.option(
    "--processes", type=GATEWAYS, default=1, show_default=True, help="Processes that share the address, one a core."
)
@click.option("--member", is_flag=True, hidden=True, help="Be one of several processes, and end with their parent.")
def serve(
    home: Path, listen: str | None, otlp_http: str | None, metrics_listen: str | None, processes: int, member: bool
) -> None:
    """Run a gateway: take events over gRPC and OTLP, acknowledge what is durable. SIGTERM drains it.

    \b
    Examples:
      audit-ledger serve
      audit-ledger serve --listen 127.0.0.1:7443 --metrics-listen 127.0.0.1:7444
      audit-ledger serve --otlp-http 127.0.0.1:4318
      audit-ledger serve --processes 4
    """
    opened = open_home(home)
    flags: dict[str, Any] = {
        "gateway.listen": listen,
        "otlp.http_listen": otlp_http,
        "gateway.metrics_listen": metrics_listen,
    }
    if member:
        flags["gateway.reuse_port"] = True
    config = opened.config(flags={name: value for name, value in flags.items() if value is not None})
    if processes > 1:
        run_service(lambda stop: run_gateways(opened, config, processes, stop))
    else:
        run_service(lambda stop: _serve(opened, config, stop, member))


async def _serve(home: Home, config: LedgerConfig, stop: asyncio.Event, member: bool) -> None:
    if member:
        end_with_parent(stop)

    def on_ready(address: str) -> None:
        settle()
        click.echo(f"{READY}{address}")

    with home.keys(config) as keys:
        view = SealedRounds(
            FileStore(config.ledger.segments), lambda: TrustedKeys.load(config.ledger.trust), keys.tenants.get
        )
        await run_gateway(home, config, stop, on_ready, view, lambda address: click.echo(f"{OTLP_READY}{address}"))


@click.command(short_help="Run gateway, sealer and query server together.")
@home_option
@click.option("--listen", metavar="HOST:PORT", help="Address of the gateway; port 0 takes a free one.")
@otlp_option
@click.option("--without-query", is_flag=True, help="Run gateway and sealer only.")
@click.option(
    "--gateways", type=GATEWAYS, default=1, show_default=True, help="Gateway processes that share the address."
)
def up(home: Path, listen: str | None, otlp_http: str | None, without_query: bool, gateways: int) -> None:
    """Run the whole ledger on this machine, until stopped.

    \b
    Examples:
      audit-ledger up
      audit-ledger up --listen 127.0.0.1:7443
      audit-ledger up --otlp-http 127.0.0.1:4318
      audit-ledger up --gateways 2
    """
    opened = open_home(home)
    config = opened.config()
    where = ["--home", str(opened.path)]
    gateway_metrics = _free(config.gateway.metrics_listen, "gateway.metrics_listen")
    sealer_metrics = _free(config.sealer.metrics_listen, "sealer.metrics_listen")
    gateway = ["serve", *where, "--metrics-listen", gateway_metrics, *(["--listen", listen] if listen else [])]
    gateway += ["--otlp-http", otlp_http] if otlp_http else []
    if gateways > 1:
        gateway += ["--processes", str(gateways)]
    sealer = ["seal", *where, "--metrics-listen", sealer_metrics]
    query = [] if without_query else ["serve-query", *where, "--listen", _free(config.query.listen, "query.listen")]
    run_service(lambda stop: _run(stop, gateway, sealer, query))


def _free(text: str, setting: str) -> str:
    """The configured address; one with a free port, and a word about it, where another ledger has that one already."""
    address = parse_address(text, setting)
    with socket.socket(socket.AF_INET6 if ":" in address.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError:
            click.echo(f"{setting}: {address} is taken, a free port is used instead", err=True)
            return str(address.with_port(0))
    return text


async def _run(stop: asyncio.Event, gateway: list[str], sealer: list[str], query: list[str]) -> None:
    """Starts them; the query server once the gateway's address is known, since it publishes there. Then waits."""
    children = Children(stop)
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_line(line: str) -> None:
        if line.startswith(READY) and not ready.done():
            ready.set_result(line.removeprefix(READY))
        click.echo(line)

    try:
        await children.start("gateway", gateway, on_line)
        await children.start("sealer", sealer)
        await children.wait(ready)
        if query and ready.done():
            await children.start("query server", [*query, "--gateway", ready.result()])
        if ready.done():
            await children.wait()
        children.check()
    finally:
        ready.cancel()
        # The gateway first, so that the sealer can still seal what it took.
        await children.stop_in_turn()
