"""The recording proxy beside a plain reverse proxy on the same library, in the same run, in front of the same upstream.

Each of upstream, plain proxy, recording proxy and ledger is a process of its own; the callers are in this one. Direct,
plain and recording take turns, several rounds of each, so that what else the machine does falls on all three. The
recording proxy runs as in production: `audit-ledger proxy`, its policy looked up, every call recorded and sent to a
gateway over gRPC; with `refuse` each call waits besides until the ledger has its beginning on the disk.

- calls at a fixed rate, each with 1.5 KB in and 1 KB out: time to the first byte, median and 99th percentile
- as many calls as 16 callers get through: here recorder, gateway and callers share the machine's processors with the
  proxy, and the figure is that of all of them
- 200 streams at once of 20 pieces 100 ms apart: time to the first token, and time between two pieces

"added" is the recording proxy's percentile minus the plain one's. Processor time a call is that of the proxy's process,
all of its threads: what is left of a difference when others use the machine.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks import chat_upstream, plain_proxy
from benchmarks.chat_load import Measured, at_rate, closed_loop, percentile, streams
from benchmarks.figures import Figure
from ledger.cli.gateways import READY as GATEWAY_READY
from ledger.cli.proxying import READY as PROXY_READY
from ledger.home import Home

TENANT = "acme"
RATE = 50.0
CALLERS = 16
STREAMS = 200
AIM = "added ≤ 3 ms at p99"
POLICY = """
name = "benchmark"
version = "1"
[default]
mode = "redacted"
retention = "standard"
unclassified = "confidential"
[retention]
standard = 24
"""
UPSTREAMS = 'format = 1\n[[upstreams]]\nname = "openai"\nkind = "openai"\nurl = "http://127.0.0.1:{port}"\n'


@dataclass(frozen=True, slots=True)
class Way:
    """A way to the upstream: its port, what stands before the path, and the process that is on it, 0 for none."""

    port: int
    path: str = ""
    process: int = 0

    def processor_s(self) -> float:
        """Processor time that the process has used."""
        if not self.process:
            return 0.0
        fields = Path(f"/proc/{self.process}/stat").read_text("ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run(smoke: bool) -> list[Figure]:
    """Against the embedded log."""
    rounds, seconds, concurrent = (1, 0.5, 20) if smoke else (6, 5.0, STREAMS)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        port, _ = stack.enter_context(_served(chat_upstream.serve))
        plain = stack.enter_context(_served(plain_proxy.serve, f"http://127.0.0.1:{port}"))
        home = _home(folder, port)
        gateway, _ = stack.enter_context(
            _command(
                ["serve", "--home", str(home), "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"],
                GATEWAY_READY,
            )
        )
        ways = {"direct": Way(port), "plain": Way(plain[0], "", plain[1])}
        for name in ("spool", "refuse"):
            address, process = stack.enter_context(_proxy(home, gateway, name))
            ways[name] = Way(int(address.rpartition(":")[2]), "/openai", process)
        return asyncio.run(_measured(ways, rounds, seconds, concurrent))


async def _measured(ways: dict[str, Way], rounds: int, seconds: float, concurrent: int) -> list[Figure]:
    for way in ways.values():
        await at_rate(way.port, way.path, RATE, 0.5)
    calls = await _in_turns(ways, rounds, lambda port, path: at_rate(port, path, RATE, seconds))
    three = {name: way for name, way in ways.items() if name != "refuse"}
    used = {name: way.processor_s() for name, way in ways.items()}
    rates = await _in_turns(three, rounds, lambda port, path: closed_loop(port, path, CALLERS, seconds))
    used = {name: way.processor_s() - used[name] for name, way in ways.items()}
    flows = await _in_turns(three, max(1, rounds // 2), lambda port, path: streams(port, path, concurrent))
    figures = []
    for part, named in ((0.5, "p50"), (0.99, "p99")):
        figures += _times(f"first byte at {RATE:.0f} calls/s, {named}", calls, "first", part)
    figures += [
        Figure(f"calls of {CALLERS} callers, {name}", len(each.whole) / each.took_s, "calls/s", *_floor(rates, name))
        for name, each in rates.items()
    ]
    per_call = {name: used[name] / len(each.whole) * 1_000 for name, each in rates.items()}
    what = "processor time a call"
    figures += [
        Figure(f"{what}, plain", per_call["plain"], "ms"),
        Figure(f"{what}, recording (spool)", per_call["spool"], "ms", per_call["plain"], "plain proxy"),
    ]
    for part, named in ((0.5, "p50"), (0.99, "p99")):
        figures += _times(f"first token, {concurrent} streams, {named}", flows, "first", part)
    figures += _times(f"between two pieces, {concurrent} streams, p99", flows, "gaps", 0.99)
    return figures


def _floor(rates: dict[str, Measured], name: str) -> tuple[float | None, str]:
    if name != "spool":
        return None, ""
    return len(rates["plain"].whole) / rates["plain"].took_s, "plain proxy"


def _times(what: str, measured: dict[str, Measured], kind: str, part: float) -> list[Figure]:
    found = {name: percentile(getattr(each, kind), part) * 1_000 for name, each in measured.items()}
    figures = []
    for name, value in found.items():
        recording = name in ("spool", "refuse")
        shown = f"recording ({name})" if recording else name
        floor, floor_name = (found["plain"], "plain proxy") if recording else (None, "")
        figures.append(Figure(f"{what}, {shown}", value, "ms", floor, floor_name))
    aim = AIM if part > 0.9 else ""
    figures.append(Figure(f"{what}, added by recording", found["spool"] - found["plain"], "ms", aim=aim))
    return figures


async def _in_turns(
    ways: dict[str, Way], rounds: int, measure: Callable[[int, str], Awaitable[Measured]]
) -> dict[str, Measured]:
    """Each way once a round, the order turned from round to round."""
    found = {name: Measured() for name in ways}
    names = list(ways)
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            one = await measure(ways[name].port, ways[name].path)
            whole = found[name]
            whole.first += one.first
            whole.whole += one.whole
            whole.gaps += one.gaps
            whole.took_s += one.took_s
    return found


def _home(folder: Path, port: int) -> Path:
    home = Home.create(folder / "home", name="benchmark.example", partitions=1)
    config = home.config()
    with home.keys(config) as keys:
        keys.tenants.add(TENANT)
        home.write_trust(config, keys)
    config.ledger.capture_policy.write_text(POLICY, "utf-8")
    (home.path / "upstreams.toml").write_text(UPSTREAMS.format(port=port), "utf-8")
    return home.path


@contextmanager
def _proxy(home: Path, gateway: str, when_down: str) -> Iterator[tuple[str, int]]:
    arguments = ["proxy", "--home", str(home), "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]
    arguments += ["--tenant", TENANT, "--to", gateway]
    environment = {
        "AUDIT_LEDGER_PROXY_ON_LEDGER_DOWN": when_down,
        "AUDIT_LEDGER_PROXY_SPOOL": str(home / f"spool-{when_down}"),
    }
    with _command(arguments, PROXY_READY, environment) as (said, process):
        yield said.partition(",")[0], process


@contextmanager
def _command(arguments: list[str], ready: str, environment: dict[str, str] | None = None) -> Iterator[tuple[str, int]]:
    """A command of the command line until the block ends; what stands behind its ready line, and its process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ledger.cli.main", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    try:
        if process.stdout is None:
            raise RuntimeError("a process without output")
        for line in process.stdout:
            if line.startswith(ready):
                yield line.removeprefix(ready).strip(), process.pid
                break
        else:
            raise RuntimeError(f"{arguments[0]} ended before it was ready")
    finally:
        process.terminate()
        process.communicate(timeout=60)


@contextmanager
def _served(serve: Callable[..., None], *arguments: Any) -> Iterator[tuple[int, int]]:
    """A server in a process of its own until the block ends; its port, and its process."""
    here: Connection
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(*arguments, there), daemon=True)
    process.start()
    try:
        yield here.recv(), process.pid or 0
    finally:
        process.kill()
        process.join()
