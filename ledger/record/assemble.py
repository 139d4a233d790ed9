"""From a checked submission and its keys to the event's canonical form.

Holders: every person named in the event; without one its session, else the event itself, stands in their place. The
submission digest is keyed by the gateway secrets of all of them. A content's key is derived from one scope (holder,
retention class, month of receipt) for each person named for it; with none named, from the stand-in's.

The result is final: payload bytes, leaf hash, ciphertexts. Assembling the same submission twice gives other bytes
(fresh salts and nonces) and the same submission digest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal, NamedTuple

from ledger.errors import Rejected
from ledger.keys.derive import ContentKeys, metadata_digest, metadata_key, place_of, submission_key
from ledger.keys.provider import Grant, HolderRef, ScopeRef
from ledger.record.capture import Capture, ContentCapture
from ledger.record.content import ContentSealer
from ledger.record.descriptor import Tail, encode_descriptor, encode_scope_ids, encode_stored, nothing_stored
from ledger.record.fields import Values
from ledger.record.payload import BODY_FIELDS, encode_payload_with
from ledger.record.submission import ENCODING, event_time_ms, submission_digest
from ledger.record.translate import ContentInput, Submission, stand_in
from ledger.tlog.merkle import leaf_hash

CLOCK_SKEW_TOLERANCE_MS = 5 * 60 * 1000
"""How far ahead of the gateway's clock an event may claim to be without being flagged."""


@dataclass(frozen=True, slots=True)
class Reception:
    """Who took the event, from whom, when. `received_at_us`: Unix microseconds by the gateway's clock."""

    tenant: str
    shard: int
    received_at_us: int
    gateway_id: str
    gateway_build: str
    submitted_by: str
    authentication_method: Literal["none", "mtls", "jwt", "local", "token"]

    @property
    def month(self) -> str:
        """The month of receipt, UTC, as `2026-11`."""
        return month_of(self.received_at_us)


