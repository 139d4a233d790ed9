"""Spooled frames: sealed to a key of the ledger, opened by any gateway, lost once the key is destroyed."""

from __future__ import annotations

import time

import grpc
import nacl.public
import pytest

from ledger.v1 import event_pb2, ingest_pb2
from tests.ledger.gateway.conftest import Start
from tests.ledger.gateway.events import request, unreadable
from tests.ledger.gateway.running import TENANT, Running
from tests.ledger.gateway.test_publish import ACCEPTED, REJECTED, REPEAT, refused_code, statuses


async def sealed(gateway: Running, frame: bytes) -> ingest_pb2.PublishSpooledRequest:
    """A frame as a producer's spool holds it."""
    key = await gateway.stub.GetSpoolKey(ingest_pb2.GetSpoolKeyRequest())
    box = nacl.public.SealedBox(nacl.public.PublicKey(key.public_key)).encrypt(frame)
    return ingest_pb2.PublishSpooledRequest(key_id=key.key_id, box=box)


def frame_of(*events: event_pb2.Event) -> bytes:
    return ingest_pb2.PublishRequest(tenant=TENANT, events=events).SerializeToString()


async def test_a_spooled_frame_is_published(gateway: Running) -> None:
    """What was sealed to the spool key is taken like any call, and repeats are known across both ways."""
    event = request()
    spooled = await sealed(gateway, frame_of(event))
    assert statuses(await gateway.stub.PublishSpooled(spooled)) == [ACCEPTED]
    assert statuses(await gateway.stub.PublishSpooled(spooled)) == [REPEAT]
    assert statuses(await gateway.publish(event)) == [REPEAT]
    assert len(await gateway.stored()) == 1


async def test_a_malformed_event_in_a_frame_is_refused_alone(gateway: Running) -> None:
    """The events of a frame are judged one by one as well."""
    frame = ingest_pb2.PublishFrame(tenant=TENANT, events=[unreadable(request()), request().SerializeToString()])
    spooled = await sealed(gateway, frame.SerializeToString())
    assert statuses(await gateway.stub.PublishSpooled(spooled)) == [REJECTED, ACCEPTED]


async def test_the_key_says_how_long_it_lives(start: Start) -> None:
    """A key is sealed to for its time, and destroyed the longest spool age after that."""
    async with start(spool_key_seal_s=100, spool_age_max_s=1_000) as gateway:
        key = await gateway.stub.GetSpoolKey(ingest_pb2.GetSpoolKeyRequest())
        again = await gateway.stub.GetSpoolKey(ingest_pb2.GetSpoolKeyRequest())
    assert abs(key.seal_until.seconds - time.time() - 100) < 5
    assert key.destroyed_at.seconds - key.seal_until.seconds == 1_000
    assert key == again


async def test_another_gateway_opens_the_frame(start: Start) -> None:
    """The key outlives the gateway that gave it out."""
    async with start() as gateway:
        spooled = await sealed(gateway, frame_of(request()))
    async with start() as gateway:
        assert statuses(await gateway.stub.PublishSpooled(spooled)) == [ACCEPTED]


async def test_a_frame_whose_key_is_gone_is_lost(start: Start) -> None:
    """Once the key is destroyed the frame is FAILED_PRECONDITION: the producer drops and counts it."""
    async with start() as gateway:
        spooled = await sealed(gateway, frame_of(request()))
        with gateway.home.keys(gateway.home.config(environment={})) as keys:
            with keys.database.write() as rows:
                rows.execute("DELETE FROM spool_keys")
        code = await refused_code(gateway.stub.PublishSpooled(spooled))
        assert code == grpc.StatusCode.FAILED_PRECONDITION
        assert await gateway.stored() == []


@pytest.mark.parametrize("flipped", [0, 40, -1])
async def test_an_altered_frame_is_invalid(gateway: Running, flipped: int) -> None:
    """A box that does not open under its key is INVALID_ARGUMENT."""
    spooled = await sealed(gateway, frame_of(request()))
    box = bytearray(spooled.box)
    box[flipped] ^= 1
    spooled.box = bytes(box)
    assert await refused_code(gateway.stub.PublishSpooled(spooled)) == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("box", [b"", b"short"])
async def test_a_short_box_is_invalid(gateway: Running, box: bytes) -> None:
    """So is one that is no box at all."""
    spooled = await sealed(gateway, frame_of(request()))
    spooled.box = box
    assert await refused_code(gateway.stub.PublishSpooled(spooled)) == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_box_without_a_request_is_invalid(gateway: Running) -> None:
    """What is inside is held to the same rules as any request."""
    spooled = await sealed(gateway, b"\xff\xff")
    assert await refused_code(gateway.stub.PublishSpooled(spooled)) == grpc.StatusCode.INVALID_ARGUMENT
    spooled = await sealed(gateway, frame_of())
    assert await refused_code(gateway.stub.PublishSpooled(spooled)) == grpc.StatusCode.INVALID_ARGUMENT
