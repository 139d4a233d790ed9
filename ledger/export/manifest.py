"""The manifest of an export: a signed note (C2SP signed-note) that lists every file.

    <ledger name>/export/v1
    tenant <name>
    exported <RFC 3339, UTC>
    requested by <name>
    log <origin> <size> <root hash, base64>          one line for each log of the tenant, by shard
    contents <number decrypted> <number not opened>  both 0 where none were ordered
    file <SHA-256, hex> <bytes> <name>               one line for each file, sorted by name

signed by the ledger's key under its own name, `<ledger name>/ledger`. It is written last: a folder without it is no
export, however much is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from ledger.errors import IntegrityError
from ledger.note_time import note_time, parse_note_time
from ledger.tlog.checkpoint import Checkpoint, parse_decimal
from ledger.tlog.note import NoteError, NoteSigner, decode_base64, encode_base64, open_note, parse_note, sign_note
from ledger.trust import TrustedKeys

NAME = "MANIFEST"
MANIFEST_BYTES_MAX = 64 * 1024 * 1024
_FILE = re.compile(r"([0-9a-f]{64}) (0|[1-9][0-9]*) ([a-zA-Z0-9][a-zA-Z0-9._-]*(?:/[a-zA-Z0-9][a-zA-Z0-9._-]*)*)")


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """A file of an export, by its path inside it."""

    name: str
    sha256: bytes
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says. `logs` are what checkpoints of the logs say; `at_ms` Unix milliseconds."""

    ledger: str
    tenant: str
    at_ms: int
    requester: str
    logs: tuple[Checkpoint, ...]
    contents: int
    contents_closed: int
    files: tuple[ExportedFile, ...]

    def text(self) -> str:
        """The note's text."""
        lines = [
            f"{self.ledger}/export/v1",
            f"tenant {self.tenant}",
            f"exported {note_time(self.at_ms)}",
            f"requested by {self.requester}",
            *(f"log {each.origin} {each.size} {encode_base64(each.root)}" for each in self.logs),
            f"contents {self.contents} {self.contents_closed}",
            *(f"file {each.sha256.hex()} {each.bytes} {each.name}" for each in self.files),
        ]
        return "".join(f"{line}\n" for line in lines)


def sign_manifest(manifest: Manifest, signer: NoteSigner) -> str:
    """The note, read back before it leaves."""
    note = sign_note(manifest.text(), [signer]).decode()
    if read_manifest(note) != manifest:
        raise IntegrityError(f"manifest of {manifest.tenant}: does not read back as what was meant")
    return note


def open_manifest(note: bytes, trust: TrustedKeys) -> Manifest:
    """A manifest that a ledger key signed which was good then; `IntegrityError` otherwise."""
    manifest = read_manifest(note)
    if manifest.ledger != trust.ledger:
        raise NoteError(f"manifest: is of ledger {manifest.ledger}, expected {trust.ledger}")
    at = datetime.fromtimestamp(manifest.at_ms / 1_000, UTC)
    open_note(note, trust.verifiers("ledger", f"{trust.ledger}/ledger", at))
    return manifest


def read_manifest(note: bytes | str) -> Manifest:
    """What a note says, no signature checked; `NoteError` when it is no manifest in its one form."""
    if len(note) > MANIFEST_BYTES_MAX:
        raise NoteError(f"manifest: expected at most {MANIFEST_BYTES_MAX} bytes, got {len(note)}")
    text = parse_note(note).text
    lines = text.split("\n")[:-1]
    if len(lines) < 5 or not lines[0].endswith("/export/v1"):
        raise NoteError("manifest: expected that of an export, got another note")
    middle = lines[4:]
    contents = [each for each in middle if each.startswith("contents ")]
    if len(contents) != 1:
        raise NoteError("manifest: expected one line about contents")
    opened, _, closed = contents[0].removeprefix("contents ").partition(" ")
    manifest = Manifest(
        ledger=lines[0].removesuffix("/export/v1"),
        tenant=lines[1].removeprefix("tenant "),
        at_ms=parse_note_time(lines[2].removeprefix("exported "), "manifest"),
        requester=lines[3].removeprefix("requested by "),
        logs=tuple(_logs(middle)),
        contents=parse_decimal(opened, "manifest, contents"),
        contents_closed=parse_decimal(closed, "manifest, contents"),
        files=tuple(_files(middle)),
    )
    names = [file.name for file in manifest.files]
    if manifest.text() != text or names != sorted(set(names)) or NAME in names:
        raise NoteError("manifest: is not in its one form")
    return manifest


def _logs(lines: list[str]) -> Iterator[Checkpoint]:
    for line in lines:
        if line.startswith("log "):
            parts = line.split(" ")
            if len(parts) != 4:
                raise NoteError("manifest: expected origin, size and root of a log")
            yield Checkpoint(parts[1], parse_decimal(parts[2], "manifest"), decode_base64(parts[3], "manifest"))


def _files(lines: list[str]) -> Iterator[ExportedFile]:
    for line in lines:
        if line.startswith("file "):
            found = _FILE.fullmatch(line.removeprefix("file "))
            if found is None:
                raise NoteError("manifest: a line about a file is not one")
            yield ExportedFile(found[3], bytes.fromhex(found[1]), int(found[2]))
