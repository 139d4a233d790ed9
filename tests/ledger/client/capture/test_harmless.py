"""Whatever is down, wrong or full: the application does what it does without a ledger."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.client import Client, Ledger, spool_key
from ledger.client.spool_folder import Folder
from tests.ledger.client.capture.conftest import Recorded
from tests.ledger.client.gateway import ScriptedGateway, hangs, wait_until

Make = Callable[..., Client]


class Boom(Exception):
    """The application's own."""


def _exercise(ledger: Ledger) -> list[Any]:
    """An application that uses everything; what it saw."""
    seen: list[Any] = []
    boom = Boom("mine")

    @ledger.tool(side_effect="write")
    def works(value: int) -> int:
        return value + 1

    @ledger.tool()
    def breaks() -> None:
        raise boom

    @ledger.tool()
    def yields() -> Iterator[int]:
        yield 1
        yield 2

    @ledger.request(vendor="openai", model="gpt-4o")
    async def asks(question: str) -> str:
        return question.upper()

    @ledger.agent("helper")
    async def streams() -> AsyncIterator[int]:
        yield works(5)

    async def later() -> list[Any]:
        return [await asks("q"), [each async for each in streams()]]

    with ledger.session("s"), ledger.acting_for(user="mia"):
        seen.append(works(1))
        try:
            breaks()
        except Boom as error:
            seen.append(error is boom)
        seen.append(list(yields()))
        with ledger.request(vendor="openai", model="gpt-4o") as asked:
            seen.append(list(asked.stream(["a", "b"])))
            asked.answered(output="ab", tool_calls=[{"id": "c", "name": "works", "args": {}}])
        seen.append(asyncio.run(later()))
    return seen


SEEN = [2, True, [1, 2], ["a", "b"], ["Q", [6]]]
EVENTS = 10


def test_it_sees_the_same_with_everything_up(ledger: Ledger, recorded: Recorded) -> None:
    """The measure for all below: every block and call is on record."""
    assert _exercise(ledger) == SEEN
    assert len(recorded()) == EVENTS


@pytest.mark.parametrize("address", ["127.0.0.1:1", "localhost:1", "[::1]:1", "unix:/nowhere/socket"])
def test_with_the_gateway_absent(client_to: Make, address: str) -> None:
    """Nothing listens, or what does can't be reached: nothing is raised, everything waits, the close says what is
    lost."""
    ledger = Ledger(client_to(address))
    assert _exercise(ledger) == SEEN
    assert ledger.stats().queued_events == EVENTS
    assert not ledger.close(0.2)
    assert ledger.stats().dropped + ledger.stats().in_flight_events >= EVENTS
    assert _exercise(ledger) == SEEN


def test_with_a_wrong_address(client_to: Make, caplog: pytest.LogCaptureFixture) -> None:
    """A name nobody resolves, a port that is none: the same, and the log says who does not take events."""
    for address in ("no-such-host.invalid:7443", "127.0.0.1:99999", "127.0.0.1", "::::", "dns:///"):
        ledger = Ledger(client_to(address, insecure=True))
        assert _exercise(ledger) == SEEN
        assert ledger.stats().queued_events == EVENTS
        assert not ledger.close(0.2)
    assert "closed: dropped" in caplog.text


def test_with_a_gateway_that_hangs(gateway: ScriptedGateway, client_to: Make) -> None:
    """Every call to it waits for ever; no call of the application does."""
    gateway.script.extend([hangs] * 50)
    client = client_to(gateway)
    ledger = Ledger(client)
    assert _exercise(ledger) == SEEN
    wait_until(lambda: gateway.calls != [])
    assert _exercise(ledger) == SEEN
    assert ledger.stats().accepted == 0
    gateway.release()
    assert ledger.flush(15)
    assert len(gateway.accepted) == 2 * EVENTS


def test_with_a_gateway_that_refuses_everything(gateway: ScriptedGateway, client_to: Make) -> None:
    """What it says is told to the callback and the counters, not to the application."""
    told: list[Any] = []
    ledger = Ledger(client_to(gateway, on_rejected=told.append, queue_events_max=4))
    gateway.stop()
    assert _exercise(ledger) == SEEN
    assert ledger.stats().dropped_full == EVENTS - 4
    gateway.start()
    assert ledger.flush(15)


def _full(*_: Any) -> None:
    raise OSError(28, os.strerror(28))


