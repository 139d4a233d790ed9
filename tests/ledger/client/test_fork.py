"""Forks. The forking programs are processes of their own: nothing may fork where the test's gateway runs."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from ledger.v1.event_pb2 import OPERATION_ACTION_PRODUCER_CLOSED, Event
from tests.ledger.client.gateway import ScriptedGateway, hangs

HEAD = """
import os, signal, sys, threading, time
from ledger.client import Client, request
def ask(text): return request(vendor="v", input=text)
def join(*pids):
    for pid in pids:
        for _ in range(2_000):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            time.sleep(0.01)
        else:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            sys.exit("a child hung")
        if status:
            sys.exit(f"a child ended with {status}")
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", HEAD + program, *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def streams(gateway: ScriptedGateway) -> dict[bytes, list[Event]]:
    """The accepted events by boot."""
    found: dict[bytes, list[Event]] = defaultdict(list)
    for event in gateway.accepted:
        found[event.producer.boot_id].append(event)
    return found


def check_streams(gateway: ScriptedGateway, count: int) -> list[list[str]]:
    """So many streams, each without a gap and closed; the texts of each."""
    found = list(streams(gateway).values())
    assert len(found) == count
    for events in found:
        assert sorted(event.producer.sequence for event in events) == list(range(1, len(events) + 1))
        last = max(events, key=lambda event: event.producer.sequence)
        assert last.operation.action == OPERATION_ACTION_PRODUCER_CLOSED
    return sorted([event.request.input.text for event in events if event.HasField("request")] for events in found)


def test_parent_and_children_each_have_a_stream(gateway: ScriptedGateway) -> None:
    """After a fork the child has a new boot id and an empty queue, and both go on sending."""
    program = """
client = Client(sys.argv[1], "acme", linger_ms=1)
client.emit(ask("before"))
client.flush(10)
client.emit(ask("waiting at the fork"))
pids = []
for n in range(3):
    pid = os.fork()
    if pid == 0:
        assert client.stats().emitted == 0
        client.emit(ask(f"child {n}"))
        client.close(10)
        os._exit(0)
    pids.append(pid)
client.emit(ask("after"))
join(*pids)
client.close(10)
"""
    done = run(program, gateway.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert check_streams(gateway, 4) == [
        ["before", "waiting at the fork", "after"],
        ["child 0"],
        ["child 1"],
        ["child 2"],
    ]


def test_a_fork_before_the_first_event_costs_nothing(gateway: ScriptedGateway) -> None:
    """A pre-forking server may make its client before it forks: gRPC has not started then."""
    program = """
client = Client(sys.argv[1], "acme")
assert threading.active_count() == 1
pid = os.fork()
client.emit(ask("child" if pid == 0 else "parent"))
client.close(10)
if pid == 0:
    os._exit(0)
join(pid)
"""
    done = run(program, gateway.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert check_streams(gateway, 2) == [["child"], ["parent"]]


@pytest.mark.parametrize("hanging", [False, True], ids=["busy", "hanging"])
def test_forks_amid_calls_in_flight_hurt_neither_side(gateway: ScriptedGateway, hanging: bool) -> None:
    """Forty forks while calls are in flight, busy or hanging: no child crashes or hangs, nothing is lost or doubled."""
    if hanging:
        gateway.script.extend([hangs] * 1_000)
    program = """
hanging = sys.argv[2] == "True"
client = Client(sys.argv[1], "acme", linger_ms=0, exit_timeout_s=0.2)
stop = threading.Event()
def emits():
    while not stop.is_set():
        client.emit(ask("parent"))
        time.sleep(0.000_5)
thread = threading.Thread(target=emits)
thread.start()
time.sleep(0.05)
for _ in range(40):
    time.sleep(0.004)
    pid = os.fork()
    if pid == 0:
        client.emit(ask("child"))
        ok = client.flush(0.05 if hanging else 10)
        client.close(0.05 if hanging else 10)
        sys.exit(0 if ok or hanging else 9)
    join(pid)
stop.set()
thread.join()
print(client.stats().emitted, client.close(0.1 if hanging else 10))
"""
    done = run(program, gateway.address, str(hanging))
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    if not hanging:
        texts = check_streams(gateway, 41)
        assert texts.count(["child"]) == 40
        assert done.stdout.split() == [str(len(texts[-1])), "True"]


def test_a_fork_from_another_thread_s_emit_is_safe(gateway: ScriptedGateway) -> None:
    """A fork while other threads hold the client's locks leaves no lock held in the child."""
    program = """
client = Client(sys.argv[1], "acme", queue_events_max=100)
stop = threading.Event()
def emits():
    while not stop.is_set():
        client.emit(ask("parent"))
threads = [threading.Thread(target=emits) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        client.emit(ask("child"))
        client.close(10)
        os._exit(0)
    join(pid)
stop.set()
for thread in threads:
    thread.join()
client.close(10)
"""
    done = run(program, gateway.address)
    assert done.returncode == 0, done.stderr
    found = list(streams(gateway).values())
    assert sorted(len(events) for events in found)[:20] == [2] * 20


def test_the_child_has_a_part_of_the_spool_of_its_own(gateway: ScriptedGateway, tmp_path: Path) -> None:
    """With the gateway away, parent and child spool apart; the next process sends both parts."""
    program = """
settings = dict(spool_dir=sys.argv[2], backoff_first_ms=5, backoff_longest_ms=20, spool_after_ms=0, linger_ms=0)
client = Client(sys.argv[1], "acme", **settings)
client.emit(ask("parent"))
client.flush(10)
while not os.path.exists(sys.argv[2] + "/spool-key.json"):
    time.sleep(0.01)
client._options = client._options.__class__(to="127.0.0.1:1", tenant="acme", **settings)
pid = os.fork()
if pid == 0:
    for n in range(3):
        client.emit(ask(f"child {n}"))
    client.close(5)
    assert client.stats().spooled_events == 4, client.stats()
    os._exit(0)
join(pid)
client.close(10)
later = Client(sys.argv[1], "acme", **settings)
assert later.flush(10)
later.close(10)
"""
    done = run(program, gateway.address, str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert check_streams(gateway, 2) == [["child 0", "child 1", "child 2"], ["parent"]]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spool-key.json"]
