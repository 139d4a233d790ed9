"""Checking an export with nothing but its files and a trust file: no ledger, no secret key.

Checked is, and the first thing wrong is an `IntegrityError`:

1. the manifest is signed by a ledger key that was good then; exactly the files it lists are there, with these digests;
2. its trust file is of the same ledger and knows the logs that the manifest names, of this tenant and no other;
3. each log's checkpoint is signed under its origin, and says the size and root of the manifest;
4. its statements follow each other from index 0 to that size: index, chain, tree, previous statement; the receipts
   beside each are those whose digest it holds, signed by a gateway key that was good then, and cover its events;
5. its events are each index once; every payload hashes to the leaf beside it; chain and root are those of the
   statements; every payload is of the tenant and shard, under a schema that is here;
6. every content has the commitment that the payload holds for its slot.

Typed columns are vouched for by the manifest's signature; what the leaves prove is the payloads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ledger.canonical import Malformed
from ledger.errors import IntegrityError
from ledger.export.manifest import MANIFEST_BYTES_MAX, NAME, Manifest, open_manifest
from ledger.export.opened import SCHEMA
from ledger.final_statement import open_final_statement
from ledger.record.columns import NotColumnar, decode_columns
from ledger.record.content import commitment
from ledger.record.payload import decode_payload
from ledger.record.schemas import HEADER_BYTES, PAYLOADS
from ledger.segments.rows import open_parquet, record_batches
from ledger.segments.statement import BUNDLE, NO_STATEMENT, STATEMENT, Statement, receipts_digest
from ledger.tlog.checkpoint import Checkpoint, open_checkpoint
from ledger.tlog.merkle import CHAIN_START, EMPTY, CompactRange, leaf_hashes, link
from ledger.tlog.note import VerifierKey
from ledger.trust import TrustedKeys, TrustedLog
from ledger.verify.receipts import coverage, entries_of, open_receipt

_COLUMNS = ["log_id", "index", "leaf_hash", "chain_hash", "payload"]


@dataclass(frozen=True, slots=True)
class CheckedExport:
    """What was proven of an export."""

    manifest: Manifest
    events: int
    receipts: int
    contents: int


def check_export(folder: Path, trust: TrustedKeys, final: str | None = None) -> CheckedExport:
    """What the folder proves, relative to `trust`; `IntegrityError` when it does not. `final`: a final statement."""
    manifest = open_manifest(_read(folder, NAME, MANIFEST_BYTES_MAX), trust)
    _check_files(folder, manifest)
    own = TrustedKeys.parse((folder / "trust.json").read_bytes())
    if own.ledger != trust.ledger or any(log.tenant != manifest.tenant for log in own.logs):
        raise IntegrityError("trust.json: is of another ledger, or of another tenant than the manifest")
    logs = {log.origin: log for log in own.logs}
    if {each.origin for each in manifest.logs} != logs.keys():
        raise IntegrityError("MANIFEST: names other logs than trust.json")
    events = receipts = contents = 0
    for said in manifest.logs:
        log = _LogCheck(folder, logs[said.origin], trust, said)
        log.run()
        events, receipts, contents = events + said.size, receipts + log.receipts, contents + log.contents
    if contents != manifest.contents:
        raise IntegrityError(f"MANIFEST: says {manifest.contents} contents, {contents} are there")
    if final is not None:
        _check_final(final, trust, manifest)
    return CheckedExport(manifest, events, receipts, contents)


def _check_final(final: str, trust: TrustedKeys, manifest: Manifest) -> None:
    statement = open_final_statement(final, trust)
    said = {log.origin: log for log in statement.logs}
    if statement.tenant != manifest.tenant or said.keys() != {log.origin for log in manifest.logs}:
        raise IntegrityError("final statement: is of another tenant, or of other logs")
    for log in manifest.logs:
        end = said[log.origin]
        if end.size < log.size or (end.size == log.size and end.root != log.root):
            raise IntegrityError(f"final statement: {log.origin} ends at {end.size} events, the export has {log.size}")


def _check_files(folder: Path, manifest: Manifest) -> None:
    listed = {file.name: file for file in manifest.files}
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()} - {NAME}
    for name in sorted(there ^ listed.keys()):
        raise IntegrityError(f"{name}: {'is missing' if name in listed else 'is in no line of the manifest'}")
    for file in manifest.files:
        path = folder / file.name
        if path.is_symlink():
            raise IntegrityError(f"{file.name}: is a link")
        with open(path, "rb") as stream:
            found = hashlib.file_digest(stream, "sha256").digest()
        if (found, path.stat().st_size) != (file.sha256, file.bytes):
            raise IntegrityError(f"{file.name}: its SHA-256 is {found.hex()}, the manifest says {file.sha256.hex()}")


class _LogCheck:
    """One log of an export."""

    def __init__(self, folder: Path, log: TrustedLog, trust: TrustedKeys, said: Checkpoint) -> None:
        self._folder = folder / "logs" / str(log.shard)
        self._log = log
        self._trust = trust
        self._said = said
        self._where = f"logs/{log.shard}"
        self.receipts = 0
        self.contents = 0

    def run(self) -> None:
        """All of it."""
        self._check_checkpoint()
        rows = _Rows(self._folder, self._where)
        size, edge, chain, previous, number = 0, EMPTY, CHAIN_START, NO_STATEMENT, 0
        for raw, statement, receipts in self._statements():
            where = f"{self._where}: statement {number}"
            follows = (statement.log_id, statement.first_index, statement.chain_before, statement.previous)
            if follows != (self._log.log_id, size, chain, previous):
                raise IntegrityError(f"{where}: does not follow the one before")
            if statement.receipts_digest != receipts_digest(receipts) or statement.receipt_count != len(receipts):
                raise IntegrityError(f"{where}: its receipts are not those whose digest it holds")
            leaves = self._leaves(rows, statement, chain, where)
            edge = edge.extend(leaves)
            chain = link(chain, leaves)[-1] if leaves else chain
            if (statement.tree_size, statement.root, statement.chain_after) != (edge.size, edge.root(), chain):
                raise IntegrityError(f"{where}: the events do not have its size, root and chain")
            self._check_receipts(statement, receipts, leaves, where)
            size, previous, number = edge.size, sha256(raw).digest(), number + 1
        rows.check_end()
        self._check_end(edge)
        self._check_contents()

    def _check_checkpoint(self) -> None:
        data = (self._folder / "checkpoint.txt").read_bytes()
        for key in self._trust.for_role("ledger"):
            try:
                found = open_checkpoint(data, VerifierKey(self._log.origin, key.public_key))
            except IntegrityError:
                continue
            if (found.size, found.root) != (self._said.size, self._said.root):
                raise IntegrityError(f"{self._where}/checkpoint.txt: says another size or root than the manifest")
            return
        raise IntegrityError(f"{self._where}/checkpoint.txt: no trusted ledger key signed it for {self._log.origin}")

    def _check_end(self, edge: CompactRange) -> None:
        if (edge.size, edge.root()) != (self._said.size, self._said.root):
            raise IntegrityError(
                f"{self._where}: has {edge.size} events of root {edge.root().hex()}, the checkpoint says "
                f"{self._said.size} of root {self._said.root.hex()}"
            )

    def _statements(self) -> Iterator[tuple[bytes, Statement, tuple[bytes, ...]]]:
        for path in sorted(self._folder.glob("statements-*.bundle")):
            try:
                for entry in BUNDLE.decode(path.read_bytes()).entries:
                    yield entry.statement, STATEMENT.decode(entry.statement), entry.receipts
            except Malformed as error:
                raise IntegrityError(f"{self._where}/{path.name}: is malformed: {error}") from None

    def _leaves(self, rows: _Rows, statement: Statement, chain: bytes, where: str) -> list[bytes]:
        """The leaves of a statement's events, each checked against its payload, and its place in log and chain."""
        found: list[bytes] = []
        for first, batch in rows.take(statement.count):
            payloads = batch["payload"]
            leaves = leaf_hashes(payloads)
            linked = link(chain, leaves)
            if batch["log_id"] != [self._log.log_id] * len(leaves) or leaves != batch["leaf_hash"]:
                raise IntegrityError(f"{where}: an event from index {first} on is not the leaf beside it")
            if linked != batch["chain_hash"]:
                raise IntegrityError(f"{where}: the hash chain breaks behind index {first}")
            if not _all_of(payloads, self._log):
                raise IntegrityError(f"{where}: an event from index {first} on is of another tenant or shard")
            chain = linked[-1] if linked else chain
            found += leaves
        return found

    def _check_receipts(self, statement: Statement, signed: tuple[bytes, ...], leaves: list[bytes], where: str) -> None:
        receipts = [open_receipt(each, self._trust) for each in signed]
        if any(each.log_origin != self._log.origin for each in receipts):
            raise IntegrityError(f"{where}: a receipt is of another log")
        covered = coverage(leaves, statement.repeats, entries_of(receipts).leaves())
        if covered.uncovered:
            index = statement.first_index + covered.uncovered[0]
            raise IntegrityError(f"{where}: no receipt covers the event of index {index}")
        self.receipts += len(receipts)

    def _check_contents(self) -> None:
        for path in sorted(self._folder.glob("contents-*.parquet")):
            file = open_parquet(path)
            if not file.schema_arrow.equals(SCHEMA):
                raise IntegrityError(f"{self._where}/{path.name}: has other columns than contents have")
            committed = self._commitments(self._folder / path.name.replace("contents-", "events-"))
            for batch in record_batches(file, ["log_id", "index", "slot", "salt", "content"]):
                for row in batch.to_pylist():
                    expected = committed.pop((row["index"], row["slot"]), None)
                    if row["log_id"] != self._log.log_id or expected != commitment(row["salt"], row["content"]):
                        which = f"{self._where}/{path.name}: index {row['index']}, slot {row['slot']}"
                        raise IntegrityError(f"{which}: is not what the payload committed to")
                    self.contents += 1

    def _commitments(self, events: Path) -> dict[tuple[int, str], bytes]:
        """Those of the payloads of one file: it has the same events as the file of contents of the same number."""
        if not events.is_file():
            raise IntegrityError(f"{self._where}/{events.name}: is missing, and its contents are there")
        found: dict[tuple[int, str], bytes] = {}
        for batch in record_batches(open_parquet(events), ["index", "payload"]):
            for index, payload in zip(batch["index"].to_pylist(), batch["payload"].to_pylist(), strict=True):
                for each in decode_payload(payload)["contents"]:
                    if each["commitment"] is not None:
                        found[index, each["slot"]] = each["commitment"]
        return found


