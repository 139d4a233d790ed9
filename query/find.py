"""Find: events by kind, time, vendor, model, tool or policy version. Metadata only; nothing is opened.

The typed columns of the tenant's rows are searched, row groups that hold no candidate skipped by their ranges; what is
found is decoded from its payload, compared again, and proven. The answer is bounded: the first `limit` events in the
order of the time they were received, and whether there are more. *As known at* T it finds only what was sealed by then.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from heapq import nsmallest
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ledger.errors import Rejected
from ledger.record.payload import KINDS
from ledger.tenants import TenantLog
from query import plain
from query.evidence import EPOCH, SealedEvent
from query.files import OpenFile, VouchedFiles
from query.order import merged
from query.reading import Reading
from query.story import Window

LIMIT_DEFAULT, LIMIT_MAX = 100, 10_000
EVER = Window()
_PLACE = ("log_id", "index", "received_at")


@dataclass(frozen=True, slots=True)
class Filters:
    """What must hold; None and () ask nothing. `model` is one asked for or one that answered."""

    kinds: tuple[str, ...] = ()
    window: Window = EVER
    vendor: str | None = None
    model: str | None = None
    tool: str | None = None
    policy_version: str | None = None

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown:
            raise Rejected("kinds", f"unknown kind {unknown[0]!r}, expected of {', '.join(KINDS)}")

    def matches(self, event: SealedEvent) -> bool:
        """Whether an event, by its payload, is what is asked for."""
        body, values = event.body, event.values
        asked = (merged((event,), "model_requested"), merged((event,), "model_answered"))
        policies = (values["capture_policy_version"], values["decision_policy_revision"])
        return (
            (not self.kinds or event.kind in self.kinds)
            and self.window.holds(event.at)
            and (self.vendor is None or (event.kind == "request" and body["vendor"] == self.vendor))
            and (self.model is None or (event.kind == "request" and self.model in asked))
            and (self.tool is None or (event.kind == "tool_call" and body["tool"] == self.tool))
            and (self.policy_version is None or self.policy_version in policies)
        )


@dataclass(frozen=True, slots=True)
class Finds:
    """The first events that match, in the order of their receipt, and whether there are more.

    `known_at` as asked; None: of all that is sealed.
    """

    events: tuple[SealedEvent, ...]
    more: bool
    known_at: datetime | None = None

    @property
    def proven(self) -> bool:
        """Whether every event of it is proven."""
        return all(event.proof.state == "proven" for event in self.events)

    def to_json(self) -> dict[str, Any]:
        """The whole answer for programs."""
        return {
            "known_at": plain.time_text(self.known_at),
            "events": [plain.event(each) for each in self.events],
            "more": self.more,
        }


def find(reading: Reading, files: VouchedFiles, filters: Filters, limit: int = LIMIT_DEFAULT) -> Finds:
    """The tenant's first `limit` events that match. `Rejected` for a limit that is none."""
    if not 1 <= limit <= LIMIT_MAX:
        raise Rejected("limit", f"expected 1 to {LIMIT_MAX}, got {limit}")
    places = nsmallest(limit + 1, _places(reading, files, filters))
    by_log: dict[int, list[int]] = {}
    for _, shard, index in places:
        by_log.setdefault(shard, []).append(index)
    logs = {log.shard: log for log in reading.tenant.logs}
    events = [event for shard, indexes in by_log.items() for event in reading.load(logs[shard], indexes)]
    events = [event for event in events if filters.matches(event)]
    events.sort(key=lambda event: (event.received_at, event.log.shard, event.index))
    return Finds(tuple(reading.prove(events[:limit])), len(events) > limit, reading.known_at)


def count(reading: Reading, files: VouchedFiles, filters: Filters) -> Counter[str]:
    """How many of the tenant's events match, by the class their producers declared.

    Counted by the typed columns of files that the rounds vouch for; `verify --full` compares those with the payloads.
    """
    counts: Counter[str] = Counter()
    for log in reading.tenant.logs:
        view = reading.log_view(log)
        for file, low, high in view.events_files(0, reading.known_size(view)):
            for table, at in _matches(files.open(file), log, (low, high), filters, ("declared_class",)):
                counts.update(str(each) for each in table.column("declared_class").take(at).to_pylist())
    return counts


