"""What happens to the topic of a Kafka event log, and what strangers put into it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c

from ledger.errors import IntegrityError, Misconfigured, Unavailable
from ledger.log.interface import EventLog, Record, record_digest
from ledger.log.kafka_topic import topic_config
from ledger.log.open import create_log, kafka_settings, open_log
from tests.kafka.topics import make, recreate
from tests.ledger.log.conformance import DEADLINE_S, Stage, batch, check_whole, read_all

pytestmark = pytest.mark.kafka


@pytest.fixture
async def stage(kafka: str) -> AsyncIterator[Stage]:
    """A new topic with one partition on the shared broker."""
    stage = Stage(f"kafka://{kafka}/test-{uuid4().hex}?partitions=1&replication=1")
    await create_log(stage.url)
    yield stage
    await stage.close()


async def append(log: EventLog, label: str, count: int) -> int:
    """A batch, so labelled."""
    return await log.append(0, batch(label, count), DEADLINE_S)


async def test_a_recreated_topic_shows_while_reading(stage: Stage) -> None:
    """Going on after the topic was made anew, a reader finds it shorter, later other records: never the old ones."""
    log, writer = await stage.open(), await stage.open()
    await append(writer, "old", 20)
    anchor = await log.reread(0, 15)
    assert anchor is not None
    assert len(await log.read(0, 16, records_max=2, bytes_max=1 << 20, wait_s=0)) == 2
    await recreate(stage.url)
    new = await stage.open()
    await append(new, "new", 3)
    with pytest.raises(IntegrityError, match="shorter"):
        await log.reread(0, 15)
    with pytest.raises(IntegrityError, match="shorter"):
        await log.read(0, 18, records_max=2, bytes_max=1 << 20, wait_s=0)
    await append(new, "newer", 40)
    again = await log.reread(0, 15)
    assert again is not None
    assert record_digest(again.record) != record_digest(anchor.record)
    assert [each.record for each in await log.read(0, 18, records_max=2, bytes_max=1 << 20, wait_s=0)] == batch(
        "newer", 40
    )[15:17]


async def test_a_recreated_topic_shows_while_appending(stage: Stage) -> None:
    """A producer that is given a lower offset than it acknowledged before does not acknowledge that."""
    log = await stage.open()
    await append(log, "old", 20)
    await recreate(stage.url)
    outcomes: list[object] = []
    for number in range(3):
        try:
            outcomes.append(await append(log, f"n{number}", 1))
        except (IntegrityError, Unavailable) as error:
            outcomes.append(type(error))
    assert IntegrityError in outcomes
    assert not [outcome for outcome in outcomes if isinstance(outcome, int)]


async def test_a_trimmed_topic_shows_while_reading(stage: Stage) -> None:
    """Records deleted below the reader's position are an integrity error, not a jump."""
    log, other = await stage.open(), await stage.open()
    await append(log, "a", 20)
    assert len(await log.read(0, 0, records_max=5, bytes_max=1 << 20, wait_s=0)) == 5
    await other.trim(0, 12)
    with pytest.raises(IntegrityError, match="starts at 12, offset 5 was asked"):
        await log.read(0, 5, records_max=5, bytes_max=1 << 20, wait_s=0)


async def test_making_never_touches_a_topic_that_exists(stage: Stage) -> None:
    """A topic of that name is refused and keeps what it holds."""
    log = await stage.open()
    await append(log, "a", 2)
    with pytest.raises(Misconfigured, match="exists already"):
        await create_log(stage.url)
    assert check_whole(await read_all(log, 0)) == {"a": 0}


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"cleanup.policy": "compact"}, "cleanup.policy is compact, expected delete"),
        ({"cleanup.policy": "compact,delete"}, "cleanup.policy"),
        ({"retention.ms": "604800000"}, "retention.ms is 604800000, expected -1"),
        ({"retention.bytes": "1000000"}, "retention.bytes is 1000000"),
        ({"unclean.leader.election.enable": "true"}, "unclean.leader.election.enable is true"),
        ({"max.message.bytes": "1000"}, "max.message.bytes is 1000, expected at least 1048576"),
        ({"compression.type": "producer"}, "compression.type is producer"),
    ],
)
async def test_a_topic_that_could_lose_evidence_is_refused(kafka: str, changed: dict[str, str], complaint: str) -> None:
    """Whatever lets the broker drop or hide records on its own keeps the log from opening."""
    url = f"kafka://{kafka}/test-{uuid4().hex}?partitions=1&replication=1"
    settings = kafka_settings(url)
    await make(kafka, settings.topic, topic_config(settings) | changed)
    with pytest.raises(Misconfigured, match=complaint):
        await open_log(url).start()


