"""Events to send."""

from __future__ import annotations

import os
import time

from ledger.v1 import event_pb2 as pb


def event_id(at_ms: int | None = None) -> bytes:
    """A UUIDv7."""
    made = bytearray((time.time_ns() // 1_000_000 if at_ms is None else at_ms).to_bytes(6, "big") + os.urandom(10))
    made[6] = 0x70 | made[6] & 0x0F
    made[8] = 0x80 | made[8] & 0x3F
    return bytes(made)


def request(user: str = "mia_li_3668", output: str = "Hello!", *, id_: bytes | None = None) -> pb.Event:
    """A model request of a user in a session."""
    event = pb.Event(event_id=id_ or event_id())
    event.actor.user.identifier = user
    event.actor.agent = "support-agent"
    event.producer.service = "support"
    event.story.session_id = "session-1"
    event.request.vendor = "openai"
    event.request.model_requested = "gpt-4o"
    event.request.operation = pb.AI_OPERATION_CHAT
    event.request.input.text = "Where is my flight?"
    event.request.output.text = output
    return event


def unreadable(event: pb.Event) -> bytes:
    """The event with a byte in its vendor that is no UTF-8."""
    data = event.SerializeToString()
    return data.replace(b"openai", b"open\xffi")
