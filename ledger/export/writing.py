"""Writing an export: everything into a folder beside, checked as its receiver will check it, then renamed.

    DIR.unfinished/   while it is written; holds the file `unfinished` that marks it as ours
    DIR/              appears whole, or not at all

Whoever finds an unfinished one begins anew. Memory does not grow with the log: rows are read and written
`rows_a_file` at a time. Contents are opened only after the Access that says so is durable.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ledger.deletion.ending import LogEnd
from ledger.errors import IntegrityError, Misconfigured, Unavailable
from ledger.export.checking import check_export
from ledger.export.manifest import NAME, ExportedFile, Manifest, sign_manifest
from ledger.export.opened import open_contents, openable
from ledger.export.readme import README
from ledger.keys.master import sync_folder
from ledger.keys.provider import ScopeKeys
from ledger.record.schemas import PAYLOADS
from ledger.segments.history import History
from ledger.segments.log_rows import LogRows
from ledger.segments.objects import FileStore
from ledger.segments.round import CONTENTS, EVENTS
from ledger.segments.rows import write_parquet
from ledger.segments.state import PartitionState
from ledger.segments.statement import BUNDLE, STATEMENT, Bundle, BundleEntry
from ledger.tenants import Tenant
from ledger.tlog.checkpoint import sign_checkpoint
from ledger.tlog.note import NoteSigner
from ledger.trust import TrustedKeys

ROWS_A_FILE = 50_000
BUNDLE_BYTES = 8 * 1024 * 1024
MARK = "unfinished"

OnAccess = Callable[[int, int], Awaitable[None]]
"""Told the events and the contents that will be shown; returns once that is durable."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much an export is of: events and contents of all the tenant's logs. `bytes`: of the files they stand in."""

    events: int
    contents: int
    contents_closed: int
    bytes: int


@dataclass(frozen=True, slots=True)
class ExportParts:
    """What an export is made of. `keys` open contents; None where none are ordered."""

    store: FileStore
    trust: TrustedKeys
    keys: ScopeKeys
    signer: NoteSigner
    requester: str
    now_ms: int
    rows_a_file: int = ROWS_A_FILE
    on_rows: Callable[[int], None] = lambda count: None


