"""When the ledger is away: records wait on the disk, or nothing leaves; never in silence, and exactly once."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import create_connection
from typing import Any

import openai
import pytest

from ledger.cli.proxying import READY
from ledger.errors import Unavailable
from ledger.proxy.aws_signing import AwsSigner
from ledger.v1 import event_pb2 as pb
from tests.ledger.client.gateway import ScriptedGateway, hangs, wait_until
from tests.ledger.proxy.raw import RawUpstream, ask, event_in, post, raw_upstream
from tests.ledger.proxy.running import POLICY, TENANT, Running, proxied, upstreams_text
from tests.vendors.serving import Loopback
from tests.vendors.turns import PLAIN

CHAT = "/openai/v1/chat/completions"


def asked(url: str, text: str = "Good morning") -> Any:
    """One question; the raw answer with its fields."""
    with openai.OpenAI(base_url=f"{url}/openai/v1", api_key="k", max_retries=0) as client:
        messages: Any = [{"role": "user", "content": text}]
        return client.chat.completions.with_raw_response.create(model="gpt-4o", messages=messages)


def test_calls_go_on_and_records_wait_on_the_disk(gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path) -> None:
    """With the ledger away callers get their answers, told that records are spooled; later it gets each once."""
    with proxied(gateway, vendor.url, tmp_path) as proxy:
        wait_until(lambda: proxy.metric("recorder_spool_ready") == 1)
        assert asked(proxy.url).headers["x-ledger-recorded"] == "yes"
        gateway.stop()
        for number in range(5):
            assert asked(proxy.url, f"question {number}").parse().choices[0].message.content == PLAIN
        wait_until(lambda: proxy.metric("recorder_ledger_spool_bytes") > 0)
        wait_until(lambda: asked(proxy.url).headers["x-ledger-recorded"] == "spooled")
        sent = len(vendor.seen)
        gateway.start()
        events = proxy.events(sent)
    assert len({each.event_id for each in events}) == sent
    assert gateway.conflicts == []


def test_a_call_that_can_not_be_signed_has_an_end_on_record(
    gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the proxy's own credentials can't be had, a beginning on record does not stay open: nothing left."""

    def away(*_: object) -> None:
        raise Unavailable("no credentials now")

    monkeypatch.setattr(AwsSigner, "sign", away)
    with proxied(gateway, vendor.url, tmp_path, on_ledger_down="refuse") as proxy:
        head, body = ask(int(proxy.url.rpartition(":")[2]), post("/bedrock/model/anthropic.m/converse"))
        assert (head.split(b" ")[1], b"credentials" in body) == (b"503", True)
        began, ended = proxy.operation_of(event_in(head), 2)
    assert (began.phase, ended.phase) == (pb.PHASE_STARTED, pb.PHASE_CANCELLED)
    assert ended.request.error_class == "credentials"
    assert vendor.seen == []


def test_without_a_place_for_records_callers_are_told_so(
    gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path
) -> None:
    """When the ledger was never there, and so nothing can be sealed to it, `x-ledger-recorded` is no."""
    gateway.stop()
    with proxied(gateway, vendor.url, tmp_path) as proxy:
        wait_until(lambda: asked(proxy.url).headers["x-ledger-recorded"] == "no")
        gateway.start()
        proxy.events(len(vendor.seen))


def test_refusing_a_call_needs_its_beginning_on_record(
    gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path
) -> None:
    """With `refuse` a call leaves only once the ledger has its beginning; the end follows, of the same operation."""
    with proxied(gateway, vendor.url, tmp_path, on_ledger_down="refuse") as proxy:
        answer = asked(proxy.url)
        assert answer.headers["x-ledger-recorded"] == "yes"
        started, completed = proxy.operation_of(answer.headers["x-ledger-event"], 2)
    assert (started.phase, completed.phase) == (pb.PHASE_STARTED, pb.PHASE_COMPLETED)
    assert "Good morning" in started.request.input.text
    assert not started.request.HasField("output")
    assert completed.request.output.text == PLAIN
    assert not completed.request.HasField("input")
    assert completed.request.model_answered


