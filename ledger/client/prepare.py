"""What an application submits, made ready for the queue."""

from __future__ import annotations

from ledger.client.ids import event_id
from ledger.client.options import Options
from ledger.client.wire import declared_sampling
from ledger.v1.event_pb2 import Event, Producer

Prepared = tuple[bytes, bytes, bytes]
"""An event's id, its serialized form without a producer, the producer's declared sampling."""


def prepare(event: Event) -> Prepared:
    """Takes an event apart for the queue. Of its producer only the declared sampling counts: the rest is the client's.

    An event without id gets one. The application's own object is never changed.
    """
    if not isinstance(event, Event):
        raise TypeError(f"expected a ledger.v1 Event, got {type(event).__name__}")
    sampling = b""
    identity = event.event_id
    if not identity or event.HasField("producer"):
        if event.producer.HasField("declared_sampling"):
            sampling = declared_sampling(event.producer.declared_sampling)
        own = Event()
        own.CopyFrom(event)
        own.ClearField("producer")
        identity = own.event_id = identity or event_id()
        event = own
    return identity, event.SerializeToString(), sampling


def producer(options: Options, boot_id: bytes) -> Producer:
    """What every event of a stream says of its producer, but for its number."""
    return Producer(
        service=options.service,
        version=options.version,
        environment=options.environment,
        instance=options.instance,
        boot_id=boot_id,
        capture_path=options.capture_path,
    )
