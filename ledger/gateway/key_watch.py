"""Looking after the key store: away, as a server can be, it takes the gateway's health with it.

One look at a time. A look that does not come back, on a server that is frozen, is waited for and not repeated; until
then the key store does not work.
"""

from __future__ import annotations

import asyncio

from ledger.errors import IntegrityError, LedgerError
from ledger.gateway.faults import report_fault
from ledger.gateway.health import KEY_STORE, Health
from ledger.gateway.metrics import GatewayMetrics
from ledger.keys.database import KeyDatabase

LOOK_TIMEOUT_S = 5.0


class KeyWatch:
    """Looks at the key store again and again."""

    def __init__(self, database: KeyDatabase, health: Health, metrics: GatewayMetrics, every_s: float) -> None:
        self._database = database
        self._health = health
        self._metrics = metrics
        self._every_s = every_s
        self._asking: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Look, for ever. `IntegrityError` when the key store contradicts itself."""
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """Look once, and state what was seen."""
        problem = await self._problem()
        self._metrics.key_store_up(problem is None)
        await self._health.state(KEY_STORE, problem)

    async def _problem(self) -> str | None:
        if self._asking is None:
            self._asking = asyncio.create_task(asyncio.to_thread(self._ask))
        await asyncio.wait((self._asking,), timeout=LOOK_TIMEOUT_S)
        if not self._asking.done():
            return f"no answer within {LOOK_TIMEOUT_S} s"
        asked, self._asking = self._asking, None
        try:
            asked.result()
        except IntegrityError:
            raise
        except LedgerError as error:
            return str(error)
        except Exception as error:
            return f"fault {report_fault(error, 'looking at the key store')}"
        return None

    def _ask(self) -> None:
        with self._database.read() as rows:
            rows.execute("SELECT 1").fetchone()
