"""QueryService over real gRPC: answers, documented errors, health."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from ledger.client.builders import request
from ledger.client.tls import tls
from ledger.config import QueryConfig
from ledger.errors import Misconfigured, Unavailable
from ledger.identity.tls import ServerTls
from ledger.segments import names
from ledger.tlog.note import VerifierKey
from ledger.tlog.proof_bundle import parse_tlog_proof
from ledger.v1 import event_pb2, query_pb2, query_pb2_grpc
from query import service
from query.sandbox import files_allowed
from query.server import MESSAGE_BYTES_MAX, SERVICE, QueryServer
from query.servicer import DEADLINE_S
from query.wire import sql_response, sql_result
from tests import certificates
from tests.query.ledgers import Asked, IntoTheLog, ago, release, use

READER = query_pb2.Reader(name="eve", role="auditor")


class Served:
    """A served ledger and its stubs."""

    def __init__(self, asked: Asked, server: QueryServer, channel: grpc.aio.Channel, publisher: IntoTheLog) -> None:
        self.asked = asked
        self.server = server
        self.publisher = publisher
        self.query = query_pb2_grpc.QueryServiceStub(channel)
        self.health = health_pb2_grpc.HealthStub(channel)


@pytest.fixture
async def served(asked: Asked) -> AsyncIterator[Served]:
    """A server on a free port of the loopback interface."""
    publisher = IntoTheLog(asked.small)
    queries = asked.queries(publisher)
    server = QueryServer(queries, "127.0.0.1:0", reflection_on=True)
    await server.start()
    stop = asyncio.Event()
    running = asyncio.create_task(server.run(stop))
    async with grpc.aio.insecure_channel(str(server.address)) as channel:
        yield Served(asked, server, channel, publisher)
    stop.set()
    await running
    await server.drain()
    await queries.close()


async def fill(asked: Asked) -> event_pb2.Event:
    """A governed request of mia."""
    event = request(vendor="openai", model_requested="m", user="mia", input="hello", **use("1", ago(10)))
    await asked.seal("_org", *release("1", ago(30)))
    await asked.seal("acme", event)
    return event


def mia(**given: Any) -> query_pb2.ReconstructRequest:
    """A question for mia."""
    fields: dict[str, Any] = {"tenant": "acme", "selector": query_pb2.Selector(user="mia"), "reader": READER}
    return query_pb2.ReconstructRequest(**{**fields, **given})


async def refusal(call: Awaitable[Any]) -> grpc.aio.AioRpcError:
    """The error a call ends with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value


async def test_a_story_over_the_wire(served: Served) -> None:
    """Messages and JSON tell the same story, with contents, governance and signed checkpoints."""
    event = await fill(served.asked)
    answer = await served.query.Reconstruct(mia())
    (step,) = answer.steps
    assert step.event.event_id == event.event_id
    assert step.event.proof_state == query_pb2.PROOF_STATE_PROVEN
    assert {content.slot: content.data for content in step.event.contents} == {"actor.user": b"mia", "input": b"hello"}
    (prompt, _) = step.governance
    assert (prompt.artifact_kind, prompt.text, list(prompt.flags)) == (
        event_pb2.ARTIFACT_KIND_PROMPT,
        "Greet {name}.",
        [],
    )
    assert len(answer.checkpoints) == 2
    assert json.loads(answer.json)["steps"][0] == json.loads(step.json)
    assert len(served.publisher.published) == 1


async def test_as_known_at_and_as_effective_at_over_the_wire(served: Served) -> None:
    """Both times are parameters of their own: in the answer, in its JSON and in the recorded Access."""
    await fill(served.asked)
    question = mia()
    question.known_at.FromDatetime(ago(-1))
    question.effective_at.FromDatetime(ago(60))
    answer = await served.query.Reconstruct(question)
    assert (answer.known_at, answer.effective_at) == (question.known_at, question.effective_at)
    told = json.loads(answer.json)
    assert told["effective_at"] < told["known_at"]
    (prompt, _) = answer.steps[0].governance
    assert {flag.partition(":")[0] for flag in prompt.flags} >= {"approved_later", "effect_differs"}
    ((_, access),) = served.publisher.published
    recorded = json.loads(access.access.query.text)["reconstruct"]
    assert (recorded["known_at"], recorded["effective_at"]) == (told["known_at"], told["effective_at"])
    question.ClearField("known_at")
    question.effective_at.seconds = 10**15
    error = await refusal(served.query.Reconstruct(question))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "effective_at" in (error.details() or "")