def _places(reading: Reading, files: VouchedFiles, filters: Filters) -> Iterator[tuple[int, int, int]]:
    """(received, shard, index) of every row that matches by its columns."""
    for log in reading.tenant.logs:
        view = reading.log_view(log)
        end = reading.known_size(view)
        for file, low, high in view.events_files(0, end):
            yield from _search(files.open(file), log, (low, high), filters)


def _search(
    opened: OpenFile, log: TenantLog, bounds: tuple[int, int], filters: Filters
) -> Iterator[tuple[int, int, int]]:
    for table, at in _matches(opened, log, bounds, filters):
        indexes = table.column("index").to_numpy()
        received = table.column("received_at").cast(pa.int64()).to_numpy()
        for row in at:
            yield int(received[row]), log.shard, int(indexes[row])


def _matches(
    opened: OpenFile, log: TenantLog, bounds: tuple[int, int], filters: Filters, further: Sequence[str] = ()
) -> Iterator[tuple[pa.Table, npt.NDArray[np.intp]]]:
    """Of each row group that may hold some, its columns and which of its rows match by them."""
    columns = (*_PLACE, *_columns(filters), *further)
    for group in range(len(opened.ends)):
        if not _may_hold(opened, group, log, filters):
            continue
        table = opened.read(group, columns)
        indexes = table.column("index").to_numpy()
        own = (indexes >= bounds[0]) & (indexes < bounds[1]) & _mask(pc.equal(table.column("log_id"), log.log_id))
        yield table, np.flatnonzero(own & _matching(table, filters))


def _columns(filters: Filters) -> list[str]:
    found = ["kind"] if filters.kinds else []
    if filters.window != EVER:
        found.append("occurred_at")
    if filters.vendor is not None:
        found.append("request.vendor")
    if filters.model is not None:
        found += ["request.model_requested", "request.model_answered"]
    if filters.tool is not None:
        found.append("tool_call.tool")
    if filters.policy_version is not None:
        found += ["capture_policy_version", "decision_policy_revision"]
    return found


def _may_hold(opened: OpenFile, group: int, log: TenantLog, filters: Filters) -> bool:
    """Whether the ranges of a row group leave room for a match."""
    logs, kinds = opened.ranges("log_id")[group], opened.ranges("kind")[group]
    if logs is not None and not bytes(logs.low) <= log.log_id <= bytes(logs.high):
        return False
    if not filters.kinds or kinds is None:
        return True
    low, high = _text(kinds.low), _text(kinds.high)
    return any(low <= kind <= high for kind in filters.kinds)


def _matching(table: pa.Table, filters: Filters) -> npt.NDArray[np.bool_]:
    matching = np.ones(table.num_rows, bool)
    if filters.kinds:
        matching &= _mask(pc.is_in(table.column("kind"), pa.array(filters.kinds, table.column("kind").type)))
    if filters.window != EVER:
        at = pc.coalesce(table.column("occurred_at"), table.column("received_at")).cast(pa.int64()).to_numpy()
        start, end = filters.window.start, filters.window.end
        if start is not None:
            matching &= at >= _microseconds(start)
        if end is not None:
            matching &= at < _microseconds(end)
    for path, wanted in ((("request", "vendor"), filters.vendor), (("tool_call", "tool"), filters.tool)):
        if wanted is not None:
            matching &= _equal(table, path, wanted)
    if filters.model is not None:
        asked, answered = ("request", "model_requested"), ("request", "model_answered")
        matching &= _equal(table, asked, filters.model) | _equal(table, answered, filters.model)
    if filters.policy_version is not None:
        captured, decided = ("capture_policy_version",), ("decision_policy_revision",)
        matching &= _equal(table, captured, filters.policy_version) | _equal(table, decided, filters.policy_version)
    return matching


def _equal(table: pa.Table, path: Sequence[str], wanted: str) -> npt.NDArray[np.bool_]:
    column = table.column(path[0])
    for name in path[1:]:
        column = pc.struct_field(column, name)
    return _mask(pc.equal(column, wanted))


def _mask(column: Any) -> npt.NDArray[np.bool_]:
    """A boolean column, null taken for false."""
    found: npt.NDArray[np.bool_] = pc.fill_null(column, False).to_numpy(zero_copy_only=False).astype(bool)
    return found


def _microseconds(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def _text(value: Any) -> str:
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
