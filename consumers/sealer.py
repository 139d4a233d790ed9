"""One partition's rounds.

A round goes in this order, and a crash leaves:

1. the anchor is checked and the stretch read (`consumers.reader`), admitted, identified, laid out: nothing is written;
2. events, contents and statements are written under names that hold the round's number and their digests, and read
   back: orphans, which fsck names;
3. the round is signed and published with put-if-absent under its number: **the commit**. Of two sealers racing one
   wins, the other is done (`Fenced`);
4. the round is remembered apart from the rounds (`ledger.newest_rounds`), and derived files follow (id index,
   checkpoints): a crash before that costs a catch-up at the next start.

A partition's first round is published at once, empty if need be: from then on, that it has none is a loss that shows.

Nothing that was published is ever written again. After any error a sealer has nothing worth keeping: whoever goes on
opens it anew from the published rounds. An `IntegrityError` stops the partition until a person has looked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from consumers import stretch
from consumers.admission import Admission, FindLog
from consumers.assembly import Draft, draft, seen_rows, with_findings
from consumers.catch_up import catch_up, no_identities
from consumers.id_index import IdIndex
from consumers.identity import identify
from consumers.proposals import Proposals
from consumers.publication import Publication, Published, Stretch
from consumers.quarantine import findings
from consumers.reader import ReadLimits, StretchReader
from ledger.errors import IntegrityError
from ledger.keys.provider import KeyProvider
from ledger.log.interface import EventLog, record_digest
from ledger.newest_rounds import NewestRound, NewestRounds
from ledger.segments import names
from ledger.segments.history import History
from ledger.segments.objects import FileStore
from ledger.segments.placement import Placement
from ledger.segments.round import HEARTBEAT, ORDINARY
from ledger.segments.state import PartitionState
from ledger.tenants import PartitionLogs, TenantLog
from ledger.trust import TrustedKeys
from ledger.trust.current_signer import Signers


def now_us() -> int:
    """Unix microseconds."""
    return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True)
class SealerLimits:
    """When a round ends: by rows, by bytes of keys and values, by age of its first record; and an idle one's beat."""

    round_rows_max: int = 50_000
    round_bytes_max: int = 64 * 1024 * 1024
    round_age_ms: int = 1_000
    heartbeat_s: float = 60.0
    row_group_rows: int = 16_384
    trim: bool = False


@dataclass(frozen=True, slots=True)
class SealerParts:
    """What a sealer works with. `trust` and the logs are asked anew each time: keys and tenants come while it runs.

    `has_ended`: whether nothing of a tenant is taken any more: it is being deleted and its last event is sealed.
    """

    store: FileStore
    log: EventLog
    incarnation: bytes
    logs: PartitionLogs
    trust: Callable[[], TrustedKeys]
    find_log: FindLog
    log_by_id: Callable[[bytes], TenantLog | None]
    newest: NewestRounds
    keys: KeyProvider
    signer: Signers
    index: IdIndex
    build: str
    clock_us: Callable[[], int] = now_us
    has_ended: Callable[[str], bool] = lambda tenant: False


def check_signer(parts: SealerParts, at_us: int) -> None:
    """`IntegrityError` unless the trust holds our key now: a round that nobody believes could never be taken back."""
    sealed_at = datetime.fromtimestamp(at_us / 1_000_000, UTC)
    parts.trust().key("ledger", parts.signer(at_us).verifier_key.key_id, sealed_at)


@dataclass(frozen=True, slots=True)
class RoundOutcome:
    """What a published round held."""

    number: int
    records: int
    events: int
    repeats: int = 0
    conflicts: int = 0
    undetermined: int = 0
    quarantined: int = 0
    logs: int = 0
    placements: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class _Plan:
    """A stretch, ready to be written."""

    draft: Draft | None
    quarantined: int
    length: int
    next_offset: int
    last_record: bytes
    kind: int = ORDINARY
    placements: tuple[tuple[bytes, Placement], ...] = field(default=())


