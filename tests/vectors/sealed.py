"""Vectors of what a sealer writes, and of a disclosure out of it."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

from ledger.disclosure import make_disclosure
from ledger.final_statement import FinalLog, FinalStatement, sign_final_statement
from ledger.record.content import OpenedContent
from ledger.record.schemas import PAYLOAD
from ledger.segments import names
from ledger.segments.checkpoints import CHECKPOINTS, Checkpoints
from ledger.segments.placement import PLACEMENT, PlacedFile, Placement, Removal, encode_placement
from ledger.segments.round import ROUND, Entry, File, Round, round_digest
from ledger.segments.statement import (
    BUNDLE,
    STATEMENT,
    Bundle,
    BundleEntry,
    Mark,
    Repeat,
    Statement,
    label,
    receipts_digest,
)
from ledger.signed import sign
from ledger.tenants import rounds_origin
from ledger.tlog.checkpoint import Checkpoint, sign_checkpoint
from ledger.tlog.merkle import CHAIN_START, EMPTY, inclusion_proof, leaf_hash, link, subtrees_of
from ledger.tlog.note import VerifierKey
from ledger.tlog.proof_bundle import TlogProof
from tests.vectors.story import (
    INCARNATION,
    LEDGER,
    LOG_ID,
    ORIGIN,
    PARTITION,
    RECEIVED_US,
    SEALER,
    TENANT,
    Vectors,
    bits,
)


def statement_of(leaves: list[bytes], signed_receipt: bytes) -> Statement:
    """A statement of the log's second round: one repeat, one mark of each kind."""
    before = EMPTY.extend(leaves[:2])
    after = before.extend(leaves[2:])
    chain = link(CHAIN_START, leaves)
    return Statement(
        log_id=LOG_ID,
        partition=PARTITION,
        round=1,
        first_index=2,
        count=3,
        chain_before=chain[1],
        chain_after=chain[-1],
        tree_size=5,
        root=after.root(),
        range_hashes=after.hashes,
        schemas=(PAYLOAD.sha256,),
        repeats=(Repeat(17, bits("repeated leaf", 32), 0),),
        conflicts=(Mark(3, 1),),
        undetermined=(Mark(4, 0),),
        receipt_count=1,
        receipts_digest=receipts_digest([signed_receipt]),
        previous=bits("previous statement", 32),
        previous_round=0,
    )


def sealed_vectors(payload_leaf: bytes, signed_receipt: bytes) -> Vectors:
    """Tree, chain, statement, bundle, round, placement, checkpoints, and the names they stand under."""
    leaves = [payload_leaf, *(leaf_hash(bits(f"payload {number}", 40)) for number in range(1, 5))]
    statement = statement_of(leaves, signed_receipt)
    statement_bytes = STATEMENT.encode(statement)
    bundle = BUNDLE.encode(Bundle((BundleEntry(statement_bytes, (signed_receipt,)),)))
    placement = Placement(
        log_id=LOG_ID,
        sequence_number=1,
        previous=bytes(32),
        size=2,
        files=(_placed("events", 2), _placed("contents", 5)),
        removed=(Removal(1, "input", bits("erasure event", 16)),),
    )
    first_body = ROUND.encode(round_zero())
    edge = EMPTY.extend([leaf_hash(first_body)])
    round_ = Round(
        partition=PARTITION,
        number=1,
        kind=0,
        sealed_at_us=RECEIVED_US + 2_000_000,
        incarnation=INCARNATION,
        first_offset=0,
        next_offset=5,
        last_record=bits("last record", 32),
        files=(_file("events", 3), _file("contents", 7), _file("statements", 1, bundle)),
        entries=(Entry(label(LOG_ID, PARTITION, 1), sha256(statement_bytes).digest()),),
        placements=(sha256(PLACEMENT.encode(placement)).digest(),),
        previous=round_digest(first_body),
        tree_size=1,
        range_hashes=edge.hashes,
        reason="",
    )
    body = ROUND.encode(round_)
    rounds = Checkpoint(rounds_origin(LEDGER, PARTITION), 2, edge.extend([leaf_hash(body)]).root())
    notes = tuple(
        sign_checkpoint(each, replace(SEALER, name=each.origin))
        for each in (rounds, Checkpoint(ORIGIN, statement.tree_size, statement.root))
    )
    final = final_statement(notes[1], statement)
    deletion = Placement(LOG_ID, 2, sha256(PLACEMENT.encode(placement)).digest(), 5, (), (), final)
    return {
        "leaves": leaves,
        "chain": link(CHAIN_START, leaves),
        "roots": [EMPTY.extend(leaves[:size]).root() for size in range(6)],
        "compact_ranges": [EMPTY.extend(leaves[:size]).hashes for size in range(6)],
        "key_name": SEALER.name,
        "public_key": SEALER.public_key,
        "key_id": SEALER.verifier_key.key_id,
        "log_id": LOG_ID,
        "statement_fields": _fields(statement),
        "statement": statement_bytes,
        "statement_digest": sha256(statement_bytes).digest(),
        "label": label(LOG_ID, PARTITION, 1),
        "bundle": bundle,
        "placement_fields": {name: each for name, each in _fields(placement).items() if name != "final"},
        "placement": PLACEMENT.encode(placement),
        "final_statement": final,
        "deletion": encode_placement(deletion),
        "first_round": first_body,
        "round_fields": _fields(round_),
        "round": body,
        "round_digest": round_digest(body),
        "signed_round": sign(body, SEALER),
        "checkpoints": list(notes),
        "checkpoints_file": CHECKPOINTS.encode(Checkpoints(notes)),
        "names": object_names(),
    }


