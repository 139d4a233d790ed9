"""A real gateway for each test: real home, real key store, real embedded log, real gRPC on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ledger.home import Home
from tests.ledger.gateway.running import LEDGER, TENANT, Running, running
from tests.policies import put_in_force

Start = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A new ledger with one tenant; everything is kept whole."""
    made = Home.create(tmp_path / "home", name=LEDGER)
    config = made.config(environment={})
    with made.keys(config) as keys:
        keys.tenants.add(TENANT)
        put_in_force(made, keys)
        made.write_trust(config, keys)
    return made


@pytest.fixture
def start(home: Home) -> Start:
    """Starts a gateway of this home: `async with start(setting=value, ...) as gateway`."""

    @asynccontextmanager
    async def started(**settings: Any) -> AsyncIterator[Running]:
        async with running(home, **settings) as gateway:
            yield gateway

    return started


@pytest.fixture
async def gateway(start: Start) -> AsyncIterator[Running]:
    """A running gateway with default settings."""
    async with start() as gateway:
        yield gateway
