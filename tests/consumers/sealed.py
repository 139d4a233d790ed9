"""What a small ledger has sealed, read from its files by code of the tests' own: the oracle the tests compare with.

`read_sealed` follows the rounds from the first one on and believes nothing else: every leaf is computed from its
payload, every chain and root from the leaves, every content is held against its payload's descriptors, every receipt
against its statement's digest.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from ledger.keys.derive import content_key
from ledger.log.interface import Record
from ledger.record.content import open_content
from ledger.record.payload import decode_payload
from ledger.segments import names
from ledger.segments.history import History, SealedRound
from ledger.segments.holdings import HeldFile, Holdings, LogHoldings
from ledger.segments.objects import FileStore
from ledger.segments.round import CONTENTS, EVENTS
from ledger.segments.rows import check_bytes, from_parquet
from ledger.segments.statement import Statement
from ledger.tenants import SYSTEM
from ledger.tlog.merkle import CHAIN_START, leaf_hash, link, root
from ledger.trust import TrustedKeys
from tests.small_ledger import SmallLedger


@dataclass(frozen=True, slots=True)
class Leaf:
    """One sealed event."""

    index: int
    event_id: bytes
    leaf_hash: bytes
    offset: int
    mark: str | None
    round: int
    payload: bytes

    @property
    def values(self) -> dict[str, Any]:
        """The payload's fields."""
        return decode_payload(self.payload)


@dataclass(slots=True)
class SealedLedger:
    """One partition: `leaves` in index order, `contents` by (index, slot), `receipts` as sealed, each by log id."""

    rounds: list[SealedRound] = field(default_factory=list)
    leaves: dict[bytes, list[Leaf]] = field(default_factory=dict)
    contents: dict[bytes, dict[tuple[int, str], bytes]] = field(default_factory=dict)
    receipts: dict[bytes, list[bytes]] = field(default_factory=dict)
    statements: dict[bytes, list[Statement]] = field(default_factory=dict)
    named: set[str] = field(default_factory=set)

    def ids(self, log_id: bytes) -> list[bytes]:
        """The event ids of a log, in index order."""
        return [leaf.event_id for leaf in self.leaves.get(log_id, [])]

    def repeats(self, log_id: bytes) -> list[tuple[bytes, int]]:
        """(leaf hash, index of the first one) of every repeat that was dropped."""
        return [
            (each.leaf_hash, each.first_index)
            for statement in self.statements.get(log_id, [])
            for each in statement.repeats
        ]

    def marks(self, log_id: bytes, kind: str) -> list[tuple[int, int]]:
        """(index, index of the first one) of every event marked `conflicts` or `undetermined` by the statements."""
        return [
            (each.index, each.first_index)
            for statement in self.statements.get(log_id, [])
            for each in getattr(statement, kind)
        ]


def read_sealed(store: FileStore, partition: int, trust: TrustedKeys) -> SealedLedger:
    """The partition, checked; `AssertionError` or `IntegrityError` when anything in it contradicts itself."""
    history = History(store, partition, trust)
    history.check_contiguous()
    holdings = Holdings(history)
    found = SealedLedger(rounds=holdings.refresh())
    for sealed in found.rounds:
        _take_round(found, sealed, partition)
    files = _Files(store)
    for log_id, log in holdings.logs.items():
        if log.is_deleted:
            continue  # what it had is only in its final statement
        found.leaves[log_id] = _leaves(files, log_id, log)
        head = holdings.state.head(log_id)
        hashes = [leaf.leaf_hash for leaf in found.leaves[log_id]]
        assert (head.size, head.edge.root()) == (len(hashes), root(hashes))
        assert head.chain == (link(CHAIN_START, hashes)[-1] if hashes else CHAIN_START)
        found.contents[log_id] = _contents(files, log_id, log)
        _check_contents(found.leaves[log_id], found.contents[log_id])
        found.named |= {file.name for file in log.files()}
        marked = {leaf.index: leaf.mark for leaf in found.leaves[log_id] if leaf.mark is not None}
        assert {index for index, _ in found.marks(log_id, "conflicts")} == _of_kind(marked, "conflict")
        assert {index for index, _ in found.marks(log_id, "undetermined")} == _of_kind(marked, "undetermined")
        unmarked = Counter(leaf.event_id for leaf in found.leaves[log_id] if leaf.mark is None)
        assert all(times == 1 for times in unmarked.values()), "an id was sealed twice without a mark"
    return found


def sealed_in(small: SmallLedger, partition: int = 0) -> SealedLedger:
    """A partition of a small ledger."""
    return read_sealed(small.store, partition, small.trust())