async def test_replay_find_prove_and_checkpoint(served: Served) -> None:
    """The other methods answer, and the proof holds under the ledger's key alone."""
    event = await fill(served.asked)
    replayed = await served.query.Replay(
        query_pb2.ReplayRequest(tenant="acme", selector=query_pb2.Selector(user="mia"), reader=READER)
    )
    assert len(json.loads(replayed.json)["timeline"]) == 1
    found = await served.query.Find(query_pb2.FindRequest(tenant="acme", kinds=["request"], reader=READER))
    assert [each.event_id for each in found.events] == [event.event_id]
    proven = await served.query.Prove(query_pb2.ProveRequest(tenant="acme", event_id=event.event_id, reader=READER))
    from ledger.tlog.merkle import leaf_hash

    log = served.asked.small.tenant_log("acme")
    key = VerifierKey(log.origin, served.asked.small.ledger_signer.public_key)
    assert parse_tlog_proof(proven.proof).verify(leaf_hash(proven.payload), key).size >= 1
    answer = await served.query.Checkpoint(query_pb2.CheckpointRequest(tenant="acme"))
    assert len(answer.checkpoints) == 1
    assert len(served.publisher.published) == 3


async def test_sql_over_the_wire(served: Served) -> None:
    """Columns with their types, a row as JSON each, how long it took; its text and rows stand in the Access."""
    event = await fill(served.asked)
    query = "SELECT event_id, 1.50::DECIMAL(4,2) AS d, [true, NULL] AS l FROM requests"
    answer = await served.query.Sql(query_pb2.SqlRequest(tenant="acme", query=query, reader=READER))
    assert [(each.name, each.type) for each in answer.columns] == [
        ("event_id", "BLOB"),
        ("d", "DECIMAL(4,2)"),
        ("l", "BOOLEAN[]"),
    ]
    assert [json.loads(row) for row in answer.rows] == [[event.event_id.hex(), "1.50", [True, None]]]
    assert (answer.truncated_by, answer.landlock, answer.elapsed_ms > 0) == ("", files_allowed(), True)
    assert sql_response(sql_result(answer)) == answer
    ((tenant, access),) = served.publisher.published
    assert (tenant, json.loads(access.access.query.text)) == ("acme", {"sql": query})
    assert (access.access.query_kind, access.access.events_touched) == (event_pb2.QUERY_KIND_SQL, 1)


async def test_an_engines_long_complaint_arrives_with_its_status(served: Served) -> None:
    """A text too large for a status is cut, so that the status is not lost with it."""
    query = "SELECT error(repeat('é', 8_000)) FROM range(2)"
    error = await refusal(served.query.Sql(query_pb2.SqlRequest(tenant="acme", query=query, reader=READER)))
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert 1_900 < len((error.details() or "").encode()) < 2_100


def test_what_is_served_ends_in_time_and_fits_into_a_message() -> None:
    """However generous the configuration, SQL over the network ends before its call does."""
    limits = service.QueryLimits.served(QueryConfig(sql_time_s=3_600)).sql
    assert limits.time_s < DEADLINE_S
    assert limits.result_bytes_max < MESSAGE_BYTES_MAX
    assert service.QueryLimits.served(QueryConfig(sql_time_s=5)).sql.time_s == 5


async def test_what_was_sealed_later_is_not_found_as_known_before(served: Served) -> None:
    """Find takes the time it is as known at, too."""
    event = await fill(served.asked)
    question = query_pb2.FindRequest(tenant="acme", kinds=["request"], reader=READER)
    question.known_at.FromDatetime(ago(60))
    assert not (await served.query.Find(question)).events
    question.known_at.FromDatetime(ago(-1))
    assert [each.event_id for each in (await served.query.Find(question)).events] == [event.event_id]


async def test_an_unknown_event_is_not_found(served: Served) -> None:
    """Prove, Reconstruct and Replay of an event that is not sealed say NOT_FOUND, which event and in which tenant."""
    event = await fill(served.asked)
    unknown = bytes(16)
    selector = query_pb2.Selector(event_id=unknown)
    early = query_pb2.ReconstructRequest(
        tenant="acme", selector=query_pb2.Selector(event_id=event.event_id), reader=READER
    )
    early.known_at.FromDatetime(ago(60))
    for call, said in (
        (served.query.Prove(query_pb2.ProveRequest(tenant="acme", event_id=unknown, reader=READER)), "is sealed"),
        (served.query.Reconstruct(mia(selector=selector)), "is sealed"),
        (served.query.Replay(query_pb2.ReplayRequest(tenant="acme", selector=selector, reader=READER)), "is sealed"),
        (served.query.Reconstruct(early), "had been sealed by"),
    ):
        error = await refusal(call)
        assert error.code() == grpc.StatusCode.NOT_FOUND
        details = error.details() or ""
        named = unknown if said == "is sealed" else event.event_id
        assert f"no event {UUID(bytes=named)} {said}" in details
        assert "in tenant acme" in details
    assert (await served.query.Reconstruct(mia(selector=query_pb2.Selector(user="nobody")))).steps == []


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({"tenant": "gamma"}, grpc.StatusCode.NOT_FOUND, "tenant"),
        ({"reader": query_pb2.Reader()}, grpc.StatusCode.INVALID_ARGUMENT, "reader.name"),
        ({"selector": query_pb2.Selector()}, grpc.StatusCode.INVALID_ARGUMENT, "selector"),
        ({"selector": query_pb2.Selector(user=" ")}, grpc.StatusCode.INVALID_ARGUMENT, "selector.user"),
        ({"selector": query_pb2.Selector(event_id=b"x")}, grpc.StatusCode.INVALID_ARGUMENT, "16 bytes"),
    ],
)
async def test_wrong_questions_name_what_is_wrong(
    served: Served, given: dict[str, Any], code: grpc.StatusCode, text: str
) -> None:
    """Each mistake of the caller's is told by its field."""
    error = await refusal(served.query.Reconstruct(mia(**given)))
    assert error.code() == code
    assert text in (error.details() or "")


