"""An event as submitted: its deterministic bytes, its keyed digest, and its times.

*Encoding `pb1`.* The event's protobuf message in wire format with: fields in ascending order of their numbers, unset
and default values of fields without presence left out, numbers packed where proto3 packs them, shortest varints,
nothing unknown. protobuf's deterministic serialization writes exactly this for our messages, which have no maps and no
extensions; a test holds it against an encoder of its own. Fields a newer producer knows and this gateway doesn't are
refused, not dropped: dropping would lose evidence in silence and give two bodies one digest.

    submission digest = HMAC-SHA-256(submission key, canonical(tag "audit-ledger/submission/v1", tenant) || pb1 bytes)

The submission key comes from the gateway secrets of the persons named in the event, see `ledger.keys.derive`.
"""

from __future__ import annotations

import hmac
from functools import lru_cache

from google.protobuf.message import DecodeError

from ledger.canonical import text
from ledger.errors import Rejected
from ledger.v1 import event_pb2 as pb

ENCODING = "pb1"
PREFIXES_MAX = 1_024
"""Tenants whose canonical bytes are remembered."""

_TAG = text.encode("audit-ledger/submission/v1")


def parse_event(data: bytes) -> pb.Event:
    """The event in `data`; `Rejected` when it is malformed or holds fields unknown to this build."""
    return parse_submission(data)[0]


def parse_submission(data: bytes) -> tuple[pb.Event, bytes]:
    """The event in `data` and its encoding `pb1`; raises like `parse_event`."""
    event = pb.Event()
    try:
        event.ParseFromString(data)
    except DecodeError:
        raise Rejected("", "not a valid Event: truncated, malformed, or text that is not UTF-8") from None
    event.DiscardUnknownFields()
    encoded = event.SerializeToString(deterministic=True)
    # Where this is what came, nothing was discarded; that is so for nearly every producer. Others may have written the
    # same fields in another way: there the sizes with and without the unknown ones tell.
    if encoded != data and pb.Event.FromString(data).ByteSize() != len(encoded):
        raise Rejected("", "holds fields this gateway does not know; it would lose them. Upgrade the gateway first")
    return event, encoded


def submission_bytes(event: pb.Event) -> bytes:
    """The event in encoding `pb1`."""
    return event.SerializeToString(deterministic=True)


def submission_digest(key: bytes, tenant: str, encoded: bytes) -> bytes:
    """The digest that tells a repeat from a conflict; `encoded` are `submission_bytes`."""
    return hmac.digest(key, _prefix(tenant) + encoded, "sha256")


@lru_cache(maxsize=PREFIXES_MAX)
def _prefix(tenant: str) -> bytes:
    return _TAG + text.encode(tenant)


def event_time_ms(event_id: bytes) -> int:
    """The time in front of a UUIDv7 or v8, in Unix milliseconds."""
    return int.from_bytes(event_id[:6], "big")


def check_event_id(event_id: bytes, field: str = "event_id") -> None:
    """Refuses what isn't an RFC 9562 UUID of version 7 or 8."""
    if len(event_id) != 16:
        raise Rejected(field, f"expected 16 bytes, got {len(event_id)}")
    if event_id[6] >> 4 not in (7, 8) or event_id[8] >> 6 != 0b10:
        raise Rejected(field, "expected a UUID of version 7 or 8")
