"""The lies about receipts and events that admission must see through, built from three events that were accepted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from consumers.admission import Admission, Admitted
from consumers.stretch import cut
from ledger.log.interface import Record, StoredRecord
from ledger.receipt import RECEIPT
from ledger.record.assemble import AssembledEvent
from ledger.record.payload import decode_payload, encode_payload
from ledger.record.schemas import EVENT_RECORD, MAGIC
from ledger.signed import SIGNED
from ledger.tenants import TenantLog
from ledger.tlog.merkle import leaf_hash
from tests.consumers import hostile
from tests.small_ledger import SmallLedger, event_id, request


@dataclass
class Stage:
    """An admission, the log of `acme`, and honest events to build lies from."""

    small: SmallLedger
    log: TenantLog
    events: list[AssembledEvent]
    admission: Admission
    honest: list[list[Record]] = field(default_factory=list)

    def admit(self, records: Sequence[Record]) -> Admitted:
        """Admits these records alone, from offset 0 on."""
        stored = [StoredRecord(at, record) for at, record in enumerate(records)]
        return self.admission.admit(cut(stored, at_end=True))

    def batch(self, *events: AssembledEvent, signed: bytes | None = None) -> list[Record]:
        """A batch of `acme`."""
        return hostile.batch(self.small, self.log, events or self.events, signed)


def changed(event: AssembledEvent, **fields: object) -> AssembledEvent:
    """The event with other payload fields, its leaf hash right for them."""
    payload = encode_payload({**decode_payload(event.payload), **fields})
    return replace(event, payload=payload, leaf_hash=leaf_hash(payload))


def forged_signature(stage: Stage) -> list[Record]:
    signed = SIGNED.decode(hostile.receipt(stage.small, stage.log, map(hostile.entry, stage.events)))
    wrong = bytearray(signed.signature)
    wrong[5] ^= 1
    return stage.batch(signed=SIGNED.encode(replace(signed, signature=bytes(wrong))))


def altered_body(stage: Stage) -> list[Record]:
    signed = SIGNED.decode(hostile.receipt(stage.small, stage.log, map(hostile.entry, stage.events)))
    receipt = RECEIPT.decode(signed.body)
    body = RECEIPT.encode(replace(receipt, sealing_delay_ms=receipt.sealing_delay_ms + 1))
    return stage.batch(signed=SIGNED.encode(replace(signed, body=body)))


def unknown_key(stage: Stage) -> list[Record]:
    entries = map(hostile.entry, stage.events)
    return stage.batch(signed=hostile.receipt(stage.small, stage.log, entries, by=hostile.signer()))


def unknown_key_under_a_known_id(stage: Stage) -> list[Record]:
    made = SIGNED.decode(unknown_key(stage)[0].value)
    known = stage.small.gateway_signer.verifier_key.key_id
    return stage.batch(signed=SIGNED.encode(replace(made, key_id=known)))


def signed_by_the_ledger_key(stage: Stage) -> list[Record]:
    by = stage.small.ledger_signer
    return stage.batch(signed=hostile.receipt(stage.small, stage.log, map(hostile.entry, stage.events), by=by))


def other_incarnation(stage: Stage) -> list[Record]:
    entries = map(hostile.entry, stage.events)
    return stage.batch(signed=hostile.receipt(stage.small, stage.log, entries, incarnation=bytes(16)))


def unknown_log(stage: Stage) -> list[Record]:
    entries = map(hostile.entry, stage.events)
    origin = f"audit.test/log/{bytes(32).hex()}"
    return stage.batch(signed=hostile.receipt(stage.small, stage.log, entries, origin=origin))


def a_system_log(stage: Stage) -> list[Record]:
    origin = stage.small.tenants.partition_logs(0).system_log.origin
    entries = map(hostile.entry, stage.events)
    return stage.batch(signed=hostile.receipt(stage.small, stage.log, entries, origin=origin))


def a_time_that_is_none(stage: Stage) -> list[Record]:
    entries = [replace(hostile.entry(each), received_at_us=2**64 - 1) for each in stage.events]
    return stage.batch(signed=hostile.receipt(stage.small, stage.log, entries))


BATCH_LIES: dict[str, tuple[Callable[[Stage], list[Record]], str]] = {
    "forged signature": (forged_signature, "receipt-signature"),
    "altered body": (altered_body, "receipt-signature"),
    "unknown key": (unknown_key, "receipt-signature"),
    "unknown key under a known id": (unknown_key_under_a_known_id, "receipt-signature"),
    "key of another role": (signed_by_the_ledger_key, "receipt-signature"),
    "a time that is none": (a_time_that_is_none, "receipt-signature"),
    "other incarnation": (other_incarnation, "other-incarnation"),
    "unknown log": (unknown_log, "unknown-log"),
    "a system log": (a_system_log, "unknown-log"),
}


def lies_about_one_event(stage: Stage) -> dict[str, tuple[list[Record], str]]:
    """Batches of three events of which the one at offset 2 is not covered."""
    first, second, third = stage.events
    small, log = stage.small, stage.log
    stranger = small.accept("acme", request(text="not covered"))
    of_globex = small.accept("globex", request())
    slots = dict(second.contents)
    some_slot = next(iter(slots))
    signed = hostile.receipt(small, log, map(hostile.entry, stage.events))

    def entries(**wrong: object) -> bytes:
        made = [hostile.entry(each) for each in stage.events]
        made[1] = replace(made[1], **wrong)  # type: ignore[arg-type]
        return hostile.receipt(small, log, made)

    def contents(changes: dict[str, bytes | None]) -> list[Record]:
        kept = {**slots, **changes}
        swapped = [(slot, data) for slot, data in kept.items() if data is not None]
        return stage.batch(first, hostile.with_contents(second, swapped), third, signed=signed)

    wrong_tenant = changed(second, tenant="globex")
    wrong_shard = changed(second, shard=1)
    return {
        "another event in its place": (stage.batch(first, stranger, third, signed=signed), "not-covered"),
        "an altered payload": (
            stage.batch(first, changed(second, role="admin"), third, signed=signed),
            "not-covered",
        ),
        "another event id in the receipt": (stage.batch(signed=entries(event_id=event_id())), "receipt-disagrees"),
        "another digest in the receipt": (
            stage.batch(signed=entries(submission_digest=bytes(32))),
            "receipt-disagrees",
        ),
        "another key id in the receipt": (
            stage.batch(signed=entries(submission_key_id=bytes(32))),
            "receipt-disagrees",
        ),
        "another time in the receipt": (stage.batch(signed=entries(received_at_us=1)), "receipt-disagrees"),
        "another leaf in the receipt": (stage.batch(signed=entries(leaf_hash=bytes(32))), "not-covered"),
        "an event of another tenant": (stage.batch(first, of_globex, third), "wrong-log"),
        "a payload of another tenant": (stage.batch(first, wrong_tenant, third), "wrong-log"),
        "a payload of another shard": (stage.batch(first, wrong_shard, third), "wrong-log"),
        "a ciphertext missing": (contents({some_slot: None}), "contents-differ"),
        "a ciphertext of another event": (contents({some_slot: dict(first.contents)[some_slot]}), "contents-differ"),
        "a ciphertext too many": (contents({"more": b"x"}), "contents-differ"),
        "a ciphertext emptied": (contents({some_slot: b""}), "contents-differ"),
        "a ciphertext twice": (
            stage.batch(
                first,
                hostile.with_contents(second, [*second.contents, second.contents[-1]]),
                third,
                signed=signed,
            ),
            "contents-differ",
        ),
        "ciphertexts in another order": (
            stage.batch(first, hostile.with_contents(second, reversed(second.contents)), third, signed=signed),
            "contents-differ",
        ),
        "two slots changed places": (
            contents(dict(zip(slots, reversed(slots.values()), strict=True))),
            "contents-differ",
        ),
        "no ciphertext at all": (
            stage.batch(first, hostile.with_contents(second, ()), third, signed=signed),
            "contents-differ",
        ),
        "garbage": (with_value(stage.batch(), 2, b"garbage"), "undecodable"),
        "nothing": (with_value(stage.batch(), 2, b""), "undecodable"),
        "a header alone": (with_value(stage.batch(), 2, EVENT_RECORD.header), "undecodable"),
        "a byte too many": (with_value(stage.batch(), 2, hostile.value(second) + b"\0"), "undecodable"),
        "a byte too few": (with_value(stage.batch(), 2, hostile.value(second)[:-1]), "undecodable"),
        "a payload without its record": (with_value(stage.batch(), 2, MAGIC), "undecodable"),
    }


def with_value(records: list[Record], at: int, value: bytes) -> list[Record]:
    """The records, one with another value."""
    return [replace(record, value=value) if place == at else record for place, record in enumerate(records)]


def signed_for(stage: Stage, event: AssembledEvent) -> bytes:
    """A receipt for the stage's events with the leaf of another payload in the second place."""
    entries = [hostile.entry(each) for each in stage.events]
    entries[1] = replace(entries[1], leaf_hash=event.leaf_hash)
    return hostile.receipt(stage.small, stage.log, entries)
