"""Running a service until SIGTERM or SIGINT says stop; and a coroutine for a command."""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Runs a command's coroutine."""
    return asyncio.run(work)


def run_service(serve: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Runs `serve(stop)`; the first SIGTERM or SIGINT sets `stop`, a second one interrupts."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")

    async def main() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for each in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(each, _stopper(loop, each, stop))
        await serve(stop)

    asyncio.run(main())


def _stopper(loop: asyncio.AbstractEventLoop, which: signal.Signals, stop: asyncio.Event) -> Callable[[], None]:
    def on_signal() -> None:
        stop.set()
        loop.remove_signal_handler(which)

    return on_signal