@pytest.mark.parametrize("how", ["away", "hanging"])
def test_with_refuse_nothing_leaves_unrecorded(
    how: str, gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path
) -> None:
    """With `refuse` and the ledger away or silent, callers get a 503 that says so, and the vendor sees nothing."""
    with proxied(gateway, vendor.url, tmp_path, on_ledger_down="refuse", start_timeout_ms=400) as proxy:
        asked(proxy.url)
        proxy.events(2)
        vendor.seen.clear()
        if how == "away":
            gateway.stop()
        else:
            gateway.script.extend([hangs] * 20)
        with pytest.raises(openai.InternalServerError) as refused:
            asked(proxy.url)
        assert (refused.value.status_code, refused.value.code) == (503, "audit_ledger_ledger_unavailable")
        assert refused.value.response.headers["x-ledger-recorded"] == "no"
        assert refused.value.response.headers["retry-after"]
        assert vendor.seen == []
        assert proxy.metric("refused_total") == 1
        event_id = refused.value.response.headers["x-ledger-event"]
        gateway.script.clear()
        gateway.release()
        if how == "away":
            gateway.start()
        # That it was cancelled is told once the ledger is back, whether its beginning got there or not.
        wait_until(lambda: any(each.phase == pb.PHASE_CANCELLED for each in proxy.operation_of(event_id, 1)))
        assert asked(proxy.url).headers["x-ledger-recorded"] == "yes"


def test_beginnings_can_be_recorded_with_spool_too(gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path) -> None:
    """With `starts` each call has two events, and waits for neither."""
    with proxied(gateway, vendor.url, tmp_path, starts=True) as proxy:
        answer = asked(proxy.url)
        started, completed = proxy.operation_of(answer.headers["x-ledger-event"], 2)
    assert (started.phase, completed.phase) == (pb.PHASE_STARTED, pb.PHASE_COMPLETED)


# --- a proxy of its own process, to be killed -----------------------------------------------------------------------


@dataclass(slots=True)
class Killable:
    """A proxy started by its command."""

    process: subprocess.Popen[str]
    url: str
    metrics: str

    @property
    def port(self) -> int:
        """The proxy's."""
        return int(self.url.rpartition(":")[2])

    def metric(self, name: str) -> float:
        """One gauge."""
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(each.split()[-1]) for each in lines if each.startswith(f"audit_ledger_proxy_{name} "))


@contextmanager
def commanded(gateway: ScriptedGateway, upstream: str, folder: Path, **settings: str) -> Iterator[Killable]:
    """`audit-ledger proxy` with a configuration of its own, in a process group of its own."""
    (folder / "policy.toml").write_text(POLICY)
    (folder / "upstreams.toml").write_text(upstreams_text(upstream, "openai"))
    lines = {
        "listen": "127.0.0.1:0",
        "metrics_listen": "127.0.0.1:0",
        "tenant": TENANT,
        "to": gateway.address,
        "capture_policy": "policy.toml",
        **settings,
    }
    text = "".join(f'{name} = "{value}"\n' for name, value in lines.items())
    (folder / "proxy.toml").write_text(f"[proxy]\n{text}")
    process = subprocess.Popen(
        [sys.executable, "-m", "ledger.cli.main", "proxy", "--config", str(folder / "proxy.toml")],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready.startswith(READY)
        address, _, metrics = ready.removeprefix(READY).strip().partition(", metrics on ")
        yield Killable(process, f"http://{address}", metrics)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=30)


def test_what_is_spooled_outlives_the_kill_of_everything(
    gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path
) -> None:
    """Records in the spool survive the kill of the proxy with all its processes; the next proxy sends each once."""
    with commanded(gateway, vendor.url, tmp_path) as first:
        wait_until(lambda: first.metric("recorder_spool_ready") == 1)
        asked(first.url)
        gateway.stop()
        for number in range(4):
            asked(first.url, f"question {number}")
        wait_until(lambda: first.metric("recorder_events") == 5)
        wait_until(lambda: first.metric("recorder_ledger_queued_events") == 0)
        assert first.metric("recorder_ledger_spool_bytes") > 0
        os.killpg(first.process.pid, signal.SIGKILL)
    gateway.start()
    with commanded(gateway, vendor.url, tmp_path):
        gateway.await_accepted(5)
    requests = [each for each in gateway.accepted if each.WhichOneof("body") == "request"]
    assert len(requests) == len({each.event_id for each in requests}) == 5
    assert gateway.conflicts == []


def test_a_killed_proxy_leaves_its_record_to_its_recorder(gateway: ScriptedGateway, tmp_path: Path) -> None:
    """When only the proxy is killed, in the middle of a stream, what had come is recorded, and how it ended."""
    upstream: RawUpstream
    with raw_upstream() as upstream:
        event = b'data: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n' % (b"word " * 20_000)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999999\r\n\r\n"
        upstream.answer = [head + event]
        with commanded(gateway, f"http://127.0.0.1:{upstream.port}", tmp_path) as proxy:
            with create_connection(("127.0.0.1", proxy.port), timeout=15) as connection:
                connection.sendall(post(CHAT))
                came = b""
                while len(came) < len(event):
                    came += connection.recv(65536)
                proxy.process.kill()
                wait_until(lambda: len(gateway.accepted) >= 2)
    started, cancelled = (each for each in gateway.accepted if each.WhichOneof("body") == "request")
    assert started.event_id.hex() == event_in(came).replace("-", "")
    assert (cancelled.phase, cancelled.request.error_class) == (pb.PHASE_CANCELLED, "proxy_killed")
    assert cancelled.request.output.text.startswith("word word")


