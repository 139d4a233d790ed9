"""One rotation of a home's master key that is killed after a step: `python -m tests.ledger.keys.rotating HOME STEP`.

STEP is how many steps are let be; the process then kills itself, as `kill -9` would.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from ledger.keys.database import KeyDatabase
from ledger.keys.masters import MasterKeys, rotate_master

if __name__ == "__main__":
    folder, left = Path(sys.argv[1]), int(sys.argv[2])

    def on_step(step: str) -> None:
        """Count down, then die."""
        global left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    rotate_master(KeyDatabase.open(folder / "keys.sqlite"), MasterKeys(folder, "master.key"), on_step)
