"""Capture policies for tests."""

from __future__ import annotations

from pathlib import Path

from ledger.home import Home, OpenKeys
from ledger.policy.register import PolicyRegister

FULL = """\
name = "everything"
version = "1"
[default]
mode = "full"
retention = "standard"
unclassified = "confidential"
[retention]
standard = 24
"""


def put_in_force(home: Home, keys: OpenKeys, text: str = FULL) -> None:
    """Writes a home's policy, and has its Change taken for recorded, so that no gateway adds an event of its own."""
    path: Path = home.config(environment={}).ledger.capture_policy
    path.write_text(text, encoding="utf-8")
    register = PolicyRegister(keys.database)
    register.recorded(register.enter(text.encode))
