"""Exports made by hand, and ways to send their bytes."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ledger.gateway.otlp.signals import TRACES, Signal
from tests.ledger.gateway.running import TENANT, Running

BEGAN_NS = 1_763_700_000_000_000_000
HTTP = {"http_listen": "127.0.0.1:0"}
FOR_TENANT = {"x-ledger-tenant": TENANT}
PROTOBUF, JSON = "application/x-protobuf", "application/json"

Sender = Any
"""`over_grpc` or `over_http`."""


def chat_span(number: int, trace: int = 1, **attributes: str) -> Span:
    """A call of a model, as an instrumentation describes it."""
    span = Span(trace_id=trace.to_bytes(16, "big"), span_id=(number + 1).to_bytes(8, "big"), name="chat gpt-4o")
    span.start_time_unix_nano, span.end_time_unix_nano = BEGAN_NS, BEGAN_NS + 1_000_000
    said = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
    for name, value in {**said, **attributes}.items():
        span.attributes.add(key=name, value=AnyValue(string_value=value))
    return span


def plain_span(number: int, trace: int = 1) -> Span:
    """A span that is about something else."""
    return Span(trace_id=trace.to_bytes(16, "big"), span_id=(number + 1).to_bytes(8, "big"), name="GET /")


def export(*spans: Span, service: str = "shop", tenant: str | None = None) -> ExportTraceServiceRequest:
    """One service's spans."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name", value=AnyValue(string_value=service))
    if tenant is not None:
        resource.resource.attributes.add(key="ledger.tenant", value=AnyValue(string_value=tenant))
    resource.scope_spans.add().spans.extend(spans)
    return request


def nested(depth: int) -> AnyValue:
    """A value inside lists, that many levels deep."""
    value = AnyValue(string_value="deep")
    for _ in range(depth):
        outer = AnyValue()
        outer.array_value.values.add().CopyFrom(value)
        value = outer
    return value


@dataclass(frozen=True, slots=True)
class Answer:
    """What an Export was answered, over either transport. `code`: gRPC's name of it, or HTTP's number."""

    code: str | int
    refused: int = 0
    message: str = ""
    retry_after_ms: int | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether exporters take it for a success."""
        return self.code in ("OK", 200)


async def over_grpc(
    gateway: Running, data: bytes, signal: Signal = TRACES, headers: dict[str, str] | None = None, **options: Any
) -> Answer:
    """Send bytes to the signal's service."""
    metadata = tuple((FOR_TENANT if headers is None else headers).items())
    call = gateway.channel.unary_unary(f"/{signal.service}/Export")
    try:
        answer = signal.response.FromString(await call(data, metadata=metadata, timeout=30, **options))
    except grpc.aio.AioRpcError as error:
        trailers = dict(error.trailing_metadata() or ())
        return Answer(error.code().name, 0, error.details() or "", retry_after_ms(trailers), {})
    return answered("OK", answer, signal)


async def over_http(
    gateway: Running, data: bytes, signal: Signal = TRACES, headers: dict[str, str] | None = None, **options: Any
) -> Answer:
    """Send bytes to the signal's path."""
    server = gateway.gateway.otlp_http
    assert server is not None
    sent = {"Content-Type": PROTOBUF, **(FOR_TENANT if headers is None else headers)}
    async with aiohttp.ClientSession() as session:
        async with session.post(
            f"http://{server.address}{signal.path}", data=io.BytesIO(data), headers=sent, **options
        ) as response:
            body, told = await response.read(), dict(response.headers)
            assert response.headers["Content-Type"] == sent["Content-Type"]
    if response.status == 200:
        return answered(200, signal.response.FromString(body), signal, told)
    status = Status.FromString(body)
    after = None
    for each in status.details:
        info = RetryInfo()
        assert each.Unpack(info)
        after = info.retry_delay.ToMilliseconds()
        assert int(told["Retry-After"]) * 1_000 >= after
    return Answer(response.status, 0, status.message, after, told)


async def posted(
    gateway: Running, path: str, data: bytes, headers: dict[str, str], method: str = "POST"
) -> tuple[int, bytes]:
    """Status and body of an HTTP request."""
    server = gateway.gateway.otlp_http
    assert server is not None
    async with aiohttp.ClientSession() as session:
        url = f"http://{server.address}{path}"
        async with session.request(method, url, data=data, headers={**FOR_TENANT, **headers}) as response:
            return response.status, await response.read()


def answered(code: str | int, answer: Any, signal: Signal, headers: dict[str, str] | None = None) -> Answer:
    """A success, partial or whole."""
    partial = answer.partial_success
    return Answer(code, getattr(partial, signal.rejected), partial.error_message, None, headers or {})


def retry_after_ms(trailers: dict[str, Any]) -> int | None:
    """What a call's trailers say of when to come back: the same in each of the places where exporters look."""
    status = Status.FromString(trailers["grpc-status-details-bin"])
    said = [RetryInfo.FromString(each.value).retry_delay.ToMilliseconds() for each in status.details]
    if "google.rpc.retryinfo-bin" in trailers:
        said.append(RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"]).retry_delay.ToMilliseconds())
    assert len(said) in (0, 2)
    assert len(set(said)) <= 1
    return said[0] if said else None


SENDERS = {"grpc": over_grpc, "http": over_http}
