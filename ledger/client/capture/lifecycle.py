"""What requests and tools share: the events of one piece of work, from what was given and what is around."""

from __future__ import annotations

import asyncio
import inspect
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, TimeoutError
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from ledger.client.capture.around import Around
from ledger.client.capture.building import build
from ledger.client.capture.describe import class_name, describe_all
from ledger.client.capture.scope import Run
from ledger.client.ids import event_id
from ledger.v1 import event_pb2 as pb

if TYPE_CHECKING:
    from ledger.client.capture.ledger import Ledger

ERROR_CHARACTERS_MAX = 20_000
STREAM_CHARACTERS_MAX = 4_000_000
TIMED_OUT = (TimeoutError, asyncio.TimeoutError)
CANCELLED = (asyncio.CancelledError, CancelledError, GeneratorExit)
_OWN = ("self", "cls")


class EventRun(Run):
    """One piece of work. With `phases` an event when it begins and one when it ends, else one when it ends."""

    kind: ClassVar[str]
    kept: ClassVar[tuple[str, ...]]
    """Fields that the end says again."""

    def __init__(self, ledger: Ledger, fields: Mapping[str, Any], phases: bool) -> None:
        super().__init__(ledger)
        self.given: dict[str, Any] = dict(fields)
        self.event_id = event_id()
        self.began_at = time.monotonic()
        self._occurred_at = datetime.now(UTC)
        self._phases = phases
        self._kept_characters = STREAM_CHARACTERS_MAX

    def started(self) -> None:
        if self._phases:
            self.emit(self.start_event())

    def start_event(self) -> pb.Event:
        """What is said at the beginning; at the end only what came since."""
        event = self._event("started", {**self.given, "occurred_at": self._occurred_at}, self.event_id)
        self.given = {name: self.given[name] for name in self.kept if name in self.given}
        return event

    def add(self, fields: Mapping[str, Any]) -> None:
        """Further fields of the event."""
        self.given.update(fields)

    def keeps(self, characters: int) -> bool:
        """Whether so many more characters of a stream are kept."""
        self._kept_characters -= characters
        return self._kept_characters >= 0

    def finish(self, error: BaseException | None) -> None:
        """Emits what is said at the end."""
        latency_ms = round((time.monotonic() - self.began_at) * 1_000)
        given = {"latency_ms": latency_ms, **self.given}
        if not self._phases:
            self.emit(self._event("single", {"occurred_at": self._occurred_at, **given}, self.event_id))
            return
        phase = "completed"
        if error is not None:
            phase = "cancelled" if isinstance(error, CANCELLED) else "failed"
        elif self.given.get("error_class"):
            phase = "failed"
        self.emit(self._event(phase, given, event_id()))

    def cancel(self, reason: str) -> None:
        """Emits that nothing was done."""
        self.emit(self._event("cancelled", {**self.given, "error_class": reason}, event_id()))

    def emit(self, event: pb.Event) -> None:
        """Sends an event on its way."""
        self.ledger.emit(event)

    def _event(self, phase: str, given: Mapping[str, Any], identity: bytes) -> pb.Event:
        around = self.around
        own = dict(around.fields) if around is not None else {}
        own.update((name, value) for name, value in given.items() if value is not None)
        own["event_id"], own["phase"] = identity, phase
        if phase != "single":
            own["operation_id"] = self.event_id
        return event_in(self.ledger, self.kind, around.outer if around is not None else None, own)


def event_in(ledger: Ledger, kind: str, around: Around | None, given: Mapping[str, Any]) -> pb.Event:
    """An event of this kind with what is around it: fields, and the innermost event as its parent."""
    fields: dict[str, Any] = {**ledger.defaults, **_trace()}
    if around is not None:
        fields.update(around.fields)
        if around.event_id is not None:
            fields["parent_event_id"] = around.event_id
    fields.update((name, value) for name, value in given.items() if value is not None)
    return build(kind, fields, ledger.content_bytes_max, ledger.faulty)


def _trace() -> dict[str, Any]:
    """Trace and span of OpenTelemetry's current span, where the application has it loaded."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return {}
    try:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return {}
        return {"trace_id": context.trace_id.to_bytes(16, "big"), "span_id": context.span_id.to_bytes(8, "big")}
    except Exception:
        # Another library's state, and only an addition: an event without it is whole.
        return {}


def error_fields(error: BaseException) -> dict[str, Any]:
    """`error_class` and `error_text` of an exception."""
    fields: dict[str, Any] = {"error_class": class_name(type(error))}
    try:
        text = str(error)
    except Exception:
        # An exception whose text can't be made is still told by its class.
        return fields
    if text:
        fields["error_text"] = text[:ERROR_CHARACTERS_MAX]
    return fields


def arguments_of(function: Callable[..., Any], called: Any, leave_out: tuple[str, ...] = ()) -> dict[str, Any]:
    """The arguments of a call by their names, as JSON; without those that the signature fills in itself."""
    args, kwargs = called
    bound = _signature(function).bind(*args, **kwargs)
    named = dict(bound.arguments)
    first = next(iter(named), None)
    if first in _OWN and args:
        del named[first]
    for name, parameter in bound.signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD and name in named:
            named.update({key: value for key, value in named.pop(name).items() if key not in named})
    return describe_all(named, leave_out)


@lru_cache(maxsize=1_024)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)
