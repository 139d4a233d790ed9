"""Exports over gRPC and over HTTP: what becomes events, for which tenant, and what is answered."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import zlib

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from ledger.errors import Unavailable
from ledger.gateway.otlp.signals import LOGS, METRICS_SERVICE, TRACES
from ledger.home import Home
from ledger.tenants import set_state
from tests.ledger.gateway.otlp.sending import (
    FOR_TENANT,
    HTTP,
    JSON,
    Answer,
    Sender,
    chat_span,
    export,
    over_grpc,
    over_http,
    plain_span,
    posted,
)
from tests.ledger.gateway.running import TENANT, Running, running
from tests.ledger.gateway.test_faults import faulty
from tests.ledger.gateway.test_server import fetched


async def test_spans_become_events(gateway: Running, send: Sender) -> None:
    """A model's call in a span is one request event: its service, its capture path, and who sent it."""
    answer = await send(gateway, export(chat_span(0), plain_span(1)).SerializeToString())
    assert (answer.ok, answer.refused) == (True, 0)
    (stored,) = await gateway.stored()
    payload = stored.payload
    assert (payload["kind"], payload["request"]["model_requested"]) == ("request", "gpt-4o")
    assert (payload["producer_service"], payload["capture_path"]) == ("shop", "otlp")
    assert (payload["submitted_by"], payload["authentication_method"]) == ("local", "none")
    assert payload["span_id"] == chat_span(0).span_id


async def test_a_repeated_export_adds_nothing(gateway: Running) -> None:
    """What an exporter sends again, over whichever transport, is answered with success and is there once."""
    data = export(*map(chat_span, range(5))).SerializeToString()
    for send in (over_grpc, over_http, over_grpc):
        assert (await send(gateway, data)).ok
    assert len(await gateway.stored()) == 5


async def test_log_records_become_events(gateway: Running, send: Sender) -> None:
    """A log record that is about a model's call is taken by the logs service."""
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.add(key="service.name", value=AnyValue(string_value="shop"))
    record = resource.scope_logs.add().log_records.add(
        trace_id=bytes(15) + b"\1", span_id=bytes(7) + b"\1", event_name="gen_ai.client.inference.operation.details"
    )
    record.attributes.add(key="gen_ai.input.messages", value=AnyValue(string_value='[{"role":"user"}]'))
    answer = await send(gateway, request.SerializeToString(), LOGS)
    assert (answer.ok, answer.refused) == (True, 0)
    assert await fetched_count(gateway, "logs", "refused") == 0


async def fetched_count(gateway: Running, signal: str, outcome: str) -> float:
    """What `/metrics` says of records."""
    _, body = await fetched(gateway, "/metrics")
    line = f'audit_ledger_gateway_otlp_records_total{{outcome="{outcome}",signal="{signal}"}} '
    (found,) = [each for each in body.splitlines() if each.startswith(line)]
    return float(found.removeprefix(line))


async def test_metrics_count_records_by_outcome(gateway: Running, send: Sender) -> None:
    """What was recorded, what was about something else, what was refused; no label names service or tenant."""
    spans = [chat_span(0), plain_span(1), plain_span(2), chat_span(3)]
    spans[3].trace_id = b"short"
    answer = await send(gateway, export(*spans).SerializeToString())
    assert (answer.ok, answer.refused) == (True, 1)
    assert [await fetched_count(gateway, "traces", each) for each in ("recorded", "ignored", "refused")] == [1, 2, 1]
    _, body = await fetched(gateway, "/metrics")
    assert TENANT not in body
    assert "shop" not in body


TENANTS = [
    pytest.param(FOR_TENANT, None, "", True, id="header"),
    pytest.param({}, TENANT, "", True, id="attribute"),
    pytest.param({}, None, TENANT, True, id="configuration"),
    pytest.param(FOR_TENANT, "beta", "", True, id="header before attribute"),
    pytest.param({}, TENANT, "beta", True, id="attribute before configuration"),
    pytest.param({}, None, "", False, id="none"),
    pytest.param({"x-ledger-tenant": "nobody"}, None, "", False, id="not there"),
    pytest.param({"x-ledger-tenant": "_system"}, None, "", False, id="the system's"),
]


@pytest.mark.parametrize(("headers", "attribute", "default", "is_taken"), TENANTS)
async def test_whose_tenant_it_is(
    home: Home, send: Sender, headers: dict[str, str], attribute: str | None, default: str, is_taken: bool
) -> None:
    """The tenant is that of the header, else of the resource, else the configuration's; for none all is refused."""
    async with running(home, otlp={**HTTP, "tenant": default}) as gateway:
        data = export(chat_span(0), chat_span(1), tenant=attribute).SerializeToString()
        answer = await send(gateway, data, headers=headers)
        stored = await gateway.stored()
    assert answer.ok == is_taken
    assert [each.payload["tenant"] for each in stored] == [TENANT] * (2 if is_taken else 0)
    if not is_taken:
        assert answer.code in ("INVALID_ARGUMENT", 400)
        assert "2 of 2 spans were refused: resource_spans[0]: " in answer.message
        assert "nobody" not in answer.message
        assert answer.retry_after_ms is None


