"""Ending a process with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kills a process that leads its own session, and what it started; returns when it is gone."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
