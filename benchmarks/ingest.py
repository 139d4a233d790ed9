"""Ingest through the gateway, in batches of 100, against its floor: a gRPC echo of the same bytes, then a raw append.

The floor in events/s is 1 / (1/echo + 1/append): what a service would cost that only receives the bytes and appends
them, with the same durability. The gateway is `audit-ledger serve` with one process and with two, each time with a new
home; the echo has a process of its own. The clients are in this one, each with a connection of its own: connections
are what several gateway processes share out. What two processes can gain depends on the cores that are left for them.

Against the floor contents are kept whole and encrypted; then the same once more with redaction, as a ratio of that.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import grpc

from benchmarks.corpus import event_id, requests
from benchmarks.figures import Figure
from ledger.cli.gateways import READY
from ledger.home import Home
from ledger.log.interface import Record
from ledger.v1 import event_pb2 as pb
from ledger.v1 import ingest_pb2 as ingest

BATCH = 100
CALLERS = 8
SESSION_EVENTS = 10
PROCESSES = (1, 2)
POLICY = """
name = "benchmark"
version = "1"
[default]
mode = "{mode}"
retention = "standard"
unclassified = "confidential"
[retention]
standard = 24
"""
_ECHO = "/benchmark.Echo/Echo"
_PUBLISH = "/ledger.v1.IngestService/Publish"
_CHANNEL = (
    ("grpc.max_send_message_length", 1 << 24),
    ("grpc.max_receive_message_length", 1 << 24),
    ("grpc.use_local_subchannel_pool", 1),  # else channels to one address share a connection
)


def run(smoke: bool) -> list[Figure]:
    """On the embedded log, and on Kafka where a broker can be started."""
    count = 1_000 if smoke else 20_000
    figures = asyncio.run(_measure("embedded", None, count))
    figures += _on_kafka(count)
    return figures


def _on_kafka(count: int) -> list[Figure]:
    from docker.kafka.broker import Cluster  # needs Java and the jars

    with tempfile.TemporaryDirectory() as folder, Cluster(Path(folder), nodes=1) as cluster:
        url = f"kafka://{cluster.bootstrap}/benchmark?replication=1&min_isr=1"
        return asyncio.run(_measure("kafka", url, count))


async def _measure(name: str, url: str | None, count: int) -> list[Figure]:
    events = in_sessions(requests(count))
    batches = [
        ingest.PublishRequest(tenant="acme", events=events[at : at + BATCH]).SerializeToString()
        for at in range(0, count, BATCH)
    ]
    with tempfile.TemporaryDirectory() as folder:
        home = new_home(folder, url)
        append = await _append_rate(home, batches)
        with _process(_echo_server) as address:
            echo = await call_rate(address, _ECHO, batches)
    floor = 1 / (1 / echo + 1 / append)
    figures = [
        Figure(f"gRPC echo, {name} run", echo, "events/s"),
        Figure(f"raw append, {name}", append, "events/s"),
    ]
    for processes in PROCESSES:
        rate = await _ingest_rate(url, processes, batches, "full")
        what = f"ingest, {name} log, {processes} process" + ("es" if processes > 1 else "")
        figures.append(Figure(what, rate, "events/s", floor, "echo + raw append", "≥ 0.3"))
    redacted = await _ingest_rate(url, PROCESSES[-1], batches, "redacted")
    what = f"ingest with redaction, {name} log, {PROCESSES[-1]} processes"
    return [*figures, Figure(what, redacted, "events/s", rate, "without redaction", "≥ 0.5")]


def in_sessions(events: list[pb.Event]) -> list[pb.Event]:
    """The events in sessions of one user each, ten events long: that is how often a person is linked to a session."""
    met: Counter[str] = Counter()
    sessions: dict[tuple[str, int], str] = {}
    for each in events:
        user = each.actor.user.identifier
        session = user, met[user] // SESSION_EVENTS
        each.story.session_id = sessions.setdefault(session, f"session-{len(sessions)}")
        met[user] += 1
    return events


def new_home(folder: str, url: str | None) -> Home:
    home = Home.create(Path(folder) / "home", name="benchmark.example", event_log=url, partitions=1)
    config = home.config()
    with home.keys(config) as keys:
        keys.tenants.add("acme")
        home.write_trust(config, keys)
    return home


async def _ingest_rate(url: str | None, processes: int, batches: list[bytes], mode: str) -> float:
    """Through a gateway that has met the producers before, of a ledger that has nothing of this."""
    with tempfile.TemporaryDirectory() as folder:
        home = new_home(folder, url and f"{url.partition('?')[0]}-{processes}-{mode}?{url.partition('?')[2]}")
        home.config().ledger.capture_policy.write_text(POLICY.format(mode=mode))
        with gateway(home.path, processes) as addresses:
            address = addresses[READY]
            warm = batches[: max(len(batches) // 10, 1)]
            await call_rate(address, _PUBLISH, fresh(warm))
            return await call_rate(address, _PUBLISH, batches, check_accepted)


def fresh(batches: list[bytes]) -> list[bytes]:
    """The same events under other ids, so that they are no repeats."""
    out = []
    for data in batches:
        request = ingest.PublishRequest.FromString(data)
        for event in request.events:
            event.event_id = event_id()
        out.append(request.SerializeToString())
    return out


async def _append_rate(home: Home, batches: list[bytes]) -> float:
    """The same bytes, cut into 100 records, straight into the event log with the same concurrency."""
    log = home.event_log(home.config())
    await log.start()
    began = time.perf_counter()
    try:
        queue = list(batches)

        async def appender() -> None:
            while queue:
                data = queue.pop()
                size = len(data) // BATCH
                records = [Record(b"", (), data[at * size : (at + 1) * size]) for at in range(BATCH)]
                await log.append(0, records, 30)

        await asyncio.gather(*(appender() for _ in range(CALLERS)))
    finally:
        seconds = time.perf_counter() - began
        await log.close()
    return len(batches) * BATCH / seconds


def check_accepted(answer: bytes) -> None:
    """Nothing was refused, which would be quick."""
    statuses = {result.status for result in ingest.PublishResponse.FromString(answer).results}
    if statuses != {ingest.EVENT_STATUS_ACCEPTED}:
        raise RuntimeError(f"events were not accepted: statuses {sorted(statuses)}")


async def call_rate(
    address: str,
    method: str,
    batches: list[bytes],
    check: Callable[[bytes], None] = lambda answer: None,
    metadata: tuple[tuple[str, str], ...] = (),
) -> float:
    queue, answers = list(batches), []

    async def caller() -> None:
        async with grpc.aio.insecure_channel(address, _CHANNEL) as channel:
            call = channel.unary_unary(
                method, request_serializer=lambda data: data, response_deserializer=lambda data: data
            )
            while queue:
                answers.append(await call(queue.pop(), timeout=60, wait_for_ready=True, metadata=metadata))

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    seconds = time.perf_counter() - began
    for answer in answers:
        check(answer)
    return len(batches) * BATCH / seconds


class _process:
    """A server in a process of its own; the value of the `with` is its address."""

    def __init__(self, serve, *arguments) -> None:  # type: ignore[no-untyped-def]
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._child = context.Process(target=serve, args=(there, *arguments), daemon=True)

    def __enter__(self) -> str:
        self._child.start()
        if not self._here.poll(60):
            raise TimeoutError("the server did not start")
        return str(self._here.recv())

    def __exit__(self, *_: object) -> None:
        self._here.send("stop")
        self._child.join(30)
        if self._child.is_alive():
            self._child.kill()


def _echo_server(pipe: Connection) -> None:
    async def main() -> None:
        server = grpc.aio.server(
            options=[("grpc.max_receive_message_length", 1 << 24), ("grpc.max_send_message_length", 1 << 24)]
        )

        async def echo(data: bytes, context: object) -> bytes:
            return data

        handler = grpc.unary_unary_rpc_method_handler(echo)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("benchmark.Echo", {"Echo": handler}),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        pipe.send(f"127.0.0.1:{port}")
        await asyncio.to_thread(pipe.recv)
        await server.stop(0)

    asyncio.run(main())


@contextmanager
def gateway(home: Path, processes: int, *more: str) -> Iterator[dict[str, str]]:
    """`audit-ledger serve`; the value of the `with` is its addresses, by what it says before each."""
    command = [sys.executable, "-m", "ledger.cli.main", "serve", "--home", str(home), "--processes", str(processes)]
    listen = ["--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", *more]
    with subprocess.Popen([*command, *listen], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        addresses: dict[str, str] = {}
        try:
            for line in child.stdout or ():
                said, _, address = line.rpartition(" ")
                addresses[f"{said} "] = address.strip()
                if READY in addresses:
                    yield addresses
                    break
            else:
                raise RuntimeError(f"the gateway did not start: exit code {child.wait()}")
        finally:
            child.terminate()
