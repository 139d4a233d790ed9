"""Makes the test vectors of docs/FORMAT.md from fixed inputs and fixed randomness.

    python -m tests.vectors.make          write tests/vectors/*.json
    python -m tests.vectors.make --check  compare, change nothing; exit 1 when one differs

The values come out of the ledger's own code. `tests/docs/test_format_vectors.py` reads them back with an implementation
of its own. Once events were written under a format, a vector of it never changes: a difference is a broken format, not
an old vector.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from google.protobuf.json_format import MessageToDict

from ledger.canonical import blob, optional, sequence, text, u64
from ledger.client.ids import derived_event_id
from ledger.keys.derive import content_key, submission_key
from ledger.keys.hierarchy import TenantRing
from ledger.keys.normalize import normalize_v1
from ledger.keys.provider import Grant, Holder, HolderRef, Scope, ScopeRef
from ledger.keys.sealing import row_identity, seal
from ledger.log.framing import frame
from ledger.log.interface import Record, record_digest
from ledger.otlp.ids import event_id_of
from ledger.receipt import RECEIPT, Receipt, ReceiptEntry, join
from ledger.record.assemble import ContentLimits, Reception, assemble, digest_of, needs
from ledger.record.capture import Capture
from ledger.record.content import ContentSealer
from ledger.record.payload import decode_payload, encode_event_record
from ledger.record.schemas import EVENT_RECORD, PAYLOAD
from ledger.record.submission import submission_bytes
from ledger.record.translate import translate
from ledger.signed import sign
from ledger.tenants import shard_of
from ledger.v1 import event_pb2 as pb
from tests.vectors.sealed import disclosure_vectors, sealed_vectors
from tests.vectors.story import (
    GATEWAY,
    INCARNATION,
    LOG_ID,
    MIA,
    ORIGIN,
    RECEIVED_US,
    SEALING_DELAY_MS,
    TENANT,
    Vectors,
    bits,
    hexed,
)

FOLDER = Path(__file__).parent


def canonical_vectors() -> Vectors:
    """Each building block of the canonical encoding."""
    numbers = [0, 1, 300, 2**64 - 1]
    return {
        "u64": [{"value": number, "bytes": u64.encode(number)} for number in numbers],
        "text": [{"value": value, "bytes": text.encode(value)} for value in ("", "log", "é漢😀")],
        "blob": [{"value": value, "bytes": blob.encode(value)} for value in (b"", b"\x00\xff")],
        "optional_text": [{"value": value, "bytes": optional(text).encode(value)} for value in (None, "", "x")],
        "list_of_text": [{"value": list(value), "bytes": sequence(text).encode(value)} for value in ((), ("", "ab"))],
    }


def grant_of(refs: Sequence[HolderRef], scopes: Sequence[ScopeRef]) -> Grant:
    """Keys for these references."""
    return Grant(
        {ref: Holder(bits(f"pseudonym {ref.kind}", 16), bits(f"secret {ref.kind}", 32)) for ref in refs},
        {ref: Scope(bits(f"scope {ref.holder.kind}", 16), bits(f"scope key {ref.holder.kind}", 32)) for ref in scopes},
    )


def key_vectors() -> Vectors:
    """Derivations, look-ups, the normalization of identifiers, and a sealed row."""
    event_id = derived_event_id(RECEIVED_US // 1000, "source", "1")
    scopes = [(bits(f"scope id {n}", 16), bits(f"scope key {n}", 32)) for n in range(2)]
    holders = [(bits(f"holder {n}", 16), bits(f"holder secret {n}", 32)) for n in range(2)]
    lookup = bits("lookup key", 32)
    ring = TenantRing(TENANT, 1, {}, lookup)
    scope_ref = ScopeRef(MIA, "standard", "2026-11")
    identity = row_identity("holders", TENANT, ring.holder_hash(MIA), b"person", (1).to_bytes(8, "big"))
    with mock.patch("ledger.keys.sealing.urandom", lambda count: bits("row nonce", count)):
        row = seal(bits("bucket key", 32), holders[0][0] + holders[0][1], identity)
    names_ = ["mia", "  Mia   LI ", "ＭＩＡ", "Straße", "é", "e\u0301", "ﬁona", "a\u00a0b", "\u200bx"]
    submission, submission_id = submission_key(holders, "pb1")
    return {
        "content_key": {
            "scopes": [{"id": scope_id, "key": key} for scope_id, key in scopes],
            "tenant": TENANT,
            "event_id": event_id,
            "slot": "input",
            "key": content_key(scopes, TENANT, event_id, "input"),
        },
        "submission_key": {
            "holders": [{"pseudonym": pseudonym, "secret": secret} for pseudonym, secret in holders],
            "encoding": "pb1",
            "key": submission,
            "key_id": submission_id,
        },
        "normalization_v1": [{"identifier": name, "bytes": normalize_v1(name)} for name in names_],
        "lookup": {
            "lookup_key": lookup,
            "kind": "person",
            "identifier": MIA.identifier,
            "holder_hash": ring.holder_hash(MIA),
            "pseudonym": holders[0][0],
            "retention_class": "standard",
            "month": "2026-11",
            "scope_row_key": ring.scope_row_key(holders[0][0], scope_ref),
        },
        "sealed_row": {
            "key": bits("bucket key", 32),
            "nonce": bits("row nonce", 24),
            "table": "holders",
            "tenant": TENANT,
            "parts": [ring.holder_hash(MIA), b"person", (1).to_bytes(8, "big")],
            "associated_data": identity,
            "plaintext": holders[0][0] + holders[0][1],
            "sealed": row,
        },
    }


def the_event() -> pb.Event:
    """A request with a person, a session, a prompt, numbers and contents."""
    event = pb.Event(event_id=derived_event_id(RECEIVED_US // 1000 - 1_000, "conversation-7", "1"))
    event.phase = pb.PHASE_SINGLE
    event.occurred_at.FromMicroseconds(RECEIVED_US - 1_000_000)
    event.producer.service, event.producer.instance = "support-bot", "pod-3"
    event.producer.boot_id, event.producer.sequence = bits("boot id", 16), 41
    event.producer.capture_path = pb.CAPTURE_PATH_STUB
    event.actor.user.identifier = MIA.identifier.strip()
    event.actor.user.relation = "customer"
    event.story.session_id, event.story.session_ordinal = "s-1", 2
    event.classification = pb.CLASSIFICATION_CONFIDENTIAL
    event.request.operation = pb.AI_OPERATION_CHAT
    event.request.vendor, event.request.model_requested = "openai", "gpt-4o"
    event.request.prompts.add(prompt_id="greeting", revision="r2", template_sha256=bits("template", 32))
    event.request.temperature = 0.2
    event.request.seed = -(2**63)
    event.request.tokens_in = 300
    event.request.streamed = False
    event.request.input.text = "May I change my flight?"
    event.request.output.text = ""
    return event


def assembled() -> tuple[Vectors, bytes, bytes, list[tuple[str, bytes]], ReceiptEntry]:
    """The record's vectors; then payload, leaf, contents and receipt entry for those that follow."""
    event = the_event()
    submission = translate(event)
    capture = Capture("full", "capture/1", "standard")
    wanted = needs(submission, capture, "2026-11")
    grant = grant_of(wanted.holders, wanted.scopes)
    digest = digest_of(submission, submission_bytes(event), grant, TENANT)
    reception = Reception(TENANT, 0, RECEIVED_US, "1", "build-1", "key-7", "token")
    counter = iter(range(100))
    with mock.patch("ledger.record.content.os.urandom", lambda count: bits(f"content {next(counter)}", count)):
        made = assemble(submission, digest, grant, capture, reception, ContentLimits(), ContentSealer())
    holder = next(iter(grant.holders.values()))
    scope = next(iter(grant.scopes.values()))
    contents = [
        {
            "slot": slot,
            "key": content_key([(scope.scope_id, scope.key)], TENANT, made.event_id, slot),
            "salt": bits(f"content {number}", 56)[:32],
            "nonce": bits(f"content {number}", 56)[32:],
            "stored": next(each.data for each in submission.contents if each.slot == slot),
            "ciphertext": ciphertext,
        }
        for number, (slot, ciphertext) in enumerate(made.contents)
    ]
    vectors = {
        "schemas": {
            schema.name: {"header": schema.header, "sha256": schema.sha256} for schema in (PAYLOAD, EVENT_RECORD)
        },
        "tenant": TENANT,
        "holder": {"pseudonym": holder.pseudonym, "secret": holder.secret},
        "scope": {"id": scope.scope_id, "key": scope.key},
        "event": MessageToDict(event, preserving_proto_field_name=True),
        "submission": submission_bytes(event),
        "submission_digest": digest[0],
        "submission_key_id": digest[1],
        "payload": made.payload,
        "values": decode_payload(made.payload),
        "leaf_hash": made.leaf_hash,
        "contents": contents,
        "event_record": encode_event_record(made.payload, list(made.contents)),
    }
    entry = ReceiptEntry(made.event_id, *digest, made.leaf_hash, RECEIVED_US)
    return vectors, made.payload, made.leaf_hash, list(made.contents), entry


