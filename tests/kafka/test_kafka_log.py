"""The Kafka event log on a real broker: the common promises, and those of a topic."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from ledger.log.open import create_log
from tests.ledger.log.conformance import EventLogConformance, Stage

pytestmark = pytest.mark.kafka


@pytest.fixture
async def stage(kafka: str) -> AsyncIterator[Stage]:
    """A new topic with two partitions on the shared broker."""
    stage = Stage(f"kafka://{kafka}/test-{uuid4().hex}?partitions=2&replication=1")
    await create_log(stage.url)
    yield stage
    await stage.close()


class TestKafkaLog(EventLogConformance):
    """The Kafka event log keeps the promises of every event log."""
