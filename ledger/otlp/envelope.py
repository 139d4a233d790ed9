"""What every event says beside its body: who sent it, when it happened, in which trace, how much was sampled away.

Head sampling breaks completeness, so an event says which fraction of operations its producer records, from the first
of: `ledger.sampling` of the resource; the sampling threshold in the span's own trace state (`ot=th:…`, or `ot=p:…` of
older samplers); the receiver's configuration. Unset: unknown.
"""

from __future__ import annotations

import re

from ledger.otlp.conventions.ledger_attributes import LEDGER
from ledger.otlp.mapped import MappingOptions
from ledger.otlp.record import Found
from ledger.otlp.resource import SHARED, Service
from ledger.v1 import event_pb2 as pb

NANOS = 1_000_000_000
_THRESHOLD = re.compile(r"(?:^|;)th:([0-9a-f]{1,14})(?:;|$)")
_OLDER = re.compile(r"(?:^|;)p:([0-9]{1,2})(?:;|$)")
_THRESHOLD_DIGITS = 14
_NEVER = 63
TRACE_STATE_CHARACTERS_MAX = 8_192
_SHARED = tuple(row for row in LEDGER.rows if row.attribute in SHARED)


def new_event(
    event_id: bytes, trace_id: bytes, span_id: bytes, at_ns: int, service: Service, options: MappingOptions
) -> pb.Event:
    """An event that has all but its body, persons and story."""
    event = pb.Event(event_id=event_id, phase=pb.PHASE_SINGLE)
    if at_ns > 0:
        event.occurred_at.seconds, event.occurred_at.nanos = divmod(at_ns, NANOS)
    if trace_id:
        event.story.trace_id = trace_id
    if span_id:
        event.story.span_id = span_id
    event.producer.service, event.producer.version = service.service, service.version
    event.producer.environment, event.producer.instance = service.environment, service.instance
    event.producer.capture_path = options.capture_path
    return event


def add_sampling(event: pb.Event, trace_state: str, service: Service, options: MappingOptions) -> None:
    """Adds the declared sampling, where anything declares it."""
    for fraction in (service.sampling, sampling_of(trace_state), options.declared_sampling):
        if fraction is not None and 0 < fraction <= 1:
            event.producer.declared_sampling = fraction
            return


def sampling_of(trace_state: str) -> float | None:
    """The sampled fraction that a W3C trace state tells."""
    if len(trace_state) > TRACE_STATE_CHARACTERS_MAX:
        return None
    for member in trace_state.split(","):
        key, _, value = member.strip().partition("=")
        if key != "ot":
            continue
        if match := _THRESHOLD.search(value):
            rejected = int(match[1].ljust(_THRESHOLD_DIGITS, "0"), 16)
            return float(1 - rejected / 16**_THRESHOLD_DIGITS)
        if (match := _OLDER.search(value)) and int(match[1]) < _NEVER:
            return float(2.0 ** -int(match[1]))
    return None


def add_story(found: Found, trace_id: bytes, service: Service) -> None:
    """Adds what the resource says for all of its spans; the trace as correlation, as session where none is known."""
    for path, attribute, read, _ in _SHARED if service.shared else ():
        if attribute in service.shared:
            found.give(path, read(service.shared[attribute]), attribute)
    for key, value in service.left_over.items():
        found.misfits.setdefault(f"resource:{key}", value)
    if trace_id:
        found.give("story.correlation_id", trace_id.hex(), "trace id")
        found.give("story.session_id", trace_id.hex(), "trace id", derived=True)
