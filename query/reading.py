"""Reading sealed events for one question: one tenant, one moment, one snapshot, everything counted.

A `Reading` answers from a single snapshot of what the rounds vouch for. It never leaves its tenant's logs, with one
exception that `org_changes` makes: the Changes of an artifact in `_org`'s log, and nothing else of it, and only those
whose scope names the tenant or everybody. *As known at* T it sees only what was sealed by then.

`openable` bounds whose contents are opened (an auditor's sample); None opens all.

It finds events by the look-up index, compares each with what was asked for, proves them, and opens contents; and it
counts what it showed, for the Access event that precedes the answer.

What belongs to a question is found among more events than an answer may hold (a busy person's, of whom a day is asked):
the first `EVENTS_MAX` are kept whole, of the others only their outlines, until `whole` is asked for some.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from ledger.errors import IntegrityError, Rejected
from ledger.keys.provider import ScopeKeys
from ledger.record.content import OpenedContent
from ledger.record.payload import decode_payload
from ledger.tenants import ORG, Tenant, TenantLog, TenantRegistry
from ledger.tlog.checkpoint import Checkpoint
from query.checkpoints import CheckpointReader
from query.contents import CLOSED, NOT_GRANTED, ContentReader
from query.erased import explained
from query.evidence import EPOCH, SealedEvent, closed_contents, moment
from query.files import VouchedFiles
from query.log_view import LogView
from query.lookup import LookupIndex
from query.lookup_keys import KeyKind, artifact_value
from query.proving import Prover
from query.rows import RowReader, SealedRow
from query.story import SignedCheckpoint
from query.view import LedgerView, Snapshot

EVENTS_MAX = 10_000
"""At most this many events take part in one answer."""
LOOKED_AT_MAX = 100_000
"""At most this many are looked at for one answer, those among them that happened outside its window."""
_CHUNK = 1_000


class UnknownTenant(Rejected):
    """There is no such tenant."""


class TenantDeleted(UnknownTenant):
    """The tenant was deleted, or is being: told to who may ask about it, who alone gets here."""


class UnknownEvent(Rejected):
    """No such event is sealed in the tenant, or none was by then: asked rightly, but there is nothing to show."""

    exit_code = 1


@dataclass(frozen=True, slots=True)
class Sources:
    """Where answers come from."""

    view: LedgerView
    files: VouchedFiles
    index: LookupIndex
    rows: RowReader
    prover: Prover
    contents: ContentReader
    checkpoints: CheckpointReader
    keys: ScopeKeys
    tenants: TenantRegistry


@dataclass(slots=True)
class Touched:
    """What an answer showed: events, by log and index, and how many contents were decrypted."""

    events: set[tuple[bytes, int]] = field(default_factory=set)
    decrypted: int = 0


class Reading:
    """One question's view of one tenant. Not for several threads at once."""

    def __init__(
        self,
        sources: Sources,
        tenant: str,
        known_at: datetime | None = None,
        openable: frozenset[bytes] | None = None,
    ) -> None:
        found = sources.tenants.get(tenant)
        if found is None:
            raise UnknownTenant("tenant", "there is no such tenant")
        if found.state != "open":
            ended = "was deleted; its final statement says what it held"
            raise TenantDeleted("tenant", f"{tenant} {ended if found.state == 'deleted' else 'is being deleted'}")
        self.tenant: Tenant = found
        self.known_at = known_at
        self._openable = openable
        self.snapshot: Snapshot = sources.view.refresh()
        self.touched = Touched()
        self._loaded: dict[tuple[bytes, int], SealedEvent] = {}
        self._outlines: dict[tuple[bytes, int], SealedEvent] = {}
        self._sources = sources
        self._known_at_us = None if known_at is None else (known_at - EPOCH) // timedelta(microseconds=1)

    def pseudonym(self, identifier: str) -> bytes | None:
        """The pseudonym of a person of this tenant, where she has one."""
        return self._sources.keys.pseudonym(self.tenant.name, identifier)

    def find(self, kind: KeyKind, value: bytes | str) -> list[SealedEvent]:
        """Every event of the tenant under this value, in the order of shard and index; neither proven nor opened."""
        return self._find(self.tenant.logs, [(kind, value)])[0]

    def find_each(self, wanted: Sequence[tuple[KeyKind, bytes | str]]) -> list[list[SealedEvent]]:
        """`find` for several values at once."""
        return self._find(self.tenant.logs, wanted)

    def outlines(self, wanted: Sequence[tuple[KeyKind, bytes | str]]) -> list[list[SealedEvent]]:
        """The same, of up to `LOOKED_AT_MAX` events; those beyond `EVENTS_MAX` are outlines."""
        return self._find(self.tenant.logs, wanted, outlined=True)

    @staticmethod
    def check_looked_at(count: int) -> None:
        """`Rejected` where a question leads to more events than are looked at."""
        if count > LOOKED_AT_MAX:
            raise _too_many(LOOKED_AT_MAX)

    def whole(self, events: Sequence[SealedEvent]) -> list[SealedEvent]:
        """The same events, whole. `Rejected` where they are more than an answer may hold."""
        if len(events) > EVENTS_MAX:
            raise _too_many(EVENTS_MAX)
        for log, own in _by_log([each for each in events if each.is_outline]).items():
            self._load(log, self.log_view(log), [each.index for each in own])
        return [self._loaded[each.log.log_id, each.index] if each.is_outline else each for each in events]

    def org_changes(self, artifact_kind: str, artifact_id: str) -> list[SealedEvent]:
        """The Changes of an artifact, from `_org` where they concern this tenant, and from the tenant's own log."""
        value = artifact_value(artifact_kind, artifact_id)
        found = self.find("artifact", value)
        if self.tenant.name != ORG:
            org = self._sources.tenants.get(ORG)
            theirs = self._find(org.logs, [("artifact", value)])[0] if org is not None else []
            found += [event for event in theirs if self._concerns(event)]
        return found

    def unknown_event(self, field: str, event_id: bytes) -> UnknownEvent:
        """What to raise when the tenant has no such event; `field` is the argument that named it."""
        then = "is sealed" if self.known_at is None else f"had been sealed by {self.known_at.isoformat()}"
        return UnknownEvent(field, f"no event {UUID(bytes=event_id)} {then} in tenant {self.tenant.name}")

    def load(self, log: TenantLog, indexes: Iterable[int]) -> list[SealedEvent]:
        """Events of one of the tenant's logs by index; those not yet known then are left out."""
        if log.tenant != self.tenant.name:
            raise ValueError(f"log {log.log_id.hex()} is not one of tenant {self.tenant.name}")
        return self._load(log, self.log_view(log), indexes)

    def log_view(self, log: TenantLog) -> LogView:
        """What the snapshot knows of a log."""
        return self.snapshot.log(log.log_id, log.partition)

    def known_size(self, view: LogView) -> int:
        """How many of a log's events were known then."""
        if self._known_at_us is None:
            return view.size
        return bisect_right(
            range(view.size), self._known_at_us, key=lambda index: self.snapshot.sealed_at_us(view, index)
        )

    def prove(self, events: Sequence[SealedEvent]) -> list[SealedEvent]:
        """The events with the state of their proofs, in the same order."""
        proofs = {}
        for log, own in _by_log(events).items():
            found = self._sources.prover.prove(self.log_view(log), [(each.index, each.leaf_hash) for each in own])
            proofs.update({(log.log_id, each.index): proof for each, proof in zip(own, found, strict=True)})
        self.touched.events.update((each.log.log_id, each.index) for each in events)
        return [replace(each, proof=proofs[each.log.log_id, each.index]) for each in events]

    def open(self, events: Sequence[SealedEvent], slots: Collection[str] | None = None) -> list[SealedEvent]:
        """The events with their contents opened, all or those in `slots`, in the same order.

        Where this reader may open only some events, the others stay closed and say so.
        """
        may = [each for each in events if self._openable is None or each.event_id in self._openable]
        opened = {}
        if len(may) < len(events):
            shut = (replace(each, contents=closed_contents(each.values, NOT_GRANTED)) for each in events)
            opened.update({(each.log.log_id, each.index): each for each in shut})
        for log, own in _by_log(may).items():
            result = self._sources.contents.open(self.log_view(log), own, slots)
            self.touched.decrypted += result.decrypted
            opened.update({(log.log_id, each.index): each for each in result.events})
        return explained(
            [opened[each.log.log_id, each.index] for each in events],
            lambda event, slot: self.log_view(event.log).placed.removed.get((event.index, slot)),
            lambda scope_ids: self._sources.keys.destroyed_by(self.tenant.name, scope_ids),
            self.find_each,
        )

    def open_one(self, event: SealedEvent, slot: str) -> tuple[OpenedContent | None, str | None]:
        """One content with the salt of its commitment; None and why where it does not open."""
        found = self._sources.contents.open_one(self.log_view(event.log), event, slot)
        self.touched.decrypted += found[0] is not None
        return found

    def checkpoint_over(self, event: SealedEvent) -> tuple[Checkpoint, str] | None:
        """The newest signed checkpoint that covers an event, and its note."""
        return self._sources.checkpoints.newest(self.snapshot, event.log, event.index + 1)

    def inclusion(self, event: SealedEvent, checkpoint: Checkpoint) -> list[bytes]:
        """The event's inclusion proof under a checkpoint, checked."""
        view = self.log_view(event.log)
        return self._sources.prover.inclusion(view, event.index, checkpoint.size, event.leaf_hash, checkpoint.root)

    def checkpoints(self, events: Iterable[SealedEvent]) -> tuple[SignedCheckpoint, ...]:
        """The newest signed checkpoints of the logs these events stand in."""
        return self._sources.checkpoints.of(self.snapshot, {event.log for event in events})

    def _concerns(self, event: SealedEvent) -> bool:
        scope = event.body["tenants"]
        return not scope or self.tenant.name in scope

    def _find(
        self, logs: Sequence[TenantLog], wanted: Sequence[tuple[KeyKind, bytes | str]], *, outlined: bool = False
    ) -> list[list[SealedEvent]]:
        most = LOOKED_AT_MAX if outlined else EVENTS_MAX
        found: list[list[SealedEvent]] = [[] for _ in wanted]
        for log in logs:
            view = self.log_view(log)
            candidates = self._sources.index.find_each(self.snapshot, view, wanted)
            every = sorted({index for indexes in candidates for index in indexes})
            loaded: dict[int, SealedEvent] = {}
            for at in range(0, len(every), _CHUNK):
                chunk = self._load(log, view, every[at : at + _CHUNK], outlined=outlined)
                loaded.update((event.index, event) for event in chunk)
                if len(loaded) > most:
                    raise _too_many(most)
            for own, (kind, value), indexes in zip(found, wanted, candidates, strict=True):
                events = (loaded[index] for index in indexes if index in loaded)
                own += [event for event in events if is_under(event, kind, value)]
        return found

    def _load(
        self, log: TenantLog, view: LogView, indexes: Iterable[int], *, outlined: bool = False
    ) -> list[SealedEvent]:
        known = [(log.log_id, index) for index in indexes if self._is_known(view, index)]
        new = [each for each in known if each not in self._loaded and not (outlined and each in self._outlines)]
        if new:
            repeated = self._repeated(view)
            for row in self._sources.rows.events(self.snapshot, view, [index for _, index in new]):
                event = _event(log, row, repeated.get(row.index, ()))
                if outlined and len(self._loaded) >= EVENTS_MAX:
                    self._outlines[log.log_id, row.index] = event.outline()
                else:
                    self._loaded[log.log_id, row.index] = event
        return [self._loaded.get(each) or self._outlines[each] for each in known]

    def _repeated(self, view: LogView) -> dict[int, tuple[tuple[int, str], ...]]:
        """For each event whose id was sealed again, as far as that is known: where, and how that differs."""
        found: dict[int, tuple[tuple[int, str], ...]] = {}
        for index, seen in view.marks.items():
            if self._is_known(view, index):
                found[seen.first_index] = (*found.get(seen.first_index, ()), (index, seen.kind))
        return found

    def _is_known(self, view: LogView, index: int) -> bool:
        return self._known_at_us is None or self.snapshot.sealed_at_us(view, index) <= self._known_at_us


