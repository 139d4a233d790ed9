"""OpenTelemetry's own SDK and exporters against a real gateway: what they are told is kept is there, once.

The ordinary suite exports a sample of spans; `LEDGER_CAMPAIGN=full` exports 100,000.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from grpc import insecure_channel
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetricExporter
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData

from ledger.gateway.otlp.signals import TRACES
from tests.ledger.cli.running import ROOT, TENANT, Cli, Up
from tests.ledger.gateway.otlp.exporting import HEADERS
from tests.ledger.gateway.otlp.sending import PROTOBUF, chat_span, export

FULL = os.environ.get("LEDGER_CAMPAIGN") == "full"
SPANS = 100_000 if FULL else 4_000
KILLS = (0.25, 0.6)
PROTOCOLS = ("grpc", "http")
WITHIN_S = 1_800 if FULL else 240
SPAN = "lower(hex(trace_id)) || lower(hex(span_id))"


class Service:
    """A service that exports, in a process of its own."""

    def __init__(self, protocol: str, endpoint: str, spans: int, folder: Path) -> None:
        self.file = folder / f"acknowledged-{protocol}"
        self.file.touch()
        command = [sys.executable, "-m", "tests.ledger.gateway.otlp.exporting", protocol, endpoint, str(spans)]
        self.process = subprocess.Popen([*command, str(self.file)], cwd=ROOT)

    def acknowledged(self) -> list[str]:
        """The spans that its exporter was told are kept; whole lines only."""
        return self.file.read_text("ascii").split("\n")[:-1]


class Gateway:
    """`audit-ledger serve`, which can be killed and started again on the same ports."""

    def __init__(self, cli: Cli) -> None:
        self._cli = cli
        self._addresses = {"gateway": "127.0.0.1:0", "OTLP over HTTP": "127.0.0.1:0"}
        self.start()

    def start(self) -> None:
        """Serve; where it did before, if it did."""
        grpc, http = self._addresses.values()
        arguments = ("--listen", grpc, "--otlp-http", http, "--metrics-listen", "127.0.0.1:0")
        self.up = Up(self._cli.start("serve", *arguments))
        self.up.await_ready("gateway")
        self._addresses = {name: self.up.addresses[name] for name in self._addresses}

    def address(self, protocol: str) -> str:
        """Where exporters of a protocol send to."""
        return self._addresses["gateway" if protocol == "grpc" else "OTLP over HTTP"]

    def kill(self) -> None:
        """With kill -9, at once."""
        self.up.process.kill()
        self.up.await_end()


def asked(cli: Cli, query: str) -> list[dict[str, Any]]:
    """The rows of an auditor's SQL."""
    rows: list[dict[str, Any]] = json.loads(cli.good("sql", query, "--tenant", TENANT, "--json").out)
    return rows


