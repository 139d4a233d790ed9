"""`serve --processes` and `up --gateways`: real processes behind one address."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import grpc

from ledger.v1 import event_pb2, ingest_pb2
from tests.ledger.cli.events import event, line
from tests.ledger.cli.running import TENANT, Cli, Up
from tests.ledger.gateway.otlp.sending import FOR_TENANT, PROTOBUF, chat_span, export

PROCESSES = 3
TWO = ("--processes", "2")
SPREAD_S = 60


@contextmanager
def serving(cli: Cli, *arguments: str) -> Iterator[Up]:
    """`audit-ledger serve`, ready; told to end when the block ends."""
    given = ("--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", *arguments)
    running = Up(cli.start("serve", *given))
    try:
        running.await_ready("gateway")
        yield running
    finally:
        running.stop()


def members(up: Up) -> list[int]:
    """The process ids of the gateway's processes."""
    pid = up.process.pid
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def gone(pid: int) -> bool:
    """Whether there is no such process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def publish(address: str, sent: event_pb2.Event) -> ingest_pb2.PublishResponse:
    """Sends one event over a connection of its own."""
    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(address, options) as channel:
        call = channel.unary_unary(
            "/ledger.v1.IngestService/Publish",
            ingest_pb2.PublishRequest.SerializeToString,
            ingest_pb2.PublishResponse.FromString,
        )
        answer: ingest_pb2.PublishResponse = call(ingest_pb2.PublishRequest(tenant=TENANT, events=[sent]), timeout=30)
        return answer


def published(metrics: str) -> bool:
    """Whether the gateway process with these metrics has answered a call."""
    host, _, port = metrics.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        text = b"".join(iter(lambda: connection.recv(65_536), b"")).decode()
    counts = re.findall(r"^audit_ledger_gateway_\w*events_total\{[^}]*accepted[^}]*\} (\S+)", text, re.MULTILINE)
    return any(float(count) > 0 for count in counts)


def test_every_process_serves_one_ledger(cli: Cli) -> None:
    """Connections reach each of the processes, all give receipts that verify, and all of it is sealed."""
    cli.make(TENANT)
    with serving(cli, "--processes", str(PROCESSES)) as up:
        assert len(members(up)) == PROCESSES
        metrics = re.findall(r"gateway listens on \S+, metrics on (\S+)", up.err)
        assert len(set(metrics)) == PROCESSES
        sent = 0
        until = time.monotonic() + SPREAD_S
        while not all(published(each) for each in metrics):
            assert time.monotonic() < until, f"{sent} connections reached only some of {PROCESSES} processes"
            (result,) = publish(up.gateway, event()).results
            assert result.status == ingest_pb2.EVENT_STATUS_ACCEPTED
            sent += 1
        processes = members(up)
        assert up.stop() == 0
    assert all(gone(pid) for pid in processes)
    sealed = cli.good("seal", "--drain", "--json").json
    assert sealed["quarantined"] == 0  # a receipt that does not verify would be
    (tenant,) = [each for each in cli.good("status", "--json").json["tenants"] if each["tenant"] == TENANT]
    assert tenant["events"] == sent


def test_processes_share_the_address_of_otlp_over_http(cli: Cli) -> None:
    """Connections to it reach each of the processes too, at the one address that is said."""
    cli.make(TENANT)
    with serving(cli, "--processes", "2", "--otlp-http", "127.0.0.1:0") as up:
        metrics = re.findall(r"gateway listens on \S+, metrics on (\S+)", up.err)
        assert set(re.findall(r"gateway listens on (\S+) for OTLP over HTTP", up.err)) == {
            up.addresses["OTLP over HTTP"]
        }
        sent = 0
        until = time.monotonic() + SPREAD_S
        while not all(published(each) for each in metrics):
            assert time.monotonic() < until, f"{sent} connections reached only one process"
            sent += 1
            data = export(chat_span(sent)).SerializeToString()
            headers = {"Content-Type": PROTOBUF, **FOR_TENANT}
            with urlopen(
                Request(f"http://{up.addresses['OTLP over HTTP']}/v1/traces", data, headers), timeout=30
            ) as done:
                assert (done.status, done.read()) == (200, b"")
        assert up.stop() == 0
    assert cli.good("seal", "--drain", "--json").json["quarantined"] == 0


def test_when_one_process_dies_all_end(cli: Cli) -> None:
    """A gateway that lost a process does not look like one that works."""
    cli.make()
    with serving(cli, "--processes", "2") as up:
        first, second = members(up)
        os.kill(second, signal.SIGKILL)
        assert up.await_end() == 3
        assert "error: the gateway process 2 ended with exit code -9; its message stands above" in up.err
        assert gone(first)


def test_processes_do_not_outlive_their_parent(cli: Cli) -> None:
    """When the parent is killed its processes drain: nobody serves an address that nobody looks after."""
    cli.make()
    with serving(cli, "--processes", "2") as up:
        processes = members(up)
        watched = [os.pidfd_open(pid) for pid in processes]
        up.process.kill()
        for handle in watched:
            readable, _, _ = select.select([handle], [], [], SPREAD_S)
            os.close(handle)
            assert readable


def test_an_address_that_is_taken_is_refused(cli: Cli) -> None:
    """Somebody else's address is not shared with him."""
    cli.make()
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        done = cli.run("serve", "--processes", "2", "--listen", listen)
        http = [cli.run("serve", *more, "--listen", "127.0.0.1:0", "--otlp-http", listen) for more in ((), TWO)]
    assert done.code == 2
    assert f"gateway.listen: cannot listen on {listen}" in done.err
    for each in http:
        assert each.code == 2
        assert f"otlp.http_listen: cannot listen on {listen}" in each.err


def test_a_number_of_processes_that_cannot_be(cli: Cli) -> None:
    """Wrong usage is said before anything starts."""
    assert cli.run("serve", "--processes", "0").code == 2


def test_up_with_several_gateway_processes(cli: Cli) -> None:
    """`up --gateways` has one gateway of several processes, and drains all of it."""
    cli.make(TENANT)
    with cli.up("--without-query", "--gateways", "2") as up:
        cli.good("publish", "-", "--tenant", TENANT, "--to", up.gateway, "--wait", stdin=line(event()))
        assert up.stop() == 0
