"""A gateway that serves OTLP, and both ways to send to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ledger.home import Home
from tests.ledger.gateway.otlp.sending import HTTP, SENDERS, Sender
from tests.ledger.gateway.running import Running, running


@pytest.fixture
async def gateway(home: Home) -> AsyncIterator[Running]:
    """A running gateway that serves OTLP over HTTP too."""
    async with running(home, otlp=HTTP) as gateway:
        yield gateway


@pytest.fixture(params=SENDERS, ids=list(SENDERS))
def send(request: pytest.FixtureRequest) -> Sender:
    """Both transports, one after the other."""
    return SENDERS[request.param]
