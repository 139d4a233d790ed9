"""The final statement about a tenant that was deleted: a signed note (C2SP signed-note) that outlives its log.

    <ledger name>/final-statement/v1
    tenant <name>
    deletion <id, 32 hex digits>
    requested by <name>
    approved by <name>                                        one line each
    legal ground <text>
    reason <text>
    closed <RFC 3339, UTC>                                    from then on no event of the tenant was accepted
    keys destroyed <RFC 3339, UTC>
    destroyed <number> <what>                                 one line for each kind of key
    log <origin> <size> <root hash, base64>                   one line for each log of the tenant, by shard
    checkpoint <the log's last signed checkpoint, base64>     behind each
    remains <what>                                            one line each: what is left of the tenant, and why
    signed <RFC 3339, UTC>

signed by the ledger's key under its own name, `<ledger name>/ledger`. Sizes and roots are those of the tenant's last
sealed statements; the event of the last index of each log says that the tenant is closed.

The note stands in a placement of each of the logs (`ledger.segments.placement`) and takes effect when a round commits
that: from then on the logs' rows may be gone, and nothing may be added to them. A note that no round commits deletes
nothing. No log has the first line's name as its origin, so no final statement passes for a checkpoint.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from ledger.errors import IntegrityError
from ledger.note_time import note_time, parse_note_time
from ledger.tenants import log_origin
from ledger.tlog.checkpoint import Checkpoint, parse_checkpoint_text, parse_decimal
from ledger.tlog.note import (
    NoteError,
    NoteSigner,
    VerifierKey,
    decode_base64,
    encode_base64,
    open_note,
    parse_note,
    sign_note,
)
from ledger.trust import TrustedKeys

STATEMENT_BYTES_MAX = 1_000_000
_HEX = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class FinalLog:
    """Where one of the tenant's logs ended, and the signed checkpoint that says so too."""

    origin: str
    size: int
    root: bytes
    checkpoint: str


@dataclass(frozen=True, slots=True)
class FinalStatement:
    """What a final statement says. Times are Unix milliseconds; `destroyed` are counts by what was destroyed."""

    ledger: str
    tenant: str
    deletion_id: bytes
    requester: str
    approvers: tuple[str, ...]
    legal_ground: str
    reason: str
    closed_at_ms: int
    destroyed_at_ms: int
    destroyed: tuple[tuple[str, int], ...]
    logs: tuple[FinalLog, ...]
    remains: tuple[str, ...]
    signed_at_ms: int

    def text(self) -> str:
        """The note's text."""
        lines = [
            _title(self.ledger),
            f"tenant {self.tenant}",
            f"deletion {self.deletion_id.hex()}",
            f"requested by {self.requester}",
            *(f"approved by {each}" for each in self.approvers),
            f"legal ground {self.legal_ground}",
            f"reason {self.reason}",
            f"closed {note_time(self.closed_at_ms)}",
            f"keys destroyed {note_time(self.destroyed_at_ms)}",
            *(f"destroyed {count} {what}" for what, count in self.destroyed),
        ]
        for log in self.logs:
            lines.append(f"log {log.origin} {log.size} {encode_base64(log.root)}")
            lines.append(f"checkpoint {encode_base64(log.checkpoint.encode())}")
        lines += [f"remains {each}" for each in self.remains]
        lines.append(f"signed {note_time(self.signed_at_ms)}")
        return "".join(f"{line}\n" for line in lines)

    def log(self, log_id: bytes) -> FinalLog | None:
        """What it says of a log; None when it is of another tenant."""
        origin = log_origin(self.ledger, log_id)
        return next((each for each in self.logs if each.origin == origin), None)


def sign_final_statement(statement: FinalStatement, signer: NoteSigner) -> str:
    """The note, read back before it leaves."""
    note = sign_note(statement.text(), [signer]).decode()
    if read_final_statement(note) != statement:
        raise IntegrityError(f"final statement of {statement.tenant}: does not read back as what was meant")
    return note