async def test_a_topic_of_another_shape_is_refused(kafka: str) -> None:
    """Too many partitions, too few copies, or no topic at all are the operator's to mend."""
    name = f"test-{uuid4().hex}"
    await create_log(f"kafka://{kafka}/{name}?partitions=2&replication=1")
    with pytest.raises(Misconfigured, match="2 partitions, expected 3"):
        await open_log(f"kafka://{kafka}/{name}?partitions=3&replication=1").start()
    with pytest.raises(Misconfigured, match="replication is 1, expected at least 3"):
        await open_log(f"kafka://{kafka}/{name}?partitions=2").start()
    with pytest.raises(Misconfigured, match="does not exist"):
        await open_log(f"kafka://{kafka}/other-{name}?partitions=2&replication=1").start()
    with pytest.raises(Misconfigured, match="could not be made"):
        await create_log(f"kafka://{kafka}/three-{name}?partitions=2&replication=3")


async def test_a_strangers_records_come_in_order_and_stop_nothing(kafka: str, stage: Stage) -> None:
    """Aborted transactions, their markers, nulls, compression: everything has its offset, nothing is jumped over."""
    log = await stage.open()
    topic = kafka_settings(stage.url).topic
    await append(log, "a", 2)
    settings: dict[str, Any] = {"bootstrap_servers": kafka, "acks": "all"}
    transactional = AIOKafkaProducer(**settings, transactional_id=f"stranger-{uuid4().hex}")
    plain = AIOKafkaProducer(**settings, compression_type="gzip")
    await transactional.start()
    await plain.start()
    try:
        await transactional.begin_transaction()
        await transactional.send_and_wait(topic, b"aborted", partition=0)
        # Still open: it must not hold up the reader.
        open_end = (await log.read(0, 0, records_max=100, bytes_max=1 << 20, wait_s=0))[-1]
        await transactional.abort_transaction()
        await plain.send_and_wait(topic, None, key=b"only a key", partition=0)
        await plain.send_and_wait(topic, b"packed" * 500, partition=0)
    finally:
        await transactional.stop()
        await plain.stop()
    async with asyncio.timeout(60):
        # The broker answers the abort before it has written the marker.
        while (await log.bounds(0)).end < 6:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.05)
    assert await append(log, "b", 2) == 6
    found = await read_all(log, 0)
    assert open_end.record == Record(b"", (), b"aborted")
    assert [each.offset for each in found] == list(range(8))
    assert found[2].record.value == b"aborted"
    # The broker writes the marker that ends the transaction when it comes to it.
    rest = [each.record for each in found[3:6]]
    assert Record(b"only a key", (), b"") in rest
    assert Record(b"", (), b"packed" * 500) in rest
    (marker,) = (record for record in rest if record.key and record.key != b"only a key")
    assert len(marker.key) == 4
    assert check_whole(found[6:], 6) == {"b": 6}


async def test_a_header_name_that_is_not_text_stops_nothing(kafka: str, stage: Stage) -> None:
    """A record that the broker took and aiokafka cannot decode is read all the same."""
    log = await stage.open()
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=False)
    await producer.start()
    try:
        strange = producer.create_batch()
        strange.append(timestamp=None, key=b"k", value=b"v", headers=[("QQQQ", b"1")])
        raw = bytes(strange._build()).replace(b"QQQQ", b"\xff\xfe\xfd\xfc")
        checksum: int = calc_crc32c(raw[21:])
        strange._buffer = bytearray(raw[:17] + checksum.to_bytes(4, "big") + raw[21:])
        await (await producer.send_batch(strange, kafka_settings(stage.url).topic, partition=0))
    finally:
        await producer.stop()
    await append(log, "a", 1)
    found = await read_all(log, 0)
    assert found[0].record == Record(b"k", (("\\xff\\xfe\\xfd\\xfc", b"1"),), b"v")
    assert check_whole(found[1:], 1) == {"a": 1}
