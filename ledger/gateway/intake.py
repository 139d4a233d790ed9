"""A call's events, from the bytes that came to signed batches. No network, no waiting but for the key store.

For each event: parse, check and take apart, check sizes, carry out the capture policy, which may find something wrong.
For all of them at once: acquire keys. Then for each: the submission digest tells whether it came before; if not, it is
assembled (encrypted, encoded). What is new is grouped by the log that takes it and cut into batches.

What an event ends in stands in `ledger.gateway.verdicts`. The policy's findings are about events that were taken, and
come in batches of their own: an event is acknowledged only when its findings are durable too.

All this is work for a processor: it runs in worker threads, and is safe for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from threading import local
from typing import Literal

from ledger.errors import IntegrityError, Rejected, Unavailable
from ledger.gateway.batches import Batch, BatchCutter, ReadyEvent, TooLarge
from ledger.gateway.capturing import Captured, Capturer
from ledger.gateway.clock import ReceptionClock
from ledger.gateway.faults import report_fault
from ledger.gateway.remembered import Remembered, RememberedEvents
from ledger.gateway.reserved import check_writer
from ledger.gateway.verdicts import CONFLICT, UNDETERMINED, Again, Failed, Known, Prepared, Refused, Taken, Verdict
from ledger.keys.provider import Grant, HolderRef, KeyProvider
from ledger.record.assemble import (
    ContentLimits,
    Needs,
    Reception,
    assemble,
    check_sizes,
    digest_of,
    month_of,
    needs,
)
from ledger.record.capture import Capture
from ledger.record.content import STORED_BYTES_MAX, ContentSealer
from ledger.record.erased import concerns, encoding_of_erased, renamed_slots, without
from ledger.record.submission import parse_submission, submission_bytes
from ledger.record.translate import Submission, translate
from ledger.tenants import Tenant
from ledger.v1 import event_pb2 as pb

OWN_LIMITS = ContentLimits(content_bytes_max=STORED_BYTES_MAX)
"""For the ledger's own events: what it has to say must not fail on what producers are allowed."""


