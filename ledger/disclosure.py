"""One content, disclosed to an outsider who has neither keys nor the ledger: one JSON file that proves itself.

    {
      "format": "audit-ledger-disclosure/v1",
      "payload": base64 of the event's payload,
      "slot": the content's slot,
      "salt": base64 of the 32 bytes of its commitment,
      "plaintext": base64 of the content as stored,
      "proof": a C2SP tlog-proof bundle of the payload's leaf against a signed checkpoint,
      "verifier_key": the key that signed the checkpoint, as C2SP verifier key text
    }

Exactly these fields in this order, each once, indented by two spaces, one newline at the end, ASCII only (other
characters escaped as JSON does): one disclosure has one file, and a file of which any byte was altered is refused.
For the same reason the bundle has no extra data, and its checkpoint no signature but the log's.

What a file that passes proves, relative to the key: the log `origin` held, when its checkpoint of that size was
signed, at that index exactly this payload; and its gateway committed, when it took the event, to exactly this
plaintext under this slot. It does not prove that the log is whole, that the checkpoint is the newest, or that what
was captured is true. The key in the file proves nothing about whose it is: who checks brings the key along, or is
told which key id it all rests on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ledger.errors import IntegrityError, Misconfigured
from ledger.record.content import SALT_BYTES, STORED_BYTES_MAX, OpenedContent, check_disclosed
from ledger.record.payload import decode_payload
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import VerifierKey, decode_base64, encode_base64, parse_note
from ledger.tlog.proof_bundle import BUNDLE_BYTES_MAX, TlogProof, parse_tlog_proof

FORMAT = "audit-ledger-disclosure/v1"
PAYLOAD_BYTES_MAX = 4 * 1024 * 1024
DISCLOSURE_BYTES_MAX = (STORED_BYTES_MAX + PAYLOAD_BYTES_MAX) * 4 // 3 + 2 * BUNDLE_BYTES_MAX
"""A file is never larger: base64 of what it may hold, and a bundle with its line ends escaped."""

_FIELDS = ("format", "payload", "slot", "salt", "plaintext", "proof", "verifier_key")


class BadDisclosure(IntegrityError):
    """A disclosure that is malformed, or does not prove what it says."""


@dataclass(frozen=True, slots=True)
class Disclosed:
    """What a disclosure proved.

    `pinned`: the key was brought along by who checked; else everything is relative to the key in the file. `state`
    says whether the plaintext is all that was captured (`full`), or was `truncated` or `redacted` before it was
    committed to; `original_size` is its size in bytes before that. Times are the gateway's claims.
    """

    origin: str
    index: int
    size: int
    root: bytes
    verifier_key: VerifierKey
    pinned: bool
    tenant: str
    event_id: bytes
    kind: str
    received_at: datetime
    slot: str
    state: str
    media_type: str
    original_size: int
    plaintext: bytes

    def statement(self) -> str:
        """What was proved, under which key, in sentences for people. Holds nothing of the plaintext."""
        rests_on = (
            f"under the key you gave, {self.verifier_key.key_id.hex()}"
            if self.pinned
            else f"only relative to the key in the file, id {self.verifier_key.key_id.hex()}; "
            "compare it with one you have from elsewhere"
        )
        captured = {
            "full": "all that was captured",
            "truncated": f"the first part of {self.original_size} bytes captured",
            "redacted": "what was left after redaction",
        }[self.state]
        event = f"event {self.event_id.hex()} ({self.kind}, tenant {self.tenant}) at index {self.index}"
        return (
            f"Log {self.origin} held {event} when its checkpoint of {self.size} events was signed. These "
            f"{len(self.plaintext)} bytes are its content {self.slot}: {captured}, committed to when the event was "
            f"taken, {self.received_at.isoformat()} by the gateway's clock. Proved {rests_on}."
        )


def make_disclosure(
    payload: bytes, slot: str, opened: OpenedContent, proof: TlogProof, verifier_key: VerifierKey
) -> bytes:
    """The file that discloses one content. `BadDisclosure` unless it would be accepted: it is checked before it leaves.

    Cosignatures and extra data in `proof` are left out.
    """
    note = parse_note(proof.checkpoint)
    own = tuple(each for each in note.signatures if _is_by(each.name, each.key_id, verifier_key))
    checkpoint = type(note)(note.text, own).to_bytes().decode()
    data = _serialize(
        {
            "format": FORMAT,
            "payload": encode_base64(payload),
            "slot": slot,
            "salt": encode_base64(opened.salt),
            "plaintext": encode_base64(opened.stored),
            "proof": TlogProof(proof.index, proof.hashes, checkpoint).text(),
            "verifier_key": str(verifier_key),
        }
    )
    check_disclosure(data, [verifier_key])
    return data


def check_disclosure(data: bytes, verifier_keys: Sequence[VerifierKey] = ()) -> Disclosed:
    """What the file proves; `BadDisclosure` when it does not, or not under one of `verifier_keys`, if there are any."""
    fields = _parse(data)
    try:
        key = VerifierKey.parse(fields["verifier_key"])
    except Misconfigured as error:
        raise BadDisclosure(f"disclosure: verifier_key: {error}") from None
    if verifier_keys and key not in verifier_keys:
        given = ", ".join(each.key_id.hex() for each in verifier_keys)
        raise BadDisclosure(f"disclosure: its checkpoint is signed by key {key.key_id.hex()}, expected one of {given}")
    try:
        return _check(fields, key, bool(verifier_keys))
    except BadDisclosure:
        raise
    except (IntegrityError, Misconfigured) as error:
        raise BadDisclosure(f"disclosure: {error}") from None


def _check(fields: dict[str, str], key: VerifierKey, pinned: bool) -> Disclosed:
    payload = decode_base64(fields["payload"], "payload")
    salt, plaintext = decode_base64(fields["salt"], "salt"), decode_base64(fields["plaintext"], "plaintext")
    for name, value, most in (("payload", payload, PAYLOAD_BYTES_MAX), ("plaintext", plaintext, STORED_BYTES_MAX)):
        if len(value) > most:
            raise BadDisclosure(f"disclosure: {name}: expected at most {most} bytes, got {len(value)}")
    if len(salt) != SALT_BYTES:
        raise BadDisclosure(f"disclosure: salt: expected {SALT_BYTES} bytes, got {len(salt)}")
    proof = parse_tlog_proof(fields["proof"])
    signatures = parse_note(proof.checkpoint).signatures
    if proof.extra or proof.text() != fields["proof"]:
        raise BadDisclosure("disclosure: proof: expected a bundle without extra data, in its one form")
    if len(signatures) != 1 or not _is_by(signatures[0].name, signatures[0].key_id, key):
        raise BadDisclosure("disclosure: proof: expected one signature under the checkpoint, the verifier key's")
    checkpoint = proof.verify(leaf_hash(payload), key)
    if checkpoint.extensions:
        raise BadDisclosure("disclosure: proof: the checkpoint has lines that this format does not know")
    values = decode_payload(payload)
    descriptor = _descriptor(values, fields["slot"])
    if descriptor["size"] != len(plaintext):
        raise BadDisclosure(f"disclosure: plaintext has {len(plaintext)} bytes, the payload says {descriptor['size']}")
    check_disclosed(plaintext, salt, descriptor["commitment"])
    return Disclosed(
        origin=checkpoint.origin,
        index=proof.index,
        size=checkpoint.size,
        root=checkpoint.root,
        verifier_key=key,
        pinned=pinned,
        tenant=values["tenant"],
        event_id=values["event_id"],
        kind=values["kind"],
        received_at=values["received_at"],
        slot=fields["slot"],
        state=descriptor["state"],
        media_type=descriptor["media_type"],
        original_size=descriptor["original_size"],
        plaintext=plaintext,
    )


def _descriptor(values: dict[str, Any], slot: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = [each for each in values["contents"] if each["slot"] == slot]
    if len(found) != 1:
        raise BadDisclosure(f"disclosure: the payload describes {len(found)} contents of this slot, expected one")
    if found[0]["commitment"] is None or found[0]["state"] not in ("full", "truncated", "redacted"):
        raise BadDisclosure(f"disclosure: the payload commits to no plaintext of this slot: it is {found[0]['state']}")
    return found[0]


def _is_by(name: str, key_id: bytes, key: VerifierKey) -> bool:
    return (name, key_id) == (key.name, key.key_id)


def _parse(data: bytes) -> dict[str, str]:
    if len(data) > DISCLOSURE_BYTES_MAX:
        raise BadDisclosure(f"disclosure: expected at most {DISCLOSURE_BYTES_MAX} bytes, got {len(data)}")
    try:
        fields = json.loads(data.decode("ascii"))
    except (ValueError, RecursionError):
        raise BadDisclosure("disclosure: expected JSON in ASCII, found something else") from None
    if not isinstance(fields, dict) or tuple(fields) != _FIELDS:
        raise BadDisclosure(f"disclosure: expected exactly the fields {', '.join(_FIELDS)}, in this order")
    if not all(isinstance(value, str) for value in fields.values()):
        raise BadDisclosure("disclosure: expected text in every field")
    if fields["format"] != FORMAT:
        raise BadDisclosure(f"disclosure: format: expected {FORMAT}")
    if _serialize(fields) != data:
        raise BadDisclosure("disclosure: is not in its one form: fields, spaces and escapes as they are written")
    return fields


def _serialize(fields: dict[str, str]) -> bytes:
    return json.dumps(fields, indent=2, ensure_ascii=True).encode("ascii") + b"\n"
