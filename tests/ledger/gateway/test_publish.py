"""Publish, through real gRPC, the real key store and the real embedded log: what is taken, and what each answer is."""

from __future__ import annotations

import os
import time

import grpc
import pytest

from ledger.gateway.verdicts import CONFLICT, UNDETERMINED
from ledger.receipt import RECEIPT
from ledger.record.assemble import CLOCK_SKEW_TOLERANCE_MS
from ledger.signed import SIGNED
from ledger.v1 import event_pb2, ingest_pb2
from tests.ledger.gateway.conftest import Start
from tests.ledger.gateway.events import event_id, request, unreadable
from tests.ledger.gateway.running import PUBLISH, TENANT, Running

ACCEPTED = ingest_pb2.EVENT_STATUS_ACCEPTED
REPEAT = ingest_pb2.EVENT_STATUS_REPEAT
REJECTED = ingest_pb2.EVENT_STATUS_REJECTED


def statuses(response: ingest_pb2.PublishResponse) -> list[int]:
    return [result.status for result in response.results]


async def refused_code(call: object) -> grpc.StatusCode:
    """The status that a call fails with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    return caught.value.code()


async def test_an_accepted_event_is_in_the_log_under_its_receipt(gateway: Running) -> None:
    """What is answered ACCEPTED stands in the event log behind the receipt that the producer got."""
    sent = [request(), request(user="olivia")]
    response = await gateway.publish(*sent)
    stored = await gateway.stored()
    assert statuses(response) == [ACCEPTED, ACCEPTED]
    assert [each.payload["event_id"] for each in stored] == [each.event_id for each in sent]
    assert [result.batch for result in response.results] == [0, 0]
    assert len(response.batches) == 1
    assert response.batches[0].receipt == stored[0].signed_receipt
    assert response.batches[0].end == ingest_pb2.LogPosition(partition=0, next_offset=3)
    assert [result.leaf_hash for result in response.results] == [
        stored[0].receipt.entry(index).leaf_hash for index in range(2)
    ]


async def test_the_payload_says_who_took_it_when_and_from_whom(gateway: Running) -> None:
    """The gateway states itself, the submitter, the policy and its own time in every payload."""
    before = time.time()
    await gateway.publish(request())
    (stored,) = await gateway.stored()
    payload = stored.payload
    assert before - 1 <= payload["received_at"].timestamp() <= time.time() + 1
    assert payload["gateway_id"] == stored.receipt.gateway_id == "gw-1"
    assert (payload["submitted_by"], payload["authentication_method"]) == ("local", "none")
    assert (payload["capture_mode"], payload["capture_policy_version"]) == ("full", "everything/1")
    assert (payload["tenant"], payload["shard"], payload["clock_skewed"]) == (TENANT, 0, False)
    assert stored.receipt.sealing_delay_ms == 86_400_000


async def test_a_malformed_event_is_refused_alone(gateway: Running) -> None:
    """Bad UTF-8, truncated bytes and unknown fields cost their own event only; the others of the call are taken."""
    good, other = request(), request()
    unknown = request().SerializeToString() + b"\xfa\x7f\x01x"
    truncated = request().SerializeToString()[:-3]
    response = await gateway.publish_raw(
        [good.SerializeToString(), unreadable(request()), truncated, unknown, b"", other.SerializeToString()]
    )
    assert statuses(response) == [ACCEPTED, REJECTED, REJECTED, REJECTED, REJECTED, ACCEPTED]
    reasons = [result.reason for result in response.results]
    assert "UTF-8" in reasons[1]
    assert "malformed" in reasons[2]
    assert "does not know" in reasons[3]
    assert response.results[4].field == "event_id"
    assert [each.payload["event_id"] for each in await gateway.stored()] == [good.event_id, other.event_id]


def _with(change: dict[str, object]) -> event_pb2.Event:
    event = request()
    for path, value in change.items():
        *groups, attribute = path.split(".")
        message: object = event
        for group in groups:
            message = getattr(message, group)
        setattr(message, attribute, value)
    return event


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (_with({"event_id": b"short"}), "event_id"),
        (_with({"event_id": bytes(16)}), "event_id"),
        (_with({"request.operation": 99}), "request.operation"),
        (_with({"classification": -1}), "classification"),
        (_with({"request.vendor": "open\x00ai"}), "request.vendor"),
        (_with({"request.vendor": "v" * 257}), "request.vendor"),
        (_with({"request.model_requested": "one two three four five six seven eight nine"}), "request.model_requested"),
        (_with({"story.session_id": "of mia_li_3668"}), "story.session_id"),
        (_with({"actor.user.identifier": " "}), "actor.user.identifier"),
        (_with({"phase": event_pb2.PHASE_STARTED}), "operation_id"),
        (_with({"occurred_at.seconds": 2**60}), "occurred_at"),
        (_with({"producer.declared_sampling": 2.0}), "producer.declared_sampling"),
        (event_pb2.Event(event_id=event_id()), "body"),
    ],
)
async def test_a_wrong_field_is_named(gateway: Running, event: event_pb2.Event, field: str) -> None:
    """A refusal names the field that is wrong, and never repeats its value."""
    response = await gateway.publish(event)
    assert statuses(response) == [REJECTED]
    assert response.results[0].field == field
    assert "mia" not in response.results[0].reason
    assert not response.batches
    assert await gateway.stored() == []


async def test_a_clock_far_ahead_is_accepted_and_flagged(gateway: Running) -> None:
    """An event from the future by its producer's clock is taken, with its skew in the payload."""
    now_ms = time.time_ns() // 1_000_000
    await gateway.publish(
        request(id_=event_id(now_ms + 10 * CLOCK_SKEW_TOLERANCE_MS)), request(id_=event_id(now_ms - 10**11))
    )
    assert [each.payload["clock_skewed"] for each in await gateway.stored()] == [True, False]


