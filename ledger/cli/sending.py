"""Publishing many events to a gateway from a command, and waiting until they are sealed.

Batches go one after another, in order. What a gateway turns away for now is sent again, the same events under the same
ids, until the deadline; what it rejects is kept with its reason. Nothing is dropped.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import grpc

from ledger.cli.connecting import AGAIN, IN_CLEAR, Connection
from ledger.errors import Unavailable
from ledger.importers.records import Place
from ledger.v1 import event_pb2 as pb
from ledger.v1 import ingest_pb2 as ingest
from ledger.v1 import ingest_pb2_grpc as services

BATCH_EVENTS = 200
BATCH_BYTES = 4 * 1024 * 1024
MESSAGE_BYTES_MAX = 16 * 1024 * 1024
EVENT_BYTES_MAX = MESSAGE_BYTES_MAX - 4096
CALL_DEADLINE_S = 30.0
GIVE_UP_S = 120.0
NEVER_REACHED_S = 10.0
AWAIT_S = 600.0
PAUSE_FIRST_S, PAUSE_MOST_S = 0.1, 5.0


Placed = tuple[Place, pb.Event]
"""An event and where it stands."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Something that was not taken: its place (and column, where that can be told), which field, why."""

    place: Place
    field: str
    reason: str
    column: int | None = None

    @property
    def where(self) -> str:
        """Place and column for people."""
        return str(self.place) if self.column is None else f"{self.place}, column {self.column}"


@dataclass(slots=True)
class Sent:
    """What became of the events. `notes`: what the gateway has to say of events that it took, such as a conflict."""

    counts: Counter[str] = field(default_factory=Counter)
    refusals: list[Refusal] = field(default_factory=list)
    notes: list[Refusal] = field(default_factory=list)
    positions: dict[int, int] = field(default_factory=dict)
    receipts: list[bytes] = field(default_factory=list)


class Sender:
    """A connection to one gateway for one tenant. `close` it."""

    def __init__(self, to: str, tenant: str, give_up_s: float = GIVE_UP_S, connection: Connection = IN_CLEAR) -> None:
        options = [
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
        ]
        self._connection = connection
        self._channel = connection.channel(to, options)
        self._stub = services.IngestServiceStub(self._channel)  # type: ignore[no-untyped-call]
        self._to = to
        self._tenant = tenant
        self._give_up_s = give_up_s
        self.sent = Sent()

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def send(self, events: Iterable[Placed]) -> Iterator[int]:
        """Publishes events with their places; yields how many are done after each batch."""
        for batch in _batches(self._sendable(events)):
            self._send(batch)
            yield len(batch)

    def _sendable(self, events: Iterable[Placed]) -> Iterator[Placed]:
        """All but those that no message can hold: trying again would not help them, and would keep back the rest."""
        for place, event in events:
            if (size := event.ByteSize()) > EVENT_BYTES_MAX:
                self.sent.refusals.append(Refusal(place, "", f"at most {EVENT_BYTES_MAX} bytes an event, got {size}"))
            else:
                yield place, event

    def await_sealed(self) -> list[str]:
        """The tenant's checkpoints once everything sent is sealed."""
        positions = [
            ingest.LogPosition(partition=partition, next_offset=offset)
            for partition, offset in self.sent.positions.items()
        ]
        try:
            answer = self._stub.AwaitSealed(
                ingest.AwaitSealedRequest(tenant=self._tenant, positions=positions),
                timeout=AWAIT_S,
                metadata=self._connection.metadata(),
            )
        except grpc.RpcError as error:
            raise self._connection.failed(error, self._to) from None
        return list(answer.checkpoints)

    def _send(self, batch: list[Placed]) -> None:
        give_up_s = self._give_up_s if self.sent.counts else min(NEVER_REACHED_S, self._give_up_s)
        give_up = time.monotonic() + give_up_s
        pause_s = PAUSE_FIRST_S
        while batch:
            try:
                answer = self._stub.Publish(
                    ingest.PublishRequest(tenant=self._tenant, events=[event for _, event in batch]),
                    timeout=CALL_DEADLINE_S,
                    metadata=self._connection.metadata(),
                )
                batch = self._take(batch, answer)
            except grpc.RpcError as error:
                if error.code() not in AGAIN or time.monotonic() > give_up:
                    raise self._connection.failed(error, self._to) from None
            if batch:
                if time.monotonic() > give_up:
                    raise Unavailable(f"{self._to}: {len(batch)} events could not be made durable; send them again")
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, PAUSE_MOST_S)

    def _take(self, batch: list[Placed], answer: ingest.PublishResponse) -> list[Placed]:
        """Counts an answer; returns what is to be sent again."""
        again = []
        for (place, event), result in zip(batch, answer.results, strict=True):
            if result.status == ingest.EVENT_STATUS_RETRY:
                again.append((place, event))
                continue
            self.sent.counts[ingest.EventStatus.Name(result.status).removeprefix("EVENT_STATUS_").lower()] += 1
            if result.status == ingest.EVENT_STATUS_REJECTED:
                self.sent.refusals.append(Refusal(place, result.field, result.reason))
            elif result.reason:
                self.sent.notes.append(Refusal(place, result.field, result.reason))
        for appended in answer.batches:
            self.sent.receipts.append(appended.receipt)
            if appended.HasField("end"):
                held = self.sent.positions.get(appended.end.partition, 0)
                self.sent.positions[appended.end.partition] = max(held, appended.end.next_offset)
        return again


def _batches(events: Iterable[Placed]) -> Iterator[list[Placed]]:
    batch: list[Placed] = []
    size = 0
    for place, event in events:
        length = event.ByteSize()
        if batch and (len(batch) == BATCH_EVENTS or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append((place, event))
        size += length
    if batch:
        yield batch
