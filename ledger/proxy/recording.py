"""The proxy's side of its recorder: a process that is told of calls, and says how records fare.

Telling is a write to a socket that the kernel buffers. What the recorder does not take fast enough waits in memory
here; beyond a bound the streams that bring it wait (`Tape.room`), and calls that begin are turned away: no piece is
dropped for want of time.

A recorder that ends is started again. Calls that it had been told of and had not recorded are lost, and so is what was
on the way to it: that is an error in the log, and `recorder_deaths` counts it; until the new one is there, calls are
told `no`, and refused where they have to be recorded first.
"""

from __future__ import annotations

import asyncio
import logging
import pickle
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Protocol

from ledger.errors import Rejected, Unavailable
from ledger.proxy.calls import Call, End
from ledger.proxy.recording_frames import (
    LENGTH,
    Acknowledged,
    Begun,
    Closing,
    Ended,
    GivenUp,
    Head,
    More,
    Pieces,
    Settings,
    Standing,
    State,
    ToRecorder,
    framed,
)

log = logging.getLogger(__name__)

HAND_OVER_BYTES = 64 * 1024
START_TIMEOUT_S = 30.0
END_TIMEOUT_S = 30.0
RESTART_AFTER_S = 1.0
STANDING_AGE_MAX_S = 5.0
"""How long what the recorder said of itself counts."""


class Worker(Protocol):
    """A running recorder."""

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended in time."""
        ...


class ProcessWorker:
    """A recorder in a process of its own."""

    def __init__(self, connection: socket.socket) -> None:
        number = connection.fileno()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ledger.proxy.recorder_process", str(number)],
            pass_fds=(number,),
            stdin=subprocess.DEVNULL,
        )
        connection.close()

    def wait(self, timeout_s: float) -> bool:
        """Whether it ended in time; it is killed when not."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return False
        return True


class Tape:
    """What came of one answer, on its way to the recorder."""

    def __init__(self, recording: Recording, head: Head) -> None:
        self._recording = recording
        self._head: Head | None = head
        self._call = head.call
        self._pieces: Pieces = []
        self._gathered = 0

    def add(self, piece: bytes, at_s: float) -> None:
        """The next bytes."""
        self._pieces.append((piece, at_s))
        self._gathered += len(piece)
        if self._gathered >= HAND_OVER_BYTES:
            head, pieces = self._taken()
            self._recording.tell(More(self._call.event_id, head, pieces))

    @property
    def is_full(self) -> bool:
        """Whether the stream should wait for `room`."""
        return self._recording.is_full

    async def room(self) -> None:
        """Returns once the recorder has caught up."""
        await self._recording.room()

    def end(self, end: End, *, whole: bool) -> None:
        """The answer came to its end, `whole` or not."""
        head, pieces = self._taken()
        self._recording.tell(Ended(self._call, end, head, pieces, whole))

    def _taken(self) -> tuple[Head | None, Pieces]:
        head, self._head = self._head, None
        pieces, self._pieces, self._gathered = self._pieces, [], 0
        return head, pieces


class Recording:
    """See the module. Belongs to one event loop."""

    def __init__(self, settings: Settings, start: Callable[[socket.socket], Worker], pending_bytes_max: int) -> None:
        self._settings = settings
        self._start = start
        self._pending_bytes_max = pending_bytes_max
        self._writer: asyncio.StreamWriter | None = None
        self._standing: Standing | None = None
        self._stood_at = 0.0
        self._waiting: dict[bytes, asyncio.Future[None]] = {}
        self._closing = False
        self._task: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self.deaths = 0
        self.untold = 0

    # --- what calls need --------------------------------------------------------------------------------------------

    def tape(self, call: Call, status: int, headers: Mapping[str, str]) -> Tape:
        """For one answer."""
        return Tape(self, Head(call, status, headers))

    def begun(self, call: Call) -> None:
        """Records the beginning, without waiting for it."""
        self.tell(Begun(call, is_durable=False))

    async def begin_durably(self, call: Call) -> None:
        """Returns when the ledger has the beginning; raises `Unavailable` or `Rejected`."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[call.event_id] = waiting
        acknowledged = False
        try:
            if not self.tell(Begun(call, is_durable=True)):
                raise Unavailable("the recorder is away")
            await waiting
            acknowledged = True
        finally:
            del self._waiting[call.event_id]
            if not acknowledged:
                self.tell(GivenUp(call.event_id))

    def ended(self, call: Call, end: End) -> None:
        """Records the end of a call that no answer came to."""
        self.tell(Ended(call, end))

    def state(self, tenant: str) -> State:
        """How records of this tenant fare, as far as the recorder said lately."""
        if self._standing is None or asyncio.get_running_loop().time() - self._stood_at > STANDING_AGE_MAX_S:
            return "no"
        return self._standing.states[tenant]

    def count(self, name: str) -> float:
        """One of the recorder's numbers."""
        return 0.0 if self._standing is None else self._standing.counts.get(name, 0.0)

    def tell(self, message: ToRecorder) -> bool:
        """Tells the recorder; False when there is none."""
        writer = self._writer
        if writer is None or writer.is_closing():
            self.untold += 1
            return False
        writer.write(framed(message))
        return True

    @property
    def held_bytes(self) -> int:
        """Bytes that wait to be told."""
        return 0 if self._writer is None else self._writer.transport.get_write_buffer_size()

    @property
    def is_full(self) -> bool:
        """Whether what brings more should wait for `room`."""
        return self.held_bytes > self._pending_bytes_max

    async def room(self) -> None:
        """Returns once the recorder has caught up."""
        if self._writer is not None:
            try:
                await self._writer.drain()
            except ConnectionError:
                # It is gone; there is nothing to wait for.
                return

    # --- the recorder -----------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Starts the recorder; returns when it is there. `Unavailable` when it does not come."""
        self._task = asyncio.create_task(self._keep())
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._ready.wait()
        except TimeoutError:
            raise Unavailable("the recorder did not start") from None

    async def close(self) -> bool:
        """Ends the recorder once it has recorded everything; whether it ended by itself."""
        self._closing = True
        self.tell(Closing())
        if self._task is None:
            return True
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                await self._task
        except TimeoutError:
            return False
        return True

    async def _keep(self) -> None:
        """A recorder, and another one whenever it ends before it should."""
        while not self._closing:
            here, there = socket.socketpair()
            worker = await asyncio.to_thread(self._start, there)
            reader, writer = await asyncio.open_connection(sock=here)
            writer.transport.set_write_buffer_limits(high=self._pending_bytes_max)
            writer.write(framed(self._settings))
            self._writer = writer
            await self._listen(reader)
            self._writer, self._standing = None, self._standing if self._closing else None
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(Unavailable("the recorder ended"))
            writer.close()
            await asyncio.to_thread(worker.wait, END_TIMEOUT_S)
            if not self._closing:
                self.deaths += 1
                log.error("the recorder ended; records of calls at work may be lost; starting another one")
                await asyncio.sleep(RESTART_AFTER_S)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
                message = pickle.loads(await reader.readexactly(size))
                if isinstance(message, Standing):
                    self._standing, self._stood_at = message, loop.time()
                    self._ready.set()
                elif isinstance(message, Acknowledged):
                    self._acknowledged(message)
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    def _acknowledged(self, message: Acknowledged) -> None:
        waiting = self._waiting.get(message.event_id)
        if waiting is None or waiting.done():
            return
        if message.failure == "rejected":
            waiting.set_exception(Rejected("", "the ledger refused the record"))
        elif message.failure:
            waiting.set_exception(Unavailable("the ledger did not take the record"))
        else:
            waiting.set_result(None)