def test_a_killed_proxy_leaves_a_beginning_without_an_end(gateway: ScriptedGateway, tmp_path: Path) -> None:
    """With `refuse`, a proxy killed before any answer came leaves a call that began and never ended."""
    with (
        raw_upstream() as upstream,
        commanded(gateway, f"http://127.0.0.1:{upstream.port}", tmp_path, on_ledger_down="refuse") as proxy,
    ):
        with create_connection(("127.0.0.1", proxy.port), timeout=15) as connection:
            connection.sendall(post(CHAT))
            wait_until(lambda: len(upstream.seen) == 1)
            proxy.process.kill()
            # The recorder's stream is closed when it has said all that it knows.
            wait_until(lambda: any(each.WhichOneof("body") == "operation" for each in gateway.accepted))
    (started,) = (each for each in gateway.accepted if each.WhichOneof("body") == "request")
    assert started.phase == pb.PHASE_STARTED


def test_a_recorder_that_ends_is_started_again(gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path) -> None:
    """A killed recorder is replaced; meanwhile callers are told that nothing is recorded, later that it is again."""
    with commanded(gateway, vendor.url, tmp_path) as proxy:
        asked(proxy.url)
        gateway.await_accepted(1)
        children = Path(f"/proc/{proxy.process.pid}/task/{proxy.process.pid}/children")
        recorders = [int(each) for each in children.read_text().split()] or _children(proxy.process.pid)
        os.kill(recorders[0], signal.SIGKILL)
        wait_until(lambda: asked(proxy.url).headers["x-ledger-recorded"] == "no")
        wait_until(lambda: asked(proxy.url).headers["x-ledger-recorded"] == "yes")
        assert proxy.metric("recorder_deaths") == 1
        last = asked(proxy.url).headers["x-ledger-event"]
        wait_until(lambda: any(each.event_id.hex() == last.replace("-", "") for each in gateway.accepted))


def _children(process: int) -> list[int]:
    """Children of any of its threads."""
    found = []
    for task in Path(f"/proc/{process}/task").iterdir():
        found += [int(each) for each in (task / "children").read_text().split()]
    return found


def test_stopping_lets_calls_end(gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path) -> None:
    """SIGTERM: the proxy ends by itself, everything recorded, with exit code 0."""
    with commanded(gateway, vendor.url, tmp_path) as proxy:
        asked(proxy.url)
        proxy.process.send_signal(signal.SIGTERM)
        assert proxy.process.wait(30) == 0
    kinds = [each.WhichOneof("body") for each in gateway.accepted]
    assert kinds == ["request", "operation"]


@pytest.fixture
def upstream() -> Iterator[RawUpstream]:
    """A raw upstream."""
    with raw_upstream() as found:
        yield found


def test_a_caller_who_goes_away_takes_the_call_with_him(
    gateway: ScriptedGateway, upstream: RawUpstream, tmp_path: Path
) -> None:
    """A caller who leaves in the middle: the upstream is left too, and the record is cancelled and partial."""
    event = b'data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 999\r\n\r\n"
    upstream.answer = [head + event]
    proxy: Running
    with proxied(gateway, f"http://127.0.0.1:{upstream.port}", tmp_path) as proxy:
        with create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2])), timeout=15) as connection:
            connection.sendall(post(CHAT))
            came = b""
            while event not in came:
                came += connection.recv(65536)
        started, cancelled = proxy.operation_of(event_in(came), 2)
        wait_until(lambda: upstream.closed == 1)
        assert (started.phase, cancelled.phase) == (pb.PHASE_STARTED, pb.PHASE_CANCELLED)
        assert (cancelled.request.error_class, cancelled.request.output.text) == ("client_disconnected", "half")


@pytest.mark.parametrize(("error_class", "status"), [("upstream_unreachable", b"502"), ("upstream_timeout", b"504")])
def test_an_upstream_that_does_not_answer(
    error_class: str, status: bytes, gateway: ScriptedGateway, upstream: RawUpstream, tmp_path: Path
) -> None:
    """An upstream that is not there, or silent, is an error in the vendor's way, and on record as failed."""
    port = upstream.port if error_class == "upstream_timeout" else 1
    with proxied(gateway, f"http://127.0.0.1:{port}", tmp_path, idle_timeout_ms=300) as proxy:
        head, body = ask(int(proxy.url.rpartition(":")[2]), post(CHAT))
        assert head.split(b" ")[1] == status
        assert error_class.encode() in body
        _, failed = proxy.operation_of(event_in(head), 2)
    assert (failed.phase, failed.request.error_class) == (pb.PHASE_FAILED, error_class)
