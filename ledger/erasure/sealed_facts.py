"""What the sealed events say of keys: which were destroyed, who belongs to which session, which persons there are.

Read from the events files of one tenant, digests checked, for a key store that has to catch up with them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ledger.deletion.events import TARGET
from ledger.keys.destruction import ID_BYTES, Kind, Request
from ledger.keys.provider import HolderRef
from ledger.record.assemble import trace_stand_in
from ledger.segments.history import History
from ledger.segments.holdings import Holdings
from ledger.segments.objects import FileStore
from ledger.segments.round import EVENTS
from ledger.segments.rows import check_bytes, from_parquet
from ledger.tenants import Tenant
from ledger.trust import TrustedKeys

_COLUMNS = [
    *("log_id", "index", "event_id", "kind", "correlation_id", "credential_id", "received_at"),
    *("session_id", "amends_event_id", "capture_path", "trace_id", "actor_user", "subjects"),
    *("contents", "erasure", "expiry", "legal_hold", "operation"),
]
_DELETION = re.compile(r"tenant-deletion:([0-9a-f]{32})")
_CORRELATION = re.compile(r"(erasure|expiry):([0-9a-f]{32})")


@dataclass(slots=True)
class Destroyed:
    """One erasure or expiry, put together from its events in all logs."""

    destruction_id: bytes
    kind: Kind
    request: Request
    retention_class: str | None
    month: str | None
    at_ms: int
    pseudonyms: set[bytes] = field(default_factory=set)
    scope_ids: set[bytes] = field(default_factory=set)
    counts: dict[bytes, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HoldFact:
    """The last change of a legal hold."""

    hold_id: str
    pseudonym: bytes
    released: bool
    request: Request
    at_ms: int


@dataclass(frozen=True, slots=True)
class Closed:
    """The order to delete the tenant, as its last event says it."""

    deletion_id: bytes
    request: Request
    at_ms: int


@dataclass(slots=True)
class SealedFacts:
    """Of one tenant. `links`: what stood for whom, by her pseudonym.

    `final`: the final statement, if a round has committed it in any of the tenant's logs.
    """

    destroyed: dict[bytes, Destroyed] = field(default_factory=dict)
    holds: dict[str, HoldFact] = field(default_factory=dict)
    links: set[tuple[HolderRef, bytes]] = field(default_factory=set)
    pseudonyms: set[bytes] = field(default_factory=set)
    scope_ids: set[bytes] = field(default_factory=set)
    closed: Closed | None = None
    final: str = ""


def read_facts(store: FileStore, trust: Callable[[], TrustedKeys], tenant: Tenant) -> SealedFacts:
    """Everything its sealed events say."""
    facts = SealedFacts()
    for partition in sorted({log.partition for log in tenant.logs}):
        holdings = Holdings(History(store, partition, trust()))
        holdings.refresh()
        for log_id, log in holdings.of(each.log_id for each in tenant.logs).items():
            if log.placement is not None and log.placement.is_deletion:
                facts.final = log.placement.final
            for file in log.files():
                if file.role == EVENTS:
                    data = store.read(file.name)
                    check_bytes(data, file.sha256, file.name)
                    rows = from_parquet(data, file.name, _COLUMNS)
                    rows = rows.filter(
                        pc.and_(
                            pc.equal(rows["log_id"], pa.scalar(log_id, pa.binary())),
                            pc.and_(
                                pc.greater_equal(rows["index"], file.first_index),
                                pc.less(rows["index"], file.end_index),
                            ),
                        )
                    )
                    _take(facts, log_id, rows)
    return facts


def _take(facts: SealedFacts, log_id: bytes, rows: pa.Table) -> None:
    small = rows.select(["session_id", "amends_event_id", "capture_path", "trace_id", "actor_user", "subjects"])
    for row in small.to_pylist():
        named = {each["pseudonym"] for each in row["subjects"]}
        if row["actor_user"] is not None:
            named.add(row["actor_user"])
        facts.pseudonyms |= named
        if row["session_id"] is not None:
            facts.links.update((HolderRef("session", row["session_id"]), each) for each in named)
        if row["amends_event_id"] is not None:
            facts.links.update((HolderRef("event", row["amends_event_id"].hex()), each) for each in named)
        trace = trace_stand_in(row["capture_path"], row["trace_id"])
        if trace is not None:
            facts.links.update((trace, each) for each in named)
    for contents in rows["contents"].to_pylist():
        for each in contents:
            if each["ciphertext_sha256"] is not None:
                facts.scope_ids.update(each["scope_ids"])
    own = rows.filter(pc.is_in(rows["kind"], pa.array(["erasure", "expiry", "legal_hold", "operation"])))
    for row in own.select([each for each in _COLUMNS if each != "contents"]).to_pylist():
        if row["kind"] == "legal_hold":
            _take_hold(facts, row)
        elif row["kind"] == "operation":
            _take_closed(facts, row)
        else:
            _take_destroyed(facts, log_id, row)


def _take_hold(facts: SealedFacts, row: dict[str, Any]) -> None:
    body = row["legal_hold"]
    at_ms = round(row["received_at"].timestamp() * 1_000)
    before = facts.holds.get(body["hold_id"])
    if body["pseudonyms"] and (before is None or before.at_ms <= at_ms):
        request = Request(row["credential_id"] or "", tuple(body["approvers"]), body["legal_ground"] or "", "")
        hold = HoldFact(body["hold_id"], body["pseudonyms"][0], bool(body["released"]), request, at_ms)
        facts.holds[hold.hold_id] = hold


def _take_closed(facts: SealedFacts, row: dict[str, Any]) -> None:
    body, match = row["operation"], _DELETION.fullmatch(row["correlation_id"] or "")
    if match is None or body["target"] != TARGET:
        return
    reason = "ordered before the key store was restored"
    request = Request(row["credential_id"] or "", tuple(body["approvers"]), body["legal_ground"] or "", reason)
    at_ms = round(row["received_at"].timestamp() * 1_000)
    facts.closed = Closed(bytes.fromhex(match[1]), request, at_ms)


def _take_destroyed(facts: SealedFacts, log_id: bytes, row: dict[str, Any]) -> None:
    kind: Kind = row["kind"]
    body = row[kind]
    match = _CORRELATION.fullmatch(row["correlation_id"] or "")
    known = match is not None and match[1] == kind
    which = bytes.fromhex(match[2]) if match is not None and known else sha256(row["event_id"]).digest()[:ID_BYTES]
    found = facts.destroyed.get(which)
    if found is None:
        request = Request(row["credential_id"] or "", tuple(body["approvers"]), body["legal_ground"] or "", "")
        at_ms = round(row["received_at"].timestamp() * 1_000)
        found = Destroyed(which, kind, request, body.get("retention_class"), body.get("month"), at_ms)
        facts.destroyed[which] = found
    found.pseudonyms.update(body.get("pseudonyms") or ())
    found.scope_ids.update(body.get("scope_ids") or body["key_ids_destroyed"])
    found.counts[log_id] = found.counts.get(log_id, 0) + (body["contents_count"] or 0)
