"""Everything at once: a gateway that fails in every way, a spool, restarts, and at the end the books."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from pathlib import Path

import grpc
import pytest

from ledger.client import Client, request
from ledger.v1 import ingest_pb2 as pb
from tests.ledger.client.gateway import Act, ScriptedGateway, fails, hangs, says

CODES = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.DEADLINE_EXCEEDED)


def mischief(dice: random.Random) -> Act:
    """Something a gateway may do to a call."""
    return dice.choice(
        [
            fails(dice.choice(CODES)),
            fails(dice.choice(CODES), after=True),
            fails(grpc.StatusCode.RESOURCE_EXHAUSTED, retry_after_ms=dice.randrange(30)),
            fails(grpc.StatusCode.RESOURCE_EXHAUSTED),
            says(pb.EVENT_STATUS_RETRY, pb.EVENT_STATUS_ACCEPTED, pb.EVENT_STATUS_RETRY),
            hangs,
        ]
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_after_any_storm_every_number_is_delivered_or_declared(
    gateway: ScriptedGateway, tmp_path: Path, seed: int
) -> None:
    """Three clients one after the other, with one spool, through failures, hangs and outages: each stream is complete
    and closed, no event is sealed twice, and what is missing is declared."""
    dice = random.Random(seed)
    for life in range(3):
        client = Client(
            gateway.address,
            "acme",
            backoff_first_ms=2,
            backoff_longest_ms=20,
            linger_ms=1,
            rpc_timeout_ms=60,
            queue_events_max=300,
            batch_events_max=40,
            spool_dir=tmp_path,
            spool_after_ms=5,
            spool_segment_bytes=20_000,
            drop=dice.choice(["newest", "oldest"]),
        )
        end = time.monotonic() + 0.8
        while time.monotonic() < end:
            for _ in range(dice.randrange(60)):
                client.emit(request(vendor="v", input="x" * dice.randrange(500)))
            gateway.script.extend(mischief(dice) for _ in range(dice.randrange(3)))
            if dice.random() < 0.1:
                gateway.stop()
                time.sleep(dice.random() * 0.1)
                gateway.start()
            time.sleep(dice.random() * 0.01)
        gateway.script.clear()
        if life == 2:
            assert client.flush(20)
        client.close(20 if life == 2 else 0.5)

    streams: dict[bytes, list[tuple[int, int]]] = defaultdict(list)
    for event in gateway.accepted:
        streams[event.producer.boot_id].append((event.producer.sequence, event.producer.dropped_count))
    assert len(streams) == 3
    for numbers in streams.values():
        sequences = [sequence for sequence, _ in numbers]
        assert len(set(sequences)) == len(sequences)
        missing = max(sequences) - len(sequences)
        assert missing <= sum(dropped for _, dropped in numbers)