def is_under(event: SealedEvent, kind: KeyKind, value: bytes | str) -> bool:
    """Whether an event is one that `value` finds, by its payload."""
    values, body = event.values, event.body
    match kind:
        case "person":
            return value in event.persons
        case "session":
            return bool(values["session_id"] == value)
        case "correlation":
            return bool(values["correlation_id"] == value)
        case "event":
            return event.event_id == value
        case "operation":
            return bool(values["operation_id"] == value)
        case "reference":
            return value in references(event)
        case "artifact":
            return event.kind == "change" and artifact_value(body["artifact_kind"], body["artifact_id"]) == value
        case "kind":
            return event.kind == value


def references(event: SealedEvent) -> set[bytes]:
    """The ids of the events that an event refers to."""
    values, body = event.values, event.body
    found = {values["amends_event_id"], values["parent_event_id"]}
    if event.kind == "tool_call":
        found.add(body["requested_by_event_id"])
    elif event.kind == "decision":
        found.update(body["request_event_ids"])
    elif event.kind == "finding":
        found.update(body["evidence_event_ids"])
    return {bytes(each) for each in found if each is not None}


def _too_many(most: int) -> Rejected:
    less = "ask for less: a shorter time, a session, a correlation id or an event"
    return Rejected("selector", f"leads to more than {most} events; {less}")


def _event(log: TenantLog, row: SealedRow, repeated_at: tuple[tuple[int, str], ...]) -> SealedEvent:
    values = decode_payload(row.payload)
    if (values["tenant"], values["shard"]) != (log.tenant, log.shard):
        # Contents and pseudonyms are bound to the tenant that the payload names: nothing of it may be shown here.
        raise IntegrityError(f"log {log.log_id.hex()}, index {row.index}: its payload is of another log")
    return SealedEvent(
        log=log,
        index=row.index,
        round=row.round,
        sealed_at=moment(row.sealed_at_us),
        leaf_hash=row.leaf_hash,
        payload=row.payload,
        values=values,
        mark=row.log.marks.get(row.index),
        repeated_at=repeated_at,
        contents=closed_contents(values, CLOSED),
    )


def _by_log(events: Sequence[SealedEvent]) -> dict[TenantLog, list[SealedEvent]]:
    found: dict[TenantLog, list[SealedEvent]] = {}
    for event in events:
        found.setdefault(event.log, []).append(event)
    return found