@pytest.mark.campaign
@pytest.mark.timeout(WITHIN_S + 600)
def test_every_acknowledged_span_is_one_event(tmp_path: Path) -> None:
    """The gateway is killed twice under the stock exporters (gRPC and HTTP, gzip, retries): each acknowledged span is
    one event, and no span is two."""
    limits = {"AUDIT_LEDGER_QUERY_SQL_ROWS_MAX": str(10 * SPANS), "AUDIT_LEDGER_QUERY_SQL_TIME_S": "300"}
    cli = Cli(tmp_path / "home", limits)
    cli.make(TENANT)
    gateway = Gateway(cli)
    began = time.monotonic()
    services = [Service(each, gateway.address(each), SPANS // 2, tmp_path) for each in PROTOCOLS]
    kills = [int(share * SPANS) for share in KILLS]
    while any(each.process.poll() is None for each in services):
        assert time.monotonic() - began < WITHIN_S
        if kills and sum(len(each.acknowledged()) for each in services) >= kills[0]:
            del kills[0]
            gateway.kill()
            gateway.start()
        time.sleep(0.05)
    seconds = time.monotonic() - began
    assert kills == []
    assert [each.process.returncode for each in services] == [0, 0]
    assert gateway.up.stop() == 0
    acknowledged = Counter(span for each in services for span in each.acknowledged())
    sealed = cli.good("seal", "--drain", "--json", within_s=900).json
    query = f"SELECT {SPAN} AS span, count(*) AS events FROM events WHERE kind = 'request' GROUP BY 1"
    found = {row["span"]: row["events"] for row in asked(cli, query)}
    assert {span: found.get(span, 0) for span in acknowledged} == dict.fromkeys(acknowledged, 1)
    assert set(found.values()) == {1}
    # Nothing had to be given up: exporters that retry for long enough lose nothing.
    assert len(acknowledged) == SPANS
    assert cli.good("verify", within_s=900).code == 0
    print(
        f"\n{SPANS} spans exported and acknowledged in {seconds:.0f} s with {len(KILLS)} kills; {len(found)} events, "
        f"{sealed['repeats']} repeats dropped by the sealer"
    )


def test_an_export_sent_again_after_a_kill_is_a_repeat(tmp_path: Path) -> None:
    """A gateway that was killed remembers nothing: it takes the spans again, over either protocol; sealed is one."""
    cli = Cli(tmp_path / "home")
    cli.make(TENANT)
    gateway = Gateway(cli)
    data = export(chat_span(0), chat_span(1)).SerializeToString()
    with urlopen(posting(gateway, data), timeout=30) as answer:
        assert (answer.status, answer.read()) == (200, b"")
    gateway.kill()
    gateway.start()
    with insecure_channel(gateway.address("grpc")) as channel:
        call = channel.unary_unary(f"/{TRACES.service}/Export")
        assert call(data, metadata=tuple(HEADERS.items()), timeout=30) == b""
    assert gateway.up.stop() == 0
    sealed = cli.good("seal", "--drain", "--json").json
    # What the killed gateway had begun to say of itself, that its policy is in force, may come twice as well.
    assert sealed["repeats"] >= 2
    query = "SELECT count(*) AS events FROM events WHERE kind = 'request'"
    assert asked(cli, query) == [{"events": 2}]


def posting(gateway: Gateway, data: bytes) -> Request:
    """An Export over HTTP."""
    headers = {"Content-Type": PROTOBUF, **HEADERS}
    return Request(f"http://{gateway.address('http')}{TRACES.path}", data, headers)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway as a process."""
    cli = Cli(tmp_path / "home")
    cli.make(TENANT)
    gateway = Gateway(cli)
    yield gateway
    gateway.up.stop()


def test_stock_log_exporters(gateway: Gateway) -> None:
    """The stock log exporters, too, are told of success, over both protocols."""
    provider, results = LoggerProvider(), []
    exporters = [
        GrpcLogExporter(endpoint=f"http://{gateway.address('grpc')}", insecure=True, headers=HEADERS),
        HttpLogExporter(endpoint=f"http://{gateway.address('http')}/v1/logs", headers=HEADERS),
    ]

    class Passing(LogRecordExporter):
        def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
            results.extend(each.export(batch) for each in exporters)
            return results[-1]

        def shutdown(self) -> None:
            for each in exporters:
                each.shutdown()

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return True

    provider.add_log_record_processor(SimpleLogRecordProcessor(Passing()))
    provider.get_logger("shop").emit(event_name="gen_ai.choice", body={"message": {"content": "On its way."}})
    provider.shutdown()
    assert results == [LogRecordExportResult.SUCCESS] * 2


def test_metric_exporters_give_up_quietly(gateway: Gateway, caplog: pytest.LogCaptureFixture) -> None:
    """The stock metric exporters, pointed at the ledger by mistake, fail at once and raise nothing."""
    exporters = [
        GrpcMetricExporter(endpoint=f"http://{gateway.address('grpc')}", insecure=True),
        HttpMetricExporter(endpoint=f"http://{gateway.address('http')}/v1/metrics"),
    ]
    began = time.monotonic()
    for each in exporters:
        assert each.export(MetricsData(resource_metrics=[])) is MetricExportResult.FAILURE
        each.shutdown()
    assert time.monotonic() - began < 5
    assert "OTEL_METRICS_EXPORTER=none" in caplog.text
