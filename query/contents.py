"""Opening contents: from a descriptor in a proven payload and a stored ciphertext to the bytes that were captured.

A content that does not open says why instead of failing the answer; the event and its proof stand without it. What can
be the matter, and what it means:

| reason                                        | meaning                                                          |
| --------------------------------------------- | ---------------------------------------------------------------- |
| removed under <event id>                      | an Erasure or Expiry event allowed a placement to drop it        |
| keys destroyed                                | a person was erased or its month expired; the ciphertext may stay |
| the ciphertext is missing                     | a finding: nothing allowed its absence                           |
| it differs from what the payload committed to | a finding: it was altered, or stands under a wrong key           |
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from ledger.errors import IntegrityError
from ledger.keys.derive import content_key
from ledger.keys.provider import ScopeKeys
from ledger.record.content import OpenedContent, open_content
from query.evidence import ContentView, SealedEvent, closed_content
from query.log_view import LogView
from query.rows import RowReader

KEYS_DESTROYED = "keys destroyed: a person was erased, or the retention of this month ended"
MISSING = "the ciphertext is missing, and no erasure or expiry allows it (finding)"
DIFFERS = "it differs from what the payload committed to (finding)"
CLOSED = "not opened: only metadata was asked for"
NOT_GRANTED = "not opened: it was not granted to this reader"

FINDINGS = (MISSING, DIFFERS)
"""Reasons that somebody has to look into."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Events with their contents opened as far as possible, and how many contents were decrypted."""

    events: tuple[SealedEvent, ...]
    decrypted: int


class ContentReader:
    """Opens contents of one store's events with the keys of a reader."""

    def __init__(self, rows: RowReader, keys: ScopeKeys) -> None:
        self._rows = rows
        self._keys = keys

    def open(self, log: LogView, events: Sequence[SealedEvent], slots: Collection[str] | None = None) -> Opened:
        """Opens the contents of events of one log, all or only those in `slots`."""
        wanted = {
            event.index: [each for each in event.values["contents"] if _is_stored(each, slots)] for event in events
        }
        stored = self._rows.ciphertexts(log, [index for index, found in wanted.items() if found])
        tenants = {event.tenant for event in events}
        scope_ids = {bytes(each) for found in wanted.values() for one in found for each in one["scope_ids"]}
        keys: dict[bytes, bytes] = {}
        for tenant in tenants:
            keys |= self._keys.scope_keys(tenant, scope_ids)
        opened = [_open_event(log, event, wanted[event.index], stored, keys) for event in events]
        return Opened(
            tuple(opened),
            sum(1 for event in opened for each in event.contents if each.data is not None),
        )

    def open_one(self, log: LogView, event: SealedEvent, slot: str) -> tuple[OpenedContent | None, str | None]:
        """One content with its salt; None and why where it does not open."""
        descriptor = next((each for each in event.values["contents"] if each["slot"] == slot), None)
        if descriptor is None or descriptor["ciphertext_sha256"] is None:
            return None, "nothing is stored in this slot"
        stored = self._rows.ciphertexts(log, [event.index])
        keys = self._keys.scope_keys(event.tenant, [bytes(each) for each in descriptor["scope_ids"]])
        return _decrypt(log, event, descriptor, stored.get((event.index, slot)), keys)


def _open_event(
    log: LogView,
    event: SealedEvent,
    wanted: Iterable[dict[str, Any]],
    stored: dict[tuple[int, str], bytes],
    keys: dict[bytes, bytes],
) -> SealedEvent:
    opened = {each["slot"]: _open(log, event, each, stored.get((event.index, each["slot"])), keys) for each in wanted}
    before = {each.slot: each for each in event.contents}
    contents = [
        opened.get(each["slot"]) or before.get(each["slot"]) or closed_content(each, CLOSED)
        for each in event.values["contents"]
    ]
    return replace(event, contents=tuple(contents))


def _is_stored(descriptor: dict[str, Any], slots: Collection[str] | None) -> bool:
    return descriptor["ciphertext_sha256"] is not None and (slots is None or descriptor["slot"] in slots)


def _open(
    log: LogView,
    event: SealedEvent,
    descriptor: dict[str, Any],
    ciphertext: bytes | None,
    keys: dict[bytes, bytes],
) -> ContentView:
    found, reason = _decrypt(log, event, descriptor, ciphertext, keys)
    return closed_content(descriptor, reason, None if found is None else found.stored)


def _decrypt(
    log: LogView,
    event: SealedEvent,
    descriptor: dict[str, Any],
    ciphertext: bytes | None,
    keys: dict[bytes, bytes],
) -> tuple[OpenedContent | None, str | None]:
    """The content behind a ciphertext, else why there is none."""
    slot = descriptor["slot"]
    if ciphertext is None:
        removed_by = log.placed.removed.get((event.index, slot))
        return None, f"removed under {UUID(bytes=removed_by)}" if removed_by else MISSING
    scope_ids = [bytes(each) for each in descriptor["scope_ids"]]
    if not scope_ids or any(each not in keys for each in scope_ids):
        return None, KEYS_DESTROYED
    key = content_key([(each, keys[each]) for each in scope_ids], event.tenant, event.event_id, slot)
    try:
        return open_content(
            ciphertext,
            key,
            event.tenant,
            event.event_id,
            slot,
            digest=descriptor["ciphertext_sha256"],
            commitment_=descriptor["commitment"],
            size=descriptor["size"],
        ), None
    except IntegrityError:
        return None, DIFFERS