async def test_evidence_that_does_not_hold_is_data_loss(served: Served) -> None:
    """A flipped file gives DATA_LOSS, naming it; nothing of it is shown."""
    await fill(served.asked)
    for name in served.asked.small.store.names_in(names.partition_folder(0, "events")):
        path = served.asked.small.store.path(name)
        path.write_bytes(path.read_bytes()[:-1] + b"?")
    error = await refusal(served.query.Reconstruct(mia()))
    assert error.code() == grpc.StatusCode.DATA_LOSS
    assert "SHA-256" in (error.details() or "")


async def test_a_fault_tells_nothing(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception's text does not reach the caller."""
    await fill(served.asked)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret content")

    monkeypatch.setattr(service, "reconstruct", broken)
    error = await refusal(served.query.Reconstruct(mia()))
    assert error.code() == grpc.StatusCode.INTERNAL
    assert "secret" not in (error.details() or "")


async def test_an_access_that_cannot_be_recorded_is_unavailable(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without its Access an answer is refused, with a hint when to come back."""
    await fill(served.asked)

    async def refuse(*_: object) -> None:
        raise Unavailable("not now", 700)

    monkeypatch.setattr(served.publisher, "publish", refuse)
    error = await refusal(served.query.Reconstruct(mia()))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert ("retry-after-ms", "700") in [tuple(each) for each in error.trailing_metadata()]


async def test_too_much_at_once_is_turned_away(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond its bound the server says that it is busy, instead of queueing for ever."""
    await fill(served.asked)
    monkeypatch.setattr(service, "AT_WORK_MAX", 0)
    error = await refusal(served.query.Reconstruct(mia()))
    assert error.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    monkeypatch.undo()
    await served.query.Reconstruct(mia())


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Waits for a state that must come."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + 20
    while not await holds():
        assert loop.time() < deadline
        await asyncio.sleep(0.05)


async def test_health_follows_the_rounds(served: Served) -> None:
    """SERVING while the rounds can be followed, NOT_SERVING while one does not hold."""

    async def is_serving(expected: int) -> bool:
        found = await served.health.Check(health_pb2.HealthCheckRequest(service=SERVICE))
        return bool(found.status == expected)

    assert await is_serving(health_pb2.HealthCheckResponse.SERVING)
    path = served.asked.small.store.path(names.round_name(0, 0))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"not a round")
    await until(lambda: is_serving(health_pb2.HealthCheckResponse.NOT_SERVING))
    path.unlink()
    await until(lambda: is_serving(health_pb2.HealthCheckResponse.SERVING))


def test_only_loopback_unless_said(asked: Asked) -> None:
    """An address that others reach is refused: nothing yet tells who asks."""
    with pytest.raises(Misconfigured, match="loopback"):
        QueryServer(asked.queries(), "0.0.0.0:0", reflection_on=False)


async def test_tls_and_a_certificate_of_every_caller(asked: Asked, tmp_path: Path) -> None:
    """With `tls_client_ca` nobody connects without a certificate of it, whatever else he has."""
    ca = certificates.make("CA", ca=True)
    (tmp_path / "ca.pem").write_bytes(ca.pem)
    files = ServerTls(*certificates.server(ca).write(tmp_path, "server"), tmp_path / "ca.pem")
    queries = asked.queries()
    running = QueryServer(queries, "127.0.0.1:0", reflection_on=False, tls=files)
    await running.start()
    shown = certificates.service("spiffe://example.org/auditors", ca).write(tmp_path, "mine")
    for credentials, code in ((tls(tmp_path / "ca.pem", *shown), "OK"), (tls(tmp_path / "ca.pem"), "UNAVAILABLE")):
        async with grpc.aio.secure_channel(str(running.address), credentials) as channel:
            call = query_pb2_grpc.QueryServiceStub(channel).Checkpoint(query_pb2.CheckpointRequest(tenant="acme"))
            assert (await call.code()).name == code
    await running.drain()
    await queries.close()
