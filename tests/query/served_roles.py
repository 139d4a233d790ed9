"""A whole ledger behind TLS with roles: a gateway on two addresses, a query service, real certificates and tokens."""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import grpc
import nacl.public
from multidict import CIMultiDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ledger.client.builders import request
from ledger.config import LedgerConfig
from ledger.gateway.otlp.signals import TRACES
from ledger.gateway.sealed_rounds import SealedRounds
from ledger.gateway.server import Gateway
from ledger.home import Home
from ledger.identity.tls import ClientTls
from ledger.keys.process import ProcessKey
from ledger.segments.objects import FileStore
from ledger.trust import TrustedKeys
from ledger.v1 import event_pb2, ingest_pb2, query_pb2
from query.server import run_query_server
from tests.certificates import Made, TokenKey, key_set, make, server, service
from tests.ledger.gateway.running import stored_events
from tests.policies import put_in_force
from tests.query.test_end_to_end import running, seal

OWN, OTHER, NOWHERE, ORG = "acme", "beta", "gamma", "_org"
EVENTS = {
    OWN: UUID("01990c6e-5a3c-7d60-8a43-6f1b2c3d4e01"),
    OTHER: UUID("01990c6e-5a3c-7d60-8a43-6f1b2c3d4e02"),
    ORG: UUID("01990c6e-5a3c-7d60-8a43-6f1b2c3d4e03"),
}
OUTSIDE = UUID("01990c6e-5a3c-7d60-8a43-6f1b2c3d4e04")
"""An event of acme that is in nobody's sample."""

CASE = {"case_id": "INC-7", "reason": "the customer's complaint of 3 May"}

SUPPORT, SETUP = "spiffe://example.org/support", "spiffe://example.org/setup"
ROLES = f"""
format = 1
version = "7"
revoked = "revoked.txt"
[issuers.company]
issuer = "https://login.example.org"
audience = "audit-ledger"
keys = "jwks.json"
algorithms = ["ES256"]
[[grants]]
role = "producer"
certificate = "uri:{SETUP}"
tenants = ["acme", "beta", "_org"]
kinds = ["request", "change"]
[[grants]]
role = "producer"
certificate = "uri:{SUPPORT}"
tenants = ["acme"]
kinds = ["request"]
[[grants]]
role = "producer"
issuer = "company"
subject = "producer"
tenants = ["acme"]
kinds = ["request"]
[[grants]]
role = "investigator"
issuer = "company"
subject = "of beta"
tenants = ["beta"]
[[grants]]
role = "auditor"
issuer = "company"
subject = "auditor"
tenants = ["acme"]
sample = ["{EVENTS[OWN]}"]
""" + "".join(
    f'[[grants]]\nrole = "{role}"\nissuer = "company"\nsubject = "{role}"\ntenants = ["{tenants}"]\n'
    for role, tenants in (
        ("investigator", OWN),
        ("org_auditor", "*"),
        ("privacy_officer", OWN),
        ("operator", OWN),
        ("admin", OWN),
    )
)

Metadata = tuple[tuple[str, str], ...]


def bearer(token: str) -> Metadata:
    """The metadata of a call with this token."""
    return (("authorization", f"Bearer {token}"),)


