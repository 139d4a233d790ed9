"""What the tests of redaction share."""

from __future__ import annotations

from ledger.redaction.finding import Redacted
from ledger.redaction.numbering import SequentialNumbering
from ledger.redaction.redactor import Redactor

KEY = bytes(range(32))
REDACTOR = Redactor()
KEEPING = Redactor(literals="keep")


def numbering() -> SequentialNumbering:
    """A fresh numbering."""
    return SequentialNumbering(KEY, b"a correlation")


def redact(text: str, media_type: str = "text/plain") -> Redacted:
    """`text` redacted by the built-in pack in a correlation of its own."""
    return REDACTOR.redact(text, numbering(), media_type)
