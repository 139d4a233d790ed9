"""A proxy in a thread of its own, between real clients and loopback vendors, in front of a scripted gateway."""

from __future__ import annotations

import asyncio
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from ledger.config import ProxyConfig
from ledger.proxy.recorder_process import record
from ledger.proxy.server import Listening, run_proxy
from ledger.v1 import event_pb2 as pb
from tests.ledger.client.gateway import ScriptedGateway, wait_until

TENANT = "acme"
POLICY = """
name = "test"
version = "1"
[default]
mode = "full"
retention = "standard"
unclassified = "internal"
[retention]
standard = 24
"""
KINDS = {
    "openai": "openai",
    "azure": "azure",
    "anthropic": "anthropic",
    "gemini": "gemini",
    "vertex": "vertex",
    "bedrock": "bedrock",
}


def upstreams_text(url: str, *kinds: str) -> str:
    """An upstreams file with one endpoint of each kind, all at this address."""
    parts = ["format = 1"]
    for name in kinds or KINDS:
        region = 'region = "eu-central-1"' if name == "bedrock" else ""
        parts.append(f'[[upstreams]]\nname = "{name}"\nkind = "{KINDS[name]}"\nurl = "{url}"\n{region}')
    return "\n".join(parts)


@dataclass(slots=True)
class Running:
    """A running proxy."""

    url: str
    metrics_url: str
    gateway: ScriptedGateway
    folder: Path
    stop: Callable[[], None]

    def events(self, count: int, timeout_s: float = 15) -> list[pb.Event]:
        """The first so many events that the gateway accepted, without a closed stream's marker, once they are there."""
        wait_until(lambda: len(self._own()) >= count, timeout_s)
        return self._own()

    def event(self, count: int = 1) -> pb.Event:
        """The last of so many events."""
        found = self.events(count)
        assert len(found) == count, found
        return found[-1]

    def event_of(self, event_id: str, timeout_s: float = 15) -> pb.Event:
        """The event with this id, as `x-ledger-event` writes it, once it is there."""
        wanted = UUID(event_id).bytes
        wait_until(lambda: any(each.event_id == wanted for each in self.gateway.accepted), timeout_s)
        return next(each for each in self.gateway.accepted if each.event_id == wanted)

    def operation_of(self, event_id: str, count: int, timeout_s: float = 15) -> list[pb.Event]:
        """The events of the operation that begins with this one, once there are so many."""
        wanted = UUID(event_id).bytes

        def found() -> list[pb.Event]:
            return [each for each in self.gateway.accepted if each.operation_id == wanted]

        wait_until(lambda: len(found()) >= count, timeout_s)
        return found()

    def _own(self) -> list[pb.Event]:
        return [each for each in self.gateway.accepted if each.WhichOneof("body") != "operation"]

    def metric(self, name: str) -> float:
        """The sum of a counter or gauge over its labels."""
        with urllib.request.urlopen(f"{self.metrics_url}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        prefix = f"audit_ledger_proxy_{name}"
        found = [line for line in lines if line.startswith((f"{prefix} ", f"{prefix}{{"))]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    def write_policy(self, text: str) -> None:
        """Changes the policy's file."""
        (self.folder / "policy.toml").write_text(text)


class ThreadWorker:
    """A recorder in a thread of this process."""

    def __init__(self, connection: socket.socket) -> None:
        self._thread = threading.Thread(target=record, args=(connection,), name="proxy-recorder", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()


@contextmanager
def proxied(
    gateway: ScriptedGateway,
    upstream: str,
    folder: Path,
    *,
    policy: str = POLICY,
    kinds: tuple[str, ...] = (),
    **more: Any,
) -> Iterator[Running]:
    """A proxy in front of all wire formats at `upstream`, until the block ends. `more`: settings."""
    (folder / "policy.toml").write_text(policy)
    (folder / "upstreams.toml").write_text(upstreams_text(upstream, *kinds))
    settings: dict[str, Any] = {
        "listen": "127.0.0.1:0",
        "metrics_listen": "127.0.0.1:0",
        "tenant": TENANT,
        "to": gateway.address,
        "upstreams": folder / "upstreams.toml",
        "capture_policy": str(folder / "policy.toml"),
        "spool": folder / "spool",
        "drain_ms": 2_000,
    }
    config = ProxyConfig(**{**settings, **more})
    started = threading.Event()
    told: list[Listening] = []
    stops: list[Callable[[], Any]] = []
    failed: list[BaseException] = []

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        stops.append(lambda: loop.call_soon_threadsafe(stop.set))

        def on_ready(listening: Listening) -> None:
            told.append(listening)
            started.set()

        await run_proxy(config, stop, on_ready, ThreadWorker)

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            failed.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="proxy", daemon=True)
    thread.start()

    def stop_now() -> None:
        if stops and thread.is_alive():
            stops[0]()
        thread.join(30)

    try:
        assert started.wait(15)
        if failed:
            raise failed[0]
        scheme = "https" if config.tls_certificate else "http"
        host = "localhost" if config.tls_certificate else "127.0.0.1"
        yield Running(
            f"{scheme}://{host}:{told[0].address.port}", f"http://{told[0].metrics}", gateway, folder, stop_now
        )
    finally:
        stop_now()
    if failed:
        raise failed[0]
