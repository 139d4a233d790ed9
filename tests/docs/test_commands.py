"""docs/COMMANDS.md."""

from __future__ import annotations

from pathlib import Path

from ledger.cli.manual import manual

FILE = Path(__file__).resolve().parents[2] / "docs" / "COMMANDS.md"


def test_the_manual_says_what_the_commands_say() -> None:
    """The manual is what the commands say of themselves today; `python -m ledger.cli.manual` writes it."""
    assert FILE.read_text("utf-8") == manual()