def _all_of(payloads: list[bytes], log: TrustedLog) -> bool:
    """Whether every payload is of the log's tenant and shard."""
    headers = {payload[:HEADER_BYTES] for payload in payloads}
    if len(headers) == 1 and headers <= PAYLOADS.keys():
        try:
            columns = decode_columns(PAYLOADS[headers.pop()], payloads)
        except NotColumnar:
            pass  # one of them does not decode; which, is found below
        else:
            found = (columns["tenant"].unique().to_pylist(), columns["shard"].unique().to_pylist())
            return bool(found == ([log.tenant], [log.shard]))
    values = [decode_payload(payload) for payload in payloads]
    return all((each["tenant"], each["shard"]) == (log.tenant, log.shard) for each in values)


class _Rows:
    """The events of a log in order, as many at a time as asked for."""

    def __init__(self, folder: Path, where: str) -> None:
        self._where = where
        self._batches = self._read(folder)
        self._left: dict[str, list[bytes]] = {}
        self._next = 0

    def take(self, count: int) -> Iterator[tuple[int, dict[str, list[bytes]]]]:
        """The next rows, in parts, each with its first index."""
        while count:
            if not self._left:
                self._left = next(self._batches, {})
                if not self._left:
                    raise IntegrityError(f"{self._where}: the events end at index {self._next}, the statements go on")
            whole = len(self._left["payload"])
            some = min(count, whole)
            part = {name: values[:some] for name, values in self._left.items()}
            self._left = {name: values[some:] for name, values in self._left.items()} if some < whole else {}
            yield self._next, part
            self._next += some
            count -= some

    def check_end(self) -> None:
        """Nothing is left over."""
        if self._left or next(self._batches, None) is not None:
            raise IntegrityError(f"{self._where}: there are events behind index {self._next}, which no statement has")

    def _read(self, folder: Path) -> Iterator[dict[str, list[bytes]]]:
        expected = 0
        for path in sorted(folder.glob("events-*.parquet")):
            file = open_parquet(path)
            for batch in record_batches(file, _COLUMNS):
                found = batch.to_pydict()
                indexes = found.pop("index")
                if indexes != list(range(expected, expected + len(indexes))):
                    raise IntegrityError(f"{self._where}/{path.name}: its indexes do not go on from {expected}")
                expected += len(indexes)
                yield found


def _read(folder: Path, name: str, most: int) -> bytes:
    path = folder / name
    if not path.is_file():
        raise IntegrityError(f"{folder}: has no {name}: it is no export, or an unfinished one")
    with open(path, "rb") as stream:
        return stream.read(most + 1)