@dataclass(slots=True)
class Served:
    """The services, and ways to call them."""

    home: Home
    config: LedgerConfig
    key: TokenKey
    process_key: ProcessKey
    gateway: grpc.aio.Channel
    support: grpc.aio.Channel
    setup: grpc.aio.Channel
    query: grpc.aio.Channel
    address: str
    mtls_address: str
    query_address: str
    otlp_address: str

    @property
    def support_files(self) -> tuple[Path, Path]:
        """The certificate of the support service, and its key."""
        return self.home.path / "support.pem", self.home.path / "support.key"

    async def ingest(
        self, call: str, message: Any, metadata: Metadata = (), channel: grpc.aio.Channel | None = None
    ) -> Any:
        """One call of IngestService."""
        answers = {
            "Publish": ingest_pb2.PublishResponse,
            "PublishSpooled": ingest_pb2.PublishResponse,
            "GetSpoolKey": ingest_pb2.GetSpoolKeyResponse,
            "AwaitSealed": ingest_pb2.AwaitSealedResponse,
        }
        method = f"/ledger.v1.IngestService/{call}"
        data = await (channel or self.gateway).unary_unary(method)(
            message.SerializeToString(), metadata=metadata, timeout=30
        )
        return answers[call].FromString(data)

    async def export(
        self,
        tenant: str | None,
        metadata: Metadata = (),
        channel: grpc.aio.Channel | None = None,
        message: ExportTraceServiceRequest | None = None,
    ) -> ExportTraceServiceResponse:
        """An Export over gRPC."""
        named = () if tenant is None else (("x-ledger-tenant", tenant),)
        sent = export_of(chat_span()) if message is None else message
        call = (channel or self.gateway).unary_unary(f"/{TRACES.service}/Export")
        data = await call(sent.SerializeToString(), metadata=(*metadata, *named), timeout=30)
        return ExportTraceServiceResponse.FromString(data)

    async def export_over_http(
        self, tenant: str | None, metadata: Metadata = (), certificate: tuple[Path, Path] | None = None
    ) -> tuple[int, bytes]:
        """The same over HTTP: status and body."""
        context = ssl.create_default_context(cafile=self.home.path / "ca.pem")
        if certificate is not None:
            context.load_cert_chain(*certificate)
        headers = CIMultiDict([("Content-Type", "application/x-protobuf"), *metadata])
        if tenant is not None:
            headers["x-ledger-tenant"] = tenant
        body = export_of(chat_span()).SerializeToString()
        async with aiohttp.ClientSession() as session:
            url = f"https://{self.otlp_address}{TRACES.path}"
            async with session.post(url, data=body, headers=headers, ssl=context) as response:
                return response.status, await response.read()

    async def ask(self, call: str, message: Any, metadata: Metadata = ()) -> Any:
        """One call of QueryService."""
        answers = {
            "Reconstruct": query_pb2.Reconstruction,
            "Replay": query_pb2.ReplayResponse,
            "Find": query_pb2.FindResponse,
            "Count": query_pb2.CountResponse,
            "Coverage": query_pb2.CoverageResponse,
            "Sql": query_pb2.SqlResponse,
            "Prove": query_pb2.ProveResponse,
            "Checkpoint": query_pb2.CheckpointResponse,
        }
        method = f"/ledger.v1.QueryService/{call}"
        data = await self.query.unary_unary(method)(message.SerializeToString(), metadata=metadata, timeout=30)
        return answers[call].FromString(data)

    def process(self, call: str, message: Any) -> Metadata:
        """What a process of the ledger presents with this request."""
        method = f"/ledger.v1.IngestService/{call}"
        return (("authorization", self.process_key.credential(method, message.SerializeToString())),)

    async def spooled(self, tenant: str) -> ingest_pb2.PublishSpooledRequest:
        """A frame of a spool with one event for this tenant."""
        key = await self.ingest("GetSpoolKey", ingest_pb2.GetSpoolKeyRequest(), channel=self.setup)
        box = nacl.public.SealedBox(nacl.public.PublicKey(key.public_key)).encrypt(
            publishing(tenant).SerializeToString()
        )
        return ingest_pb2.PublishSpooledRequest(key_id=key.key_id, box=box)

    async def seal(self) -> int:
        """Seal what the event log holds."""
        return await seal(self.home, self.config)


def event(event_id: UUID | None = None) -> event_pb2.Event:
    """A request of mia's."""
    made = request(vendor="openai", model_requested="m", user="mia", input="hello")
    if event_id is not None:
        made.event_id = event_id.bytes
    return made


def chat_span() -> Span:
    """A model's call in a span, another one with each call."""
    span = Span(trace_id=os.urandom(16), span_id=os.urandom(8), name="chat")
    for name, value in (("gen_ai.operation.name", "chat"), ("gen_ai.request.model", "m")):
        span.attributes.add(key=name).value.string_value = value
    return span


def export_of(*spans: Span) -> ExportTraceServiceRequest:
    """An Export of spans."""
    made = ExportTraceServiceRequest()
    made.resource_spans.add().scope_spans.add().spans.extend(spans)
    return made


def publishing(tenant: str, *events: event_pb2.Event) -> ingest_pb2.PublishRequest:
    """A Publish, of one new event where none is given."""
    return ingest_pb2.PublishRequest(tenant=tenant, events=events or (event(),))


def write_identity(folder: Path) -> tuple[Made, TokenKey]:
    """Roles, keys, revocations, CA and server certificate in a folder."""
    ca, key = make("CA", ca=True), TokenKey.new("k1")
    (folder / "roles.toml").write_text(ROLES)
    (folder / "jwks.json").write_bytes(key_set(key))
    (folder / "revoked.txt").write_text("jti a-revoked-token\n")
    (folder / "ca.pem").write_bytes(ca.pem)
    server(ca).write(folder, "server")
    return ca, key


