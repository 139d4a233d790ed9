"""What a stranger with rights on the cluster can do to a topic."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from ledger.errors import Misconfigured, Unavailable
from ledger.log.open import create_log, kafka_settings


@asynccontextmanager
async def admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    """An admin client."""
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=20_000)
    await client.start()
    try:
        yield client
    finally:
        await client.close()


async def make(bootstrap: str, name: str, config: dict[str, str], partitions: int = 1) -> None:
    """A topic with somebody's own settings."""
    async with admin(bootstrap) as client:
        response: Any = await client.create_topics([NewTopic(name, partitions, 1, topic_configs=config)])
        assert not response.topic_errors[0][1], response.topic_errors


async def recreate(url: str) -> None:
    """Delete the topic of this URL and make an empty one of the same name and settings."""
    settings = kafka_settings(url)
    async with admin(",".join(settings.bootstrap)) as client:
        response: Any = await client.delete_topics([settings.topic])
        assert not response.topic_error_codes[0][1], for_code(response.topic_error_codes[0][1])
    # Deleting goes on in the background for a moment.
    for _ in range(100):
        try:
            await create_log(url)
        except (Misconfigured, Unavailable, TopicAlreadyExistsError):
            await asyncio.sleep(0.1)
        else:
            return
    raise AssertionError("the topic could not be made again")
