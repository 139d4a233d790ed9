"""An offline proof of one event, and one content made ready for disclosure to an outsider."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ledger.errors import IntegrityError, Rejected, Unavailable
from ledger.tenants import TenantLog
from ledger.tlog.proof_bundle import TlogProof
from query.evidence import SealedEvent
from query.plain import uuid_text
from query.reading import Reading, UnknownEvent


@dataclass(frozen=True, slots=True)
class Proven:
    """`proof` is a C2SP tlog-proof bundle: SHA-256(0x00 || payload) stands at `index` under its signed checkpoint.

    `also_at`: the indexes of other events of the same id (conflicts), which are not proven here.
    """

    log: TenantLog
    event: SealedEvent
    index: int
    payload: bytes = field(repr=False)
    proof: str
    also_at: tuple[int, ...] = ()

    def asked_for(self) -> dict[str, Any]:
        """Which event it is, as the Access tells it: by its id, and its index where that is not enough."""
        told: dict[str, Any] = {"event_id": uuid_text(self.event.event_id)}
        return {**told, "index": self.index} if self.also_at else told

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "event_id": uuid_text(self.event.event_id),
            "log": self.log.origin,
            "index": self.index,
            "leaf_hash": self.event.leaf_hash.hex(),
            "payload": self.payload.hex(),
            "proof": self.proof,
            **({"also_at": list(self.also_at)} if self.also_at else {}),
        }


@dataclass(frozen=True, slots=True)
class Disclosable:
    """One content in clear, with the salt of its commitment and the proof of the payload that holds it."""

    proven: Proven
    slot: str
    salt: bytes = field(repr=False)
    plaintext: bytes = field(repr=False)


def prove(reading: Reading, event_id: bytes, index: int | None = None) -> Proven:
    """The proof of an event; of several under one id (conflicts), of the first or of the one at `index` of its log.

    `UnknownEvent` when there is none.
    """
    found = sorted(reading.prove(reading.find("event", event_id)), key=lambda each: (each.log.shard, each.index))
    if not found:
        raise reading.unknown_event("event_id", event_id)
    event = next((each for each in found if index in (None, each.index)), None)
    if event is None:
        held = ", ".join(str(each.index) for each in found)
        raise UnknownEvent("index", f"the event stands at index {held} of its log, not at {index}")
    if event.proof.state != "proven":
        raise IntegrityError(f"log {event.log.log_id.hex()}, index {event.index}: {event.proof.reason}")
    signed = reading.checkpoint_over(event)
    if signed is None:
        raise Unavailable(f"no signed checkpoint of log {event.log.log_id.hex()} covers index {event.index} yet")
    checkpoint, note = signed
    hashes = reading.inclusion(event, checkpoint)
    also_at = tuple(each.index for each in found if each is not event)
    text = TlogProof(event.index, tuple(hashes), note).text()
    return Proven(event.log, event, event.index, event.payload, text, also_at)


def disclosable(reading: Reading, event_id: bytes, slot: str, index: int | None = None) -> Disclosable:
    """A content, opened, with its proof. `index` as for `prove`."""
    proven = prove(reading, event_id, index)
    descriptors = {each["slot"] for each in proven.event.values["contents"]}
    if slot not in descriptors:
        held = ", ".join(sorted(descriptors)) or "none"
        raise Rejected("slot", f"the event has no content in slot {slot!r}; it has: {held}")
    opened, reason = reading.open_one(proven.event, slot)
    if opened is None:
        raise Rejected("slot", f"content {slot} can't be disclosed: {reason}")
    return Disclosable(proven, slot, opened.salt, opened.stored)