@asynccontextmanager
async def served(path: Path) -> AsyncIterator[Served]:
    """A ledger with the tenants acme and beta, one event in each and in `_org`, sealed; two events in acme."""
    home = Home.create(path / "home", name="audit.test", partitions=1)
    ca, key = write_identity(home.path)
    flags = {
        "ledger.roles": "roles.toml",
        "gateway.listen": "127.0.0.1:0",
        "gateway.mtls_listen": "127.0.0.1:0",
        "gateway.metrics_listen": "127.0.0.1:0",
        "gateway.tls_certificate": "server.pem",
        "gateway.tls_key": "server.key",
        "gateway.tls_client_ca": "ca.pem",
        "gateway.tls_ca": "ca.pem",
        "otlp.http_listen": "127.0.0.1:0",
        "query.listen": "127.0.0.1:0",
        "query.tls_certificate": "server.pem",
        "query.tls_key": "server.key",
    }
    config = home.config(environment={}, flags=flags)
    with home.keys(config) as keys:
        for tenant in (OWN, OTHER):
            keys.tenants.add(tenant)
        put_in_force(home, keys)
        home.write_trust(config, keys)
        process_key = ProcessKey.of(keys.database, keys.master)
        view = SealedRounds(
            FileStore(config.ledger.segments), lambda: TrustedKeys.load(config.ledger.trust), keys.tenants.get
        )
        log = home.event_log(config)
        await log.start()
        gateway = Gateway(config, keys, log, view)
        await gateway.start()
        stop = asyncio.Event()
        run = asyncio.create_task(gateway.run(stop))

        def serve(ended: asyncio.Event, ready: Any) -> Any:
            return run_query_server(home, config, ended, ready, gateway=str(gateway.address))

        def secure(address: str, uri: str | None = None) -> grpc.aio.Channel:
            shown = service(uri, ca).write(home.path, uri.rpartition("/")[2]) if uri else (None, None)
            alone = [("grpc.use_local_subchannel_pool", 1)]
            return grpc.aio.secure_channel(
                address, ClientTls(home.path / "ca.pem", *shown).credentials(), options=alone
            )

        try:
            async with (
                secure(str(gateway.address)) as plain,
                secure(str(gateway.mtls_address), SUPPORT) as support,
                secure(str(gateway.mtls_address), SETUP) as setup,
                running(serve) as address,
                secure(address) as query,
            ):
                made = Served(
                    home,
                    config,
                    key,
                    process_key,
                    plain,
                    support,
                    setup,
                    query,
                    str(gateway.address),
                    str(gateway.mtls_address),
                    address,
                    str(gateway.otlp_http.address if gateway.otlp_http is not None else ""),
                )
                for tenant, event_id in EVENTS.items():
                    await made.ingest("Publish", publishing(tenant, event(event_id)), channel=setup)
                await made.ingest("Publish", publishing(OWN, event(OUTSIDE)), channel=setup)
                await made.seal()
                yield made
        finally:
            stop.set()
            await run
            await gateway.drain()
            await log.close()


async def outcome(call: Awaitable[Any]) -> tuple[Any, str, Any]:
    """Status, text and answer of a call."""
    try:
        return grpc.StatusCode.OK, "", await call
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or "", None


def question(call: str, tenant: str, **reader: str) -> Any:
    """The message of a call of QueryService about the event of a tenant."""
    event_id = EVENTS.get(tenant, OUTSIDE).bytes
    asked = query_pb2.Reader(**reader)
    selector = query_pb2.Selector(event_id=event_id)
    match call:
        case "Reconstruct":
            return query_pb2.ReconstructRequest(tenant=tenant, selector=selector, reader=asked)
        case "Replay":
            return query_pb2.ReplayRequest(tenant=tenant, selector=selector, reader=asked)
        case "Find":
            return query_pb2.FindRequest(tenant=tenant, kinds=["request"], reader=asked)
        case "Count":
            return query_pb2.CountRequest(tenants=[tenant], kinds=["request"], reader=asked)
        case "Coverage":
            return query_pb2.CoverageRequest(tenant=tenant, reader=asked)
        case "Sql":
            return query_pb2.SqlRequest(tenant=tenant, query="SELECT DISTINCT tenant FROM ledger_rows", reader=asked)
        case "Prove":
            return query_pb2.ProveRequest(tenant=tenant, event_id=event_id, reader=asked)
        case _:
            return query_pb2.CheckpointRequest(tenant=tenant)


async def accesses(ledger: Served, tenant: str) -> list[dict[str, Any]]:
    """The Access events of a tenant's log, as the event log has them; a repeat once, as it will be sealed."""
    log = ledger.home.event_log(ledger.config)
    await log.start()
    found = {each.payload["event_id"]: each.payload for each in await stored_events(ledger.home, log)}
    await log.close()
    return [each["access"] for each in found.values() if each["kind"] == "access" and each["tenant"] == tenant]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a state that must come."""
    deadline = time.monotonic() + 30
    while not await holds():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
