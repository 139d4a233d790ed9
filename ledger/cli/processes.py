"""The commands `serve` and `up`.

`up` runs gateway, sealer and query server as child processes of one group. When one ends, all end, with its message: a
ledger that only half works must not look like one that does. On SIGTERM or SIGINT the gateway is told first, so that
what it still accepts is sealed; then the others.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ledger.cli.options import home_option, open_home
from ledger.cli.running import run_service
from ledger.config import LedgerConfig
from ledger.config.address import parse_address
from ledger.errors import Unavailable
from ledger.gateway.sealed_rounds import SealedRounds
from ledger.gateway.server import run_gateway
from ledger.home import Home
from ledger.segments.objects import FileStore
from ledger.trust import TrustedKeys

READY = "gateway ready on "
STOP_S = 20.0


@click.command(short_help="Run a gateway.")
@home_option
@click.option("--listen", metavar="HOST:PORT", help="Address of IngestService; port 0 takes a free one.")
@click.option("--metrics-listen", metavar="HOST:PORT", help="Address of /metrics and /healthz.")
def serve(home: Path, listen: str | None, metrics_listen: str | None) -> None:
    """Run a gateway: take events over gRPC, acknowledge what is durable. SIGTERM drains it.

    \b
    Examples:
      audit-ledger serve
      audit-ledger serve --listen 127.0.0.1:7443 --metrics-listen 127.0.0.1:7444
    """
    opened = open_home(home)
    flags = {"gateway.listen": listen, "gateway.metrics_listen": metrics_listen}
    config = opened.config(flags={name: value for name, value in flags.items() if value is not None})
    run_service(lambda stop: _serve(opened, config, stop))


async def _serve(home: Home, config: LedgerConfig, stop: asyncio.Event) -> None:
    with home.keys(config) as keys:
        view = SealedRounds(
            FileStore(config.ledger.segments), lambda: TrustedKeys.load(config.ledger.trust), keys.tenants.get
        )
        await run_gateway(home, config, stop, lambda address: click.echo(f"{READY}{address}"), view)


@click.command(short_help="Run gateway, sealer and query server together.")
@home_option
@click.option("--listen", metavar="HOST:PORT", help="Address of the gateway; port 0 takes a free one.")
@click.option("--without-query", is_flag=True, help="Run gateway and sealer only.")
def up(home: Path, listen: str | None, without_query: bool) -> None:
    """Run the whole ledger on this machine, until stopped.

    \b
    Examples:
      audit-ledger up
      audit-ledger up --listen 127.0.0.1:7443
    """
    opened = open_home(home)
    config = opened.config()
    where = ["--home", str(opened.path)]
    gateway_metrics = _free(config.gateway.metrics_listen, "gateway.metrics_listen")
    sealer_metrics = _free(config.sealer.metrics_listen, "sealer.metrics_listen")
    gateway = ["serve", *where, "--metrics-listen", gateway_metrics, *(["--listen", listen] if listen else [])]
    sealer = ["seal", *where, "--metrics-listen", sealer_metrics]
    query = [] if without_query else ["serve-query", *where, "--listen", _free(config.query.listen, "query.listen")]
    run_service(lambda stop: _Group(stop).run(gateway, sealer, query))


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


@dataclass(frozen=True, slots=True)
class _Child:
    name: str
    process: asyncio.subprocess.Process
    echo: asyncio.Task[None]


class _Group:
    """The processes of one `up`."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop
        self._children: list[_Child] = []
        self._gateway_ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run(self, gateway: list[str], sealer: list[str], query: list[str]) -> None:
        """Starts them; the query server once the gateway's address is known, since it publishes there. Then waits."""
        waits: list[asyncio.Task[Any]] = [asyncio.create_task(self._stop.wait())]
        try:
            waits += [await self._start("gateway", gateway), await self._start("sealer", sealer)]
            await asyncio.wait([*waits, self._gateway_ready], return_when=asyncio.FIRST_COMPLETED)
            if query and self._gateway_ready.done():
                waits.append(await self._start("query server", [*query, "--gateway", self._gateway_ready.result()]))
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            ended = [child for child in self._children if child.process.returncode is not None]
            if ended and not self._stop.is_set():
                code = ended[0].process.returncode
                raise Unavailable(f"the {ended[0].name} ended with exit code {code}; its message stands above")
        finally:
            await _stop_all(self._children)
            self._gateway_ready.cancel()
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*(child.echo for child in self._children))

    async def _start(self, name: str, arguments: list[str]) -> asyncio.Task[Any]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ledger.cli.main", *arguments, stdout=asyncio.subprocess.PIPE, process_group=0
        )
        self._children.append(_Child(name, process, asyncio.create_task(self._echo(process))))
        return asyncio.create_task(process.wait())

    async def _echo(self, process: asyncio.subprocess.Process) -> None:
        """Passes on what a child says on standard output; the gateway's address is wanted besides."""
        if process.stdout is None:
            return
        async for data in process.stdout:
            line = data.decode("utf-8", "replace").rstrip("\n")
            if line.startswith(READY) and not self._gateway_ready.done():
                self._gateway_ready.set_result(line.removeprefix(READY))
            click.echo(line)


async def _stop_all(children: list[_Child]) -> None:
    """The gateway first, so that the sealer can still seal what it took; whoever does not end in time is killed."""
    for child in children:
        if child.process.returncode is None:
            child.process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_S):
                    await child.process.wait()
            except TimeoutError:
                os.kill(child.process.pid, signal.SIGKILL)
                await child.process.wait()