class Export:
    """One tenant's export, of what was sealed when `ends` were read."""

    def __init__(self, parts: ExportParts, tenant: Tenant, ends: list[LogEnd]) -> None:
        self._parts = parts
        self._tenant = tenant
        self._ends = ends

    def extent(self) -> Extent:
        """How much it is of."""
        contents = closed = 0
        for end in self._ends:
            for first, last in self._spans(end):
                rows = self._events(end, ["log_id", "index", "event_id", "contents"]).all_of(first, last)
                opened, left = openable(rows, self._parts.keys, self._tenant.name)
                contents, closed = contents + opened, closed + left
                self._parts.on_rows(rows.num_rows)
        size = {file.name: file.bytes for end in self._ends for file in end.holdings.files()}
        return Extent(sum(end.head.size for end in self._ends), contents, closed, sum(size.values()))

    async def write(self, target: Path, on_access: OnAccess | None) -> tuple[Manifest, Path]:
        """Writes it beside `target`; the folder is whole and checked, and waits for `finish`.

        `on_access`: contents are ordered, and this records it. `Misconfigured` when there is something at `target`.
        """
        staged = _claim(target)
        digests: set[bytes] = set()
        opened = closed = 0
        for end in self._ends:
            folder = staged / "logs" / str(end.log.shard)
            folder.mkdir(parents=True)
            self._write_statements(end, folder, digests)
            self._write_events(end, folder)
            signer = NoteSigner(end.log.origin, self._parts.signer.public_key, self._parts.signer.sign)
            (folder / "checkpoint.txt").write_text(sign_checkpoint(end.checkpoint, signer), "utf-8")
        if on_access is not None:
            extent = self.extent()
            await on_access(extent.events, extent.contents)
            for end in self._ends:
                for at, (first, last) in enumerate(self._spans(end)):
                    more, left = self._write_contents(end, staged / "logs" / str(end.log.shard), at, first, last)
                    opened, closed = opened + more, closed + left
        self._write_beside(staged, digests)
        manifest = Manifest(
            ledger=self._parts.trust.ledger,
            tenant=self._tenant.name,
            at_ms=self._parts.now_ms,
            requester=self._parts.requester,
            logs=tuple(end.checkpoint for end in self._ends),
            contents=opened,
            contents_closed=closed,
            files=tuple(_files_in(staged)),
        )
        (staged / NAME).write_text(sign_manifest(manifest, self._parts.signer), "utf-8")
        (staged / MARK).unlink()
        _sync_all(staged)
        check_export(staged, self._parts.trust)
        return manifest, staged

    def _write_statements(self, end: LogEnd, folder: Path, digests: set[bytes]) -> None:
        """The log's own statements, with the receipts sealed beside them, in order; adds the schemas they name."""
        state = PartitionState(end.log.partition)
        history = History(self._parts.store, end.log.partition, self._parts.trust)
        entries: list[BundleEntry] = []
        size = number = held = 0
        for sealed in history.follow(state):
            for statement, receipts in zip(sealed.statements, sealed.receipts, strict=True):
                if statement.log_id != end.log.log_id or statement.tree_size > end.head.size:
                    continue
                digests.update(statement.schemas)
                raw = STATEMENT.encode(statement)
                entries.append(BundleEntry(raw, receipts))
                held += len(raw) + sum(map(len, receipts))
                size = statement.tree_size
                if held >= BUNDLE_BYTES:
                    _write_bundle(folder, number, entries)
                    entries, number, held = [], number + 1, 0
        if entries:
            _write_bundle(folder, number, entries)
        if size != end.head.size:
            raise IntegrityError(f"log {end.log.log_id.hex()}: its statements end at {size}, expected {end.head.size}")

    def _write_events(self, end: LogEnd, folder: Path) -> None:
        rows = self._events(end, None)
        for at, (first, last) in enumerate(self._spans(end)):
            write_parquet(rows.all_of(first, last), folder / f"events-{at:04d}.parquet")
            self._parts.on_rows(last - first)

    def _write_contents(self, end: LogEnd, folder: Path, at: int, first: int, last: int) -> tuple[int, int]:
        events = self._events(end, ["log_id", "index", "event_id", "contents"]).all_of(first, last)
        stored = LogRows(self._parts.store, end.log.log_id, end.holdings.files(), CONTENTS, None)
        found = open_contents(
            events, lambda: stored.between(first, last), self._parts.keys, self._tenant.name, end.log.log_id
        )
        if found.table.num_rows:
            write_parquet(found.table, folder / f"contents-{at:04d}.parquet")
        self._parts.on_rows(last - first)
        return found.table.num_rows, found.closed

    def _write_beside(self, staged: Path, digests: set[bytes]) -> None:
        from fastavro.schema import to_parsing_canonical_form

        logs = tuple(log for log in self._parts.trust.logs if log.tenant == self._tenant.name)
        own = TrustedKeys(self._parts.trust.ledger, self._parts.trust.keys, logs)
        (staged / "trust.json").write_bytes(own.serialize())
        (staged / "README.txt").write_text(README, "utf-8")
        (staged / "schemas").mkdir()
        for schema in PAYLOADS.values():
            if schema.sha256 in digests:
                canonical = to_parsing_canonical_form(schema.definition)
                (staged / "schemas" / f"{schema.sha256.hex()}.avsc").write_text(canonical, "utf-8")

    def _events(self, end: LogEnd, columns: list[str] | None) -> LogRows:
        return LogRows(self._parts.store, end.log.log_id, end.holdings.files(), EVENTS, columns)

    def _spans(self, end: LogEnd) -> Iterator[tuple[int, int]]:
        step = self._parts.rows_a_file
        for first in range(0, end.head.size, step):
            yield first, min(first + step, end.head.size)


def finish(staged: Path, target: Path) -> None:
    """The export appears under its name."""
    try:
        staged.rename(target)
    except OSError as error:
        raise Unavailable(f"{target}: cannot give the export its name: {error.strerror}") from None
    sync_folder(target.parent)


def _claim(target: Path) -> Path:
    """An empty folder beside; what an export that was cut off left there is taken away."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise Misconfigured(f"{target}: is there already; an export is never written over anything")
    staged = target.with_name(f"{target.name}.unfinished")
    if staged.exists():
        if not (staged / MARK).is_file() and not (staged / NAME).is_file():
            raise Misconfigured(f"{staged}: is there, and is no unfinished export")
        shutil.rmtree(staged)
    try:
        staged.mkdir(mode=0o700, parents=True)
        (staged / MARK).write_text("an export is being written here, or was interrupted\n", "utf-8")
    except OSError as error:
        raise Misconfigured(f"{staged}: cannot make it: {error.strerror}") from None
    return staged


def _write_bundle(folder: Path, number: int, entries: list[BundleEntry]) -> None:
    (folder / f"statements-{number:04d}.bundle").write_bytes(BUNDLE.encode(Bundle(tuple(entries))))


def _files_in(folder: Path) -> Iterator[ExportedFile]:
    found = [path for path in folder.rglob("*") if path.is_file() and path.name != MARK]
    for name, path in sorted((path.relative_to(folder).as_posix(), path) for path in found):
        with open(path, "rb") as stream:
            yield ExportedFile(name, hashlib.file_digest(stream, "sha256").digest(), path.stat().st_size)


def _sync_all(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