def log_vectors(event_record: bytes, entry: ReceiptEntry) -> Vectors:
    """A receipt, and the batch in which it stands in the event log."""
    body = RECEIPT.encode(Receipt("1", ORIGIN, INCARNATION, SEALING_DELAY_MS, join([entry])))
    records = frame(LOG_ID, INCARNATION, sign(body, GATEWAY), [event_record])
    other = Record(b"", (("a", b""), ("a", b"\x00")), b"v")
    return {
        "gateway_id": "1",
        "log_origin": ORIGIN,
        "incarnation": INCARNATION,
        "sealing_delay_ms": SEALING_DELAY_MS,
        "received_at_us": RECEIVED_US,
        "key_name": GATEWAY.name,
        "public_key": GATEWAY.public_key,
        "key_id": GATEWAY.verifier_key.key_id,
        "receipt_body": body,
        "signed_receipt": records[0].value,
        "records": [
            {"key": each.key, "headers": list(each.headers), "value": each.value, "digest": record_digest(each)}
            for each in (*records, other)
        ],
        "shards": [
            {"event_id": event_id, "count": count, "shard": shard_of(event_id, count)}
            for event_id in (entry.event_id, bits("another event", 16))
            for count in (1, 2, 7, 256)
        ],
        "derived_event_ids": [
            {"time_ms": time_ms, "parts": parts, "event_id": derived_event_id(time_ms, *parts)}
            for time_ms, parts in ((0, ["a"]), (RECEIVED_US // 1000, ["a", "b"]), (RECEIVED_US // 1000, ["ab", ""]))
        ],
        "span_event_ids": [
            {
                "tenant": "acme",
                "trace_id": trace_id,
                "span_id": span_id,
                "event_id": event_id_of("acme", trace_id, span_id),
            }
            for trace_id, span_id in ((bytes(range(1, 17)), bytes(range(1, 9))), (bits("trace", 16), bits("span", 8)))
        ],
    }


def make() -> dict[str, Vectors]:
    """All vectors, by file name."""
    record, payload, leaf, _, entry = assembled()
    log = log_vectors(record["event_record"], entry)
    sealed = sealed_vectors(leaf, log["signed_receipt"])
    given = next(each for each in record["contents"] if each["slot"] == "input")
    return {
        "canonical.json": canonical_vectors(),
        "keys.json": key_vectors(),
        "record.json": record,
        "log.json": log,
        "sealed.json": sealed,
        "disclosure.json": disclosure_vectors(payload, sealed["leaves"], given["salt"], given["stored"]),
    }


def serialized() -> dict[str, str]:
    """The files as they are written."""
    return {name: json.dumps(hexed(made), indent=1, ensure_ascii=True) + "\n" for name, made in make().items()}


def main(write: Callable[[str], Any] = print) -> int:
    """Writes or compares; returns the exit code."""
    differing = [name for name, made in serialized().items() if _stored(name) != made]
    if "--check" in sys.argv[1:]:
        for name in differing:
            write(f"tests/vectors/{name}: differs from what the code makes")
        return 1 if differing else 0
    for name, made in serialized().items():
        (FOLDER / name).write_text(made, encoding="ascii")
    return 0


def _stored(name: str) -> str:
    path = FOLDER / name
    return path.read_text("ascii") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
