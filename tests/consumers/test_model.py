"""Random histories of an event log, honest and hostile, against a model of what must be sealed.

The model knows the truth about each record that a test made (what it is, whether it is genuine) and applies the rules
as one would tell them. The sealer sees bytes alone. Both must come to the same logs, repeats, marks and findings.
"""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumers.id_index import IdIndex
from consumers.sealer import PartitionSealer, SealerLimits
from ledger.keys.sqlite_database import SqliteDatabase
from ledger.log.interface import Record
from ledger.newest_rounds import NewestRounds
from ledger.record.assemble import AssembledEvent
from ledger.segments.objects import FileStore
from ledger.v1 import event_pb2 as pb
from tests.consumers import hostile
from tests.consumers.memory_log import MemoryLog
from tests.consumers.sealed import quarantined, sealed_in
from tests.small_ledger import SmallLedger, request

FULL = os.environ.get("LEDGER_CAMPAIGN") == "full"
TENANTS = ("acme", "globex")


@dataclass(frozen=True)
class Truth:
    """What a record is. A receipt: its tenant and its events' leaves, `genuine` when it holds. An event: itself."""

    record: Record
    tenant: str | None = None
    leaves: tuple[bytes, ...] | None = None
    event: AssembledEvent | None = None
    genuine: bool = True


@dataclass
class Model:
    """The logs as they must become. A sealed event is (event id, mark); a repeat is (leaf hash, first index)."""

    logs: dict[str, list[tuple[bytes, str | None]]] = field(default_factory=dict)
    repeats: dict[str, list[tuple[bytes, int]]] = field(default_factory=dict)
    kept: list[Record] = field(default_factory=list)
    _known: dict[tuple[str, bytes], list[tuple[int, bytes, bytes]]] = field(default_factory=dict)

    def take(self, records: list[Truth]) -> None:
        """What a sealer that reads to the end of the log makes of these records."""
        at = 0
        while at < len(records):
            first = records[at]
            at += 1
            if first.leaves is None:
                self.kept.append(first.record)
                continue
            if not first.genuine:
                self.kept.append(first.record)
            for leaf in first.leaves:
                if at == len(records) or not _says_event(records[at].record):
                    break
                self._take_event(first, leaf, records[at])
                at += 1

    def _take_event(self, receipt: Truth, leaf: bytes, found: Truth) -> None:
        event = found.event
        if not receipt.genuine or event is None or not found.genuine or event.leaf_hash != leaf:
            self.kept.append(found.record)
            return
        if receipt.tenant is None:
            raise ValueError("a genuine receipt has a tenant")
        log = self.logs.setdefault(receipt.tenant, [])
        known = self._known.setdefault((receipt.tenant, event.event_id), [])
        same_key = [each for each in known if each[2] == event.submission_key_id]
        for index, digest, _ in same_key:
            if digest == event.submission_digest:
                self.repeats.setdefault(receipt.tenant, []).append((event.leaf_hash, index))
                return
        mark = None if not known else "conflict" if same_key else "undetermined"
        known.append((len(log), event.submission_digest, event.submission_key_id))
        log.append((event.event_id, mark))


def _says_event(record: Record) -> bool:
    return record.headers[:1] == (("kind", b"event"),)


@dataclass
class World:
    """Makes batches and lies, remembering what was sent so that it can come again."""

    small: SmallLedger
    dice: random.Random
    sent: list[tuple[str, pb.Event]] = field(default_factory=list)
    batches: list[list[Truth]] = field(default_factory=list)

    def event(self, tenant: str) -> AssembledEvent:
        """A new event, one sent before, or another body under an id sent before."""
        before = [event for other, event in self.sent if other == tenant]
        choice = self.dice.random()
        if before and choice < 0.3:
            event = self.dice.choice(before)
        else:
            event = request(user=self.dice.choice(["mia", "bob", None]), text=str(choice))
            if before and choice < 0.4:
                event.event_id = self.dice.choice(before).event_id
            self.sent.append((tenant, event))
        return self.small.accept(tenant, event)

    def batch(self, count: int) -> list[Truth]:
        """An honest batch."""
        tenant = self.dice.choice(TENANTS)
        events = [self.event(tenant) for _ in range(count)]
        records = hostile.batch(self.small, self.small.tenant_log(tenant), events)
        leaves = tuple(each.leaf_hash for each in events)
        made = [
            Truth(records[0], tenant, leaves),
            *(Truth(record, event=event) for record, event in zip(records[1:], events, strict=True)),
        ]
        self.batches.append(made)
        return made

    def replayed(self) -> list[Truth]:
        """An earlier batch, byte for byte."""
        return list(self.dice.choice(self.batches)) if self.batches else self.batch(1)

    def forged(self, count: int) -> list[Truth]:
        """A batch under a key that nobody trusts."""
        made = self.batch(count)
        self.batches.pop()
        tenant = made[0].tenant or ""
        events = [each.event for each in made[1:] if each.event is not None]
        log = self.small.tenant_log(tenant)
        signed = hostile.receipt(self.small, log, map(hostile.entry, events), by=hostile.signer())
        return [replace(made[0], record=replace(made[0].record, value=signed), genuine=False), *made[1:]]

    def shuffled(self, count: int) -> list[Truth]:
        """A genuine batch whose events changed places, or came twice, or are missing in part."""
        made = self.batch(count)
        events = [*made[1:], *made[1:2]]
        self.dice.shuffle(events)
        return [made[0], *events[: self.dice.randrange(len(events) + 1)]]

    def swapped(self, count: int) -> list[Truth]:
        """A genuine batch, the contents of one event replaced."""
        made = self.batch(count)
        at = self.dice.randrange(1, len(made))
        event = made[at].event
        if event is None:
            raise ValueError("an event was expected")
        contents = [(slot, os.urandom(len(data))) for slot, data in event.contents]
        value = hostile.value(hostile.with_contents(event, contents))
        made[at] = replace(made[at], record=replace(made[at].record, value=value), genuine=False)
        return made

    def garbage(self, count: int) -> list[Truth]:
        """Anything, some of it calling itself a receipt or an event."""
        made = []
        for _ in range(count):
            data = os.urandom(self.dice.randrange(40))
            record = self.dice.choice(
                [
                    hostile.event_record(data, self.small),
                    hostile.receipt_record(data, self.small),
                    Record(b"", (), data),
                ]
            )
            made.append(Truth(record))
        return made

    def stray(self) -> list[Truth]:
        """Genuine events without their receipt."""
        return self.replayed()[1:]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "batch",
                "batch",
                "batch",
                "replayed",
                "forged",
                "shuffled",
                "swapped",
                "garbage",
                "stray",
                "seal",
                "restart",
            ]
        ),
        st.integers(1, 4),
    ),
    min_size=3,
    max_size=14,
)