async def test_records_of_several_tenants_in_one_export(home: Home, gateway: Running, send: Sender) -> None:
    """Each resource's records go to its own tenant; one without any is refused, and the others are kept."""
    with home.keys(home.config(environment={})) as keys:
        keys.tenants.add("beta")
        home.write_trust(home.config(environment={}), keys)
    request = export(chat_span(0), tenant=TENANT)
    for other in (export(chat_span(1), tenant="beta"), export(chat_span(2), chat_span(3), tenant="nobody")):
        request.resource_spans.extend(other.resource_spans)
    answer = await send(gateway, request.SerializeToString(), headers={})
    assert (answer.ok, answer.refused) == (True, 2)
    assert answer.message == "2 of 4 spans were refused: resource_spans[2]: there is no such tenant"
    assert sorted(each.payload["tenant"] for each in await gateway.stored()) == [TENANT, "beta"]


async def test_records_for_a_closed_tenant(home: Home, gateway: Running, send: Sender) -> None:
    """A tenant that is being deleted takes nothing any more; what the same export holds for others is kept."""
    with home.keys(home.config(environment={})) as keys:
        keys.tenants.add("beta")
        with keys.database.write() as rows:
            set_state(rows, "beta", "closing")
    request = export(chat_span(0), tenant=TENANT)
    request.resource_spans.extend(export(chat_span(1), tenant="beta").resource_spans)
    answer = await send(gateway, request.SerializeToString(), headers={})
    assert (answer.ok, answer.refused) == (True, 1)
    assert answer.message.endswith("resource_spans[1]: the tenant is closed: it takes no events any more")
    assert len(await gateway.stored()) == 1


async def test_two_tenants_in_the_header(gateway: Running) -> None:
    """A call that names two tenants is refused whole."""
    metadata = (("x-ledger-tenant", TENANT), ("x-ledger-tenant", "beta"))
    call = gateway.channel.unary_unary(f"/{TRACES.service}/Export")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(export(chat_span(0)).SerializeToString(), metadata=metadata)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_an_empty_export(gateway: Running, send: Sender) -> None:
    """Nothing is sent, and nothing is wrong."""
    assert await send(gateway, b"") in (Answer("OK"), (await over_http(gateway, b"")))


async def test_json_is_taken(gateway: Running) -> None:
    """OTLP's JSON, with ids in hex and numbers as text, becomes the same events as protobuf; the answer is JSON."""
    data = export(chat_span(0)).SerializeToString()
    assert (await over_grpc(gateway, data)).ok
    tree = MessageToDict(export(chat_span(0), chat_span(1)), use_integers_for_enums=True)
    for number, span in enumerate(tree["resourceSpans"][0]["scopeSpans"][0]["spans"]):
        span["traceId"], span["spanId"] = chat_span(number).trace_id.hex().upper(), chat_span(number).span_id.hex()
    tree["resourceSpans"][0]["a future field"] = {"x": 1}
    status, answer = await posted(
        gateway, TRACES.path, json.dumps(tree).encode(), {"Content-Type": f"{JSON}; charset=utf-8"}
    )
    assert (status, json.loads(answer)) == (200, {})
    # The first is a repeat: an event id is the same, and so is what was submitted.
    assert sorted(each.payload["span_id"] for each in await gateway.stored()) == [
        chat_span(0).span_id,
        chat_span(1).span_id,
    ]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "gzip of two members", "identity"])
async def test_compressed_bodies(gateway: Running, encoding: str) -> None:
    """What exporters compress is read as if they had not."""
    data = export(chat_span(0)).SerializeToString()
    half = len(data) // 2
    body = {
        "gzip": gzip.compress(data),
        "deflate": zlib.compress(data),
        "gzip of two members": gzip.compress(data[:half]) + gzip.compress(data[half:]),
        "identity": data,
    }[encoding]
    headers = {**FOR_TENANT, "Content-Encoding": encoding.split(" ")[0]}
    assert (await over_http(gateway, body, headers=headers)).ok
    assert len(await gateway.stored()) == 1


async def test_gzip_over_grpc(gateway: Running) -> None:
    """A compressed message is read as if it were not."""
    data = export(*map(chat_span, range(50))).SerializeToString()
    assert (await over_grpc(gateway, data, compression=grpc.Compression.Gzip)).ok
    assert len(await gateway.stored()) == 50