def unnamed(small: SmallLedger, found: SealedLedger, partition: int = 0) -> list[str]:
    """The objects of a partition that no round names, checkpoints aside."""
    folders = ("rounds", "events", "contents", "statements", "placements", "checkpoints", "proposals")
    listed = [name for part in folders for name in small.store.names_in(names.partition_folder(partition, part))]
    derived = names.partition_folder(partition, "checkpoints") + "/"
    return [name for name in listed if name not in found.named and not name.startswith(derived)]


@dataclass(frozen=True, slots=True)
class QuarantineFinding:
    """A finding in a partition's system log, its content opened."""

    leaf: Leaf
    rule: str
    record: Record


def quarantined(small: SmallLedger, found: SealedLedger, partition: int = 0) -> list[QuarantineFinding]:
    """The findings about what was not admitted, in index order."""
    from consumers.quarantine import QUARANTINED_RECORD

    log_id = small.tenants.partition_logs(partition).system_log.log_id
    made = []
    for leaf in found.leaves.get(log_id, []):
        data = open_slot(small, SYSTEM, leaf, found.contents[log_id][leaf.index, "note"], "note")
        made.append(QuarantineFinding(leaf, leaf.values["finding"]["rule"], QUARANTINED_RECORD.decode(data)))
    return made


def open_slot(small: SmallLedger, tenant: str, leaf: Leaf, ciphertext: bytes, slot: str) -> bytes:
    """One content in clear."""
    (descriptor,) = (each for each in leaf.values["contents"] if each["slot"] == slot)
    scopes = descriptor["scope_ids"]
    keys = small.keys.scope_keys(tenant, scopes)
    key = content_key([(scope, keys[scope]) for scope in scopes], tenant, leaf.event_id, slot)
    return open_content(
        ciphertext,
        key,
        tenant,
        leaf.event_id,
        slot,
        digest=descriptor["ciphertext_sha256"],
        commitment_=descriptor["commitment"],
        size=descriptor["size"],
    ).stored


def _take_round(found: SealedLedger, sealed: SealedRound, partition: int) -> None:
    found.named.add(names.round_name(partition, sealed.round.number))
    found.named |= {file.name for file in sealed.round.files}
    found.named |= {names.placement_name(partition, digest) for digest, _ in sealed.placements}
    for statement, receipts in zip(sealed.statements, sealed.receipts, strict=True):
        found.statements.setdefault(statement.log_id, []).append(statement)
        found.receipts.setdefault(statement.log_id, []).extend(receipts)


class _Files(dict[str, dict[bytes, list[dict[str, Any]]]]):
    """The rows of files by log; each file is read and checked once."""

    def __init__(self, store: FileStore) -> None:
        super().__init__()
        self._store = store

    def rows(self, file: HeldFile, log_id: bytes) -> list[dict[str, Any]]:
        """The rows of a log that a file may hold."""
        if file.name not in self:
            data = self._store.read(file.name)
            check_bytes(data, file.sha256, file.name)
            by_log = self[file.name] = {}
            for row in from_parquet(data, file.name).to_pylist():
                by_log.setdefault(row["log_id"], []).append(row)
        return [row for row in self[file.name].get(log_id, []) if file.first_index <= row["index"] < file.end_index]


def _leaves(files: _Files, log_id: bytes, log: LogHoldings) -> list[Leaf]:
    rows = [row for file in log.files() if file.role == EVENTS for row in files.rows(file, log_id)]
    rows.sort(key=lambda row: row["index"])
    assert [row["index"] for row in rows] == list(range(log.size))
    leaves = []
    chain = CHAIN_START
    for row in rows:
        (chain,) = link(chain, [leaf_hash(row["payload"])])
        assert (row["leaf_hash"], row["chain_hash"]) == (leaf_hash(row["payload"]), chain)
        values = decode_payload(row["payload"])
        assert row["event_id"] == values["event_id"]
        assert row["submission_digest"] == values["submission_digest"]
        leaves.append(
            Leaf(
                row["index"],
                row["event_id"],
                row["leaf_hash"],
                row["offset"],
                row["mark"],
                row["round"],
                row["payload"],
            )
        )
    return leaves


def _contents(files: _Files, log_id: bytes, log: LogHoldings) -> dict[tuple[int, str], bytes]:
    found: dict[tuple[int, str], bytes] = {}
    for file in log.files():
        if file.role == CONTENTS:
            for row in files.rows(file, log_id):
                assert (row["index"], row["slot"]) not in found
                found[row["index"], row["slot"]] = row["ciphertext"]
    return found


def _check_contents(leaves: list[Leaf], contents: dict[tuple[int, str], bytes]) -> None:
    described = {
        (leaf.index, each["slot"]): each["ciphertext_sha256"]
        for leaf in leaves
        for each in leaf.values["contents"]
        if each["ciphertext_sha256"] is not None
    }
    assert {place: sha256(data).digest() for place, data in contents.items()} == described


def _of_kind(marked: dict[int, str], kind: str) -> set[int]:
    return {index for index, mark in marked.items() if mark == kind}
