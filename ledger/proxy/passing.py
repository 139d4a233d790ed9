"""The part of a request's way that is behind the decision: to the upstream and back, and to its record.

However it ends, its end is recorded, once: answered; failed, when no answer came or one broke off; cancelled, when the
caller went away, or the proxy was stopped. A caller who goes away takes the call to the upstream with him.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

import aiohttp
from aiohttp import web
from multidict import CIMultiDict

from ledger.proxy.answers import OwnAnswer
from ledger.proxy.calls import Call, End
from ledger.proxy.forwarding import Passed, Upstreams, failure_of
from ledger.proxy.headers import OWN, by_name, passed_back, read_fields
from ledger.proxy.metrics import ProxyMetrics
from ledger.proxy.recording import Recording, Tape
from ledger.proxy.recording_frames import State
from ledger.proxy.requests import Target
from ledger.proxy.upstreams import Upstream

EVENT_HEADER = f"{OWN}event"
RECORDED_HEADER = f"{OWN}recorded"


@dataclass(slots=True)
class Passage:
    """A request on its way: what is known so far, for its answer and its record."""

    began_s: float
    began_ms: int
    upstream: Upstream | None = None
    call: Call | None = None
    state: State = "no"
    response: web.StreamResponse | None = None
    tape: Tape | None = None
    status: int | None = None
    body: bytes = b""

    @property
    def own_headers(self) -> dict[str, str]:
        """The ledger's fields of the answer."""
        found: dict[str, str] = {RECORDED_HEADER: self.state}
        if self.call is not None:
            found[EVENT_HEADER] = _uuid(self.call.event_id)
        return found


def _uuid(raw: bytes) -> str:
    text = raw.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


class Passing:
    """Passes requests on; see the module. Belongs to one event loop."""

    def __init__(self, outgoing: Upstreams, recording: Recording, metrics: ProxyMetrics, call_timeout_s: float) -> None:
        self._outgoing = outgoing
        self._recording = recording
        self._metrics = metrics
        self._call_timeout_s = call_timeout_s
        self.stopping = False

    async def forward(
        self, request: web.BaseRequest, passage: Passage, target: Target, fields: CIMultiDict[str], body: bytes
    ) -> web.StreamResponse:
        """Sends it, passes the answer on, and records the end, whatever it is."""
        end, whole = End("cancelled", 0.0), False
        try:
            async with asyncio.timeout(self._call_timeout_s):
                response = await self._exchange(request, passage, target, fields, body)
            end, whole = End("answered", 0.0), True
            return response
        except (aiohttp.ClientError, TimeoutError) as error:
            if isinstance(error, aiohttp.ClientConnectionResetError) and _is_gone(request):
                raise
            passage.status, named = failure_of(error)
            end = End("failed", 0.0, error_class=named)
            if passage.response is None:
                raise OwnAnswer(passage.status, named, "no answer came from the upstream") from None
            _break_off(request)
            return passage.response
        except ConnectionError:
            raise
        except Exception:
            end = End("failed", 0.0, error_class="proxy_fault")
            raise
        finally:
            if end.kind == "cancelled":
                end = replace(end, error_class="proxy_stopped" if self.stopping else "client_disconnected")
            self._ended(passage, replace(end, at_s=time.monotonic()), whole=whole)

    async def _exchange(
        self, request: web.BaseRequest, passage: Passage, target: Target, sent: CIMultiDict[str], body: bytes
    ) -> web.StreamResponse:
        answer = await self._outgoing.send(target.upstream, request.method, target.url, sent, body)
        try:
            passage.status = answer.status
            fields = read_fields(answer.raw_headers)
            if passage.call is not None:
                passage.tape = self._recording.tape(passage.call, answer.status, by_name(fields))
            back = passed_back(fields)
            back.update(passage.own_headers)
            response = Passed(status=answer.status, reason=answer.reason, headers=back)
            await response.prepare(request)
            passage.response = response
            tape = passage.tape
            async for piece in answer.content.iter_any():
                if tape is not None:
                    tape.add(piece, time.monotonic())
                    if tape.is_full:
                        await tape.room()
                await response.write(piece)
            await response.write_eof()
            return response
        except BaseException:
            # What is still to come of it is nobody's.
            answer.close()
            raise
        finally:
            answer.release()

    def _ended(self, passage: Passage, end: End, *, whole: bool) -> None:
        call, upstream = passage.call, passage.upstream
        if upstream is not None:
            self._metrics.ended(upstream.name, end.kind, passage.status, end.at_s - passage.began_s)
        if call is None:
            return
        if passage.tape is not None:
            passage.tape.end(end, whole=whole)
        else:
            self._recording.ended(call, end)


def _is_gone(request: web.BaseRequest) -> bool:
    return request.transport is None or request.transport.is_closing()


def _break_off(request: web.BaseRequest) -> None:
    """Ends the connection without an end of the answer."""
    if request.transport is not None:
        request.transport.abort()