async def test_an_event_sent_again_is_answered_with_its_first_receipt(gateway: Running) -> None:
    """A repeat appends nothing and gets the receipt, leaf and position of the first."""
    event = request()
    first = await gateway.publish(request(), event)
    again = await gateway.publish(event)
    assert statuses(again) == [REPEAT]
    assert again.batches[0] == first.batches[0]
    assert again.results[0].leaf_hash == first.results[1].leaf_hash
    assert len(await gateway.stored()) == 2


async def test_a_repeat_beside_a_new_event_names_both_batches(gateway: Running) -> None:
    """Each result points at the batch that holds it, old or new."""
    event = request()
    first = await gateway.publish(event)
    mixed = await gateway.publish(event, request())
    assert statuses(mixed) == [REPEAT, ACCEPTED]
    assert mixed.batches[mixed.results[0].batch] == first.batches[0]
    assert mixed.batches[mixed.results[1].batch].end.next_offset == 4


async def test_the_same_event_twice_in_a_call_is_taken_once(gateway: Running) -> None:
    """The second of two equal events of one call is a repeat of the first."""
    event = request()
    response = await gateway.publish(event, request(), event)
    assert statuses(response) == [ACCEPTED, ACCEPTED, REPEAT]
    assert response.results[2].leaf_hash == response.results[0].leaf_hash
    assert response.results[2].batch == response.results[0].batch
    assert len(await gateway.stored()) == 2


async def test_after_a_restart_the_same_event_is_accepted_again(start: Start) -> None:
    """A gateway that does not remember an event takes it again, under the same submission digest."""
    event = request()
    async with start() as gateway:
        assert statuses(await gateway.publish(event)) == [ACCEPTED]
    async with start() as gateway:
        assert statuses(await gateway.publish(event)) == [ACCEPTED]
        first, again = await gateway.stored()
    assert first.payload["submission_digest"] == again.payload["submission_digest"]
    assert first.payload["submission_key_id"] == again.payload["submission_key_id"]


