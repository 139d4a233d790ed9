"""A gateway that does what a test tells it: a real gRPC server on loopback, without a ledger behind it.

It remembers what it accepted, as a gateway does: the same id with the same bytes is a repeat, with other bytes a
conflict (kept in `conflicts`, which every test ends with none of). `script` holds what to do with the next calls, one
entry a call; afterwards each event is accepted.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from nacl.public import PrivateKey, SealedBox

from ledger.v1 import ingest_pb2 as pb
from ledger.v1.event_pb2 import Event
from ledger.v1.ingest_pb2_grpc import IngestServiceServicer, add_IngestServiceServicer_to_server

Act = Callable[["ScriptedGateway", pb.PublishRequest, Any], Awaitable[pb.PublishResponse]]


class _Loop:
    """One event loop in one thread for all servers of a test run: grpc.aio prefers one loop a process."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="test-gateway", daemon=True)
        self._thread.start()

    def run(self, coroutine: Any, timeout_s: float = 20) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(timeout_s)


_loop: _Loop | None = None


def loop() -> _Loop:
    """The servers' loop, started with the first."""
    global _loop
    if _loop is None:
        _loop = _Loop()
    return _loop


class ScriptedGateway(IngestServiceServicer):
    """See the module. Fields may be read and changed from any thread."""

    def __init__(self, credentials: grpc.ServerCredentials | None = None) -> None:
        self._credentials = credentials
        self.script: deque[Act] = deque()
        self.accepted: list[Event] = []
        self.conflicts: list[bytes] = []
        self.calls: list[tuple[str, int]] = []
        self.tokens: list[str | None] = []
        self.tenants: list[str] = []
        self.key = PrivateKey.generate()
        self.key_id = b"key-0001"
        self.key_seal_s = 3600.0
        self.key_asked = 0
        self.released = asyncio.Event()
        self.port = 0
        self._seen: dict[bytes, bytes] = {}
        self._server: Any = None

    # --- starting and stopping --------------------------------------------------------------------------------------

    def start(self) -> ScriptedGateway:
        """Listens; on the same port as before if there was one."""
        loop().run(self._start())
        return self

    async def _start(self) -> None:
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 1 << 24)])
        add_IngestServiceServicer_to_server(self, self._server)  # type: ignore[no-untyped-call]
        if self._credentials is None:
            self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        else:
            self.port = self._server.add_secure_port(f"localhost:{self.port}", self._credentials)
        await self._server.start()

    def stop(self) -> None:
        """Closes the port; calls in flight are cut off."""
        if self._server is not None:
            server, self._server = self._server, None
            loop().run(server.stop(0))

    def release(self) -> None:
        """Lets hanging calls go."""
        loop().loop.call_soon_threadsafe(self.released.set)

    @property
    def address(self) -> str:
        """HOST:PORT."""
        return f"127.0.0.1:{self.port}"

    # --- what tests look at -----------------------------------------------------------------------------------------

    @property
    def sequences(self) -> list[int]:
        """Numbers of what was accepted, in order of acceptance."""
        return [event.producer.sequence for event in self.accepted]

    def await_accepted(self, count: int, timeout_s: float = 15) -> None:
        """Until so many events were accepted."""
        wait_until(lambda: len(self.accepted) >= count, timeout_s)

    # --- the service ------------------------------------------------------------------------------------------------

    async def Publish(self, request: pb.PublishRequest, context: Any) -> pb.PublishResponse:
        self.tokens.append(dict(context.invocation_metadata()).get("authorization"))
        self.calls.append(("Publish", len(request.events)))
        self.tenants.append(request.tenant)
        return await self._act(request, context)

    async def PublishSpooled(self, request: pb.PublishSpooledRequest, context: Any) -> pb.PublishResponse:
        if request.key_id != self.key_id:
            self.calls.append(("PublishSpooled", 0))
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "the key is destroyed")
        inner = pb.PublishRequest.FromString(SealedBox(self.key).decrypt(request.box))
        self.calls.append(("PublishSpooled", len(inner.events)))
        return await self._act(inner, context)

    async def GetSpoolKey(self, request: pb.GetSpoolKeyRequest, context: Any) -> pb.GetSpoolKeyResponse:
        self.key_asked += 1
        response = pb.GetSpoolKeyResponse(key_id=self.key_id, public_key=bytes(self.key.public_key))
        now = time.time()
        response.seal_until.CopyFrom(Timestamp(seconds=int(now + self.key_seal_s)))
        response.destroyed_at.CopyFrom(Timestamp(seconds=int(now + 2 * self.key_seal_s)))
        return response

    async def _act(self, request: pb.PublishRequest, context: Any) -> pb.PublishResponse:
        act = self.script.popleft() if self.script else None
        return await act(self, request, context) if act is not None else self.accept(request.events)

    def accept(self, events: Sequence[Event]) -> pb.PublishResponse:
        """Accepts each event, or knows it already."""
        response = pb.PublishResponse()
        digest = sha256()
        for event in events:
            encoded = event.SerializeToString(deterministic=True)
            digest.update(encoded)
            known = self._seen.setdefault(event.event_id, encoded)
            status = pb.EVENT_STATUS_REPEAT if known is not encoded else pb.EVENT_STATUS_ACCEPTED
            if known != encoded:
                self.conflicts.append(event.event_id)
            if status == pb.EVENT_STATUS_ACCEPTED:
                self.accepted.append(event)
            leaf = sha256(b"\0" + known).digest()
            response.results.append(pb.EventResult(status=status, leaf_hash=leaf, batch=0))
        response.batches.append(pb.AppendedBatch(receipt=b"receipt of " + digest.digest()))
        return response


