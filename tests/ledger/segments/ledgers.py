"""A small sealed partition on disk: signed rounds, bundles, placements, by a ledger key of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from ledger.segments import names
from ledger.segments.history import History
from ledger.segments.objects import FileStore
from ledger.segments.placement import PLACEMENT
from ledger.segments.round import EVENTS, HEARTBEAT, ROUND, STATEMENTS, Entry
from ledger.segments.state import PartitionState
from ledger.segments.statement import STATEMENT, label, receipts_digest
from ledger.signed import sign
from ledger.tlog.note import NoteSigner, signer_from_seed
from ledger.trust import TrustedKey, TrustedKeys
from tests.ledger.segments.partitions import (
    LOGS,
    PARTITION,
    Told,
    a_round,
    bundle_of,
    digest_of,
    file,
    leaf,
    placement,
)

LEDGER = "audit.example.org"
SIGNER = signer_from_seed(f"{LEDGER}/ledger", b"\x01" * 32)
OTHER_SIGNER = signer_from_seed(f"{LEDGER}/other", b"\x02" * 32)
FIRST_US = 1_793_534_400_000_000
NOT_BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = TrustedKeys(
    LEDGER,
    (
        TrustedKey("ledger", SIGNER.name, SIGNER.public_key, NOT_BEFORE, datetime(2027, 1, 1, tzinfo=UTC)),
        TrustedKey("gateway", OTHER_SIGNER.name, OTHER_SIGNER.public_key, NOT_BEFORE),
    ),
)
RECEIPTS = {LOGS[0]: (b"first receipt", b"second receipt"), LOGS[1]: (b"third receipt",)}


def publish(store: FileStore, told: Told, signer: NoteSigner = SIGNER, receipts: bool = True) -> None:
    """Writes what a round names, then the round."""
    for each in told.placements:
        store.put(names.placement_name(told.round.partition, digest_of(each)), PLACEMENT.encode(each))
    for each in told.round.files:
        data = bundle_of(told.statements, RECEIPTS if receipts else None) if each.role == STATEMENTS else b"rows"
        store.put(each.name, data)
    body = ROUND.encode(told.round)
    store.put(names.round_name(told.round.partition, told.round.number), sign(body, signer))


def with_receipts(state: PartitionState, told: Told) -> Told:
    """The round again, its statements naming `RECEIPTS`."""
    statements = [
        replace(each, receipt_count=len(given), receipts_digest=receipts_digest(given))
        for each in told.statements
        for given in (RECEIPTS.get(each.log_id, ()),)
    ]
    entries = [
        Entry(label(each.log_id, state.partition, state.next_number), sha256(STATEMENT.encode(each)).digest())
        for each in statements
    ]
    rows = sum(each.count for each in statements)
    files = [file(state, EVENTS, rows, b"rows")] if rows else []
    if statements:
        files.append(file(state, STATEMENTS, len(statements), bundle_of(statements, RECEIPTS)))
    made = replace(told.round, entries=tuple(sorted(entries, key=lambda each: each.label)), files=tuple(files))
    return Told(made, statements, told.placements)


def a_ledger(root: Path) -> tuple[FileStore, list[Told]]:
    """Four rounds: two logs begin, both go on and one is placed, a heartbeat, one goes on."""
    store = FileStore(root)
    state = PartitionState(PARTITION)
    told: list[Told] = []
    steps: Sequence[dict[bytes, list[bytes]] | None] = (
        {LOGS[0]: [leaf(1), leaf(2)], LOGS[1]: [leaf(3)]},
        {LOGS[0]: [leaf(4)], LOGS[1]: [leaf(5), leaf(6)]},
        None,
        {LOGS[1]: [leaf(7)]},
    )
    for number, leaves in enumerate(steps):
        placements = [placement(state, LOGS[0])] if number == 1 else []
        kind = {"kind": HEARTBEAT} if leaves is None else {}
        at = {"sealed_at_us": FIRST_US + number}
        step = with_receipts(state, a_round(state, leaves or {}, placements=placements, **kind, **at))
        step.tell(state)
        publish(store, step)
        told.append(step)
    return store, told


def follow(store: FileStore, keys: TrustedKeys = KEYS) -> PartitionState:
    """The state after all rounds, each believed only after every check."""
    history = History(store, PARTITION, keys)
    history.check_contiguous()
    state = PartitionState(PARTITION)
    for _ in history.follow(state):
        pass
    return state
