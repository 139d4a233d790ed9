"""The certificate of an erasure or expiry: a signed note (C2SP signed-note) that says what was destroyed, in clear.

    <ledger name>/certificate/v1
    erasure <id of the destruction, 32 hex digits>            or: expiry
    tenant <name>
    pseudonym <32 hex digits>                                 one line each; of an expiry: `class` and `month` instead
    requested by <name>
    approved by <name>                                        one line each
    legal ground <text>
    marked <RFC 3339, UTC>
    destroyed <RFC 3339, UTC>
    keys destroyed <number>
    scopes destroyed <number> <SHA-256 of the scope ids, ascending, in hex>
    contents made unreadable <number>
    event <id> in <origin of its log>                         one line each

signed by the ledger's key under its own name, `<ledger name>/ledger`. No log has the first line's name as its origin,
so no certificate passes for a checkpoint. It names nobody: who was meant stands in the order that was given, and the
pseudonym is in every sealed event of hers. The events it names prove in their log what it says.
"""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

from ledger.erasure.events import events_of
from ledger.errors import IntegrityError
from ledger.home import ledger_key_name
from ledger.keys.destruction import Destruction
from ledger.note_time import note_time, parse_note_time
from ledger.tenants import Tenant
from ledger.tlog.note import NoteError, NoteSigner, open_note, parse_note, sign_note
from ledger.trust import TrustedKeys

CERTIFICATE_BYTES_MAX = 900_000


def certificate_text(ledger_name: str, destruction: Destruction, tenant: Tenant) -> str:
    """The text of the certificate of a destruction that is published."""
    if not destruction.reached("published") or destruction.destroyed_at_ms is None:
        raise IntegrityError(f"{destruction.kind} {destruction.destruction_id.hex()}: is not finished, nothing to show")
    request = destruction.request
    lines = [
        f"{ledger_name}/certificate/v1",
        f"{destruction.kind} {destruction.destruction_id.hex()}",
        f"tenant {destruction.tenant}",
    ]
    if destruction.kind == "expiry":
        lines += [f"class {destruction.retention_class}", f"month {destruction.month}"]
    lines += [f"pseudonym {each.hex()}" for each in destruction.pseudonyms]
    lines.append(f"requested by {request.requester}")
    lines += [f"approved by {each}" for each in request.approvers]
    lines += [
        f"legal ground {request.legal_ground}",
        f"marked {note_time(destruction.marked_at_ms)}",
        f"destroyed {note_time(destruction.destroyed_at_ms)}",
        f"keys destroyed {destruction.keys_destroyed}",
        f"scopes destroyed {len(destruction.scope_ids)} {sha256(b''.join(destruction.scope_ids)).hexdigest()}",
        f"contents made unreadable {sum(destruction.counts.values())}",
    ]
    lines += [f"event {event.event_id.hex()} in {log.origin}" for log, event in events_of(destruction, tenant, "")]
    return "".join(f"{line}\n" for line in lines)


def sign_certificate(text: str, signer: NoteSigner) -> str:
    """The note."""
    return sign_note(text, [signer]).decode()


def check_certificate(note: bytes, trust: TrustedKeys) -> str:
    """The text of a certificate that this ledger signed; `IntegrityError` for anything else."""
    if len(note) > CERTIFICATE_BYTES_MAX:
        raise NoteError(f"certificate: expected at most {CERTIFICATE_BYTES_MAX} bytes, got {len(note)}")
    text = parse_note(note).text
    if not text.startswith(f"{trust.ledger}/certificate/v1\n"):
        raise NoteError(f"certificate: is none of {trust.ledger}")
    at = _destroyed_at(text)
    open_note(note, trust.verifiers("ledger", ledger_key_name(trust.ledger), at))
    return text


def _destroyed_at(text: str) -> datetime:
    """When it says that keys were destroyed: the key that signed it must have been good then."""
    for line in text.split("\n"):
        if line.startswith("destroyed "):
            at_ms = parse_note_time(line.removeprefix("destroyed "), "certificate")
            return datetime.fromtimestamp(at_ms / 1_000, UTC)
    raise NoteError("certificate: does not say when the keys were destroyed")