@lru_cache(maxsize=64)
def month_of(received_at_us: int) -> str:
    """The month of a time of receipt, UTC, as `2026-11`. The events of a batch share their time, hence the memory."""
    return datetime.fromtimestamp(received_at_us // 1_000_000, UTC).strftime("%Y-%m")


@dataclass(frozen=True, slots=True)
class ContentLimits:
    """How large a content may be, in bytes, and what happens to a larger one."""

    content_bytes_max: int = 256 * 1024
    oversize: Literal["refuse", "truncate"] = "refuse"


@dataclass(frozen=True, slots=True)
class AssembledEvent:
    """An event in its canonical form, ready for the event log."""

    event_id: bytes
    payload: bytes
    leaf_hash: bytes
    contents: tuple[tuple[str, bytes], ...]
    submission_digest: bytes
    submission_key_id: bytes


class Needs(NamedTuple):
    """The holders, scopes and links an event needs from the key store."""

    holders: tuple[HolderRef, ...]
    scopes: tuple[ScopeRef, ...]
    links: tuple[tuple[HolderRef, HolderRef], ...]


def _content_holders(submission: Submission, persons: tuple[str, ...]) -> tuple[HolderRef, ...]:
    """Those persons or, where there are none, what stands in their place."""
    if persons == submission.persons:
        return submission.holders
    if persons:
        return tuple([HolderRef("person", each) for each in persons])
    return (stand_in(submission.session_id, submission.event_id),)


def needs(submission: Submission, capture: Capture, month: str) -> Needs:
    """What to acquire before `assemble`.

    The persons named are linked to the session, and to the event that this one amends: contents taken before anybody
    knew whose they were stand under those, and an erasure must find them. Over OTLP they are linked to the trace as
    well, which stands in for the session of what names none (docs/OTLP.md): a span may know its user and its session,
    and the log record that brings its contents neither.
    """
    decided, default = capture.contents, capture.retention_class
    named: dict[tuple[tuple[str, ...], str | None], None] = {}
    for content in submission.contents:
        if content.data is not None:
            own = decided.get(content.slot)
            kept = default if own is None else None if own.mode == "metadata" else own.retention_class
            named[content.persons, kept] = None
    holders, scopes = dict.fromkeys(submission.holders), dict[ScopeRef, None]()
    for persons, retention_class in named:
        for holder in _content_holders(submission, persons):
            holders[holder] = None
            if retention_class is not None:
                scopes[ScopeRef(holder, retention_class, month)] = None
    return Needs(tuple(holders), tuple(scopes), _links(submission) if submission.persons else ())


def _links(submission: Submission) -> tuple[tuple[HolderRef, HolderRef], ...]:
    stand_ins = []
    if submission.session_id is not None:
        stand_ins.append(HolderRef("session", submission.session_id))
    if submission.envelope["amends_event_id"] is not None:
        stand_ins.append(HolderRef("event", submission.envelope["amends_event_id"].hex()))
    trace = trace_stand_in(submission.envelope["capture_path"], submission.envelope["trace_id"])
    if trace is not None and trace not in stand_ins:
        stand_ins.append(trace)
    return tuple([(stand_in, person) for stand_in in stand_ins for person in submission.holders])


def trace_stand_in(capture_path: str, trace_id: bytes | None) -> HolderRef | None:
    """What holds contents that came over OTLP in a trace, without a person or a session of their own."""
    if trace_id is None or capture_path not in ("otlp", "importer"):
        return None
    return HolderRef("session", trace_id.hex())


def check_sizes(submission: Submission, limits: ContentLimits) -> None:
    """Refuses a content over the limit, where the limit refuses."""
    if limits.oversize == "truncate":
        return
    for content in submission.contents:
        if content.data is not None and len(content.data) > limits.content_bytes_max:
            raise Rejected(content.field, f"at most {limits.content_bytes_max} bytes, got {len(content.data)}")


def digest_of(submission: Submission, encoded: bytes, grant: Grant, tenant: str) -> tuple[bytes, bytes]:
    """The submission digest and the id of its key."""
    holders = grant.holders
    # By pseudonym: two spellings of one person are one.
    held = dict([holders[ref] for ref in submission.holders])
    key, key_id = submission_key(list(held.items()), ENCODING)
    return submission_digest(key, tenant, encoded), key_id


def assemble(
    submission: Submission,
    digest: tuple[bytes, bytes],
    grant: Grant,
    capture: Capture,
    reception: Reception,
    limits: ContentLimits,
    sealer: ContentSealer,
) -> AssembledEvent:
    """The event's canonical form. `digest` comes from `digest_of`; `grant` holds all that `needs` named."""
    scopes = _ScopesOf(submission, grant, reception.month)
    sealing = _Sealing(submission.event_id, reception.tenant, scopes, capture, limits, sealer)
    descriptors = [sealing.seal(content) for content in submission.contents]
    values = submission.envelope.copy()
    values["tenant"] = reception.tenant
    values["shard"] = reception.shard
    values["received_at"] = reception.received_at_us
    values["clock_skewed"] = _is_ahead(submission, reception.received_at_us)
    values["submitted_by"] = reception.submitted_by
    values["authentication_method"] = reception.authentication_method
    values["gateway_id"] = reception.gateway_id
    values["gateway_build"] = reception.gateway_build
    values["actor_user"] = _pseudonym(grant, submission.actor_user)
    values["subjects"] = [
        {"pseudonym": _pseudonym(grant, identifier), "relation": relation}
        for identifier, relation in submission.subjects
    ]
    values["capture_mode"] = capture.mode
    values["capture_policy_version"] = capture.policy_version
    values["detected_class"] = capture.detected_class
    values["submission_digest"], values["submission_key_id"] = digest
    values["contents"] = descriptors
    values[BODY_FIELDS[submission.kind]] = _with_commitments(submission, sealing.commitments)
    payload = encode_payload_with(values)
    return AssembledEvent(submission.event_id, payload, leaf_hash(payload), tuple(sealing.ciphertexts), *digest)


def _pseudonym(grant: Grant, identifier: str | None) -> bytes | None:
    return None if identifier is None else grant.holders[HolderRef("person", identifier)].pseudonym


def _is_ahead(submission: Submission, received_at_us: int) -> bool:
    latest_ms = received_at_us // 1_000 + CLOCK_SKEW_TOLERANCE_MS
    occurred_at_us = submission.envelope["occurred_at"]
    return event_time_ms(submission.event_id) > latest_ms or (
        occurred_at_us is not None and occurred_at_us // 1_000 > latest_ms
    )


def _with_commitments(submission: Submission, commitments: dict[str, bytes]) -> Values:
    """The body, with the commitments that it repeats from its contents' descriptors."""
    body = submission.body
    if submission.kind == "request" and body["retrieved"]:
        retrieved = [
            {**each, "document_commitment": commitments.get(f"retrieved.{i}.document_id")}
            for i, each in enumerate(body["retrieved"])
        ]
        return {**body, "retrieved": retrieved}
    if submission.kind == "tool_call":
        return {**body, "external_effect_commitment": commitments.get("external_effect_id")}
    if submission.kind == "access":
        return {**body, "query_commitment": commitments.get("query")}
    return body


def _truncated(data: bytes, media_type: str | None, limit: int) -> bytes:
    """The first `limit` bytes, or up to three fewer: text in UTF-8 is not cut inside a character."""
    end, kind = limit, (media_type or "").partition(";")[0].strip().lower()
    if kind.startswith("text/") or kind.endswith(("json", "xml")):
        while end > max(limit - 3, 0) and data[end] & 0xC0 == 0x80:
            end -= 1
    return data[:end]


class _Scopes(NamedTuple):
    """The scopes of some contents: their ids as a descriptor holds them, and what their keys are derived from."""

    encoded_ids: bytes
    keys: ContentKeys


class _ScopesOf(dict[tuple[tuple[str, ...], str], _Scopes]):
    """Scopes by the persons a content names and its retention class. Most contents of an event have the same."""

    def __init__(self, submission: Submission, grant: Grant, month: str) -> None:
        super().__init__()
        self._submission = submission
        self._grant = grant
        self._month = month

    def __missing__(self, of: tuple[tuple[str, ...], str]) -> _Scopes:
        persons, retention_class = of
        granted, month = self._grant.scopes, self._month
        holders = _content_holders(self._submission, persons)
        found = dict([granted[ScopeRef(holder, retention_class, month)] for holder in holders])
        held = self[of] = _Scopes(encode_scope_ids(sorted(found)), ContentKeys(list(found.items())))
        return held

    def metadata_key(self, persons: tuple[str, ...]) -> tuple[bytes, bytes]:
        """The key of digests in `metadata` mode, and its id."""
        holders = [self._grant.holders[each] for each in _content_holders(self._submission, persons)]
        return metadata_key(list(dict(holders).items()))


class _Sealing:
    """Seals the contents of one event, in their order."""

    __slots__ = ("_capture", "_event_id", "_limits", "_scopes", "_sealer", "_tenant", "ciphertexts", "commitments")

    def __init__(
        self,
        event_id: bytes,
        tenant: str,
        scopes: _ScopesOf,
        capture: Capture,
        limits: ContentLimits,
        sealer: ContentSealer,
    ) -> None:
        self._capture = capture
        self._event_id = event_id
        self._tenant = tenant
        self._scopes = scopes
        self._limits = limits
        self._sealer = sealer
        self.ciphertexts: list[tuple[str, bytes]] = []
        self.commitments: dict[str, bytes] = {}

    def seal(self, content: ContentInput) -> bytes:
        """The descriptor of the content, encoded. What is by reference, or absent, has no ciphertext."""
        slot, _, media_type, data, reference, declared_class, persons = content
        capture, decided = self._capture, self._capture.contents.get(slot)
        if data is None:
            retention_class = decided.retention_class if decided is not None else capture.retention_class
            return encode_descriptor(nothing_stored(slot, reference, media_type, retention_class, declared_class))
        stored, state, kept = data, "full", capture.retention_class
        tail: Tail = (kept, declared_class, "unspecified", None, ())
        if decided is not None:
            if decided.mode == "metadata":
                return self._digest_only(content, decided)
            stored, state, kept = decided.data, decided.mode, decided.retention_class
            tail = (kept, declared_class, decided.detected_class, decided.rule_pack, decided.detections)
        elif capture.mode != "full":
            raise ValueError(f"content {slot}: mode {capture.mode} without a decision for this content")
        # What redaction makes longer was within the limit as it came, and stays whole.
        if len(data) > self._limits.content_bytes_max < len(stored):
            stored, state = _truncated(stored, media_type, self._limits.content_bytes_max), "truncated"
        encoded_ids, keys = self._scopes[persons, kept]
        place = place_of(self._tenant, self._event_id, slot)
        ciphertext, sha256, commitment, stored_size = self._sealer.seal(stored, keys.key(place), place)
        self.ciphertexts.append((slot, ciphertext))
        self.commitments[slot] = commitment
        head = (slot, state, media_type)
        return encode_stored(head, stored_size, len(data), (sha256, commitment), encoded_ids, tail)

    def _digest_only(self, content: ContentInput, decided: ContentCapture) -> bytes:
        key, key_id = self._scopes.metadata_key(content.persons)
        values = nothing_stored(
            content.slot, None, content.media_type, decided.retention_class, content.declared_class, "metadata"
        )
        values.update(
            original_size=len(decided.data),
            keyed_digest=metadata_digest(key, self._tenant, decided.data),
            keyed_digest_key_id=key_id,
            detected_class=decided.detected_class,
            rule_pack=decided.rule_pack,
            detections=[{"type": kind, "count": count} for kind, count in decided.detections],
        )
        return encode_descriptor(values)
