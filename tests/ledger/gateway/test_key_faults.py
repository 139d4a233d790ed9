"""The key store away, slow, refusing or contradicting itself, as a gateway's callers see it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import Any

import grpc
import pytest

from ledger.errors import IntegrityError, Rejected, Unavailable
from ledger.home import Home
from ledger.keys.provider import Grant, HolderRef
from ledger.keys.store import KeyStore
from tests.ledger.gateway.events import request
from tests.ledger.gateway.running import Running, running
from tests.ledger.gateway.test_publish import ACCEPTED, REJECTED, refused_code, statuses

Acquire = Callable[..., Grant]


def patched(monkeypatch: pytest.MonkeyPatch, before: Callable[[Iterable[HolderRef]], None]) -> list[int]:
    """Calls `before` with the holders of every acquire; returns the list of how many holders each was for."""
    real: Acquire = KeyStore.acquire
    asked: list[int] = []

    def acquire(self: KeyStore, tenant: str, holders: Iterable[HolderRef], *rest: Any) -> Grant:
        wanted = tuple(holders)
        asked.append(len(wanted))
        before(wanted)
        return real(self, tenant, wanted, *rest)

    monkeypatch.setattr(KeyStore, "acquire", acquire)
    return asked


async def test_the_keys_of_a_call_are_acquired_at_once(gateway: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """One question to the key store a call, however many events; none where no event is right."""
    asked = patched(monkeypatch, lambda _: None)
    await gateway.publish(*(request(user=f"user-{index % 7}") for index in range(50)))
    await gateway.publish_raw([b"\xff"])
    assert asked == [7]


async def test_an_identifier_the_key_store_refuses_costs_its_event(
    gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An identifier that can't be kept refuses the events that name it; the others are taken."""

    def refuse(holders: Iterable[HolderRef]) -> None:
        if any(each.identifier == "unkeepable" for each in holders):
            raise Rejected("", "nothing is left of the identifier")

    patched(monkeypatch, refuse)
    response = await gateway.publish(request(), request(user="unkeepable"), request(user="olivia"))
    assert statuses(response) == [ACCEPTED, REJECTED, ACCEPTED]
    assert response.results[1].field == "persons"
    assert len(await gateway.stored()) == 2


async def test_a_key_store_that_is_away_makes_the_call_unavailable(
    gateway: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without keys nothing is taken: UNAVAILABLE with a hint, and nothing of the store's words."""

    def fail(_: Iterable[HolderRef]) -> None:
        raise Unavailable("/secret/path: busy", retry_after_ms=123)

    patched(monkeypatch, fail)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await gateway.publish(request())
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    assert dict(caught.value.trailing_metadata())["retry-after-ms"] == "123"
    assert "secret" not in str(caught.value.details())


async def test_a_key_store_that_contradicts_itself_stops_the_gateway(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys that do not add up are evidence too: nothing more is taken, and the gateway ends with the error."""

    def fail(_: Iterable[HolderRef]) -> None:
        raise IntegrityError("a row was moved")

    patched(monkeypatch, fail)
    with pytest.raises(IntegrityError, match="a row was moved"):  # noqa: PT012 - it is the draining that raises
        async with running(home) as gateway:
            assert await refused_code(gateway.publish(request())) == grpc.StatusCode.UNAVAILABLE
            assert await refused_code(gateway.publish(request())) == grpc.StatusCode.UNAVAILABLE
            await gateway.gateway.run(asyncio.Event())


async def test_a_call_whose_time_is_over_is_not_begun(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that waited for a worker beyond its deadline costs the key store and the log nothing."""
    blocked, entered = threading.Event(), threading.Event()

    def block(_: Iterable[HolderRef]) -> None:
        entered.set()
        blocked.wait(30)

    asked = patched(monkeypatch, block)
    async with running(home, worker_threads=1) as gateway:
        first = asyncio.create_task(gateway.publish(request()))
        await asyncio.to_thread(entered.wait, 30)
        late = gateway.publish(request(), timeout=0.1)
        assert await refused_code(late) == grpc.StatusCode.DEADLINE_EXCEEDED
        blocked.set()
        assert statuses(await first) == [ACCEPTED]
        assert statuses(await gateway.publish(request())) == [ACCEPTED]
        assert len(asked) == 2
        assert len(await gateway.stored()) == 2