@pytest.mark.parametrize("is_kept", [False, True])
async def test_spans_about_something_else(home: Home, is_kept: bool) -> None:
    """They are counted and not kept; with `otlp.context` one inside a model's call is kept as its context."""
    child = plain_span(1)
    child.parent_span_id = chat_span(0).span_id
    data = export(chat_span(0), child, plain_span(2, trace=2)).SerializeToString()
    async with running(home, otlp={**HTTP, "context": is_kept}) as gateway:
        assert (await over_grpc(gateway, data)).ok
        stored = [each.payload for each in await gateway.stored()]
        ignored = await fetched_count(gateway, "traces", "ignored")
    assert len(stored) == (2 if is_kept else 1)
    assert ignored == (1 if is_kept else 2)
    assert [each["amends_event_id"] for each in stored[1:]] == [each["event_id"] for each in stored[:1] if is_kept]


async def test_there_are_no_metrics(gateway: Running) -> None:
    """The metrics service says that there is none, and what to set; it is no fault, and not to be sent again."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.channel.unary_unary(f"/{METRICS_SERVICE}/Export")(b"")
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert "OTEL_METRICS_EXPORTER=none" in (caught.value.details() or "")
    status, body = await posted(gateway, "/v1/metrics", b"", {})
    assert status == 501
    assert b"OTEL_METRICS_EXPORTER=none" in body


async def test_in_clear_beyond_loopback_is_said_and_logged(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    """The HTTP address, too, says loudly that nothing protects it."""
    async with running(home, otlp={"http_listen": "0.0.0.0:0"}, insecure_plaintext=True):
        pass
    assert "otlp.http_listen is 0.0.0.0:0 IN CLEAR (insecure_plaintext): nothing protects the connection" in caplog.text


async def test_what_is_not_durable_is_not_acknowledged(home: Home, send: Sender) -> None:
    """While the log is away an Export fails so that exporters send it again; then it is there once."""
    async with faulty(home, otlp=HTTP) as (gateway, log):
        data = export(*map(chat_span, range(3))).SerializeToString()
        log.failures = [Unavailable("away"), None]
        answer = await send(gateway, data)
        assert answer.code in ("UNAVAILABLE", 503)
        assert answer.retry_after_ms == 1_000
        assert "away" not in answer.message
        assert (await send(gateway, data)).ok
        assert len(await gateway.stored()) == 3


async def test_one_of_several_appends_fails(home: Home, send: Sender) -> None:
    """If the log took only some of an Export it fails as a whole; sent again, all is there once."""
    async with faulty(home, otlp=HTTP) as (gateway, log):
        large = [json.dumps([{"role": "assistant", "content": os.urandom(40_000).hex()}]) for _ in range(30)]
        spans = [chat_span(number, **{"gen_ai.output.messages": text}) for number, text in enumerate(large)]
        data = export(*spans).SerializeToString()
        log.failures = [None, Unavailable("away"), None]
        answer = await send(gateway, data)
        assert log.entered >= 2
        assert answer.code in ("UNAVAILABLE", 503)
        assert 0 < len(await gateway.stored()) < 30
        assert (await send(gateway, data)).ok
        assert len(await gateway.stored()) == 30


async def test_too_much_in_work(home: Home, send: Sender) -> None:
    """Who comes when it is too much is told when to come back, in the way that makes exporters do so."""
    async with faulty(home, otlp=HTTP, publish_concurrency_max=1, retry_after_ms=1_500) as (gateway, log):
        log.open.clear()
        first = asyncio.create_task(over_grpc(gateway, export(chat_span(0)).SerializeToString()))
        await log.until_entered(1)
        answer = await send(gateway, export(chat_span(1)).SerializeToString())
        assert answer.code in ("RESOURCE_EXHAUSTED", 429)
        assert answer.retry_after_ms == 1_500
        log.open.set()
        assert (await first).ok


async def test_a_draining_gateway_answers_what_is_in_work(home: Home, send: Sender) -> None:
    """An Export in work when the gateway is told to stop is answered; a later one is not taken."""
    async with faulty(home, otlp=HTTP, drain_ms=30_000) as (gateway, log):
        log.open.clear()
        in_work = asyncio.create_task(send(gateway, export(chat_span(0)).SerializeToString()))
        await log.until_entered(1)
        draining = asyncio.create_task(gateway.gateway.drain())
        server = gateway.gateway.otlp_http
        assert server is not None
        for _ in range(100_000):
            if not server.is_listening:
                break
            await asyncio.sleep(0)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(server.address.host, server.address.port)
        assert not draining.done()
        log.open.set()
        assert (await in_work).ok
        async with asyncio.timeout(20):
            await draining


async def test_the_last_of_a_large_export_is_kept(home: Home, send: Sender) -> None:
    """An export of more events than one Publish may hold is taken all the same."""
    async with running(home, otlp=HTTP, batch_events_max=10) as gateway:
        assert (await send(gateway, export(*map(chat_span, range(35))).SerializeToString())).ok
        assert len(await gateway.stored()) == 35
