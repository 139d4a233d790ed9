"""Questions with accountability: each answer computed, its Access made durable, then given.

`Queries` is what the command line and the query service both call. An answer is worked out in a worker thread from one
snapshot; when a file it needs was superseded meanwhile by a compaction, it is worked out once more from a new one. Then
the Access is published (`query.access`), and only when that is durable the answer is returned.

Checkpoints tell nothing of anybody's data and are given without an Access.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from ledger import __version__
from ledger.config.settings import QueryConfig
from ledger.errors import Rejected, Unavailable
from query import coverage as covering
from query import find as finding
from query import plain, sql
from query.access import REASON_CHARACTERS_MAX, Accessed, AccessPublisher, AccessRecorder, QueryKind, Reader
from query.files import FileGone
from query.prove import Disclosable, Proven, disclosable, prove
from query.reading import Reading, Sources
from query.reconstruct import reconstruct
from query.replay import Replay, replay
from query.sandbox import SqlLimits, SqlResult
from query.story import Selector, SignedCheckpoint, Story, Window
from query.without_persons import without_persons

T = TypeVar("T")
EVER = Window()
WORKERS = 4
AT_WORK_MAX = 32
"""Answers being worked out or waiting for a worker, those whose callers gave up among them."""
BUSY_RETRY_MS = 200
SQL_AT_WORK_MAX = 2
"""SQL queries being worked out: of `WORKERS`, some are left for those who ask for something else."""
SQL_TEXT_BYTES_MAX = 100_000
"""Of one query: its Access keeps the text, and is an event that a gateway takes."""
SERVED_SQL_S = 45
SERVED_SQL_BYTES = 32 << 20


class Busy(Unavailable):
    """Too much is being worked out already."""


@dataclass(frozen=True, slots=True)
class QueryLimits:
    """What answers keep to. `tolerance`: how long before its sealing an event may claim to be without being flagged."""

    tolerance: timedelta = timedelta(hours=1)
    sql: SqlLimits = SqlLimits()  # noqa: RUF009 - frozen

    @classmethod
    def of(cls, config: QueryConfig) -> QueryLimits:
        """As configured."""
        return cls(
            timedelta(seconds=config.backdating_tolerance_s),
            SqlLimits(time_s=config.sql_time_s, memory_bytes=config.sql_memory_bytes, rows_max=config.sql_rows_max),
        )

    @classmethod
    def served(cls, config: QueryConfig) -> QueryLimits:
        """The same for the query service, whose answers to SQL end before a call does and fit into a message."""
        limits = cls.of(config)
        time_s = min(limits.sql.time_s, SERVED_SQL_S)
        result_bytes_max = min(limits.sql.result_bytes_max, SERVED_SQL_BYTES)
        return replace(limits, sql=replace(limits.sql, time_s=time_s, result_bytes_max=result_bytes_max))


class Queries:
    """Answers questions about one ledger. Use it on one event loop; `close` it."""

    def __init__(
        self, sources: Sources, publisher: AccessPublisher, limits: QueryLimits, workers: int = WORKERS
    ) -> None:
        self._sources = sources
        self._recorder = AccessRecorder(publisher, __version__)
        self._limits = limits
        self._workers = ThreadPoolExecutor(workers, thread_name_prefix="query")
        self._at_work = 0
        self._sql_at_work: set[asyncio.Task[SqlResult]] = set()

    async def reconstruct(
        self,
        tenant: str,
        selector: Selector,
        reader: Reader,
        *,
        window: Window = EVER,
        known_at: datetime | None = None,
        effective_at: datetime | None = None,
        metadata_only: bool = False,
        openable: frozenset[bytes] | None = None,
    ) -> Story:
        """The story of a user, session, correlation id or event, as known at and as effective at a time.

        `openable`: the events whose contents this reader may open; None for all.
        """

        def answer(reading: Reading) -> Story:
            return reconstruct(
                reading,
                selector,
                window,
                self._limits.tolerance,
                effective_at=effective_at,
                open_contents=not metadata_only,
            )

        reading, story = await self._compute(tenant, known_at, answer, openable)
        query = {
            **_asked(reading, selector, window, known_at),
            "effective_at": plain.time_text(effective_at),
            "metadata_only": metadata_only,
        }
        await self._record(reading, reader, "reconstruct", query)
        return story

    async def replay(
        self,
        tenant: str,
        selector: Selector,
        reader: Reader,
        *,
        window: Window = EVER,
        known_at: datetime | None = None,
        state_at: datetime | None = None,
        metadata_only: bool = False,
        openable: frozenset[bytes] | None = None,
    ) -> Replay:
        """An incident as a timeline, and what governed at a moment of it."""

        def answer(reading: Reading) -> Replay:
            return replay(
                reading,
                selector,
                window,
                self._limits.tolerance,
                state_at=state_at,
                open_contents=not metadata_only,
            )

        reading, told = await self._compute(tenant, known_at, answer, openable)
        query = {
            **_asked(reading, selector, window, known_at),
            "state_at": plain.time_text(state_at),
            "metadata_only": metadata_only,
        }
        await self._record(reading, reader, "replay", query)
        return told

    async def find(
        self,
        tenant: str,
        filters: finding.Filters,
        reader: Reader,
        limit: int = finding.LIMIT_DEFAULT,
        *,
        known_at: datetime | None = None,
    ) -> finding.Finds:
        """Events by their metadata."""
        reading, found = await self._compute(
            tenant, known_at, lambda reading: finding.find(reading, self._sources.files, filters, limit)
        )
        await self._record(reading, reader, "find", {**_filtered(filters, known_at), "limit": limit})
        return found

    async def count(
        self,
        tenants: Sequence[str],
        filters: finding.Filters,
        reader: Reader,
        *,
        known_at: datetime | None = None,
    ) -> dict[str, dict[str, int]]:
        """How many events of each tenant match, by declared class. Each tenant gets an Access before the answer."""
        counts = {}
        for tenant in tenants:
            reading, found = await self._compute(
                tenant, known_at, lambda reading: finding.count(reading, self._sources.files, filters)
            )
            counts[reading.tenant.name] = dict(sorted(found.items()))
        query = {"count": _filtered(filters, known_at)}
        for tenant, classes in counts.items():
            await self._accessed(tenant, reader, Accessed("find", query, sum(classes.values()), 0))
        return counts

    async def tenants(self) -> tuple[str, ...]:
        """The names of all tenants there are."""
        return await self._in_thread(
            lambda: tuple(each.name for each in self._sources.tenants.all() if each.state == "open")
        )

    async def prove(self, tenant: str, event_id: bytes, reader: Reader, index: int | None = None) -> Proven:
        """An offline proof for one event; of several under one id of the first, or of the one at `index`.

        `UnknownEvent` when the tenant has no such event.
        """
        reading, proven = await self._compute(tenant, None, lambda reading: prove(reading, event_id, index))
        await self._record(reading, reader, "prove", proven.asked_for())
        return proven

    async def disclosable(
        self, tenant: str, event_id: bytes, slot: str, reader: Reader, index: int | None = None
    ) -> Disclosable:
        """One content with all that an outsider needs to check it. `Rejected` when there is none to disclose."""
        reading, found = await self._compute(tenant, None, lambda reading: disclosable(reading, event_id, slot, index))
        await self._record(reading, reader, "disclose", {**found.proven.asked_for(), "slot": slot})
        return found

    async def sql(self, tenant: str, query: str, reader: Reader) -> SqlResult:
        """The answer to an auditor's SQL over the tenant's views. `Busy` beside `SQL_AT_WORK_MAX` others.

        What has begun is recorded, also where its caller does not wait for it.
        """
        if len(self._sql_at_work) >= SQL_AT_WORK_MAX:
            raise Busy(f"{len(self._sql_at_work)} SQL queries are being worked out already", BUSY_RETRY_MS)
        work = asyncio.create_task(self._sql(tenant, query, reader))
        self._sql_at_work.add(work)
        work.add_done_callback(self._sql_ended)
        return await asyncio.shield(work)

    async def coverage(
        self, tenant: str, reader: Reader, since: datetime | None = None, until: datetime | None = None
    ) -> covering.Coverage:
        """What services send, and what that lacks."""
        reading, found = await self._compute(
            tenant,
            None,
            lambda reading: covering.coverage(reading, self._sources.files, self._limits.sql, since, until),
        )
        query = {"coverage": {"since": plain.time_text(since), "until": plain.time_text(until)}}
        await self._accessed(reading.tenant.name, reader, Accessed("find", query, found.events, 0))
        return found

    async def checkpoints(self, tenant: str) -> tuple[SignedCheckpoint, ...]:
        """The newest signed checkpoints of the tenant's logs."""
        _, found = await self._compute(
            tenant, None, lambda reading: self._sources.checkpoints.of(reading.snapshot, reading.tenant.logs)
        )
        return found

    async def warm(self) -> None:
        """Follows the newest rounds, and brings the look-up index up to them."""
        await self._in_thread(lambda: self._sources.index.catch_up(self._sources.view.refresh()))

    async def close(self) -> None:
        """Lets what is at work end, SQL with its record."""
        await asyncio.to_thread(self._workers.shutdown, wait=True, cancel_futures=True)
        await asyncio.gather(*self._sql_at_work, return_exceptions=True)

    async def _sql(self, tenant: str, query: str, reader: Reader) -> SqlResult:
        # A lone surrogate has no UTF-8: such a query is refused, and recorded with something in its place.
        text = query.encode("utf-8", "replace")

        def answer(reading: Reading) -> SqlResult | Rejected:
            try:
                if len(text) > SQL_TEXT_BYTES_MAX:
                    raise Rejected("sql", f"the query has {len(text)} bytes, expected at most {SQL_TEXT_BYTES_MAX}")
                return sql.run(reading, self._sources.files, query, self._limits.sql)
            except Rejected as error:
                return error

        def told() -> dict[str, Any]:
            if len(text) > SQL_TEXT_BYTES_MAX:
                return {"sql_bytes": len(text)}
            return {"sql": without_persons(text.decode(), self._sources.keys, tenant)}

        reading, result = await self._compute(tenant, None, answer)
        failed = isinstance(result, Rejected)
        touched = 0 if isinstance(result, Rejected) else len(result.rows)
        accessed = Accessed("sql", await asyncio.to_thread(told), touched, contents_decrypted=0, failed=failed)
        await self._accessed(reading.tenant.name, reader, accessed)
        if isinstance(result, Rejected):
            raise result
        return result

    def _sql_ended(self, work: asyncio.Task[SqlResult]) -> None:
        self._sql_at_work.discard(work)
        if not work.cancelled():
            work.exception()

    async def _compute(
        self,
        tenant: str,
        known_at: datetime | None,
        answer: Callable[[Reading], T],
        openable: frozenset[bytes] | None = None,
    ) -> tuple[Reading, T]:
        def work() -> tuple[Reading, T]:
            reading = Reading(self._sources, tenant, known_at, openable)
            try:
                return reading, answer(reading)
            except FileGone:
                # Superseded while we read: a newer snapshot names the files that hold its rows now.
                reading = Reading(self._sources, tenant, known_at, openable)
                return reading, answer(reading)

        return await self._in_thread(work)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._at_work >= AT_WORK_MAX:
            raise Busy(f"{self._at_work} answers are being worked out already", BUSY_RETRY_MS)
        self._at_work += 1
        future = asyncio.get_running_loop().run_in_executor(self._workers, work)
        # A caller who gives up does not stop the thread: the place is free when that has ended.
        future.add_done_callback(self._ended)
        return await asyncio.shield(future)

    def _ended(self, future: asyncio.Future[T]) -> None:
        self._at_work -= 1
        if not future.cancelled():
            future.exception()

    async def _record(self, reading: Reading, reader: Reader, kind: QueryKind, query: Mapping[str, Any]) -> None:
        touched = reading.touched
        accessed = Accessed(kind, {kind: query}, len(touched.events), touched.decrypted)
        await self._accessed(reading.tenant.name, reader, accessed)

    async def _accessed(self, tenant: str, reader: Reader, accessed: Accessed) -> None:
        """The Access, durable, with no person in its reason."""
        if reader.reason:
            reason = await asyncio.to_thread(without_persons, reader.reason, self._sources.keys, tenant)
            reader = replace(reader, reason=reason[:REASON_CHARACTERS_MAX])
        await self._recorder.record(tenant, reader, accessed)


def _asked(reading: Reading, selector: Selector, window: Window, known_at: datetime | None) -> dict[str, Any]:
    """A selector as it is recorded: a person by pseudonym."""
    value = selector.value
    if selector.kind == "user":
        pseudonym = reading.pseudonym(selector.value)
        value = "unknown person" if pseudonym is None else f"pseudonym:{pseudonym.hex()}"
    return {selector.kind: value, "window": plain.window(window), "known_at": plain.time_text(known_at)}


def _filtered(filters: finding.Filters, known_at: datetime | None) -> dict[str, Any]:
    """Filters as they are recorded."""
    return {
        "kinds": list(filters.kinds),
        "window": plain.window(filters.window),
        "vendor": filters.vendor,
        "model": filters.model,
        "tool": filters.tool,
        "policy_version": filters.policy_version,
        "known_at": plain.time_text(known_at),
    }
