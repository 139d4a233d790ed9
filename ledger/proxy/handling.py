"""One request through the proxy, from its first byte to its record.

1. It is a request that a proxy can carry: no WebSocket, a known upstream, fields and body within the limits.
2. Who asks, for whom, in which story (`callers`, `admitting`).
3. A path of no known format is passed on without a record, or refused, as configured.
4. The policy decides: it leaves as it is, or without what was found, or not at all (`deciding`).
5. With `refuse` its beginning is acknowledged by the ledger now, or it goes no further.
6. It leaves; what comes back goes to the caller as it comes, and on tape (`recorder`).
7. However it ends, the end is recorded: answered, failed, or cancelled when the caller went away.

Nothing after 4 waits for the record, but where `refuse` says so (5), or the stream is faster than the recorder.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from ledger.client.ids import event_id
from ledger.config import ProxyConfig
from ledger.errors import LedgerError, Misconfigured, Rejected, Unavailable
from ledger.gateway.faults import report_fault
from ledger.identity.errors import Denied, Unauthenticated
from ledger.proxy.admitting import Admission, Secret
from ledger.proxy.answers import OwnAnswer
from ledger.proxy.aws_signing import AwsSigner
from ledger.proxy.callers import Said, Who, WrongField, said_by
from ledger.proxy.calls import Call, End
from ledger.proxy.deciding import WHY, Decision, Looking, Question
from ledger.proxy.forwarding import Upstreams
from ledger.proxy.governing import Governing
from ledger.proxy.headers import Fields, by_name, read_fields, sent_on
from ledger.proxy.metrics import ProxyMetrics
from ledger.proxy.passing import Passage, Passing
from ledger.proxy.recording import Recording
from ledger.proxy.requests import READING, Target, body_of, opened, target_of
from ledger.proxy.upstreams import Upstream
from ledger.redaction.known_values import KnownValues
from ledger.redaction.numbering import DerivedNumbering

LARGE_BYTES = 32 * 1024
"""Bodies above this are looked into on another thread."""

PERSON = "person"


@dataclass(frozen=True, slots=True)
class Parts:
    """What a handler works with."""

    config: ProxyConfig
    upstreams: dict[str, Upstream]
    signers: dict[str, AwsSigner]
    outgoing: Upstreams
    admission: Admission
    secret: Secret
    governing: Governing
    recording: Recording
    metrics: ProxyMetrics


class Handler:
    """Handles requests; see the module. Belongs to one event loop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._config = parts.config
        self._tasks: set[asyncio.Task[object]] = set()
        self.idle = asyncio.Event()
        self.idle.set()
        self._bytes = 0
        self.stopping = False
        self._passing = Passing(parts.outgoing, parts.recording, parts.metrics, parts.config.call_timeout_ms / 1_000)

    @property
    def in_flight(self) -> int:
        """Calls at work."""
        return len(self._tasks)

    def stop(self) -> None:
        """Takes no further calls; those at work go on."""
        self.stopping = self._passing.stopping = True

    def cancel(self) -> None:
        """Ends the calls at work."""
        for task in self._tasks:
            task.cancel()

    @property
    def held_bytes(self) -> int:
        """Bytes of requests at work, and of what waits to be recorded."""
        return self._bytes + self._parts.recording.held_bytes

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """The answer to a request."""
        passage = Passage(time.monotonic(), time.time_ns() // 1_000_000)
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is handled by a task")
        self._tasks.add(task)
        self.idle.clear()
        try:
            try:
                return await self._handle(request, passage)
            except OwnAnswer as answer:
                kind = passage.upstream.kind if passage.upstream else "openai"
                passage.status = answer.status
                return answer.response(kind, passage.own_headers)
            except (asyncio.CancelledError, ConnectionResetError, aiohttp.ClientError):
                raise
            except Exception as error:
                self._parts.metrics.fault()
                fault_id = report_fault(error, "handling a call")
                kind = passage.upstream.kind if passage.upstream else "openai"
                fault = OwnAnswer(500, "fault", f"the proxy failed; its log has the fault {fault_id}")
                return fault.response(kind, passage.own_headers)
        finally:
            self._tasks.discard(task)
            if not self._tasks:
                self.idle.set()
            self._bytes -= len(passage.body)

    async def _handle(self, request: web.BaseRequest, passage: Passage) -> web.StreamResponse:
        self._check_kind(request)
        target = self._target(request)
        passage.upstream = target.upstream
        said = self._said(request)
        self._check_load(request.content_length or 0)
        if target.route is None:
            return await self._pass_unrecorded(request, passage, target, said)
        passage.body = await self._body_of(request)
        self._bytes += len(passage.body)
        self._check_load(0)
        received_s = time.monotonic()
        given = read_fields(request.raw_headers)
        headers = by_name(given)
        who = await self._who(request, said, headers)
        encoding = headers.get("content-encoding", "")
        plain = opened(passage.body, encoding, self._config.body_bytes_max)
        decision = await self._decide(target, said, who, plain)
        refusing = self._config.on_ledger_down == "refuse"
        call = passage.call = Call(
            event_id=event_id(),
            began_ms=passage.began_ms,
            began_s=passage.began_s,
            upstream=target.upstream,
            route=target.route,
            said=said,
            who=who,
            decision=decision,
            has_start=decision.verdict != "refuse" and (refusing or self._config.starts),
        )
        passage.state = self._parts.recording.state(who.tenant)
        if decision.verdict == "refuse":
            self._refused_by_policy(passage, call)
        if refusing:
            await self._begin(passage, call)
        elif call.has_start:
            self._parts.recording.begun(call)
        self._parts.metrics.recorded(passage.state)
        outgoing = decision.body if decision.verdict == "redact" else passage.body
        fields = self._fields(given, headers, target, redacted=decision.verdict == "redact", length=len(outgoing))
        try:
            await self._sign(target, request.method, fields, outgoing)
        except BaseException as error:
            self._never_left(call, error)
            raise
        self._parts.metrics.left(time.monotonic() - received_s)
        return await self._passing.forward(request, passage, target, fields, outgoing)

    # --- before it leaves -------------------------------------------------------------------------------------------

    def _check_kind(self, request: web.BaseRequest) -> None:
        if "upgrade" in request.headers:
            self._parts.metrics.refused("websocket")
            raise OwnAnswer(501, "upgrade", "this proxy carries HTTP requests only: a WebSocket can't be recorded here")
        if request.method == "CONNECT":
            self._parts.metrics.refused("path")
            raise OwnAnswer(501, "connect", "this proxy opens no tunnels: give it as the base URL of a client")

    async def _body_of(self, request: web.BaseRequest) -> bytes:
        try:
            return await body_of(request, self._config.body_bytes_max, self._config.body_timeout_ms / 1_000)
        except OwnAnswer:
            self._parts.metrics.refused("size")
            raise

    def _check_load(self, size: int) -> None:
        over = self.in_flight > self._config.calls_in_flight_max
        if over or self.stopping or self.held_bytes + size > self._config.bytes_in_flight_max:
            self._parts.metrics.refused("overload")
            raise OwnAnswer(503, "overloaded", "the proxy has too many calls at work; try again")

    def _target(self, request: web.BaseRequest) -> Target:
        try:
            return target_of(request.method, request.raw_path, self._parts.upstreams)
        except OwnAnswer:
            self._parts.metrics.refused("path")
            raise

    def _said(self, request: web.BaseRequest) -> Said:
        try:
            return said_by(request.raw_headers)
        except WrongField as error:
            self._parts.metrics.refused("field")
            raise OwnAnswer(400, "field", str(error)) from None

    async def _who(self, request: web.BaseRequest, said: Said, headers: dict[str, str]) -> Who:
        admission = self._parts.admission
        certificate = _certificate(request)
        credential_id = self._parts.secret.credential_id(headers)
        try:
            if admission.is_quick(said, certificate):
                return admission.who(said, certificate, credential_id)
            return await asyncio.to_thread(admission.who, said, certificate, credential_id)
        except WrongField as error:
            self._parts.metrics.refused("field")
            raise OwnAnswer(400, "field", str(error)) from None
        except (Unauthenticated, Denied, Unavailable, Misconfigured) as error:
            self._parts.metrics.refused("identity")
            raise _identity_answer(error) from None

    async def _decide(self, target: Target, said: Said, who: Who, body: bytes) -> Decision:
        decider = self._parts.governing.current
        question = Question(who.tenant, target.upstream.vendor, said.data_class, body)

        def looking() -> Looking:
            story = said.correlation or said.session or said.trace_id.hex() or "-"
            numbering = DerivedNumbering(self._parts.secret.numbering_key(who.tenant), story.encode())
            person = who.person or said.user
            return Looking(numbering, (KnownValues({person: PERSON}),) if person else ())

        if len(body) > LARGE_BYTES and decider.needs_look(question):
            decision = await asyncio.to_thread(decider.decide, question, looking)
        else:
            decision = decider.decide(question, looking)
        self._parts.metrics.decided(decision.verdict)
        return decision

    def _refused_by_policy(self, passage: Passage, call: Call) -> None:
        self._parts.metrics.refused("policy")
        self._parts.metrics.recorded(passage.state)
        self._parts.recording.ended(call, End("refused", time.monotonic(), error_class="policy_refused"))
        self._parts.metrics.ended(call.upstream.name, "refused", 403, time.monotonic() - passage.began_s)
        raise OwnAnswer(403, "policy", WHY[call.decision.reason])

    async def _begin(self, passage: Passage, call: Call) -> None:
        """Its beginning, acknowledged by the ledger; `OwnAnswer` when it is not."""
        try:
            async with asyncio.timeout(self._config.start_timeout_ms / 1_000):
                await self._parts.recording.begin_durably(call)
            passage.state = "yes"
            return
        except (TimeoutError, Unavailable, Rejected) as error:
            why = "ledger_refused" if isinstance(error, Rejected) else "ledger_unavailable"
        except asyncio.CancelledError:
            self._parts.recording.ended(call, End("cancelled", time.monotonic(), error_class="client_disconnected"))
            raise
        # The beginning may still become durable: then this says that nothing was done.
        self._parts.recording.ended(call, End("cancelled", time.monotonic(), error_class=why))
        self._parts.metrics.refused("ledger")
        passage.state = "no"
        self._parts.metrics.recorded("no")
        raise OwnAnswer(503, why, "the ledger did not take the record of this call, which therefore was not sent")

    def _never_left(self, call: Call, error: BaseException) -> None:
        """It was decided on, perhaps begun on record, and then nothing was done."""
        named = "proxy_fault"
        if isinstance(error, OwnAnswer):
            named = error.code
        elif isinstance(error, asyncio.CancelledError):
            named = "proxy_stopped" if self.stopping else "client_disconnected"
        self._parts.recording.ended(call, End("cancelled", time.monotonic(), error_class=named))

    def _fields(
        self, given: Fields, headers: dict[str, str], target: Target, *, redacted: bool, length: int
    ) -> CIMultiDict[str]:
        anew = target.upstream.name in self._parts.signers and not _has_own_key(headers)
        fields = sent_on(given, signed_anew=anew, narrow=True)
        if redacted:
            fields.popall("Content-Encoding", None)
            fields.popall("Content-MD5", None)
        fields["Content-Length"] = str(length)
        return fields

    async def _sign(self, target: Target, method: str, fields: CIMultiDict[str], body: bytes) -> None:
        signer = self._parts.signers.get(target.upstream.name)
        if signer is None or "Authorization" in fields:
            return
        try:
            await asyncio.to_thread(signer.sign, method, target.url, fields, body)
        except Unavailable:
            self._parts.metrics.refused("credentials")
            raise OwnAnswer(503, "credentials", "the proxy's own credentials can't be had now; try again") from None

    async def _pass_unrecorded(
        self, request: web.BaseRequest, passage: Passage, target: Target, said: Said
    ) -> web.StreamResponse:
        """A path of no known format."""
        policy = target.upstream.unknown_paths or self._config.unknown_paths
        if policy == "refuse" or (policy == "read" and request.method not in READING):
            self._parts.metrics.refused("path")
            raise OwnAnswer(403, "unknown_path", "this path is of no format that the proxy can record, and is refused")
        given = read_fields(request.raw_headers)
        headers = by_name(given)
        await self._who(request, said, headers)
        passage.body = await self._body_of(request)
        self._bytes += len(passage.body)
        anew = target.upstream.name in self._parts.signers and not _has_own_key(headers)
        fields = sent_on(given, signed_anew=anew, narrow=False)
        if passage.body or "content-length" in headers:
            fields["Content-Length"] = str(len(passage.body))
        await self._sign(target, request.method, fields, passage.body)
        self._parts.metrics.unrecorded(target.upstream.name)
        return await self._passing.forward(request, passage, target, fields, passage.body)


def _identity_answer(error: LedgerError) -> OwnAnswer:
    if isinstance(error, Unauthenticated):
        return OwnAnswer(401, "unauthenticated", str(error))
    if isinstance(error, Denied):
        return OwnAnswer(403, "denied", str(error))
    return OwnAnswer(503, "identity", "who calls can't be told now; try again")


def _has_own_key(headers: dict[str, str]) -> bool:
    """Whether a request to Bedrock brings an API key of the caller's own."""
    return headers.get("authorization", "").lower().startswith("bearer ")


def _certificate(request: web.BaseRequest) -> bytes | None:
    """The caller's certificate, DER; None where the connection has none."""
    transport = request.transport
    connection = None if transport is None else transport.get_extra_info("ssl_object")
    found: bytes | None = None if connection is None else connection.getpeercert(binary_form=True)
    return found
