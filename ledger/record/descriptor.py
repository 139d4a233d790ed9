"""Descriptors of contents, encoded: one for each content of an event, in the payload's list `contents`.

A gateway writes three or more for each event. Of the sixteen fields of one that is stored, sizes, digests and scopes
differ from content to content; those before and those behind take few values, and their encodings are remembered. So a
descriptor takes 0.8 µs, and took 2.2 as a dictionary. `encode_descriptor` is the same for any descriptor, and what the
tests hold the other against.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from ledger.record.encode import compile_fields, encode_long
from ledger.record.fields import RECORDS, Values
from ledger.record.schemas import PAYLOAD

RECORD = "ContentDescriptor"
REMEMBERED = 4_096
"""Encodings of beginnings and ends that are remembered."""

_FIELDS = tuple(field["name"] for field in RECORDS[RECORD])
_HEAD_FIELDS = ("slot", "state", "media_type")
_MIDDLE_FIELDS = (
    "size",
    "original_size",
    "ciphertext_sha256",
    "commitment",
    "keyed_digest",
    "keyed_digest_key_id",
    "scope_ids",
)
_TAIL_FIELDS = (
    "retention_class",
    "declared_class",
    "detected_class",
    "rule_pack",
    "detections",
    "reference",
)
if (*_HEAD_FIELDS, *_MIDDLE_FIELDS, *_TAIL_FIELDS) != _FIELDS:
    raise ValueError("the descriptor's fields are not those that are written here")

_head = compile_fields(PAYLOAD.definition, RECORD, _HEAD_FIELDS[0], _HEAD_FIELDS[-1])
_tail = compile_fields(PAYLOAD.definition, RECORD, _TAIL_FIELDS[0], _TAIL_FIELDS[-1])

encode_descriptor = compile_fields(PAYLOAD.definition, RECORD, _FIELDS[0], _FIELDS[-1])
"""Any descriptor: its values by field name to its bytes."""

_PRESENT = b"\x02"
_NO_KEYED_DIGEST = b"\x00\x00"


Tail = tuple[str, str, str, str | None, tuple[tuple[str, int], ...]]
"""Retention class, declared class, detected class, rule pack, detections (type, count)."""


def nothing_stored(
    slot: str, reference: str | None, media_type: str | None, retention: str, declared: str, state: str | None = None
) -> Values:
    """The values of a descriptor of a content that is kept by reference, or absent, unless `state` says otherwise."""
    state = state or ("absent" if reference is None else "by_reference")
    values: Values = dict.fromkeys(_FIELDS)
    values.update(slot=slot, state=state, media_type=media_type, scope_ids=[], reference=reference, detections=[])
    values.update(retention_class=retention, declared_class=declared, detected_class="unspecified")
    return values


def encode_scope_ids(scope_ids: Sequence[bytes]) -> bytes:
    """The field `scope_ids`, one or more: the same for most contents of an event."""
    if not scope_ids or any(len(each) != 16 for each in scope_ids):
        raise ValueError("scope_ids: expected one or more of 16 bytes, got none or others")
    return b"".join((encode_long(len(scope_ids)), *scope_ids, b"\x00"))


def encode_stored(
    head: tuple[str, str, str | None],
    size: int,
    original_size: int,
    digests: tuple[bytes, bytes],
    scope_ids: bytes,
    tail: Tail,
) -> bytes:
    """The descriptor of a content that is stored.

    `head`: slot, state, media type. `digests`: SHA-256 of the ciphertext, commitment. `scope_ids`: as encoded by
    `encode_scope_ids`.
    """
    ciphertext_sha256, commitment = digests
    if len(ciphertext_sha256) != 32 or len(commitment) != 32:
        raise ValueError("ciphertext_sha256, commitment: expected 32 bytes each, got others")
    return b"".join(
        (
            _encoded_head(head),
            _PRESENT,
            encode_long(size),
            _PRESENT,
            encode_long(original_size),
            _PRESENT,
            ciphertext_sha256,
            _PRESENT,
            commitment,
            _NO_KEYED_DIGEST,
            scope_ids,
            _encoded_tail(tail),
        )
    )


@lru_cache(maxsize=REMEMBERED)
def _encoded_head(head: tuple[str, str, str | None]) -> bytes:
    return _head(dict(zip(_HEAD_FIELDS, head, strict=True)))


@lru_cache(maxsize=REMEMBERED)
def _encoded_tail(tail: Tail) -> bytes:
    retention_class, declared, detected, rule_pack, found = tail
    detections = [{"type": kind, "count": count} for kind, count in found]
    own: dict[str, Any] = {"detected_class": detected, "rule_pack": rule_pack, "detections": detections}
    return _tail({"retention_class": retention_class, "declared_class": declared, **own, "reference": None})
