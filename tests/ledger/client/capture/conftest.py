"""A ledger on a scripted gateway, and what it recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from ledger.client import Client, Ledger
from ledger.record.translate import translate
from ledger.v1.event_pb2 import Event
from tests.ledger.client.gateway import ScriptedGateway

Recorded = Callable[[], list[Event]]


@pytest.fixture
def ledger(gateway: ScriptedGateway, client_to: Callable[..., Client]) -> Iterator[Ledger]:
    """With no faults at the end, unless the test took them with `faults`."""
    ledger = Ledger(client_to(gateway), classification="confidential")
    yield ledger
    ledger.close(0.5)
    assert ledger.stats().faults == 0


@pytest.fixture
def loose(gateway: ScriptedGateway, client_to: Callable[..., Client]) -> Iterator[Ledger]:
    """One that may have faults."""
    ledger = Ledger(client_to(gateway), classification="confidential")
    yield ledger
    ledger.close(0.5)


@pytest.fixture
def recorded(gateway: ScriptedGateway, request: pytest.FixtureRequest) -> Recorded:
    """What the gateway took so far, each event held to what every gateway asks."""

    def events() -> list[Event]:
        for name in ("ledger", "loose"):
            if name in request.fixturenames:
                assert request.getfixturevalue(name).flush(10)
        for event in gateway.accepted:
            translate(event)
        return list(gateway.accepted)

    return events
