"""An offline proof of one event, and one content made ready for disclosure to an outsider."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ledger.errors import IntegrityError, Rejected, Unavailable
from ledger.tenants import TenantLog
from ledger.tlog.proof_bundle import TlogProof
from query.evidence import SealedEvent
from query.plain import uuid_text
from query.reading import Reading


@dataclass(frozen=True, slots=True)
class Proven:
    """`proof` is a C2SP tlog-proof bundle: SHA-256(0x00 || payload) stands at `index` under its signed checkpoint."""

    log: TenantLog
    event: SealedEvent
    index: int
    payload: bytes = field(repr=False)
    proof: str

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "event_id": uuid_text(self.event.event_id),
            "log": self.log.origin,
            "index": self.index,
            "leaf_hash": self.event.leaf_hash.hex(),
            "payload": self.payload.hex(),
            "proof": self.proof,
        }


@dataclass(frozen=True, slots=True)
class Disclosable:
    """One content in clear, with the salt of its commitment and the proof of the payload that holds it."""

    proven: Proven
    slot: str
    salt: bytes = field(repr=False)
    plaintext: bytes = field(repr=False)


def prove(reading: Reading, event_id: bytes) -> Proven:
    """The proof of an event; of several under one id (conflicts), of the first. `UnknownEvent` when there is none."""
    found = reading.prove(reading.find("event", event_id))
    if not found:
        raise reading.unknown_event("event_id", event_id)
    event = min(found, key=lambda each: (each.log.shard, each.index))
    if event.proof.state != "proven":
        raise IntegrityError(f"log {event.log.log_id.hex()}, index {event.index}: {event.proof.reason}")
    signed = reading.checkpoint_over(event)
    if signed is None:
        raise Unavailable(f"no signed checkpoint of log {event.log.log_id.hex()} covers index {event.index} yet")
    checkpoint, note = signed
    hashes = reading.inclusion(event, checkpoint)
    return Proven(event.log, event, event.index, event.payload, TlogProof(event.index, tuple(hashes), note).text())


def disclosable(reading: Reading, event_id: bytes, slot: str) -> Disclosable:
    """A content, opened, with its proof."""
    proven = prove(reading, event_id)
    descriptors = {each["slot"] for each in proven.event.values["contents"]}
    if slot not in descriptors:
        held = ", ".join(sorted(descriptors)) or "none"
        raise Rejected("slot", f"the event has no content in slot {slot!r}; it has: {held}")
    opened, reason = reading.open_one(proven.event, slot)
    if opened is None:
        raise Rejected("slot", f"content {slot} can't be disclosed: {reason}")
    return Disclosable(proven, slot, opened.salt, opened.stored)
