"""No answer without a durable record of who read what; no person in that record."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace
from typing import Any

import pytest

from ledger.client.builders import request
from ledger.errors import IntegrityError, Rejected, Unavailable
from ledger.v1 import event_pb2 as pb
from query import sql
from query.access import Reader
from query.files import FileGone
from query.find import Filters
from query.sandbox import SqlResult
from query.service import SQL_AT_WORK_MAX, Busy, Queries
from query.story import Selector
from tests.query.ledgers import READER, Asked, IntoTheLog

MIA = Selector("user", "mia_li@example.org")


class Refusing:
    """A ledger that can take nothing now."""

    async def publish(self, tenant: str, event: pb.Event) -> None:
        """Never durable."""
        raise Unavailable("not now")


async def fill(asked: Asked) -> bytes:
    """One request of mia; returns its id."""
    event = request(vendor="openai", model_requested="m", user=MIA.value, input="secret", session_id="s1")
    await asked.seal("acme", event)
    return event.event_id


async def ask(queries: Queries, what: str, event_id: bytes) -> Any:
    """One question of each kind."""
    match what:
        case "reconstruct":
            return await queries.reconstruct("acme", MIA, READER)
        case "replay":
            return await queries.replay("acme", MIA, READER)
        case "find":
            return await queries.find("acme", Filters(), READER)
        case "prove":
            return await queries.prove("acme", event_id, READER)
        case "disclose":
            return await queries.disclosable("acme", event_id, "input", READER)
        case _:
            return await queries.sql("acme", f"SELECT '{MIA.value}', count(*) FROM events", READER)


KINDS = ("reconstruct", "replay", "find", "prove", "disclose", "sql")


@pytest.mark.parametrize("what", KINDS)
async def test_each_answer_is_preceded_by_its_access(asked: Asked, what: str) -> None:
    """The Access names reader, role, case, kind and counts; the person stands in it by pseudonym only."""
    event_id = await fill(asked)
    publisher = IntoTheLog(asked.small)
    queries = asked.queries(publisher)
    await ask(queries, what, event_id)
    await queries.close()
    ((tenant, event),) = publisher.published
    access = event.access
    assert (tenant, access.reader, access.role, access.case_id) == ("acme", "eve", "auditor", "case-7")
    assert pb.QueryKind.Name(access.query_kind) == f"QUERY_KIND_{what.upper()}"
    opened = {"reconstruct": 2, "replay": 2, "disclose": 1}.get(what, 0)
    assert (access.events_touched, access.contents_decrypted) == (1, opened)
    assert access.result == pb.ACCESS_RESULT_ANSWERED
    assert "mia_li" not in event.SerializeToString().decode("utf-8", "replace")
    pseudonym = asked.small.keys.pseudonym("acme", MIA.value)
    assert pseudonym is not None
    if what in ("reconstruct", "replay", "sql"):
        assert pseudonym.hex() in access.query.text
    assert json.loads(access.query.text)


@pytest.mark.parametrize("what", KINDS)
async def test_no_answer_when_the_access_cannot_be_recorded(asked: Asked, what: str) -> None:
    """When the ledger cannot take the Access, the answer is not given."""
    event_id = await fill(asked)
    queries = asked.queries(Refusing())
    with pytest.raises(Unavailable):
        await ask(queries, what, event_id)
    await queries.close()


async def test_the_access_is_sealed_and_can_be_queried(asked: Asked) -> None:
    """Accesses are events like any other: sealed, in the view `access`, found by kind."""
    await fill(asked)
    queries = asked.queries()
    await queries.reconstruct("acme", MIA, READER)
    await asked.small.seal()
    result = await queries.sql("acme", "SELECT reader, query_kind, contents_decrypted FROM access", READER)
    assert result.rows == [("eve", "reconstruct", 2)]
    assert len((await queries.find("acme", Filters(kinds=("access",)), READER)).events) == 1
    await queries.close()


async def test_an_unknown_person_leaves_no_trace(asked: Asked) -> None:
    """Asking for somebody unknown records that, and not whom."""
    await fill(asked)
    publisher = IntoTheLog(asked.small)
    queries = asked.queries(publisher)
    await queries.reconstruct("acme", Selector("user", "nobody@example.org"), READER)
    await queries.close()
    ((_, event),) = publisher.published
    assert "nobody" not in event.access.query.text
    assert asked.small.keys.pseudonym("acme", "nobody@example.org") is None


async def test_a_failed_sql_query_is_recorded(asked: Asked) -> None:
    """An error message can quote what it stumbled over, so a failed query is recorded before it is told."""
    await fill(asked)
    publisher = IntoTheLog(asked.small)
    queries = asked.queries(publisher)
    with pytest.raises(Rejected):
        await queries.sql("acme", "SELECT nonsense", READER)
    assert [event.access.result for _, event in publisher.published] == [pb.ACCESS_RESULT_FAILED]
    await queries.close()
    refusing = asked.queries(Refusing())
    with pytest.raises(Unavailable):
        await refusing.sql("acme", "SELECT nonsense", READER)
    await refusing.close()


async def test_whoever_reads_must_say_who_he_is() -> None:
    """A reader without a name, or with one that is none, is refused."""
    for name in ("", "a\x00b", "x" * 300):
        with pytest.raises(Rejected, match=r"reader\.name"):
            Reader(name)


async def test_checkpoints_are_given_to_anybody(asked: Asked) -> None:
    """Checkpoints tell of nobody's data: no Access."""
    await fill(asked)
    publisher = IntoTheLog(asked.small)
    queries = asked.queries(publisher)
    (checkpoint,) = await queries.checkpoints("acme")
    assert (checkpoint.size, checkpoint.note is not None, publisher.published) == (1, True, [])
    await queries.close()


