"""The gRPC channel: raw request bytes in, response bytes or a `Failure` out.

Lifetime. The channel is made by the first call and not before: a process may fork until then as if gRPC were not there.
A fork with live gRPC threads is not safe: the child crashes or hangs when it uses gRPC, often, if a call was in flight.
So before a fork (`quiesce`) calls are cancelled, the channel is closed, and the last of gRPC's threads has gone, as far
as a short wait allows; the child then starts gRPC as if for the first time, and the parent opens a new channel with its
next call (`resume`). Cancelled calls are `INTERRUPTED`: their outcome is unknown, they are sent again with the same
ids. A fork takes some milliseconds longer for it. That holds for this client's channels; an application that keeps
other gRPC channels over a fork has the trouble that gRPC has with it.

For the same reason nothing outside this file keeps an object of gRPC: answers become values in the call's callback.

Semantics. Calls don't wait for a ready channel (`wait_for_ready=False`): a gateway that is away answers UNAVAILABLE at
once, and the client's own schedule decides when to try again. gRPC's pauses between connection attempts are kept
shorter than ours, its own retries are off, message sizes, keepalive and proxy use are stated, not left to defaults.
Keepalive pings go out only while a call is in flight; they also bound how long a dead connection is written to.
"""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from enum import Enum
from typing import Any

import grpc

from ledger.client.options import MESSAGE_BYTES_MAX, Options, is_local
from ledger.client.retry import NOT_STARTED, Failure, FailureKind, failure

GRACE_S = 5.0
"""After a call's deadline, before it is given up as never answered by gRPC itself."""
QUIESCE_CALLS_S = 1.0
QUIESCE_THREADS_S = 0.2
DETAIL_CHARACTERS_MAX = 200
_GRPC_THREADS = ("event_engine", "lifeguard", "grpc_global_tim")

INTERRUPTED = Failure(FailureKind.INTERRUPTED, "INTERRUPTED")


class Method(Enum):
    """The calls a client makes."""

    PUBLISH = "/ledger.v1.IngestService/Publish"
    PUBLISH_SPOOLED = "/ledger.v1.IngestService/PublishSpooled"
    GET_SPOOL_KEY = "/ledger.v1.IngestService/GetSpoolKey"


class Transport:
    """Blocking calls from any number of threads over one channel."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._gate = threading.Condition()
        self._channel: grpc.Channel | None = None
        self._methods: dict[Method, Any] = {}
        self._calls: set[Any] = set()
        self._paused = False
        self._closed = False

    def call(self, method: Method, request: bytes, timeout_s: float) -> bytes | Failure:
        """The response's bytes, or why there is none. Returns at `timeout_s` + `GRACE_S` at the latest."""
        answer: Future[bytes | Failure] = Future()
        try:
            metadata = self._metadata()
            with self._gate:
                self._gate.wait_for(lambda: not self._paused)
                if self._closed:
                    return INTERRUPTED
                call = self._open()[method].future(request, timeout=timeout_s, metadata=metadata)
                self._calls.add(call)
        except Exception as error:
            # The token's function failed, or no thread was to be had at interpreter shutdown: nothing was sent.
            return Failure(FailureKind.AWAY, "UNAVAILABLE", f"{NOT_STARTED}: {type(error).__name__}")
        call.add_done_callback(lambda done: self._finish(done, answer))
        del call
        try:
            return answer.result(timeout_s + GRACE_S)
        except FutureTimeout:
            self.cancel()
            return Failure(FailureKind.AWAY, "DEADLINE_EXCEEDED", "gRPC gave no answer")

    def cancel(self) -> None:
        """Cancels every call in flight; each returns `INTERRUPTED`."""
        with self._gate:
            for call in tuple(self._calls):
                call.cancel()

    def close(self) -> None:
        """No call starts any more; those in flight are cancelled."""
        with self._gate:
            self._closed = True
            self._gate.notify_all()
        self._shut(QUIESCE_CALLS_S)

    def quiesce(self) -> None:
        """Before a fork: nothing of gRPC is left running, as far as `QUIESCE_*_S` allow."""
        with self._gate:
            self._paused = True
        if self._shut(QUIESCE_CALLS_S):
            _await_grpc_threads(QUIESCE_THREADS_S)

    def resume(self) -> None:
        """After a fork, in the parent."""
        with self._gate:
            self._paused = False
            self._gate.notify_all()

    def _shut(self, timeout_s: float) -> bool:
        """Cancels calls, waits until their callbacks have run, closes the channel. Whether there was one."""
        self.cancel()
        with self._gate:
            self._gate.wait_for(lambda: not self._calls, timeout_s)
            channel, self._channel = self._channel, None
            self._methods = {}
        if channel is None:
            return False
        channel.close()
        return True

    def _open(self) -> dict[Method, Any]:
        if self._channel is None:
            options = self._options
            if options.credentials is None:
                self._channel = grpc.insecure_channel(options.to, options=channel_options(options))
            else:
                self._channel = grpc.secure_channel(options.to, options.credentials, options=channel_options(options))
            channel = self._channel
            # No serializers: bytes in, bytes out.
            self._methods = {method: channel.unary_unary(method.value, None, None) for method in Method}
        return self._methods

    def _metadata(self) -> tuple[tuple[str, str], ...]:
        token = self._options.token
        if token is None:
            return ()
        return (("authorization", f"Bearer {token() if callable(token) else token}"),)

    def _finish(self, call: Any, answer: Future[bytes | Failure]) -> None:
        """Runs on gRPC's thread when a call is over."""
        try:
            answer.set_result(_outcome(call))
        finally:
            with self._gate:
                self._calls.discard(call)
                self._gate.notify_all()


def channel_options(options: Options) -> list[tuple[str, int]]:
    """Every channel argument the client depends on, said aloud."""
    return [
        ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
        ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ("grpc.keepalive_time_ms", 20_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 0),
        ("grpc.initial_reconnect_backoff_ms", options.backoff_first_ms),
        ("grpc.min_reconnect_backoff_ms", 5_000),
        ("grpc.max_reconnect_backoff_ms", max(options.backoff_first_ms, options.backoff_longest_ms // 2)),
        ("grpc.enable_retries", 0),
        # A channel's connections are its own: closing it leaves none behind.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0 if is_local(options.to) else 1),
    ]


def _outcome(call: Any) -> bytes | Failure:
    if call.cancelled():
        return INTERRUPTED
    code = call.code()
    if code is grpc.StatusCode.OK:
        response: bytes = call.result()
        return response
    trailers = {key: value for key, value in call.trailing_metadata() or () if isinstance(value, str)}
    name = "UNKNOWN" if code is None else code.name
    return failure(name, (call.details() or "")[:DETAIL_CHARACTERS_MAX], trailers.get("retry-after-ms"))


def _await_grpc_threads(timeout_s: float) -> None:
    """Waits until no thread of gRPC's core is left (they end by themselves soon after the last channel is closed)."""
    end = time.monotonic() + timeout_s
    while _grpc_thread_runs() and time.monotonic() < end:
        time.sleep(0.000_5)


def _grpc_thread_runs() -> bool:
    """Whether this process has a thread that gRPC's core named. Where threads can't be listed: no."""
    tasks = "/proc/self/task"
    try:
        ids = os.listdir(tasks)
    except OSError:
        return False
    for task in ids:
        try:
            with open(f"{tasks}/{task}/comm", encoding="utf-8", errors="replace") as comm:
                if comm.read().startswith(_GRPC_THREADS):
                    return True
        except OSError:
            # The thread ended between the two look-ups.
            continue
    return False