def test_with_a_full_disk(
    gateway: ScriptedGateway,
    client_to: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The spool, its key and the receipts can't be written: events wait in memory, and the log says why."""
    client = client_to(gateway, spool_dir=tmp_path / "spool", spool_after_ms=0, receipts_path=tmp_path / "no" / "r")
    ledger = Ledger(client)
    monkeypatch.setattr(spool_key, "store", _full)
    monkeypatch.setattr(Folder, "append", _full)
    assert _exercise(ledger) == SEEN
    assert ledger.flush(10)
    wait_until(lambda: gateway.key_asked > 0)
    gateway.stop()
    assert _exercise(ledger) == SEEN
    wait_until(lambda: "disk failed: No space left on device" in caplog.text)
    gateway.start()
    assert ledger.flush(15)
    assert len(gateway.accepted) == 2 * EVENTS
    assert "receipts could not be written" in caplog.text


@pytest.mark.parametrize("how", ["unwritable", "a file", "below a file"])
def test_with_a_spool_folder_that_cannot_be(
    gateway: ScriptedGateway, client_to: Make, tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A service starts all the same: without a spool, with a log line; where the folder can be made later, it is."""
    spool = tmp_path / "spool"
    if how == "unwritable":
        spool = Path("/proc/spool")
    else:
        spool.write_text("")
        spool = spool / "below" if how == "below a file" else spool
    ledger = Ledger(client_to(gateway, spool_dir=spool))
    assert _exercise(ledger) == SEEN
    assert ledger.flush(10)
    assert len(gateway.accepted) == EVENTS
    wait_until(lambda: "the spool's disk failed" in caplog.text)


def test_values_that_cannot_be_recorded_cost_a_field_and_are_said(
    loose: Ledger, recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """Wrong numbers, words, types, texts that are no names: the event is there without them, counted and told."""
    with loose.session("s\x00" + "x" * 1_000), loose.request(vendor="openai", model="a b " * 300) as asked:
        asked.answered(
            output=object(),  # type: ignore[typeddict-item]
            tokens_in=-1,
            finish_reason="stop",
            operation="chatt",
            latency_ms="soon",  # type: ignore[typeddict-item]
            tool_calls=7,  # type: ignore[arg-type]
        )
        asked.add(no_such_field=1)  # type: ignore[call-arg]
        asked.retrieved({"no": "field"})
    (event,) = recorded()
    assert event.request.finish_reason_raw == "stop"
    assert (event.request.vendor, event.request.tokens_in, event.request.HasField("output")) == ("openai", 0, False)
    assert event.request.model_requested == "a b a b a b a b"
    assert event.story.session_id == "s?" + "x" * 254
    wait_until(lambda: "such faults since the start" in caplog.text)
    assert loose.stats().faults >= 6


def test_a_content_that_is_too_large_is_cut_and_says_so(ledger: Ledger, recorded: Recorded) -> None:
    """A gateway refuses the whole event otherwise; its media type tells."""
    with ledger.request(vendor="openai", model="gpt-4o", input=["ä" * 200_000]) as asked:
        asked.answered(output=b"\0" * 300_000)
    (event,) = recorded()
    assert len(event.request.input.text.encode()) in range(262_140, 262_145)
    assert event.request.input.media_type == "text/plain;truncated=yes"
    assert len(event.request.output.data) == 262_144
    assert event.request.output.media_type == "application/octet-stream;truncated=yes"


def test_an_event_that_is_too_large_in_all_is_cut_until_it_fits(loose: Ledger, recorded: Recorded) -> None:
    """Hundreds of retrieved documents: as many as a list may have, each shorter, so that a gateway takes the event."""
    with loose.request(vendor="openai", model="gpt-4o") as asked:
        asked.retrieved(*[{"index_id": "kb", "document_id": f"d{at}", "text": "x" * 50_000} for at in range(400)])
    (event,) = recorded()
    assert len(event.request.retrieved) == 256
    assert event.ByteSize() <= 3_500_000
    assert {each.text.media_type for each in event.request.retrieved} == {"text/plain;truncated=yes"}
    assert loose.stats().faults == 1


def test_faults_of_its_own_are_nobodys(
    loose: Ledger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Even when nothing in it works any more, the application sees what it saw before."""

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("inside")

    for name in ("ledger.client.capture.lifecycle.build", "ledger.client.capture.around.Ambience.inside"):
        monkeypatch.setattr(name, broken)
        assert _exercise(loose) == SEEN
    assert loose.stats().faults > 0
    loose.emit(loose.client.emit("x"))  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        loose.close(1)
    assert "could not be recorded" in caplog.text


def test_strict_tells_the_developer(gateway: ScriptedGateway, client_to: Make) -> None:
    """For tests of the application: what would be counted raises."""
    ledger = Ledger(client_to(gateway, strict=True))
    plan = ledger.request(vendor="openai", model="m", tokens_in=-1)
    plan.__enter__()
    with pytest.raises(TypeError, match="tokens_in: ValueError"):
        plan.__exit__(None, None, None)