async def test_sql_and_reason_are_recorded_without_persons(asked: Asked) -> None:
    """Identifiers of known persons become pseudonyms, however SQL quotes them; e-mail addresses go, known or not."""
    await fill(asked)
    await asked.seal("acme", request(vendor="v", model_requested="m", user="o'neil"))
    publisher = IntoTheLog(asked.small)
    queries = asked.queries(publisher)
    query = f"SELECT $${MIA.value}$$, '%o''neil%' -- for bob@example.org"
    await queries.sql("acme", query, replace(READER, reason="o'neil complains of mia_li@example.org"))
    await queries.close()
    ((_, event),) = publisher.published
    mia, neil = (asked.small.keys.pseudonym("acme", each) for each in (MIA.value, "o'neil"))
    assert mia is not None
    assert neil is not None
    told = json.loads(event.access.query.text)
    assert told["sql"] == f"SELECT 'pseudonym:{mia.hex()}', 'pseudonym:{neil.hex()}' -- for [address]"
    assert told["reason"] == f"pseudonym:{neil.hex()} complains of pseudonym:{mia.hex()}"


async def test_a_query_too_long_for_its_record_is_refused_and_recorded(asked: Asked) -> None:
    """It does not run; its size is recorded in place of its text."""
    publisher = IntoTheLog(asked.small)
    queries = asked.queries(publisher)
    with pytest.raises(Rejected, match="expected at most 100000"):
        await queries.sql("acme", "SELECT 1" + " " * 100_000, READER)
    with pytest.raises(Rejected, match="not valid Unicode"):
        await queries.sql("acme", "SELECT '\ud800'", READER)
    await queries.close()
    told = [json.loads(event.access.query.text) for _, event in publisher.published]
    assert told == [{"sql_bytes": 100_008}, {"sql": "SELECT '?'"}]
    assert {event.access.result for _, event in publisher.published} == {pb.ACCESS_RESULT_FAILED}


class Held:
    """SQL that runs until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun = threading.Semaphore(0)
        self.go = threading.Event()
        monkeypatch.setattr(sql, "run", self.run)

    def run(self, *_: object) -> SqlResult:
        """In place of `query.sql.run`."""
        self.begun.release()
        assert self.go.wait(30)
        return SqlResult(("n",), ("INTEGER",), [(1,), (2,)], None, 1, landlock=True)

    async def begins(self) -> None:
        """Wait until one more has begun."""
        assert await asyncio.to_thread(self.begun.acquire, timeout=30)


async def test_sql_is_recorded_although_nobody_waits_for_it(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever gives up a query that runs leaves the same record as who gets its answer."""
    held, publisher = Held(monkeypatch), IntoTheLog(asked.small)
    queries = asked.queries(publisher)
    given_up = asyncio.create_task(queries.sql("acme", "SELECT 1", READER))
    await held.begins()
    given_up.cancel()
    with pytest.raises(asyncio.CancelledError):
        await given_up
    assert publisher.published == []
    held.go.set()
    await queries.close()
    ((_, event),) = publisher.published
    assert (event.access.query_kind, event.access.events_touched) == (pb.QUERY_KIND_SQL, 2)


async def test_sql_leaves_room_for_other_questions(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two queries are worked out at a time, a third is told to come again, and whoever asks for else is answered."""
    await fill(asked)
    held = Held(monkeypatch)
    queries = asked.queries()
    running = [asyncio.create_task(queries.sql("acme", "SELECT 1", READER)) for _ in range(SQL_AT_WORK_MAX)]
    for _ in running:
        await held.begins()
    with pytest.raises(Busy):
        await queries.sql("acme", "SELECT 1", READER)
    assert (await queries.find("acme", Filters(kinds=("request",)), READER)).events
    held.go.set()
    assert [(await each).rows for each in running] == [[(1,), (2,)]] * SQL_AT_WORK_MAX
    assert (await queries.sql("acme", "SELECT 1", READER)).rows
    await queries.close()


async def test_a_file_superseded_meanwhile_is_looked_for_anew(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a compaction's clean-up took a file away, the answer is worked out again; twice is a finding."""
    await fill(asked)
    queries = asked.queries()
    from query import rows

    whole, left = rows.RowReader.events, [1]

    def vanishing(*given: Any) -> Any:
        if left:
            left.pop()
            raise FileGone("partitions/0000/events/x.parquet: is missing")
        return whole(*given)

    monkeypatch.setattr(rows.RowReader, "events", vanishing)
    assert (await queries.reconstruct("acme", MIA, READER)).proven
    left += [1, 1]
    with pytest.raises(IntegrityError, match="missing"):
        await queries.reconstruct("acme", MIA, READER)
    await queries.close()
