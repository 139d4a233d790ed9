"""Events to measure with: 1.5 KB of input and 1 KB of output, text that compresses like conversation."""

from __future__ import annotations

import os
import random
import time

from ledger.v1 import event_pb2 as pb

_SPEECH = (
    "the flight to seattle on may twentieth is available in economy for two hundred and fifty nine dollars would you "
    "like me to proceed with this booking using certificate first and the card ending in for the rest please confirm "
    "reservation passenger baggage insurance cancel modify refund policy agent customer question answer because however"
)
_WORDS = _SPEECH.split(" ")


def text(size: int, dice: random.Random) -> str:
    """About `size` characters of words, numbers and ids."""
    out: list[str] = []
    length = 0
    while length < size:
        word = dice.choice(_WORDS) if dice.random() < 0.9 else f"{dice.randrange(10**6)}"
        out.append(word)
        length += len(word) + 1
    return " ".join(out)[:size]


def event_id() -> bytes:
    """A fresh UUIDv7."""
    raw = bytearray((time.time_ns() // 1_000_000).to_bytes(6, "big") + os.urandom(10))
    raw[6] = 0x70 | (raw[6] & 0x0F)
    raw[8] = 0x80 | (raw[8] & 0x3F)
    return bytes(raw)


def requests(count: int, users: int = 1_000, seed: int = 1) -> list[pb.Event]:
    """AiRequests of many users, each with 2.5 KB of contents."""
    dice = random.Random(seed)
    texts = [(text(1_500, dice), text(1_000, dice)) for _ in range(min(count, 500))]
    events = []
    for at in range(count):
        event = pb.Event(event_id=event_id(), phase=pb.PHASE_SINGLE)
        event.occurred_at.GetCurrentTime()
        event.producer.service = "benchmark"
        event.actor.user.identifier = f"user-{dice.randrange(users):06d}"
        event.story.session_id = f"session-{at // 10}"
        event.story.correlation_id = f"case-{at // 10}"
        event.classification = pb.CLASSIFICATION_CONFIDENTIAL
        event.request.operation = pb.AI_OPERATION_CHAT
        event.request.vendor = "openai"
        event.request.model_requested = "gpt-4o"
        event.request.model_answered = "gpt-4o-2024-08-06"
        event.request.tokens_in = 400
        event.request.tokens_out = 250
        event.request.input.text, event.request.output.text = texts[at % len(texts)]
        events.append(event)
    return events