class PartitionSealer:
    """Seals one partition. `open` first, then `seal_once` as often as wanted, one at a time."""

    def __init__(self, parts: SealerParts, limits: SealerLimits) -> None:
        self._parts = parts
        self._limits = limits
        self.partition = parts.logs.partition
        self.state = PartitionState(self.partition)
        self._reader = StretchReader(parts.log, self.partition)
        self._admission = Admission(self.partition, parts.incarnation, parts.trust, parts.find_log, self._has_ended)
        self._publication = Publication(parts.store, parts.signer, limits.row_group_rows)
        self._proposals = Proposals(parts.store, self.partition)
        self._published_s = time.monotonic()

    async def open(self) -> None:
        """Follows the published rounds, catches the derived files up, checks the event log against the last round."""
        await asyncio.to_thread(self._follow)
        await self._reader.check_anchor(self.state)

    async def seal_once(self, *, wait_s: float, fill: bool = True) -> RoundOutcome | None:
        """Seals the next stretch; None when there was nothing to seal within `wait_s`.

        `fill`: let a round fill up to its age; otherwise what is there is sealed at once.
        """
        await self._reader.check_anchor(self.state)
        limits = ReadLimits(
            self._limits.round_rows_max,
            self._limits.round_bytes_max,
            self._limits.round_age_ms / 1_000 if fill else 0.0,
        )
        records, cut = await self._reader.read(self.state, limits, wait_s)
        placements = await asyncio.to_thread(self._proposals.acceptable, self.state, self._parts.trust())
        at_us = max(self._parts.clock_us(), self.state.sealed_at_us)
        if not records:
            idle_s = time.monotonic() - self._published_s
            if self.state.next_number and not placements and idle_s < self._limits.heartbeat_s:
                return None
            kind = ORDINARY if placements else HEARTBEAT
            plan = _Plan(None, 0, 0, self.state.next_offset, self.state.last_record, kind, placements)
            return await asyncio.to_thread(self._commit, plan, at_us)
        await self._reader.check_anchor(self.state)
        last = records[cut.length - 1]
        draft_, quarantined = await asyncio.to_thread(self._lay_out, cut, at_us)
        plan = _Plan(
            draft_,
            quarantined,
            cut.length,
            last.offset + 1,
            record_digest(last.record),
            placements=placements,
        )
        outcome = await asyncio.to_thread(self._commit, plan, at_us)
        if self._limits.trim:
            # A log made anew in the meantime would lose records that were never sealed.
            await self._reader.check_anchor(self.state)
            await self._parts.log.trim(self.partition, self.state.next_offset - 1)
        return outcome

    def _follow(self) -> None:
        parts = self._parts
        state = PartitionState(self.partition)
        # Read before the rounds are listed: another sealer may be publishing.
        remembered = parts.newest.get(self.partition)
        newest = catch_up(
            History(parts.store, self.partition, parts.trust()), state, parts.store, parts.index, remembered
        )
        if state.incarnation not in (None, parts.incarnation):
            sealed_from = (state.incarnation or b"").hex()
            raise IntegrityError(
                f"partition {self.partition}: its rounds were sealed from event log {sealed_from}, this one is "
                f"{parts.incarnation.hex()}; only a new-epoch round ordered by an operator goes on"
            )
        self.state = state
        self._parts.index.forget(log_id for log_id, head in state.logs.items() if head.is_deleted)
        if newest is not None:
            self._remember(newest.round.number)
        if newest is not None and not parts.store.exists(names.checkpoints_name(self.partition, newest.round.number)):
            touched = [statement.log_id for statement in newest.statements]
            self._sign_checkpoints(Published(newest.round, state, 0), touched)

    def _lay_out(self, cut: stretch.Stretch, at_us: int) -> tuple[Draft | None, int]:
        admitted = self._admission.admit(cut)
        quarantined = len(admitted.quarantined)
        if quarantined:
            system = self._parts.logs.system_log
            kept = findings(admitted.quarantined, system, self._parts.keys, at_us, self._parts.build)
            admitted = with_findings(admitted, kept, system)
        seen = seen_rows(admitted)
        identified = identify(seen.seen, seen.ids, self._parts.index)
        return draft(self.state, admitted, seen, identified, at_us), quarantined

    def _commit(self, plan: _Plan, at_us: int) -> RoundOutcome:
        check_signer(self._parts, at_us)
        read = Stretch(
            plan.kind,
            at_us,
            self._parts.incarnation,
            self.state.next_offset,
            plan.next_offset,
            plan.last_record,
        )
        published = self._publication.publish(self.state, plan.draft, read, plan.placements)
        self.state = published.state
        self._published_s = time.monotonic()
        number = published.round.number
        self._remember(number)
        self._parts.index.add(number, plan.draft.seen if plan.draft else no_identities())
        statements = plan.draft.statements if plan.draft else ()
        self._parts.index.forget(placement.log_id for _, placement in plan.placements if placement.is_deletion)
        self._sign_checkpoints(published, [statement.log_id for statement in statements])
        self._proposals.settle(plan.placements)
        return RoundOutcome(
            number=number,
            records=plan.length,
            events=sum(statement.count for statement in statements),
            repeats=plan.draft.repeats if plan.draft else 0,
            conflicts=plan.draft.conflicts if plan.draft else 0,
            undetermined=plan.draft.undetermined if plan.draft else 0,
            quarantined=plan.quarantined,
            logs=len(statements),
            placements=len(plan.placements),
            bytes=published.bytes,
        )

    def _has_ended(self, log: TenantLog) -> bool:
        return self.state.head(log.log_id).is_deleted or self._parts.has_ended(log.tenant)

    def _remember(self, number: int) -> None:
        self._parts.newest.advance(self.partition, NewestRound(number, self.state.previous))

    def _sign_checkpoints(self, published: Published, log_ids: list[bytes]) -> None:
        origins = {log_id: log.origin for log_id in log_ids if (log := self._parts.log_by_id(log_id)) is not None}
        self._publication.sign_checkpoints(published, self._parts.logs.rounds_origin, origins)