# --- acts for a script ----------------------------------------------------------------------------------------------


def fails(code: grpc.StatusCode, details: str = "", retry_after_ms: int | None = None, *, after: bool = False) -> Act:
    """The call fails; with `after`, when its events are durable all the same."""

    async def act(gateway: ScriptedGateway, request: pb.PublishRequest, context: Any) -> pb.PublishResponse:
        if after:
            gateway.accept(request.events)
        trailers = (("retry-after-ms", str(retry_after_ms)),) if retry_after_ms is not None else ()
        await context.abort(code, details, trailing_metadata=trailers)
        raise AssertionError("abort returned")

    return act


async def hangs(gateway: ScriptedGateway, request: pb.PublishRequest, context: Any) -> pb.PublishResponse:
    """The call gets no answer until `release`."""
    await gateway.released.wait()
    return gateway.accept(request.events)


def says(*statuses: pb.EventStatus, field: str = "", reason: str = "") -> Act:
    """Those statuses for the first events, acceptance for the others."""

    async def act(gateway: ScriptedGateway, request: pb.PublishRequest, context: Any) -> pb.PublishResponse:
        told = dict(enumerate(statuses))
        plain = (pb.EVENT_STATUS_ACCEPTED, pb.EVENT_STATUS_REPEAT)
        taken = [event for i, event in enumerate(request.events) if told.get(i, plain[0]) in plain]
        answer = gateway.accept(taken)
        results = iter(answer.results)
        response = pb.PublishResponse(batches=answer.batches)
        for i in range(len(request.events)):
            status = told.get(i, plain[0])
            response.results.append(
                next(results) if status in plain else pb.EventResult(status=status, field=field, reason=reason)
            )
        return response

    return act


async def answers_nonsense(gateway: ScriptedGateway, request: pb.PublishRequest, context: Any) -> pb.PublishResponse:
    """An answer with one result too many."""
    return pb.PublishResponse(results=[pb.EventResult()] * (len(request.events) + 1))


@contextmanager
def running() -> Iterator[ScriptedGateway]:
    """A gateway for the time of a test; it must have seen no conflict."""
    gateway = ScriptedGateway().start()
    try:
        yield gateway
    finally:
        gateway.release()
        gateway.stop()
    if gateway.conflicts:
        raise AssertionError(f"{len(gateway.conflicts)} events came again under the same id with another body")


def wait_until(condition: Callable[[], bool], timeout_s: float = 15) -> None:
    """Until `condition` holds; fails the test when it does not in time."""
    end = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("the condition did not come true in time")
        time.sleep(0.002)
