"""OTLP over HTTP: one request to its answer.

    POST /v1/traces, /v1/logs     Content-Type: application/x-protobuf or application/json
                                  Content-Encoding: gzip, deflate, or none
                                  Authorization: Bearer ..., where there are roles; or a client certificate
                                  x-ledger-tenant: ..., optional

200 with the signal's response, in the encoding of the request; else a `google.rpc.Status` likewise (`status`). Who
calls is known before the body is read, and the body is read only up to its limit and its deadline.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from functools import partial
from typing import NamedTuple

import grpc
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from google.protobuf import json_format
from google.protobuf.message import Message

from ledger.config import OtlpConfig
from ledger.errors import Rejected
from ledger.gateway.admission import Admission
from ledger.gateway.callers import ANYBODY, Callers, Identified
from ledger.gateway.metrics import GatewayMetrics
from ledger.gateway.otlp.export import Exporter
from ledger.gateway.otlp.inflate import ENCODINGS, TooLarge, inflate
from ledger.gateway.otlp.parts import JsonParts, Parts, ProtobufParts
from ledger.gateway.otlp.signals import METRICS_PATH, NO_METRICS, SIGNALS, Signal
from ledger.gateway.otlp.status import for_exporters, http_status, status_of
from ledger.gateway.otlp.tenancy import HEADER, named_tenant
from ledger.gateway.rpc import Edge, NotImplementedHere, Refusal
from ledger.identity.certificates import PEM

PROTOBUF, JSON = "application/x-protobuf", "application/json"
AUTHORIZATION = "authorization"
_BY_PATH = {each.path: each for each in SIGNALS}
_CHUNK = 64 * 1024


class _Wrong(Exception):
    """The request is none that HTTP should bring here."""

    def __init__(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers or {}


class _Body(NamedTuple):
    """A request's body as sent, and how it is to be read."""

    data: bytes
    encoding: str
    is_json: bool


class OtlpWeb:
    """Answers the HTTP requests of one gateway."""

    def __init__(
        self,
        config: OtlpConfig,
        exporter: Exporter,
        callers: Callers,
        edge: Edge,
        workers: Executor,
        metrics: GatewayMetrics,
        retry_after_ms: int,
    ) -> None:
        self._config = config
        self._exporter = exporter
        self._callers = callers
        self._edge = edge
        self._workers = workers
        self._metrics = metrics
        concurrency = config.http_concurrency_max
        self.admission = Admission(concurrency, concurrency * config.http_bytes_max, retry_after_ms)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to any request."""
        began = time.monotonic()
        is_json = _content_type(request) == JSON
        signal = _BY_PATH.get(request.path)
        method = f"{signal.method}Http" if signal is not None else "OtherHttp"
        try:
            answer = await self._exported(request, signal, is_json)
            response = _response(200, answer, is_json)
            code = grpc.StatusCode.OK
        except _Wrong as wrong:
            code = grpc.StatusCode.INVALID_ARGUMENT
            response = _response(wrong.status, status_of(Refusal(code, wrong.text)), is_json, wrong.headers)
        except Exception as error:
            refusal = for_exporters(self._edge.refusal(error, method))
            code = refusal.code
            response = _response(http_status(refusal), status_of(refusal), is_json, _headers(refusal))
        self._metrics.called(method, code.name, time.monotonic() - began, request.content_length or 0)
        return response

    async def _exported(self, request: web.BaseRequest, signal: Signal | None, is_json: bool) -> Message:
        if signal is None and request.path != METRICS_PATH:
            raise _Wrong(404, f"there are {', '.join(_BY_PATH)}")
        if request.method != "POST":
            raise _Wrong(405, "expected POST", {"Allow": "POST"})
        if signal is None:
            raise NotImplementedHere(NO_METRICS)
        until = asyncio.get_running_loop().time() + self._config.http_deadline_ms / 1_000
        who = await self._identified(request)
        with self.admission.admit(0):
            async with asyncio.timeout_at(until):
                body = await self._body(request, is_json)
            data = body.data
            if body.encoding:
                data = await asyncio.get_running_loop().run_in_executor(self._workers, self._inflated, body)
            named = named_tenant(request.headers.getall(HEADER, ()))
            parts: Callable[[], Parts] = partial(JsonParts, data, signal) if is_json else partial(ProtobufParts, data)
            remaining_s = until - asyncio.get_running_loop().time()
            message: Message = await self._exporter.export(signal, len(data), parts, who, named, remaining_s)
            return message

    async def _identified(self, request: web.BaseRequest) -> Identified:
        if not self._callers.has_roles:
            return ANYBODY
        metadata = [(AUTHORIZATION, value) for value in request.headers.getall(AUTHORIZATION, ())]
        identify = partial(self._callers.caller, metadata, _auth_context(request))
        return await asyncio.get_running_loop().run_in_executor(self._workers, identify)

    async def _body(self, request: web.BaseRequest, is_json: bool) -> _Body:
        if not is_json and _content_type(request) != PROTOBUF:
            raise _Wrong(415, f"content-type: expected {PROTOBUF} or {JSON}")
        encoding = request.headers.get("content-encoding", "").strip().lower()
        encoding = "" if encoding == "identity" else encoding
        if encoding and encoding not in ENCODINGS:
            accepted = ", ".join(ENCODINGS)
            raise _Wrong(415, f"content-encoding: expected {accepted}, or none", {"Accept-Encoding": accepted})
        most = self._config.http_bytes_max
        too_large = _Wrong(413, f"the body is more than {most} bytes")
        if (request.content_length or 0) > most:
            raise too_large
        if request.headers.get("expect", "").lower() == "100-continue":
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0
        data = bytearray()
        try:
            while chunk := await request.content.read(_CHUNK):
                data += chunk
                if len(data) > most:
                    raise too_large
        except (OSError, web.PayloadAccessError, web.RequestPayloadError, HttpProcessingError):
            raise _Wrong(400, "the body was cut off, or is not framed as it says") from None
        return _Body(bytes(data), encoding, is_json)

    def _inflated(self, body: _Body) -> bytes:
        try:
            return inflate(body.data, body.encoding, self._config.decompressed_bytes_max)
        except TooLarge as error:
            raise _Wrong(413, str(error)) from None
        except Rejected as error:
            raise _Wrong(400, str(error)) from None


def _auth_context(request: web.BaseRequest) -> Mapping[str, list[bytes]]:
    """The client's certificate, which TLS has checked, as gRPC tells it."""
    connection = None if request.transport is None else request.transport.get_extra_info("ssl_object")
    certificate = None if connection is None else connection.getpeercert(binary_form=True)
    return {PEM: [ssl.DER_cert_to_PEM_cert(certificate).encode("ascii")]} if certificate else {}


def _content_type(request: web.BaseRequest) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _response(
    status: int, message: Message, is_json: bool, headers: dict[str, str] | None = None
) -> web.StreamResponse:
    body = message.SerializeToString()
    if is_json:
        body = json_format.MessageToJson(message, indent=None).encode("utf-8")
    headers = {"Server": "audit-ledger", **(headers or {})}
    return web.Response(status=status, body=body, content_type=JSON if is_json else PROTOBUF, headers=headers)


def _headers(refusal: Refusal) -> dict[str, str]:
    headers = {}
    if refusal.retry_after_ms is not None:
        headers["Retry-After"] = str(-(-refusal.retry_after_ms // 1_000))
    if refusal.code == grpc.StatusCode.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    return headers
