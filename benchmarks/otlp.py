"""OTLP intake beside Publish: the same requests as spans, 100 an export, over gRPC and over HTTP with gzip.

All three go through one `audit-ledger serve` each, with a new home, contents kept whole and encrypted. What OTLP costs
beyond Publish is reading spans and mapping them to events; over HTTP also unpacking, and Python's share of HTTP. The
clients only send: requests are made, and compressed, before the clock starts.
"""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import os
import tempfile
import time
from collections.abc import Awaitable, Callable

import aiohttp
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from benchmarks.corpus import requests
from benchmarks.figures import Figure
from benchmarks.ingest import BATCH, CALLERS, POLICY, call_rate, check_accepted, fresh, gateway, in_sessions, new_home
from ledger.cli.gateways import OTLP_READY, READY
from ledger.v1 import event_pb2 as pb
from ledger.v1 import ingest_pb2 as ingest

_PUBLISH = "/ledger.v1.IngestService/Publish"
_EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_TENANT = {"x-ledger-tenant": "acme"}
_HTTP = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip", **_TENANT}

Rate = Callable[[dict[str, str]], Awaitable[float]]


def run(smoke: bool) -> list[Figure]:
    """On the embedded log, one process."""
    return asyncio.run(_measure(1_000 if smoke else 10_000))


async def _measure(count: int) -> list[Figure]:
    events = in_sessions(requests(count))
    published = [
        ingest.PublishRequest(tenant="acme", events=events[at : at + BATCH]).SerializeToString()
        for at in range(0, count, BATCH)
    ]
    warm = max(len(published) // 10, 1)
    exported, more = _exports(events), _exports(events[: warm * BATCH])

    async def publish(addresses: dict[str, str]) -> float:
        await call_rate(addresses[READY], _PUBLISH, fresh(published[:warm]))
        return await call_rate(addresses[READY], _PUBLISH, published, check_accepted)

    async def over_grpc(addresses: dict[str, str]) -> float:
        metadata = tuple(_TENANT.items())
        await call_rate(addresses[READY], _EXPORT, more, metadata=metadata)
        return await call_rate(addresses[READY], _EXPORT, exported, _check_taken, metadata)

    async def over_http(addresses: dict[str, str]) -> float:
        await _http_rate(addresses[OTLP_READY], [gzip.compress(each, 1) for each in more])
        return await _http_rate(addresses[OTLP_READY], [gzip.compress(each, 1) for each in exported])

    floor = await _through_gateway(publish)
    grpc_rate, http_rate = await _through_gateway(over_grpc), await _through_gateway(over_http)
    return [
        Figure("Publish, 1 process", floor, "events/s"),
        Figure("OTLP over gRPC, 1 process", grpc_rate, "spans/s", floor, "Publish", "≥ 0.4"),
        Figure("OTLP over HTTP with gzip, 1 process", http_rate, "spans/s", floor, "Publish", "≥ 0.3"),
    ]


async def _through_gateway(rate: Rate) -> float:
    with tempfile.TemporaryDirectory() as folder:
        home = new_home(folder, None)
        home.config().ledger.capture_policy.write_text(POLICY.format(mode="full"))
        with gateway(home.path, 1, "--otlp-http", "127.0.0.1:0") as addresses:
            return await rate(addresses)


def _exports(events: list[pb.Event]) -> list[bytes]:
    """The requests as spans under ids of their own."""
    made = []
    for at in range(0, len(events), BATCH):
        export = ExportTraceServiceRequest()
        resource = export.resource_spans.add()
        resource.resource.attributes.add(key="service.name").value.string_value = "benchmark"
        resource.scope_spans.add().spans.extend(_span(each) for each in events[at : at + BATCH])
        made.append(export.SerializeToString())
    return made


def _span(event: pb.Event) -> Span:
    request = event.request
    span = Span(trace_id=os.urandom(16), span_id=os.urandom(8), name="chat gpt-4o", kind=Span.SPAN_KIND_CLIENT)
    span.start_time_unix_nano = event.occurred_at.ToNanoseconds()
    span.end_time_unix_nano = span.start_time_unix_nano + 10**9
    texts = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": request.vendor,
        "gen_ai.request.model": request.model_requested,
        "gen_ai.response.model": request.model_answered,
        "gen_ai.conversation.id": event.story.session_id,
        "user.id": event.actor.user.identifier,
        "gen_ai.input.messages": _message("user", request.input.text),
        "gen_ai.output.messages": _message("assistant", request.output.text),
    }
    for name, text in texts.items():
        span.attributes.add(key=name).value.string_value = text
    span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = request.tokens_in
    span.attributes.add(key="gen_ai.usage.output_tokens").value.int_value = request.tokens_out
    return span


def _message(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


async def _http_rate(address: str, bodies: list[bytes]) -> float:
    queue, answers, url = list(bodies), [], f"http://{address}/v1/traces"

    async def caller(session: aiohttp.ClientSession) -> None:
        while queue:
            async with session.post(url, data=io.BytesIO(queue.pop()), headers=_HTTP) as answer:
                answers.append((answer.status, await answer.read()))

    began = time.perf_counter()
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(caller(session) for _ in range(CALLERS)))
    seconds = time.perf_counter() - began
    for status, body in answers:
        if status != 200:
            raise RuntimeError(f"an export was answered with {status}")
        _check_taken(body)
    return len(bodies) * BATCH / seconds


def _check_taken(answer: bytes) -> None:
    """Nothing was refused, which would be quick."""
    partial = ExportTraceServiceResponse.FromString(answer).partial_success
    if partial.rejected_spans:
        raise RuntimeError(f"spans were not taken: {partial.error_message}")