@contextmanager
def world(seed: int) -> Iterator[tuple[World, SmallLedger, NewestRounds]]:
    """A small ledger for one history; keys and tenants are shared, so that each history costs little."""
    small = SharedLedger.get()
    with tempfile.TemporaryDirectory() as folder:
        small.store = FileStore(Path(folder) / "segments")
        with closing(SqliteDatabase.create(Path(folder) / "memory.sqlite")) as memory:
            yield World(small, random.Random(seed)), small, NewestRounds(memory)


class SharedLedger:
    """The ledger whose keys and tenants all histories use."""

    made: SmallLedger | None = None
    folder: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def get(cls) -> SmallLedger:
        """Made once; its event log is not used but for its incarnation."""
        if cls.made is None:
            cls.folder = tempfile.TemporaryDirectory()
            cls.made = SmallLedger(Path(cls.folder.name) / "ledger")

            async def start(small: SmallLedger) -> None:
                await small.start(*TENANTS)
                await small.log.close()

            asyncio.run(start(cls.made))
        return cls.made

    @classmethod
    def close(cls) -> None:
        """Lets go of it."""
        if cls.made is not None and cls.folder is not None:
            cls.made.database.close()
            cls.folder.cleanup()
            cls.made = cls.folder = None


def teardown_module() -> None:
    """Lets go of the shared ledger."""
    SharedLedger.close()


@settings(
    max_examples=400 if FULL else 20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(steps=STEPS, seed=st.integers(0, 2**32), rows_max=st.sampled_from([1, 3, 7, 1_000]))
def test_the_sealed_logs_are_those_of_the_model(steps: list[tuple[str, int]], seed: int, rows_max: int) -> None:
    """Honest batches, repeats, conflicts, garbage, forgeries, replays in any order: the logs are as the rules say."""
    with world(seed) as (made, small, newest):
        asyncio.run(_play(made, small, newest, steps, rows_max))


async def _play(
    made: World, small: SmallLedger, newest: NewestRounds, steps: list[tuple[str, int]], rows_max: int
) -> None:
    log, model, pending = MemoryLog(), Model(), list[Truth]()
    limits = SealerLimits(round_age_ms=0, round_rows_max=rows_max)
    folder = small.store.root.parent / "ids"

    async def sealer() -> PartitionSealer:
        parts = replace(small.sealer()._parts, store=small.store, log=log, newest=newest, index=IdIndex(folder))
        opened = PartitionSealer(parts, limits)
        await opened.open()
        return opened

    working = await sealer()
    for step, count in [*steps, ("seal", 1)]:
        if step == "restart":
            working = await sealer()
        elif step == "seal":
            while await working.seal_once(wait_s=0, fill=False) is not None:
                pass
            model.take(pending)
            pending = []
        else:
            make = getattr(made, step)
            truths = make() if step in ("replayed", "stray") else make(count)
            pending += truths
            await log.append(0, [each.record for each in truths], 1)
    found = sealed_in(small)
    for tenant in TENANTS:
        log_id = small.tenant_log(tenant).log_id
        leaves = [(leaf.event_id, leaf.mark) for leaf in found.leaves.get(log_id, [])]
        assert leaves == model.logs.get(tenant, [])
        assert found.repeats(log_id) == model.repeats.get(tenant, [])
    assert [each.record for each in quarantined(small, found)] == model.kept
