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
from typing import Literal

from ledger.errors import Rejected
from ledger.keys.derive import ContentKeys, submission_key
from ledger.keys.provider import Grant, HolderRef, ScopeRef
from ledger.merkle import leaf_hash
from ledger.record.content import ContentSealer
from ledger.record.fields import Values
from ledger.record.payload import BODY_FIELDS, encode_payload
from ledger.record.submission import ENCODING, event_time_ms, submission_digest
from ledger.record.translate import ContentInput, Submission

CLOCK_SKEW_TOLERANCE_MS = 5 * 60 * 1000
"""How far ahead of the gateway's clock an event may claim to be without being flagged."""


@dataclass(frozen=True, slots=True)
class Capture:
    """What the capture policy decided for an event."""

    mode: Literal["full", "redacted", "metadata"]
    policy_version: str
    retention_class: str


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


@dataclass(frozen=True, slots=True)
class Needs:
    """The holders, scopes and links an event needs from the key store."""

    holders: tuple[HolderRef, ...]
    scopes: tuple[ScopeRef, ...]
    links: tuple[tuple[HolderRef, HolderRef], ...]


def holders_of(submission: Submission) -> tuple[HolderRef, ...]:
    """The persons named, or what stands in their place."""
    if submission.persons:
        return tuple(HolderRef("person", each) for each in submission.persons)
    return (_stand_in(submission),)


def _stand_in(submission: Submission) -> HolderRef:
    if submission.session_id is not None:
        return HolderRef("session", submission.session_id)
    return HolderRef("event", submission.event_id.hex())


def _content_holders(submission: Submission, persons: tuple[str, ...]) -> tuple[HolderRef, ...]:
    if persons:
        return tuple(HolderRef("person", each) for each in persons)
    return (_stand_in(submission),)


def needs(submission: Submission, capture: Capture, month: str) -> Needs:
    """What to acquire before `assemble`.

    The persons named are linked to the session, and to the event that this one amends: contents taken before anybody
    knew whose they were stand under those, and an erasure must find them.
    """
    named = dict.fromkeys(content.persons for content in submission.contents if content.data is not None)
    scopes = {
        ScopeRef(holder, capture.retention_class, month): None
        for persons in named
        for holder in _content_holders(submission, persons)
    }
    holders = {**dict.fromkeys(holders_of(submission)), **dict.fromkeys(scope.holder for scope in scopes)}
    stand_ins = []
    if submission.session_id is not None:
        stand_ins.append(HolderRef("session", submission.session_id))
    if submission.envelope["amends_event_id"] is not None:
        stand_ins.append(HolderRef("event", submission.envelope["amends_event_id"].hex()))
    links = ((stand_in, HolderRef("person", each)) for stand_in in stand_ins for each in submission.persons)
    return Needs(tuple(holders), tuple(scopes), tuple(links))


def check_sizes(submission: Submission, limits: ContentLimits) -> None:
    """Refuses a content over the limit, where the limit refuses."""
    if limits.oversize == "truncate":
        return
    for content in submission.contents:
        if content.data is not None and len(content.data) > limits.content_bytes_max:
            raise Rejected(content.field, f"at most {limits.content_bytes_max} bytes, got {len(content.data)}")


def digest_of(submission: Submission, encoded: bytes, grant: Grant, tenant: str) -> tuple[bytes, bytes]:
    """The submission digest and the id of its key."""
    held = {grant.holders[ref].pseudonym: grant.holders[ref].secret for ref in holders_of(submission)}
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
    descriptors: list[Values] = []
    ciphertexts: list[tuple[str, bytes]] = []
    commitments: dict[str, bytes] = {}
    scopes = _ScopesOf(submission, grant, capture.retention_class, reception.month)
    for content in submission.contents:
        descriptor, ciphertext = _seal(content, submission.event_id, scopes, reception.tenant, limits, sealer)
        descriptors.append(descriptor)
        if ciphertext is not None:
            ciphertexts.append((content.slot, ciphertext))
            commitments[content.slot] = descriptor["commitment"]
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
    values["detected_class"] = "unspecified"
    values["submission_digest"], values["submission_key_id"] = digest
    values["contents"] = descriptors
    values[BODY_FIELDS[submission.kind]] = _with_commitments(submission, commitments)
    payload = encode_payload(values)
    return AssembledEvent(submission.event_id, payload, leaf_hash(payload), tuple(ciphertexts), *digest)


def _pseudonym(grant: Grant, identifier: str | None) -> bytes | None:
    return None if identifier is None else grant.holders[HolderRef("person", identifier)].pseudonym


def _is_ahead(submission: Submission, received_at_us: int) -> bool:
    claimed = [event_time_ms(submission.event_id)]
    if submission.envelope["occurred_at"] is not None:
        claimed.append(submission.envelope["occurred_at"] // 1_000)
    return max(claimed) > received_at_us // 1_000 + CLOCK_SKEW_TOLERANCE_MS


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


class _ScopesOf(dict[tuple[str, ...], tuple[list[bytes], ContentKeys]]):
    """Scope ids in order, and the keys under them, by the persons a content names. Most contents name the same."""

    def __init__(self, submission: Submission, grant: Grant, retention_class: str, month: str) -> None:
        super().__init__()
        self._submission = submission
        self._grant = grant
        self.retention_class = retention_class
        self._month = month

    def __missing__(self, persons: tuple[str, ...]) -> tuple[list[bytes], ContentKeys]:
        granted = self._grant.scopes
        found = {
            scope.scope_id: scope.key
            for holder in _content_holders(self._submission, persons)
            for scope in (granted[ScopeRef(holder, self.retention_class, self._month)],)
        }
        held = self[persons] = (sorted(found), ContentKeys(list(found.items())))
        return held


def _seal(
    content: ContentInput,
    event_id: bytes,
    scopes: _ScopesOf,
    tenant: str,
    limits: ContentLimits,
    sealer: ContentSealer,
) -> tuple[Values, bytes | None]:
    """The descriptor of one content and its ciphertext (None where there is none: by reference, or absent)."""
    descriptor: Values = {
        "slot": content.slot,
        "state": "absent" if content.reference is None else "by_reference",
        "media_type": content.media_type,
        "size": None,
        "original_size": None,
        "ciphertext_sha256": None,
        "commitment": None,
        "keyed_digest": None,
        "keyed_digest_key_id": None,
        "scope_ids": [],
        "retention_class": scopes.retention_class,
        "declared_class": content.declared_class,
        "detected_class": "unspecified",
        "rule_pack": None,
        "detections": [],
        "reference": content.reference,
    }
    data = content.data
    if data is None:
        return descriptor, None
    stored = data
    if len(data) > limits.content_bytes_max:
        stored = _truncated(data, content.media_type, limits.content_bytes_max)
    scope_ids, keys = scopes[content.persons]
    sealed = sealer.seal(stored, keys.key(tenant, event_id, content.slot), tenant, event_id, content.slot)
    descriptor["state"] = "full" if stored is data else "truncated"
    descriptor["size"] = sealed.size
    descriptor["original_size"] = len(data)
    descriptor["ciphertext_sha256"] = sealed.ciphertext_sha256
    descriptor["commitment"] = sealed.commitment
    descriptor["scope_ids"] = scope_ids
    return descriptor, sealed.ciphertext
