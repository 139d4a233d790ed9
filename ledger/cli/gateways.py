"""Several processes that are one gateway: `serve --processes N`.

Python runs one thread at a time, and a gateway's work is for a processor: a second core needs a second process.

- **One address**, and one for OTLP over HTTP. The processes share them (SO_REUSEPORT); the system gives each
  *connection* to one of them, so the calls of a client with one connection all go to one process. This process holds
  the addresses, bound and never listening: with port 0 all get the same port, and an address that something else has,
  unshared, is refused at once.
- **One gateway.** All have the same id, key and configuration: a receipt says which gateway gave it, not which process,
  and nobody has to trust another key when their number changes. Limits of the configuration are each process's.
- **Each its own memory.** A process answers a repeat with its first receipt only where it gave that itself; another one
  takes the event again, as a gateway does after a restart, and the sealer drops it. Times of receipt never go back
  within a process.
- **Each its own metrics.** The first has the configured address, each other a free port, which its log names.
- **They live and end together.** When one ends, all are drained; so they are when this process is told to stop. A
  process that is left alone, since this one was killed, notices that its standard input ended, and drains as well.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import click

from ledger.cli.children import Children
from ledger.config import LedgerConfig
from ledger.config.address import Address, parse_address
from ledger.errors import Misconfigured
from ledger.home import Home

READY = "gateway ready on "
OTLP_READY = "OTLP over HTTP ready on "
BEYOND_DRAIN_S = 10.0
"""How long a process may take to end beyond `gateway.drain_ms`."""


async def run_gateways(home: Home, config: LedgerConfig, count: int, stop: asyncio.Event) -> None:
    """Run `count` gateway processes until `stop` is set; raises as `Children.check` when one ends before."""
    http = config.otlp.http_address
    with ExitStack() as held:
        address = held.enter_context(_held(config.gateway.address, "gateway.listen"))
        otlp = None if http is None else held.enter_context(_held(http, "otlp.http_listen"))
        metrics = parse_address(config.gateway.metrics_listen, "gateway.metrics_listen")
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = set(range(1, count + 1))
        children = Children(stop)

        def on_line(number: int, line: str) -> None:
            if not line.startswith(READY):
                if not line.startswith(OTLP_READY):
                    click.echo(line)
                return
            waiting.discard(number)
            if not waiting and not ready.done():
                ready.set_result(None)

        try:
            for number in range(1, count + 1):
                arguments = ["serve", "--home", str(home.path), "--listen", str(address), "--member"]
                if otlp is not None:
                    arguments += ["--otlp-http", str(otlp)]
                arguments += ["--metrics-listen", str(metrics if number == 1 else metrics.with_port(0))]
                await children.start(f"gateway process {number}", arguments, partial(on_line, number), tied=True)
            await children.wait(ready)
            if ready.done():
                if otlp is not None:
                    click.echo(f"{OTLP_READY}{otlp}")
                click.echo(f"{READY}{address}")
                await children.wait()
            children.check()
        finally:
            ready.cancel()
            await children.stop_together(config.gateway.drain_ms / 1_000 + BEYOND_DRAIN_S)


@contextmanager
def _held(address: Address, setting: str) -> Iterator[Address]:
    """The address with its port, kept from everybody who does not share it."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            holder.bind((address.host, address.port))
        except OSError as error:
            raise Misconfigured(f"{setting}: cannot listen on {address}: {error.strerror}") from None
        yield address.with_port(holder.getsockname()[1])


def end_with_parent(stop: asyncio.Event) -> None:
    """Set `stop` when standard input ends: nothing is ever written there, it ends with the process that holds it."""
    loop = asyncio.get_running_loop()

    def on_end() -> None:
        loop.remove_reader(sys.stdin.fileno())
        stop.set()

    loop.add_reader(sys.stdin.fileno(), on_end)
