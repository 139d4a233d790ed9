"""A gateway as a process: `python -m tests.ledger.gateway.served HOME`; prints its address, ends on SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from ledger.gateway.server import run_gateway
from ledger.home import Home


async def main() -> None:
    """Serve until SIGTERM."""
    home = Home.open(Path(sys.argv[1]))
    config = home.config(
        environment={}, flags={"gateway.listen": "127.0.0.1:0", "gateway.metrics_listen": "127.0.0.1:0"}
    )
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await run_gateway(home, config, stop, lambda address: print(address, flush=True))


if __name__ == "__main__":
    asyncio.run(main())
