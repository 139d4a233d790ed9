"""The end of the interpreter."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import Any

import pytest

from ledger.v1 import ingest_pb2 as pb
from ledger.v1.event_pb2 import OPERATION_ACTION_PRODUCER_CLOSED
from tests.ledger.client.gateway import ScriptedGateway, hangs

HEAD = """
import sys, time
from ledger.client import Client, AsyncClient, request
"""


async def takes_a_while(gateway: ScriptedGateway, request: pb.PublishRequest, _: Any) -> pb.PublishResponse:
    """A gateway that is slow, and takes everything."""
    await asyncio.sleep(0.2)
    return gateway.accept(request.events)


def run(program: str, *arguments: str) -> tuple[subprocess.CompletedProcess[str], float]:
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", HEAD + program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )
    return done, time.monotonic() - start


def test_events_of_a_client_nobody_closed_are_sent_at_exit(gateway: ScriptedGateway) -> None:
    """A program that just ends loses no event; the marker is the last."""
    program = """
client = Client(sys.argv[1], "acme", linger_ms=60_000)
for _ in range(100):
    client.emit(request(vendor="v"))
"""
    done, _ = run(program, gateway.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert gateway.sequences == list(range(1, 102))
    assert gateway.accepted[-1].operation.action == OPERATION_ACTION_PRODUCER_CLOSED


@pytest.mark.parametrize("kind", ["Client", "AsyncClient"])
def test_exit_is_quick_and_quiet_when_the_gateway_is_down(kind: str) -> None:
    """With nothing listening the process ends with code 0 within its exit time, and without a stack trace."""
    program = f"""
client = {kind}("127.0.0.1:1", "acme", exit_timeout_s=0.5)
for _ in range(1_000):
    client.emit(request(vendor="v"))
time.sleep(0.2)
"""
    done, took = run(program)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    # The marker is the last of them. Nothing listened, so nothing can have arrived.
    assert "closed: dropped 1001, unacknowledged 0 events" in done.stderr
    assert took < 10


def test_exit_is_quick_when_the_gateway_hangs(gateway: ScriptedGateway) -> None:
    """A call that hangs is cut off at exit."""
    gateway.script.extend([hangs] * 5)
    program = """
client = Client(sys.argv[1], "acme", exit_timeout_s=0.5)
client.emit(request(vendor="v"))
time.sleep(0.3)
"""
    done, took = run(program, gateway.address)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)
    assert took < 10


def test_exit_waits_while_events_are_answered(gateway: ScriptedGateway) -> None:
    """A backlog that takes several times `exit_idle_s` is sent to the end, because answers keep coming."""
    gateway.script.extend([takes_a_while] * 12)
    program = """
client = Client(sys.argv[1], "acme", batch_events_max=10, linger_ms=60_000, exit_idle_s=1.5, exit_timeout_s=60)
for _ in range(120):
    client.emit(request(vendor="v"))
"""
    done, took = run(program, gateway.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert gateway.sequences == list(range(1, 122))
    assert took > 1.5


def test_exit_gives_up_without_progress(gateway: ScriptedGateway) -> None:
    """When answers stop coming the process ends after `exit_idle_s`, and tells apart what it never sent."""
    gateway.script.extend([hangs] * 5)
    program = """
client = Client(sys.argv[1], "acme", batch_events_max=10, linger_ms=60_000, exit_idle_s=0.5, exit_timeout_s=600)
for _ in range(25):
    client.emit(request(vendor="v"))
"""
    done, took = run(program, gateway.address)
    assert done.returncode == 0
    assert "closed: dropped 16, unacknowledged 10 events" in done.stderr
    assert "the ledger may have those" in done.stderr
    assert took < 30


def test_exit_has_an_end_however_it_goes(gateway: ScriptedGateway) -> None:
    """Answers that keep coming do not hold a process beyond `exit_timeout_s`."""
    gateway.script.extend([takes_a_while] * 500)
    program = """
client = Client(sys.argv[1], "acme", batch_events_max=1, linger_ms=60_000, exit_idle_s=5, exit_timeout_s=0.8)
for _ in range(400):
    client.emit(request(vendor="v"))
"""
    done, took = run(program, gateway.address)
    assert done.returncode == 0
    assert "closed: dropped" in done.stderr
    assert 0 < len(gateway.accepted) < 400
    assert took < 30


def test_several_clients_share_one_exit_time() -> None:
    """Ten clients that can't send do not take ten times as long."""
    program = """
clients = [Client("127.0.0.1:1", "acme", exit_timeout_s=1) for _ in range(10)]
for client in clients:
    client.emit(request(vendor="v"))
time.sleep(0.1)
"""
    done, took = run(program)
    assert done.returncode == 0
    assert took < 12


def test_an_exception_and_sys_exit_keep_their_code(gateway: ScriptedGateway) -> None:
    """The client changes neither exit code nor traceback of its program."""
    done, _ = run('client = Client(sys.argv[1], "acme"); client.emit(request()); sys.exit(7)', gateway.address)
    assert (done.returncode, done.stderr) == (7, "")
    done, _ = run('client = Client(sys.argv[1], "acme"); client.emit(request()); 1 / 0', gateway.address)
    assert (done.returncode, "ZeroDivisionError" in done.stderr) == (1, True)
    assert len(gateway.accepted) == 4


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing_workers_send_at_their_end(gateway: ScriptedGateway, method: str, tmp_path: object) -> None:
    """Workers of multiprocessing, which end without atexit, send what they emitted, whatever the start method."""
    program = f"""
import multiprocessing
from ledger.client import Client, request

def work(address):
    client = parent if {method == "fork"} else Client(address, "acme", linger_ms=60_000)
    for _ in range(10):
        client.emit(request(vendor="v"))

if __name__ == "__main__":
    import sys
    parent = Client(sys.argv[1], "acme", linger_ms=60_000)
    parent.emit(request(vendor="v"))
    context = multiprocessing.get_context("{method}")
    workers = [context.Process(target=work, args=(sys.argv[1],)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    sys.exit(max(worker.exitcode for worker in workers))
"""
    path = f"{tmp_path}/program.py"
    with open(path, "w", encoding="utf-8") as file:
        file.write(program)
    done = subprocess.run(
        [sys.executable, path, gateway.address], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    by_boot: dict[bytes, list[int]] = {}
    for event in gateway.accepted:
        by_boot.setdefault(event.producer.boot_id, []).append(event.producer.sequence)
    assert sorted(len(numbers) for numbers in by_boot.values()) == [2, 11, 11]
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in by_boot.values())
