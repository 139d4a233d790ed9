"""A scripted gateway, and clients that are closed when the test ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ledger.client import Client
from tests.ledger.client.gateway import ScriptedGateway, running


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    """A running gateway that accepts everything, unless its script says otherwise."""
    with running() as gateway:
        yield gateway


@pytest.fixture
def client_to() -> Iterator[Callable[..., Client]]:
    """Makes clients with short pauses, to the gateway or address given."""
    made: list[Client] = []

    def make(to: ScriptedGateway | str, **settings: Any) -> Client:
        address = to if isinstance(to, str) else to.address
        quick: dict[str, Any] = {"backoff_first_ms": 5, "backoff_longest_ms": 40, "linger_ms": 2, "service": "test"}
        client = Client(address, "acme", **{**quick, **settings})
        made.append(client)
        return client

    yield make
    for client in made:
        client.close(0.5)