def final_statement(checkpoint: str, statement: Statement) -> str:
    """What would be said of the log's tenant if it were deleted now."""
    return sign_final_statement(
        FinalStatement(
            ledger=LEDGER,
            tenant=TENANT,
            deletion_id=bits("deletion", 16),
            requester="olga",
            approvers=("paul",),
            legal_ground="contract 17, section 9",
            reason="the contract ended",
            closed_at_ms=RECEIVED_US // 1_000,
            destroyed_at_ms=RECEIVED_US // 1_000 + 60_000,
            destroyed=(("tenant keys", 1), ("scope keys", 3)),
            logs=(FinalLog(ORIGIN, statement.tree_size, statement.root, checkpoint),),
            remains=("copies outside of this ledger",),
            signed_at_ms=RECEIVED_US // 1_000 + 61_000,
        ),
        replace(SEALER, name=f"{LEDGER}/ledger"),
    )


def _fields(value: Any) -> Any:
    if hasattr(value, "__slots__") and not isinstance(value, (bytes, str)):
        return {name: _fields(getattr(value, name)) for name in value.__slots__}
    return [_fields(each) for each in value] if isinstance(value, tuple) else value


def _file(role: str, rows: int, data: bytes = b"") -> File:
    data = data or f"{role} file".encode()
    digest = sha256(data).digest()
    return File(role, names.segment_name(PARTITION, role, 1, digest), digest, len(data), rows)


def _placed(role: str, rows: int) -> PlacedFile:
    digest = sha256(f"placed {role}".encode()).digest()
    return PlacedFile(role, names.compacted_name(LOG_ID, role, digest), digest, 1_000, rows, 0, 2)


def round_zero() -> Round:
    """A heartbeat before anything."""
    empty = bytes(32)
    return Round(PARTITION, 0, 1, RECEIVED_US, INCARNATION, 0, 0, empty, (), (), (), empty, 0, (), "")


def object_names() -> Vectors:
    """One name of each kind."""
    digest = bits("file digest", 32)
    return {
        "digest": digest,
        "round": names.round_name(0, 1),
        "large_round": names.round_name(12_345, 10**13),
        "events": names.segment_name(0, "events", 1, digest),
        "contents": names.segment_name(0, "contents", 1, digest),
        "statements": names.segment_name(0, "statements", 1, digest),
        "placement": names.placement_name(0, digest),
        "checkpoints": names.checkpoints_name(0, 1),
        "compacted_events": names.compacted_name(LOG_ID, "events", digest),
        "compacted_contents": names.compacted_name(LOG_ID, "contents", digest),
    }


def disclosure_vectors(payload: bytes, leaves: list[bytes], salt: bytes, stored: bytes) -> Vectors:
    """The content `input` of the event, disclosed."""
    tree = EMPTY.extend(leaves)
    signer = replace(SEALER, name=ORIGIN)
    proof = TlogProof(
        0,
        tuple(inclusion_proof(0, len(leaves), subtrees_of(leaves))),
        sign_checkpoint(Checkpoint(ORIGIN, tree.size, tree.root()), signer),
    )
    key = VerifierKey(ORIGIN, SEALER.public_key)
    return {"file": make_disclosure(payload, "input", OpenedContent(stored, salt), proof, key).decode("ascii")}
