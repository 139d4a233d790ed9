"""docs/OTLP.md: a service that is given an address, as the document has it, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.test_readme import commands
from tests.ledger.cli.running import ROOT, TENANT, Cli, Up

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "OTLP.md"
SERVICE = """
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("shop")
with tracer.start_as_current_span("chat gpt-4o") as span:
    span.set_attribute("gen_ai.operation.name", "chat")
    span.set_attribute("gen_ai.provider.name", "openai")
    span.set_attribute("gen_ai.response.model", "gpt-4o-2024-08-06")
provider.shutdown()
"""
"""Instrumented, and knowing nothing of any ledger."""


def test_a_service_with_nothing_but_an_address(tmp_path: Path) -> None:
    """With the variables that the document shows its spans are events, and `coverage` tells what they lack."""
    shown = [line.removeprefix("export ") for line in commands(DOCUMENT) if line.startswith("export ")]
    given = dict(line.split("=", maxsplit=1) for line in shown)
    assert "4318" in given["OTEL_EXPORTER_OTLP_ENDPOINT"]
    cli = Cli(tmp_path / "home", {"AUDIT_LEDGER_OTLP_TENANT": TENANT})
    cli.make(TENANT)
    gateway = Up(cli.start("serve", "--listen", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"))
    gateway.await_ready("gateway")
    port = gateway.addresses["OTLP over HTTP"].rpartition(":")[2]
    endpoint = given["OTEL_EXPORTER_OTLP_ENDPOINT"].replace("4318", port)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    environment = {**kept, **given, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_SERVICE_NAME": "shop"}
    subprocess.run([sys.executable, "-c", SERVICE], cwd=ROOT, env=environment, check=True, timeout=120)
    assert gateway.stop() == 0
    cli.good("seal", "--drain")
    (service,) = cli.good("coverage", "--tenant", TENANT, "--json").json["services"]
    assert (service["service"], service["events"]) == ("shop", 1)
    lacking = {each["need"]: each["lacking"] for each in service["needs"]}
    assert lacking["request.model_answered"] == 0
    assert lacking["request.prompts.revision"] == 1
