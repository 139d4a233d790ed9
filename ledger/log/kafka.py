"""The Kafka event log: one topic of a real Apache Kafka, one event a record, one append a record batch.

Appends go through a supervised idempotent producer (`kafka_producer`), reads are fetches of their own
(`kafka_reader`), the topic is made and checked by `kafka_topic`. Offsets are Kafka's. A topic has no incarnation of its
own that a client of this protocol version could ask for: each record carries the ledger's, and the sealer compares.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ledger.errors import IntegrityError
from ledger.log.interface import Bounds, Record, StoredRecord, check_append, check_partition
from ledger.log.kafka_producer import SupervisedProducer
from ledger.log.kafka_reader import Reader
from ledger.log.kafka_settings import KafkaSettings
from ledger.log.kafka_topic import check_topic, create_topic, trim_topic

# At its DEBUG level aiokafka writes whole requests and responses, records included, into the log.
logging.getLogger("aiokafka").setLevel(logging.WARNING)


class KafkaLog:
    """An event log in a Kafka topic. See `ledger.log.interface.EventLog` for what its methods promise."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._producer = SupervisedProducer(settings)
        self._reader = Reader(settings)

    @staticmethod
    async def create(settings: KafkaSettings) -> None:
        """Make the topic. `Misconfigured` when it exists."""
        await create_topic(settings)

    @property
    def partitions(self) -> int:
        """How many partitions the topic has."""
        return self._settings.partitions

    @property
    def batch_bytes_max(self) -> int:
        """The most one append may take, by `batch_bytes`."""
        return self._settings.batch_bytes_max

    async def start(self) -> None:
        """Check that the topic is there and safe; connections are made when they are needed."""
        await check_topic(self._settings)

    async def append(self, partition: int, records: Sequence[Record], deadline_s: float) -> int:
        """Append `records` as one record batch; returns the first offset once all in-sync replicas have them."""
        check_append(self, partition, records)
        return await self._producer.append(partition, records, deadline_s)

    async def read(
        self, partition: int, offset: int, *, records_max: int, bytes_max: int, wait_s: float
    ) -> list[StoredRecord]:
        """The records from `offset` on, waiting up to `wait_s` for the first."""
        check_partition(self, partition)
        return await self._reader.read(partition, offset, records_max, bytes_max, wait_s)

    async def reread(self, partition: int, offset: int) -> StoredRecord | None:
        """The record at `offset`, None when it is the next to be written."""
        check_partition(self, partition)
        return await self._reader.reread(partition, offset)

    async def bounds(self, partition: int) -> Bounds:
        """The offsets the partition holds."""
        check_partition(self, partition)
        return await self._reader.bounds(partition)

    async def trim(self, partition: int, before_offset: int) -> None:
        """Delete the records below `before_offset`."""
        bounds = await self.bounds(partition)
        if before_offset > bounds.end:
            raise IntegrityError(
                f"topic {self._settings.topic} partition {partition} ends at {bounds.end}, trimming below"
                f" {before_offset} was asked: the log is shorter than it was"
            )
        if before_offset > bounds.start:
            await trim_topic(self._settings, partition, before_offset)

    async def healthy(self) -> None:
        """Every partition has a leader and enough replicas in step."""
        await self._reader.check_leaders()

    async def close(self) -> None:
        """Appends under way end or fail, connections are closed."""
        await self._producer.close()
        await self._reader.close()