@dataclass(frozen=True, slots=True)
class IntakeRules:
    """What is the same for every event of a gateway."""

    limits: ContentLimits
    event_bytes_max: int
    gateway_id: str
    gateway_build: str


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who sends, as authenticated. `is_ledger`: one of the ledger's own processes.

    `kinds` of event that he may send, None for all.
    """

    submitted_by: str
    authentication_method: Literal["none", "mtls", "jwt", "local"]
    is_ledger: bool = False
    kinds: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class _Read:
    """An event that passed every check of its own, and what is kept of it."""

    index: int
    submission: Submission
    encoded: bytes
    capture: Capture
    needs: Needs
    findings: tuple[pb.Event, ...] = ()


@dataclass(slots=True)
class _Call:
    """One call in work. Findings have indexes behind those of the events."""

    tenant: Tenant
    submitter: Submitter
    received_at_us: int
    verdicts: dict[int, Verdict]


class Intake:
    """Prepares calls for one gateway."""

    def __init__(
        self,
        rules: IntakeRules,
        keys: KeyProvider,
        capturer: Capturer,
        cutter: BatchCutter,
        remembered: RememberedEvents,
        clock: ReceptionClock,
    ) -> None:
        self._rules = rules
        self._keys = keys
        self._capturer = capturer
        self._cutter = cutter
        self._remembered = remembered
        self._clock = clock
        self._threads = local()

    def prepare(self, tenant: Tenant, events: Sequence[bytes], submitter: Submitter) -> Prepared:
        """What becomes of each event. Raises what the key store raises: `Unavailable`, `IntegrityError`."""
        call = _Call(tenant, submitter, self._clock.now_us(), {})
        read = self._read(call, events)
        batches: list[Batch] = []
        self._take(call, read, batches)
        beside = self._take_findings(call, read, batches) if any(each.findings for each in read) else {}
        return Prepared(tuple(call.verdicts[index] for index in range(len(events))), tuple(batches), beside)

    def _take(self, call: _Call, read: list[_Read], batches: list[Batch]) -> None:
        """Gives every event its verdict; adds the batches of what is new."""
        grant, read = self._acquire(call, read)
        if read:
            self._cut(call, *self._assemble(call, read, grant), batches)

    def _take_findings(self, call: _Call, read: list[_Read], batches: list[Batch]) -> dict[int, tuple[int, ...]]:
        """Adds the batches of the findings about events that are taken, or were before; by event, which they are."""
        month, index = month_of(call.received_at_us), len(call.verdicts)
        about: dict[int, int] = {}
        findings: list[_Read] = []
        for each in read:
            if isinstance(call.verdicts[each.index], (Taken, Known)):
                for event in each.findings:
                    submission = translate(event)
                    capture = self._capturer.capture(call.tenant.name, submission).capture
                    needed = needs(submission, capture, month)
                    findings.append(_Read(index, submission, submission_bytes(event), capture, needed))
                    about[index] = each.index
                    index += 1
        self._take(call, findings, batches)
        beside: dict[int, tuple[int, ...]] = {}
        for finding, event_index in about.items():
            verdict = call.verdicts[finding]
            if isinstance(verdict, Taken):
                beside[event_index] = (*beside.get(event_index, ()), verdict.batch)
            elif not isinstance(verdict, Known):
                # The event itself may become durable: sent again it is known, and its finding is tried again.
                fault = verdict.fault_id if isinstance(verdict, Failed) else "finding"
                call.verdicts[event_index] = Failed(fault)
        return beside

    def _read(self, call: _Call, events: Sequence[bytes]) -> list[_Read]:
        """The events that are right in themselves; the others get their verdict."""
        limits, month = self._rules.limits, month_of(call.received_at_us)
        read: list[_Read] = []
        for index, data in enumerate(events):
            stage: Literal["size", "parse", "check", "content_size"] = "size"
            try:
                if len(data) > self._rules.event_bytes_max:
                    raise Rejected("", f"at most {self._rules.event_bytes_max} bytes an event, got {len(data)}")
                stage = "parse"
                event, encoded = parse_submission(data)
                stage = "check"
                submission = translate(event)
                check_writer(submission, call.submitter.is_ledger, call.submitter.kinds)
                stage = "content_size"
                check_sizes(submission, OWN_LIMITS if call.submitter.is_ledger else limits)
                captured = self._capture(call, submission)
                wanted = needs(submission, captured.capture, month)
                read.append(_Read(index, submission, encoded, captured.capture, wanted, captured.findings))
            except Rejected as refusal:
                call.verdicts[index] = Refused(refusal.field, refusal.reason, stage)
            except (Unavailable, IntegrityError):
                raise
            except Exception as error:
                call.verdicts[index] = Failed(report_fault(error, f"an event could not be read ({stage})"))
        return read

    def _capture(self, call: _Call, submission: Submission) -> Captured:
        if call.submitter.is_ledger and submission.kind == "change":
            return self._capturer.whole(call.tenant.name, submission)
        return self._capturer.capture(call.tenant.name, submission)

    def _acquire(self, call: _Call, read: list[_Read]) -> tuple[Grant, list[_Read]]:
        """The keys of all events, and the events that have theirs."""
        if not read:
            return Grant({}, {}), read
        try:
            grant = self._acquire_together(call.tenant, read)
        except Rejected:
            # One identifier that the key store won't have; find the events that name it.
            grant, read = self._acquire_one_by_one(call, read)
        while grant.suppressed:
            grant, read = self._without_erased(call, grant, read)
        return grant, read

    def _without_erased(self, call: _Call, grant: Grant, read: list[_Read]) -> tuple[Grant, list[_Read]]:
        """The same events without the persons who are being erased, or were: `ledger.record.erased`."""
        month, suppressed = month_of(call.received_at_us), grant.suppressed
        left = [_erased(each, suppressed, month) if concerns(each.submission, suppressed) else each for each in read]
        more = self._acquire_together(call.tenant, [new for old, new in zip(read, left, strict=True) if new is not old])
        return Grant({**grant.holders, **more.holders}, {**grant.scopes, **more.scopes}, more.suppressed), left

    def _acquire_together(self, tenant: Tenant, read: Iterable[_Read]) -> Grant:
        all_needs = [each.needs for each in read]
        return self._keys.acquire(
            tenant.name,
            dict.fromkeys(holder for each in all_needs for holder in each.holders),
            dict.fromkeys(scope for each in all_needs for scope in each.scopes),
            dict.fromkeys(link for each in all_needs for link in each.links),
        )

    def _acquire_one_by_one(self, call: _Call, read: list[_Read]) -> tuple[Grant, list[_Read]]:
        together = Grant({}, {})
        granted = []
        for each in read:
            try:
                grant = self._acquire_together(call.tenant, (each,))
            except Rejected as refusal:
                call.verdicts[each.index] = Refused(refusal.field or "persons", refusal.reason, "person")
            else:
                together = Grant(
                    {**together.holders, **grant.holders},
                    {**together.scopes, **grant.scopes},
                    together.suppressed | grant.suppressed,
                )
                granted.append(each)
        return together, granted

    def _assemble(
        self, call: _Call, read: list[_Read], grant: Grant
    ) -> tuple[dict[int, list[ReadyEvent]], dict[int, str]]:
        """By shard, the events that are new, in canonical form; and by index, what is to be said of some of them."""
        tenant, limits = call.tenant, OWN_LIMITS if call.submitter.is_ledger else self._rules.limits
        known = self._known(tenant, read)
        receptions = [self._reception(call, log.shard) for log in tenant.logs]
        ready: dict[int, list[ReadyEvent]] = {}
        reasons: dict[int, str] = {}
        in_call: dict[bytes, list[tuple[tuple[bytes, bytes], int]]] = {}
        for each in read:
            event_id = each.submission.event_id
            try:
                digest = digest_of(each.submission, each.encoded, grant, tenant.name)
                repeat, reason = _compare(digest, known.get(event_id, ()), in_call.get(event_id, ()))
                if repeat is not None:
                    call.verdicts[each.index] = repeat
                    continue
                shard = tenant.log_of(event_id).shard
                event = assemble(
                    each.submission, digest, grant, each.capture, receptions[shard], limits, self._sealer()
                )
            except IntegrityError:
                raise
            except Exception as error:
                call.verdicts[each.index] = Failed(report_fault(error, "an event could not be assembled"))
                continue
            in_call.setdefault(event_id, []).append((digest, each.index))
            ready.setdefault(shard, []).append(ReadyEvent(each.index, event, call.received_at_us))
            if reason:
                reasons[each.index] = reason
        return ready, reasons

    def _cut(
        self, call: _Call, ready: dict[int, list[ReadyEvent]], reasons: dict[int, str], batches: list[Batch]
    ) -> None:
        """Adds the batches of each log; their events get their verdict."""
        for shard, events in ready.items():
            for piece in self._cutter.cut(call.tenant.logs[shard], events):
                if isinstance(piece, TooLarge):
                    reason = f"takes {piece.size_bytes} bytes in the event log, at most {piece.room_bytes} fit"
                    call.verdicts[piece.index] = Refused("", reason, "batch_size")
                    continue
                for each in piece.events:
                    taken = Taken(len(batches), each.event.leaf_hash, reasons.get(each.index, ""))
                    call.verdicts[each.index] = taken
                batches.append(piece)

    def _known(self, tenant: Tenant, read: list[_Read]) -> dict[bytes, tuple[Remembered, ...]]:
        """By event id, what was acknowledged before under it."""
        ids = [each.submission.event_id for each in read]
        if len(tenant.logs) == 1:
            return self._remembered.find(tenant.logs[0].log_id, ids)
        by_log: dict[bytes, list[bytes]] = {}
        for event_id in ids:
            by_log.setdefault(tenant.log_of(event_id).log_id, []).append(event_id)
        known: dict[bytes, tuple[Remembered, ...]] = {}
        for log_id, some in by_log.items():
            known |= self._remembered.find(log_id, some)
        return known

    def _reception(self, call: _Call, shard: int) -> Reception:
        return Reception(
            call.tenant.name,
            shard,
            call.received_at_us,
            self._rules.gateway_id,
            self._rules.gateway_build,
            call.submitter.submitted_by,
            call.submitter.authentication_method,
        )

    def _sealer(self) -> ContentSealer:
        """This thread's: a sealer's compressor is for one thread."""
        sealer: ContentSealer | None = getattr(self._threads, "sealer", None)
        if sealer is None:
            sealer = self._threads.sealer = ContentSealer()
        return sealer


def _erased(read: _Read, suppressed: frozenset[HolderRef], month: str) -> _Read:
    submission, renamed = without(read.submission, suppressed)
    capture = replace(read.capture, contents=renamed_slots(read.capture.contents, renamed))
    encoded = encoding_of_erased(submission.event_id)
    return _Read(read.index, submission, encoded, capture, needs(submission, capture, month))


def _compare(
    digest: tuple[bytes, bytes],
    known: Sequence[Remembered],
    in_call: Sequence[tuple[tuple[bytes, bytes], int]],
) -> tuple[Known | Again | None, str]:
    """Which earlier event this one repeats; or what is to be said of it when its id came with another body."""
    if not known and not in_call:
        return None, ""
    for first in known:
        if (first.submission_digest, first.submission_key_id) == digest:
            return Known(first), ""
    for earlier, index in in_call:
        if earlier == digest:
            return Again(index), ""
    key_ids = {*(first.submission_key_id for first in known), *(earlier[1] for earlier, _ in in_call)}
    return None, CONFLICT if digest[1] in key_ids else UNDETERMINED