async def test_one_id_with_two_bodies_is_taken_twice_and_said(gateway: Running) -> None:
    """A conflict is accepted, named in the answer, and each body is remembered as itself."""
    first, second = request(output="yes"), request(output="no")
    second.event_id = first.event_id
    assert statuses(await gateway.publish(first)) == [ACCEPTED]
    response = await gateway.publish(second)
    assert statuses(response) == [ACCEPTED]
    assert response.results[0].reason == CONFLICT
    assert statuses(await gateway.publish(first, second)) == [REPEAT, REPEAT]
    digests = {each.payload["submission_digest"] for each in await gateway.stored()}
    assert len(digests) == 2


async def test_one_id_for_two_persons_is_undetermined(gateway: Running) -> None:
    """Bodies whose digests have different keys can't be compared: both are taken, and that is said."""
    event = request(user="olivia")
    other = request(user="noah", id_=event.event_id)
    response = await gateway.publish(event, other)
    assert statuses(response) == [ACCEPTED, ACCEPTED]
    assert [result.reason for result in response.results] == ["", UNDETERMINED]


async def test_two_spellings_of_a_person_are_one_person(gateway: Running) -> None:
    """Identifiers that differ in case and space only have one pseudonym."""
    await gateway.publish(request(user="Mia Li"), request(user="mia  li"))
    assert len({each.payload["actor_user"] for each in await gateway.stored()}) == 1


async def test_contents_over_the_limit_are_refused(start: Start) -> None:
    """Where the configuration refuses, a content over the limit refuses its event and names the field."""
    async with start(content_bytes_max=1_000) as gateway:
        response = await gateway.publish(request(output="x" * 1_001), request(output="x" * 1_000))
        assert statuses(response) == [REJECTED, ACCEPTED]
        assert response.results[0].field == "request.output"
        assert "1000" in response.results[0].reason


async def test_contents_over_the_limit_are_truncated(start: Start) -> None:
    """Where the configuration truncates, the descriptor says so and tells both sizes."""
    async with start(content_bytes_max=1_000, oversize="truncate") as gateway:
        assert statuses(await gateway.publish(request(output="é" * 600))) == [ACCEPTED]
        (stored,) = await gateway.stored()
    output = next(each for each in stored.payload["contents"] if each["slot"] == "output")
    assert (output["state"], output["size"], output["original_size"]) == ("truncated", 1_000, 1_200)


async def test_an_event_over_its_limit_is_refused(start: Start) -> None:
    """An event that is too large as it came is refused before anything is read from it."""
    async with start(event_bytes_max=10_000, content_bytes_max=10_000) as gateway:
        response = await gateway.publish(request(output="x" * 10_001), request())
        assert statuses(response) == [REJECTED, ACCEPTED]
        assert response.results[0].field == ""


async def test_an_event_that_no_batch_holds_is_refused(gateway: Running) -> None:
    """An event whose encrypted contents pass what the log takes in one append is refused with both sizes."""
    event = request()
    for attribute in ("input", "output", "reasoning", "variables", "tool_definitions"):
        getattr(event.request, attribute).data = os.urandom(250_000)
    response = await gateway.publish(event, request())
    assert statuses(response) == [REJECTED, ACCEPTED]
    assert "in the event log, at most" in response.results[0].reason


async def test_a_large_call_becomes_several_whole_batches(gateway: Running) -> None:
    """A call beyond one append is cut into batches; every event stands under the receipt its result names."""
    events = [request(output=os.urandom(40_000).hex()) for _ in range(60)]
    response = await gateway.publish(*events)
    assert set(statuses(response)) == {ACCEPTED}
    assert len(response.batches) > 1
    for event, result in zip(events, response.results, strict=True):
        receipt = RECEIPT.decode(SIGNED.decode(response.batches[result.batch].receipt).body)
        ids = {receipt.entry(index).event_id: receipt.entry(index).leaf_hash for index in range(len(receipt))}
        assert ids[event.event_id] == result.leaf_hash
    assert [each.payload["event_id"] for each in await gateway.stored()] == [event.event_id for event in events]


