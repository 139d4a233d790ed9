"""`audit-ledger tenant delete` that ends itself with SIGKILL at a step, and waits for no cache.

    python -m tests.ledger.cli.killed_deletion STEP COMMAND...

Counted are the steps it tells of, and each command that it runs for its rounds, before and after. With a STEP beyond
the last one the command runs to its end.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from ledger.cli import deleting, main, rounds
from ledger.deletion import opening
from ledger.keys.tenant_deletion import Waits


def run(step: int) -> None:
    """The command in `sys.argv`."""
    seen = 0

    def passed() -> None:
        nonlocal seen
        seen += 1
        if seen > step:
            os.kill(os.getpid(), signal.SIGKILL)

    def teller(as_json: bool) -> Callable[[str], None]:
        return lambda told: passed()

    command = rounds.CommandRounds._run

    def counted(self: Any, *arguments: str) -> None:
        passed()
        command(self, *arguments)
        passed()

    opening.WAITS = Waits(0.0, 0.0)
    deleting._teller = teller
    rounds.CommandRounds._run = counted  # type: ignore[method-assign]
    main.main()


if __name__ == "__main__":
    count = int(sys.argv[1])
    sys.argv = ["audit-ledger", *sys.argv[2:]]
    run(count)
