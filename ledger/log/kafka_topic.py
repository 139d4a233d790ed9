"""The topic of a Kafka event log: how it is made, checked and trimmed.

The broker deletes nothing on its own (no retention by time or size, no compaction), elects no leader that lacks
acknowledged records, and stores batches uncompressed, so that whatever a stranger sends can be read. A topic that is
set otherwise would lose evidence in silence, so `check_topic` refuses it, each time a log is opened.

The timestamp a record carries is the broker's (`LogAppendTime`) unless asked otherwise: the broker refuses records of a
producer whose clock is far off, and the ledger has its own times inside the events.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.errors import (
    KafkaError,
    NoError,
    OffsetOutOfRangeError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from ledger.errors import IntegrityError, Misconfigured, Unavailable
from ledger.log.kafka_settings import KafkaSettings

OPERATION_TIMEOUTS = 3
"""An operation here takes several requests; it may take this many times the time-out of one."""


def topic_config(settings: KafkaSettings) -> dict[str, str]:
    """The topic's own settings, by Kafka's names."""
    return {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "min.insync.replicas": str(settings.min_isr),
        "unclean.leader.election.enable": "false",
        "max.message.bytes": str(settings.batch_bytes_max),
        "compression.type": "uncompressed",
        "message.timestamp.type": settings.timestamps,
    }


async def create_topic(settings: KafkaSettings) -> None:
    """Make the topic and return once every partition has a leader. `Misconfigured` when it exists already."""
    topic = NewTopic(settings.topic, settings.partitions, settings.replication, topic_configs=topic_config(settings))
    async with _admin(settings, "could not be made") as admin:
        response = await admin.create_topics([topic], timeout_ms=settings.request_timeout_ms)
        for _, code, message in response.topic_errors:
            error = for_code(code)
            if error is TopicAlreadyExistsError:
                raise Misconfigured(f"topic {settings.topic} exists already; an event log is never overwritten")
            if error is not NoError:
                raise Misconfigured(f"topic {settings.topic} could not be made: {error.__name__}: {message}")
        while True:
            if _has_leaders(await admin.describe_topics([settings.topic])):
                return
            await asyncio.sleep(0.05)


HEARD_OF_S = 3.0
"""How long a topic that a broker does not know is asked for again: it may be new, and that broker not told yet."""


async def check_topic(settings: KafkaSettings) -> None:
    """`Misconfigured` unless the topic is there and set so that it keeps what it acknowledged."""
    async with _admin(settings, "could not be looked at") as admin:
        (described,) = await admin.describe_topics([settings.topic])
        until = time.monotonic() + HEARD_OF_S
        while _is_unknown(described) and time.monotonic() < until:
            await asyncio.sleep(0.1)
            (described,) = await admin.describe_topics([settings.topic])
        if _is_unknown(described):
            raise Misconfigured(f"topic {settings.topic} does not exist; `init` makes it")
        if described["error_code"]:
            raise for_code(described["error_code"])()
        wrong = _wrong_shape(settings, described["partitions"])
        wrong += _wrong_settings(settings, await _settings_of(admin, settings))
    if wrong:
        raise Misconfigured(f"topic {settings.topic} is not safe for a ledger: {'; '.join(wrong)}")


def _is_unknown(described: Mapping[str, Any]) -> bool:
    return for_code(described["error_code"]) is UnknownTopicOrPartitionError


async def _settings_of(admin: AIOKafkaAdminClient, settings: KafkaSettings) -> dict[str, Any]:
    """The topic's settings by name. One broker may hear of a new topic later than another: asked again for a while."""
    resource = ConfigResource(ConfigResourceType.TOPIC, settings.topic)
    until = time.monotonic() + settings.request_timeout_ms / 1_000
    while True:
        (response,) = await admin.describe_configs([resource])
        ((code, message, _, _, entries),) = response.resources
        if not code:
            return {entry[0]: entry[1] for entry in entries}
        error = for_code(code)
        if not (error.retriable or error is UnknownTopicOrPartitionError):
            raise Misconfigured(f"topic {settings.topic}: its settings cannot be read: {error.__name__}: {message}")
        if time.monotonic() > until:
            raise error()
        await asyncio.sleep(0.1)


async def trim_topic(settings: KafkaSettings, partition: int, before_offset: int) -> None:
    """Delete the records of a partition below `before_offset`."""
    async with _admin(settings, f"partition {partition} could not be trimmed") as admin:
        try:
            where = {TopicPartition(settings.topic, partition): RecordsToDelete(before_offset)}
            await admin.delete_records(where, timeout_ms=settings.request_timeout_ms)
        except OffsetOutOfRangeError:
            raise IntegrityError(
                f"topic {settings.topic} partition {partition}: trimming below {before_offset} was asked, but it does"
                " not reach that far: the log is shorter than it was"
            ) from None


def _has_leaders(described: list[dict[str, Any]]) -> bool:
    return all(
        not topic["error_code"] and all(not part["error_code"] and part["leader"] >= 0 for part in topic["partitions"])
        for topic in described
    )


def _wrong_shape(settings: KafkaSettings, partitions: list[dict[str, Any]]) -> list[str]:
    wrong = []
    if len(partitions) != settings.partitions:
        wrong.append(f"it has {len(partitions)} partitions, expected {settings.partitions}")
    fewest = min((len(part["replicas"]) for part in partitions), default=0)
    if fewest < settings.replication:
        wrong.append(f"replication is {fewest}, expected at least {settings.replication}")
    return wrong


def _wrong_settings(settings: KafkaSettings, found: Mapping[str, str]) -> list[str]:
    at_least = ("min.insync.replicas", "max.message.bytes")
    wrong = []
    for name, expected in topic_config(settings).items():
        value = found.get(name, "")
        if name in at_least:
            if not value.isdigit() or int(value) < int(expected):
                wrong.append(f"{name} is {value}, expected at least {expected}")
        elif name != "message.timestamp.type" and value != expected:
            wrong.append(f"{name} is {value}, expected {expected}")
    return wrong


@asynccontextmanager
async def _admin(settings: KafkaSettings, what: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client for one operation, which ends within its time and with one of our errors."""
    client = AIOKafkaAdminClient(**settings.connection("admin"))
    try:
        async with asyncio.timeout(OPERATION_TIMEOUTS * settings.request_timeout_s):
            await client.start()
            yield client
    except (KafkaError, TimeoutError) as error:
        where = ",".join(settings.bootstrap)
        raise Unavailable(f"topic {settings.topic} at {where} {what}: {type(error).__name__}") from None
    finally:
        with suppress(KafkaError, TimeoutError):
            async with asyncio.timeout(settings.request_timeout_s):
                await client.close()
