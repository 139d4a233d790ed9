"""The event log: what the ledger asks of the thing that keeps events between the gateway and the sealer.

An event log has a fixed number of *partitions*. A partition is a sequence of records with contiguous offsets; offsets
are never used twice, trimming included. The rules every implementation keeps, and the conformance suite checks:

1. **An append is atomic**: its records stand side by side, in order, or none of them is there. It is durable when
   `append` returns.
2. **An append ends in one of four ways**: the first offset; `Rejected` (this batch can never be taken); `Unavailable`
   (surely not appended); `OutcomeUnknown` (perhaps appended, perhaps later). It ends within its deadline, a moment
   more for tidying up. `IntegrityError` when the log itself went back: it gave out an offset a second time.
3. **A read tells the truth of now**. What it returns was asked of the log after the call began; nothing is served from
   an earlier look ahead. A log that was deleted and made anew answers with its new records, so that whoever compares
   them with what he knew (the sealer, by `record_digest`) sees it.
4. **A read is contiguous** from the offset asked. It never jumps over what is missing: an offset that was trimmed, or
   that lies beyond the end, is an `IntegrityError`.

Sizes: an append is measured by `batch_bytes`, an upper bound of what either implementation writes for it. It depends on
nothing but lengths, so whoever cuts batches can add up `record_bytes` as it goes:
`batch_bytes(records) = BATCH_OVERHEAD_BYTES + sum(record_bytes(r) for r in records)`. An implementation rejects exactly
what passes its `batch_bytes_max`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from ledger.canonical import Codec, blob, sequence, structure, text
from ledger.errors import Rejected

# A Kafka record batch of format 2: 61 bytes; a record: five varints of at most 5 bytes, one of at most 10, one byte of
# attributes; a header: two varints of at most 5 bytes. SQLite's rows are smaller.
BATCH_OVERHEAD_BYTES = 61
RECORD_OVERHEAD_BYTES = 36
HEADER_OVERHEAD_BYTES = 10

DIGEST_TAG = "audit-ledger/log-record/v1"


@dataclass(frozen=True, slots=True)
class Record:
    """One entry as appended. A header name may repeat; names are UTF-8 text, all else is bytes, possibly empty.

    A record that somebody else put into a Kafka topic may have a null key, value or header value: it reads as empty.
    """

    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record and the offset it has in its partition."""

    offset: int
    record: Record


@dataclass(frozen=True, slots=True)
class Bounds:
    """The offsets a partition holds: `start` is the first one kept, `end` the next one to be written."""

    start: int
    end: int


def _write_header(header: tuple[str, bytes], out: bytearray) -> None:
    text.write(header[0], out)
    blob.write(header[1], out)


def _read_header(data: bytes, at: int) -> tuple[tuple[str, bytes], int]:
    name, at = text.read(data, at)
    value, at = blob.read(data, at)
    return (name, value), at


headers_codec: Codec[tuple[tuple[str, bytes], ...]] = sequence(Codec(_write_header, _read_header, 16))
"""Headers in order: a count, then for each its name as text and its value as blob (see `ledger.canonical`)."""

_record_codec: Codec[Record] = structure(Record, tag=DIGEST_TAG, key=blob, headers=headers_codec, value=blob)


def record_digest(record: Record) -> bytes:
    """SHA-256 over the canonical bytes of `record`: tag, key, headers, value. Rounds anchor themselves with it."""
    return sha256(_record_codec.encode(record)).digest()


def record_bytes(record: Record) -> int:
    """At most what `record` takes in a batch, in bytes."""
    size = RECORD_OVERHEAD_BYTES + len(record.key) + len(record.value)
    for name, value in record.headers:
        # Four bytes are the most a character takes in UTF-8; the exact count would cost an encoding each time.
        size += HEADER_OVERHEAD_BYTES + (len(name) if name.isascii() else 4 * len(name)) + len(value)
    return size


def batch_bytes(records: Iterable[Record]) -> int:
    """At most what one append of `records` takes, in bytes."""
    return BATCH_OVERHEAD_BYTES + sum(map(record_bytes, records))


def check_append(log: EventLog, partition: int, records: Sequence[Record]) -> int:
    """The size of the append in bytes, once it is one that `log` can take.

    `Rejected` when it is too large. A partition that does not exist and an append of nothing are mistakes of the
    caller's code: `ValueError`.
    """
    check_partition(log, partition)
    if not records:
        raise ValueError("an append needs at least one record")
    size = batch_bytes(records)
    if size > log.batch_bytes_max:
        raise Rejected("", f"a batch of {len(records)} records takes {size} bytes, at most {log.batch_bytes_max} fit")
    return size


def check_partition(log: EventLog, partition: int) -> None:
    """`ValueError` unless the log has that partition."""
    if not 0 <= partition < log.partitions:
        raise ValueError(f"partition {partition} does not exist, the log has {log.partitions}")


class EventLog(Protocol):
    """One event log. Its methods belong to the event loop it was started on; durations are in seconds."""

    @property
    def partitions(self) -> int:
        """How many partitions there are, for ever; they are numbered from 0."""

    @property
    def batch_bytes_max(self) -> int:
        """The most one append may take, by `batch_bytes`."""

    async def start(self) -> None:
        """Open the log. `Misconfigured` when it is not there or not safe to use, `Unavailable` when it is away."""

    async def append(self, partition: int, records: Sequence[Record], deadline_s: float) -> int:
        """Append `records` as one atomic batch; returns the offset of the first once all are durable.

        Raises `Rejected`, `Unavailable`, `OutcomeUnknown` or `IntegrityError` as the module says, after `deadline_s`
        seconds at most.
        """

    async def read(
        self, partition: int, offset: int, *, records_max: int, bytes_max: int, wait_s: float
    ) -> list[StoredRecord]:
        """The records from exactly `offset` on, without a gap; [] when there is none within `wait_s`.

        At most `records_max`, and no more once keys and values together would pass `bytes_max`; the first record comes
        whatever its size. Returns as soon as there is something. Raises `IntegrityError` when `offset` is below the
        start or beyond the end, `Unavailable` when the log does not answer.
        """

    async def reread(self, partition: int, offset: int) -> StoredRecord | None:
        """The one record at `offset`, as the log holds it now; None when it is the next one to be written.

        For the check of an anchor. Raises like `read`.
        """

    async def bounds(self, partition: int) -> Bounds:
        """The offsets the partition holds now. `Unavailable` when the log does not answer."""

    async def trim(self, partition: int, before_offset: int) -> None:
        """Delete the records below `before_offset`; what is gone already is no error, beyond the end is
        `IntegrityError`. Trimmed for ever: a crash may leave a part of it done, never a gap.
        """

    async def healthy(self) -> None:
        """Return when appends and reads can be expected to work; `Unavailable` with the reason otherwise."""

    async def close(self) -> None:
        """Let go of everything, within seconds, whatever state the log is in. Appends under way end first or fail."""