async def test_a_tenant_with_shards_gets_a_batch_for_each_log(start: Start) -> None:
    """Events of a sharded tenant stand in the log of their shard, each log's under a receipt of its own."""
    async with start() as gateway:
        config = gateway.home.config(environment={})
        with gateway.home.keys(config) as keys:
            keys.tenants.add("hot", shards=4)
            gateway.home.write_trust(config, keys)
        events = [request() for _ in range(40)]
        response = await gateway.publish(*events, tenant="hot")
        assert set(statuses(response)) == {ACCEPTED}
        assert len(response.batches) == 4
        stored = await gateway.stored()
    assert {each.payload["event_id"] for each in stored} == {event.event_id for event in events}
    assert all(each.receipt.log_origin.count("/log/") == 1 for each in stored)
    assert len({each.receipt.log_origin for each in stored}) == 4
    assert {each.payload["shard"] for each in stored} == {0, 1, 2, 3}


async def test_an_empty_batch_is_invalid(gateway: Running) -> None:
    """A call without events is INVALID_ARGUMENT."""
    assert await refused_code(gateway.publish()) == grpc.StatusCode.INVALID_ARGUMENT


async def test_too_many_events_are_invalid(gateway: Running) -> None:
    """10,001 events are INVALID_ARGUMENT, and nothing of them is taken; 10,000 are looked at one by one."""
    assert await refused_code(gateway.publish_raw([b"x"] * 10_001)) == grpc.StatusCode.INVALID_ARGUMENT
    response = await gateway.publish_raw([b"x"] * 10_000)
    assert statuses(response) == [REJECTED] * 10_000
    assert await gateway.stored() == []


@pytest.mark.parametrize("tenant", ["nobody", "", "_system", "ACME", "acme "])
async def test_an_unknown_tenant_is_not_found(gateway: Running, tenant: str) -> None:
    """A tenant that was never made is NOT_FOUND; so is the one that only sealers write to."""
    assert await refused_code(gateway.publish(request(), tenant=tenant)) == grpc.StatusCode.NOT_FOUND


async def test_the_organisation_is_a_tenant_like_any_other(gateway: Running) -> None:
    """What is company-wide is published to `_org`."""
    event = event_pb2.Event(event_id=event_id())
    event.change.artifact_kind = event_pb2.ARTIFACT_KIND_PROMPT
    event.change.artifact_id = "greeting"
    event.change.action = event_pb2.CHANGE_ACTION_APPROVE
    event.change.author = "Ada"
    assert statuses(await gateway.publish(event, tenant="_org")) == [ACCEPTED]


async def test_a_tenant_made_while_the_gateway_runs_is_known_at_once(gateway: Running) -> None:
    """Tenants are looked up, not loaded at start."""
    with gateway.home.keys(gateway.home.config(environment={})) as keys:
        keys.tenants.add("late")
    assert statuses(await gateway.publish(request(), tenant="late")) == [ACCEPTED]


@pytest.mark.parametrize(
    "data",
    [b"\xff", b"\x0a\x02\xff\xfe", b"\x0a\x7f", b"\x10\x01", b"\x1a\x01x", b"\x0a\x04acme\x12\x05a"],
    ids=["no field", "tenant not UTF-8", "truncated", "wrong wire type", "unknown field", "truncated event"],
)
async def test_a_malformed_request_is_invalid(gateway: Running, data: bytes) -> None:
    """Bytes that are no PublishRequest are INVALID_ARGUMENT, never INTERNAL."""
    assert await refused_code(gateway.call(PUBLISH, data)) == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_message_over_the_limit_is_refused(start: Start) -> None:
    """A message larger than allowed is RESOURCE_EXHAUSTED, by gRPC itself."""
    limits = {"message_bytes_max": 65_536, "event_bytes_max": 60_000, "content_bytes_max": 50_000}
    async with start(**limits) as gateway:
        code = await refused_code(gateway.publish_raw([b"x" * 70_000]))
    assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
