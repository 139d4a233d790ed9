"""Callers of a chat endpoint over raw connections, and what they measured."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field

QUESTION = "Where is my order? I was told it would be here on Monday and it is not. " * 20


def _request(path: str, *, stream: bool) -> bytes:
    value = {"model": "gpt-4o", "stream": stream, "messages": [{"role": "user", "content": QUESTION}]}
    body = json.dumps(value, separators=(",", ":")).encode()
    head = (
        f"POST {path}/v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer none\r\n"
        f"Content-Type: application/json\r\nAccept: */*\r\nUser-Agent: load\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass(slots=True)
class Measured:
    """Seconds: to the first byte of each answer, to its end, and between the pieces of a stream."""

    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    took_s: float = 0.0


def percentile(values: list[float], part: float) -> float:
    """The value below which so large a part of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


class Caller:
    """One connection, kept alive."""

    def __init__(self, port: int, path: str, measured: Measured) -> None:
        self._port = port
        self._whole = _request(path, stream=False)
        self._stream = _request(path, stream=True)
        self._measured = measured
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None:
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 20)
        return self._reader, self._writer

    async def ask(self) -> None:
        """One question, answered in one body."""
        reader, writer = await self._connected()
        began = time.perf_counter()
        writer.write(self._whole)
        head = await reader.readuntil(b"\r\n\r\n")
        first = time.perf_counter()
        length = next(
            int(line.partition(b":")[2]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")
        )
        await reader.readexactly(length)
        self._measured.first.append(first - began)
        self._measured.whole.append(time.perf_counter() - began)

    async def stream(self) -> None:
        """One question, answered as a stream."""
        reader, writer = await self._connected()
        began = time.perf_counter()
        writer.write(self._stream)
        await reader.readuntil(b"\r\n\r\n")
        last = None
        while True:
            size = int(await reader.readuntil(b"\r\n"), 16)
            await reader.readexactly(size + 2)
            if size == 0:
                break
            now = time.perf_counter()
            if last is None:
                self._measured.first.append(now - began)
            else:
                self._measured.gaps.append(now - last)
            last = now
        self._measured.whole.append(time.perf_counter() - began)

    def close(self) -> None:
        """Lets go of the connection."""
        if self._writer is not None:
            self._writer.close()


async def at_rate(port: int, path: str, per_s: float, seconds: float) -> Measured:
    """Questions at a fixed rate, whether earlier ones are answered or not, over as many connections as that takes."""
    measured = Measured()
    free: list[Caller] = []
    running: set[asyncio.Task[None]] = set()
    began = time.perf_counter()

    async def one() -> None:
        caller = free.pop() if free else Caller(port, path, measured)
        await caller.ask()
        free.append(caller)

    for number in range(int(per_s * seconds)):
        await asyncio.sleep(max(0.0, began + number / per_s - time.perf_counter()))
        task = asyncio.create_task(one())
        running.add(task)
        task.add_done_callback(running.discard)
    while running:
        await asyncio.gather(*running)
    measured.took_s = time.perf_counter() - began
    for caller in free:
        caller.close()
    return measured


async def closed_loop(port: int, path: str, callers: int, seconds: float) -> Measured:
    """As many questions as so many callers get answered, each asking again at once."""
    measured = Measured()
    began = time.perf_counter()

    async def one() -> None:
        caller = Caller(port, path, measured)
        while time.perf_counter() - began < seconds:
            await caller.ask()
        caller.close()

    await asyncio.gather(*(one() for _ in range(callers)))
    measured.took_s = time.perf_counter() - began
    return measured


async def streams(port: int, path: str, callers: int) -> Measured:
    """So many streams at once, begun over one second."""
    measured = Measured()
    began = time.perf_counter()

    async def one(number: int) -> None:
        caller = Caller(port, path, measured)
        await asyncio.sleep(number / callers)
        await caller.stream()
        caller.close()

    await asyncio.gather(*(one(number) for number in range(callers)))
    measured.took_s = time.perf_counter() - began
    return measured
