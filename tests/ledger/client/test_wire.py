"""Wire bytes put together by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.client.prepare import prepare
from ledger.client.wire import RequestWriter, Stamp, producer_place, varint
from ledger.v1 import event_pb2 as pb
from ledger.v1.ingest_pb2 import PublishRequest

ids = st.binary(min_size=16, max_size=16)
texts = st.text(max_size=300)
counts = st.integers(0, 2**63 - 1)

events = st.builds(
    pb.Event,
    event_id=ids,
    phase=st.integers(0, 5),
    operation_id=st.just(b"") | ids,
    amends_event_id=st.just(b"") | ids,
    subjects=st.lists(st.builds(pb.Person, identifier=texts), max_size=3),
    actor=st.none() | st.builds(pb.Actor, role=texts),
    classification=st.integers(0, 4),
    derived_fields=st.lists(texts, max_size=2),
    request=st.none() | st.builds(pb.AiRequest, vendor=texts, input=st.builds(pb.Content, text=texts)),
)
producers = st.builds(
    pb.Producer,
    service=texts,
    version=texts,
    environment=texts,
    instance=texts,
    boot_id=ids,
    capture_path=st.integers(0, 5),
)


@given(events, producers, counts, counts, st.none() | st.floats(0.01, 1), st.none() | counts)
def test_a_stamped_event_is_what_protobuf_itself_would_write(
    event: pb.Event, producer: pb.Producer, sequence: int, dropped: int, sampling: float | None, second: int | None
) -> None:
    """A numbered event equals, byte for byte, the deterministic serialization of the event with its producer set."""
    if second is not None:
        event.occurred_at.seconds = second % 2**33
    if sampling is not None:
        event.producer.declared_sampling = sampling
    _, body, sampled = prepare(event)
    stamp = Stamp(producer)
    wire = stamp.stamp(body, producer_place(body), sequence, dropped, sampled)

    whole = pb.Event()
    whole.CopyFrom(event)
    whole.producer.CopyFrom(producer)
    whole.producer.sequence = sequence
    whole.producer.dropped_count = dropped
    if sampling is not None:
        whole.producer.declared_sampling = sampling
    if sequence:
        assert wire == whole.SerializeToString(deterministic=True)
    assert pb.Event.FromString(wire) == whole
    assert len(wire) <= len(body) + stamp.bytes_max


@given(st.text(max_size=50), st.lists(events, max_size=5))
def test_a_request_is_what_protobuf_itself_would_write(tenant: str, batch: list[pb.Event]) -> None:
    """A request of serialized events equals the serialization of the whole message, a few bytes beside each."""
    wires = [event.SerializeToString(deterministic=True) for event in batch]
    written = RequestWriter(tenant).write(wires)
    assert written == PublishRequest(tenant=tenant, events=batch).SerializeToString(deterministic=True)
    assert len(written) <= len(tenant.encode()) + 10 + sum(len(wire) + 8 for wire in wires)


@given(st.integers(0, 2**64 - 1))
def test_varints_are_protobuf_s(value: int) -> None:
    """A varint reads back as the number it was written for."""
    assert pb.Producer.FromString(b"\x30" + varint(value)).sequence == value


def test_preparing_an_event_leaves_the_application_s_object_alone() -> None:
    """An event without id gets one in the copy that is sent; what the application set as producer is not sent."""
    event = pb.Event(producer=pb.Producer(service="mine", sequence=7, declared_sampling=0.5))
    identity, body, sampling = prepare(event)
    assert len(identity) == 16
    assert event == pb.Event(producer=pb.Producer(service="mine", sequence=7, declared_sampling=0.5))
    assert pb.Event.FromString(body) == pb.Event(event_id=identity)
    assert pb.Producer.FromString(sampling) == pb.Producer(declared_sampling=0.5)
