"""Writing a round: its files, read back; the round, signed and published; its checkpoints.

Publishing the round is the commit (see `consumers.sealer`). Before it, the round is applied to a copy of the state
with the same rules a verifier uses, so a round that a verifier would refuse is never signed.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import sha256

import pyarrow as pa

from consumers.assembly import Draft
from ledger.errors import IntegrityError, LedgerError, Unavailable
from ledger.segments import names
from ledger.segments.checkpoints import CHECKPOINTS, Checkpoints
from ledger.segments.objects import FileStore
from ledger.segments.placement import Placement
from ledger.segments.round import CONTENTS, EVENTS, ROUND, STATEMENTS, Entry, File, Round
from ledger.segments.rows import CONTENTS_SCHEMA, LEDGER_COLUMNS, check_bytes, from_parquet, to_parquet
from ledger.segments.state import PartitionState
from ledger.segments.statement import STATEMENT, label
from ledger.signed import sign
from ledger.tlog.checkpoint import Checkpoint, sign_checkpoint
from ledger.tlog.note import NoteSigner
from ledger.trust.current_signer import Signers

_EVIDENCE = frozenset([name for name, _ in LEDGER_COLUMNS] + CONTENTS_SCHEMA.names)


class Fenced(LedgerError):
    """Another sealer published this round first; this one has nothing to say any more."""

    exit_code = 3


@dataclass(frozen=True, slots=True)
class Stretch:
    """What of the event log a round covers, and how it ends."""

    kind: int
    sealed_at_us: int
    incarnation: bytes
    first_offset: int
    next_offset: int
    last_record: bytes
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Published:
    """A published round, the state after it, and how many bytes its files have."""

    round: Round
    state: PartitionState
    bytes: int


class Publication:
    """Publishes the rounds of one partition."""

    def __init__(self, store: FileStore, signer: Signers, row_group_rows: int) -> None:
        self._store = store
        self._signer = signer
        self._row_group_rows = row_group_rows

    def publish(
        self,
        state: PartitionState,
        draft: Draft | None,
        stretch: Stretch,
        placements: tuple[tuple[bytes, Placement], ...],
    ) -> Published:
        """Writes, reads back, signs, publishes. `Fenced` when the number is taken; the state given is left alone."""
        files = self._write_files(state, draft) if draft is not None else ()
        statements = draft.statements if draft is not None else ()
        raw = [STATEMENT.encode(statement) for statement in statements]
        entries = [
            Entry(label(statement.log_id, state.partition, state.next_number), sha256(data).digest())
            for statement, data in zip(statements, raw, strict=True)
        ]
        round_ = Round(
            partition=state.partition,
            number=state.next_number,
            kind=stretch.kind,
            sealed_at_us=stretch.sealed_at_us,
            incarnation=stretch.incarnation,
            first_offset=stretch.first_offset,
            next_offset=stretch.next_offset,
            last_record=stretch.last_record,
            files=files,
            entries=tuple(sorted(entries, key=lambda entry: entry.label)),
            placements=tuple(sorted(digest for digest, _ in placements)),
            previous=state.previous,
            tree_size=state.edge.size,
            range_hashes=state.edge.hashes,
            reason=stretch.reason,
        )
        body = ROUND.encode(round_)
        after = state.copy()
        after.apply(round_, body, raw, list(statements))
        for digest, placement in sorted(placements, key=lambda pair: pair[0]):
            after.apply_placement(placement, digest)
        signed = sign(body, self._signer(stretch.sealed_at_us))
        if not self._store.put(names.round_name(state.partition, round_.number), signed):
            raise Fenced(f"partition {state.partition}: round {round_.number} was published by another sealer")
        return Published(round_, after, sum(file.bytes for file in files))

    def _write_files(self, state: PartitionState, draft: Draft) -> tuple[File, ...]:
        """Events, contents and statements, side by side: encoding, hashing and disk leave the interpreter free."""
        tables = [
            (role, table) for role, table in ((EVENTS, draft.events), (CONTENTS, draft.contents)) if table is not None
        ]
        with ThreadPoolExecutor(max_workers=2) as pool:
            files = tuple(pool.map(lambda pair: self._write_table(state, *pair), tables))
        bundle = self._write(state, STATEMENTS, draft.bundle, len(draft.statements))
        check_bytes(self._store.read(bundle.name), bundle.sha256, bundle.name)
        return (*files, bundle)

    def _write_table(self, state: PartitionState, role: str, table: pa.Table) -> File:
        file = self._write(state, role, to_parquet(table, self._row_group_rows), table.num_rows)
        self._read_back(file, table)
        return file

    def _write(self, state: PartitionState, role: str, data: bytes, rows: int) -> File:
        digest = sha256(data).digest()
        name = names.segment_name(state.partition, role, state.next_number, digest)
        self._store.put(name, data)
        return File(role, name, digest, len(data), rows)

    def _read_back(self, file: File, table: pa.Table) -> None:
        """What stands on disk must be what was meant: every byte of the file, and the evidence in it.

        Typed columns are made from the payloads and can be made again; they are not compared here. (A payload may hold
        a number that is not one, which Arrow never finds equal to itself.)
        """
        data = self._store.read(file.name)
        check_bytes(data, file.sha256, file.name)
        columns = [name for name in table.column_names if name in _EVIDENCE]
        expected = table.select(columns)
        if not from_parquet(data, file.name, columns).cast(expected.schema).equals(expected):
            raise IntegrityError(f"{file.name}: reads back as another table than was written")

    def sign_checkpoints(self, published: Published, rounds_origin: str, origins: dict[bytes, str]) -> None:
        """Signs the checkpoints of the rounds and of every log the round touched. `origins` by log id."""
        state = published.state
        checkpoints = [Checkpoint(rounds_origin, state.edge.size, state.edge.root())]
        for log_id, origin in sorted(origins.items(), key=lambda pair: pair[1]):
            head = state.head(log_id)
            checkpoints.append(Checkpoint(origin, head.edge.size, head.edge.root()))
        try:
            signer = self._signer(published.round.sealed_at_us)
        except IntegrityError:
            # An old round's, whose key is gone: no key that is good today was good then. The next round has its own.
            return
        notes = tuple(
            sign_checkpoint(each, NoteSigner(each.origin, signer.public_key, signer.sign)) for each in checkpoints
        )
        name = names.checkpoints_name(state.partition, published.round.number)
        try:
            self._store.put(name, CHECKPOINTS.encode(Checkpoints(notes)))
        except Unavailable:
            # Derived: the round stands without them, and they are signed again when the partition is opened.
            return
