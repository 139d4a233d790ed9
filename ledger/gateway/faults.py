"""A fault of ours: reported with an id, and without a word of what was being worked on.

The message of an unexpected exception may hold an event's content. So neither a client nor the log gets it: the client
gets an id, the log gets the id, the exception's type and where it came from.
"""

from __future__ import annotations

import logging
import secrets
import traceback

log = logging.getLogger(__name__)

FRAMES_MAX = 12


def report_fault(error: BaseException, what: str) -> str:
    """Log an unexpected exception; returns the id under which it stands there."""
    fault_id = secrets.token_hex(6)
    frames = traceback.extract_tb(error.__traceback__)[-FRAMES_MAX:]
    where = " < ".join(f"{each.name} ({each.filename.rpartition('/')[2]}:{each.lineno})" for each in reversed(frames))
    log.error("fault %s: %s: %s in %s", fault_id, what, type(error).__qualname__, where or "no frame")
    return fault_id