def open_final_statement(note: str | bytes, trust: TrustedKeys) -> FinalStatement:
    """A statement that a ledger key signed which was good then, as was each checkpoint in it; else `IntegrityError`."""
    statement = read_final_statement(note)
    if statement.ledger != trust.ledger:
        raise NoteError(f"final statement: is none of {trust.ledger}")
    at = datetime.fromtimestamp(statement.signed_at_ms / 1_000, UTC)
    open_note(note, trust.verifiers("ledger", f"{trust.ledger}/ledger", at))
    for log in statement.logs:
        keys = [VerifierKey(log.origin, key.public_key) for key in trust.for_role("ledger")]
        said = parse_checkpoint_text(open_note(log.checkpoint, keys).text)
        if (said.origin, said.size, said.root) != (log.origin, log.size, log.root):
            raise NoteError(f"final statement: the checkpoint of {log.origin} says another size or root")
    return statement


def read_final_statement(note: str | bytes) -> FinalStatement:
    """What a note says, no signature checked; `NoteError` when it is no final statement, or not in its one form."""
    if len(note) > STATEMENT_BYTES_MAX:
        raise NoteError(f"final statement: expected at most {STATEMENT_BYTES_MAX} bytes, got {len(note)}")
    text = parse_note(note).text
    lines = _Lines(text)
    title = lines.take("")
    ledger = title.removesuffix("/final-statement/v1")
    if title != _title(ledger):
        raise NoteError("final statement: expected one, got another note")
    statement = FinalStatement(
        ledger=ledger,
        tenant=lines.take("tenant "),
        deletion_id=_id(lines.take("deletion ")),
        requester=lines.take("requested by "),
        approvers=tuple(lines.take_all("approved by ")),
        legal_ground=lines.take("legal ground "),
        reason=lines.take("reason "),
        closed_at_ms=_time(lines, "closed "),
        destroyed_at_ms=_time(lines, "keys destroyed "),
        destroyed=tuple(_counted(each) for each in lines.take_all("destroyed ")),
        logs=tuple(_logs(lines)),
        remains=tuple(lines.take_all("remains ")),
        signed_at_ms=_time(lines, "signed "),
    )
    if not statement.logs or statement.text() != text:
        raise NoteError("final statement: is not in its one form")
    return statement


class _Lines:
    """The lines of a text, taken one after the other."""

    def __init__(self, text: str) -> None:
        self._left = text.split("\n")[:-1][::-1]

    def take(self, prefix: str) -> str:
        """The rest of the next line, which begins so."""
        if not self.begins(prefix):
            raise NoteError(f"final statement: expected a line that begins with {prefix.strip()!r}")
        return self._left.pop().removeprefix(prefix)

    def take_all(self, prefix: str) -> list[str]:
        """The rests of all next lines that begin so."""
        found = []
        while self.begins(prefix):
            found.append(self.take(prefix))
        return found

    def begins(self, prefix: str) -> bool:
        """Whether the next line does."""
        return bool(self._left) and self._left[-1].startswith(prefix)


def _title(ledger: str) -> str:
    return f"{ledger}/final-statement/v1"


def _time(lines: _Lines, prefix: str) -> int:
    return parse_note_time(lines.take(prefix), "final statement")


def _id(digits: str) -> bytes:
    if not _HEX.fullmatch(digits):
        raise NoteError("final statement: expected 32 hex digits as the deletion's id")
    return bytes.fromhex(digits)


def _counted(line: str) -> tuple[str, int]:
    number, _, what = line.partition(" ")
    return what, parse_decimal(number, "final statement, a count")


def _logs(lines: _Lines) -> Iterator[FinalLog]:
    while lines.begins("log "):
        yield _log(lines.take("log "), lines.take("checkpoint "))


def _log(line: str, checkpoint: str) -> FinalLog:
    parts = line.split(" ")
    if len(parts) != 3:
        raise NoteError("final statement: expected origin, size and root of a log")
    where = "final statement"
    stated = Checkpoint(parts[0], parse_decimal(parts[1], where), decode_base64(parts[2], where))
    try:
        note = decode_base64(checkpoint, where).decode()
    except UnicodeDecodeError:
        raise NoteError("final statement: a checkpoint in it is not text") from None
    return FinalLog(stated.origin, stated.size, stated.root, note)
