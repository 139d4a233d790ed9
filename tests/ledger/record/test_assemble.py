"""From parts and keys to the canonical form: nothing personal inside, every content under the keys of its persons."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import Rejected
from ledger.keys.derive import content_key
from ledger.keys.provider import HolderRef, ScopeRef
from ledger.record.assemble import (
    CLOCK_SKEW_TOLERANCE_MS,
    AssembledEvent,
    ContentLimits,
    Reception,
    assemble,
    check_sizes,
    digest_of,
    month_of,
    needs,
)
from ledger.record.capture import Capture
from ledger.record.content import ContentSealer, open_content
from ledger.record.payload import BODY_FIELDS, decode_payload
from ledger.record.submission import submission_bytes
from ledger.record.translate import Submission, translate
from ledger.tlog.merkle import leaf_hash
from ledger.v1 import event_pb2 as pb
from tests.ledger.record import keys
from tests.ledger.record.events import CAPTURED, events
from tests.ledger.record.paths import EVENT_ID

RECEIVED_US = 1_793_534_400_000_000  # 2026-11-01T12:00:00Z
RECEPTION = Reception("acme", 0, RECEIVED_US, "gw-1", "build-1", "key-1", "token")
CAPTURE = Capture("full", "policy/1", "standard")
LIMITS = ContentLimits()
SEALER = ContentSealer()
GATEWAYS_OWN = {
    "tenant",
    "shard",
    "received_at",
    "clock_skewed",
    "submitted_by",
    "authentication_method",
    "gateway_id",
    "gateway_build",
    "actor_user",
    "subjects",
    "capture_mode",
    "capture_policy_version",
    "detected_class",
    "submission_digest",
    "submission_key_id",
    "contents",
}
"""What the gateway adds to an envelope."""


def assembled(
    event: pb.Event, limits: ContentLimits = LIMITS, reception: Reception = RECEPTION
) -> tuple[Submission, AssembledEvent, dict[str, Any]]:
    """An event through all steps, and its payload read back."""
    submission = translate(event)
    granted = keys.grant(needs(submission, CAPTURE, reception.month))
    digest = digest_of(submission, submission_bytes(event), granted, reception.tenant)
    made = assemble(submission, digest, granted, CAPTURE, reception, limits, SEALER)
    return submission, made, decode_payload(made.payload)


def opened(made: AssembledEvent, payload: dict[str, Any], slot: str, *holders: HolderRef) -> bytes:
    """A content opened with the scope keys of these holders."""
    descriptor = next(each for each in payload["contents"] if each["slot"] == slot)
    scopes = [keys.scope(ScopeRef(holder, "standard", "2026-11")) for holder in holders]
    assert descriptor["scope_ids"] == sorted(scope.scope_id for scope in scopes)
    key = content_key([(scope.scope_id, scope.key) for scope in scopes], "acme", made.event_id, slot)
    return open_content(
        dict(made.contents)[slot],
        key,
        "acme",
        made.event_id,
        slot,
        digest=descriptor["ciphertext_sha256"],
        commitment_=descriptor["commitment"],
        size=descriptor["size"],
    ).stored


def a_request() -> pb.Event:
    """A request by somebody about somebody, in a session."""
    event = pb.Event(event_id=EVENT_ID)
    event.actor.user.identifier = "mia"
    event.subjects.add(identifier="sofia", relation="customer")
    event.story.session_id = "s-1"
    event.request.input.text = "hello"
    return event


MIA, SOFIA = HolderRef("person", "mia"), HolderRef("person", "sofia")


@settings(max_examples=100, deadline=None)
@given(events())
def test_every_valid_event_has_a_payload_with_nothing_personal_inside(event: pb.Event) -> None:
    """Any taken event is assembled from what it needs; no identifier and no captured text stands in its payload."""
    submission, made, payload = assembled(event, ContentLimits(content_bytes_max=30, oversize="truncate"))
    assert made.leaf_hash == leaf_hash(made.payload)
    assert payload["kind"] == submission.kind
    assert [name for name in BODY_FIELDS.values() if payload[name] is not None] == [BODY_FIELDS[submission.kind]]
    for person in submission.persons:
        assert person.encode() not in made.payload
    assert CAPTURED.encode() not in made.payload
    stored = [each for each in payload["contents"] if each["ciphertext_sha256"] is not None]
    assert [each["slot"] for each in stored] == [slot for slot, _ in made.contents]
    assert len({each["slot"] for each in payload["contents"]}) == len(payload["contents"])


@settings(max_examples=40, deadline=None)
@given(events())
def test_names_and_numbers_stand_in_the_payload_as_they_were_sent(event: pb.Event) -> None:
    """What was checked is what is recorded: envelope and body, field by field."""
    submission, _, payload = assembled(event)
    body = payload[BODY_FIELDS[submission.kind]]
    for name in submission.envelope.keys() - GATEWAYS_OWN - set(BODY_FIELDS.values()):
        assert _plain(payload[name]) == submission.envelope[name], name
    for name, value in submission.body.items():
        if name not in ("external_effect_commitment", "query_commitment", "retrieved"):
            assert _plain(body[name]) == value, name


def _plain(value: Any) -> Any:
    """A time as Unix microseconds, anything else as it is."""
    return (
        (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) if hasattr(value, "tzinfo") else value
    )


def test_persons_are_pseudonyms_and_their_names_are_contents() -> None:
    """The payload shows pseudonyms; the clear identifiers are sealed under the persons' own keys."""
    _, made, payload = assembled(a_request())
    assert payload["actor_user"] == keys.holder(MIA).pseudonym
    assert payload["subjects"] == [{"pseudonym": keys.holder(SOFIA).pseudonym, "relation": "customer"}]
    assert opened(made, payload, "actor.user", MIA) == b"mia"
    assert opened(made, payload, "subjects.0", SOFIA) == b"sofia"
    assert opened(made, payload, "input", MIA, SOFIA) == b"hello"


def test_without_persons_the_session_and_then_the_event_stand_in() -> None:
    """A content always has a holder: the persons, else the session, else the event."""
    event = pb.Event(event_id=EVENT_ID)
    event.request.input.text = "hello"
    _, made, payload = assembled(event)
    assert opened(made, payload, "input", HolderRef("event", EVENT_ID.hex())) == b"hello"
    event.story.session_id = "s-1"
    _, made, payload = assembled(event)
    assert opened(made, payload, "input", HolderRef("session", "s-1")) == b"hello"


def test_persons_are_linked_to_their_session_and_to_what_they_amend() -> None:
    """Contents taken before anybody knew whose they were must die with the person: links say where they are."""
    event = a_request()
    event.amends_event_id = b"\x01" * 16
    stand_ins = (HolderRef("session", "s-1"), HolderRef("event", "01" * 16))
    links = needs(translate(event), CAPTURE, "2026-11").links
    assert set(links) == {(stand_in, person) for stand_in in stand_ins for person in (MIA, SOFIA)}
    nobody = pb.Event(event_id=EVENT_ID, amends_event_id=b"\x01" * 16)
    nobody.finding.rule = "r"
    assert needs(translate(nobody), CAPTURE, "2026-11").links == ()


def test_over_otlp_persons_are_linked_to_their_trace() -> None:
    """A trace stands in for the session of what names none, so what it holds dies with whoever is named in it."""
    event = a_request()
    event.story.trace_id = b"\x02" * 16
    trace = HolderRef("session", "02" * 16)
    assert trace not in {stand_in for stand_in, _ in needs(translate(event), CAPTURE, "2026-11").links}
    event.producer.capture_path = pb.CAPTURE_PATH_OTLP
    links = needs(translate(event), CAPTURE, "2026-11").links
    assert set(links) == {(each, person) for each in (HolderRef("session", "s-1"), trace) for person in (MIA, SOFIA)}
    event.story.session_id = "02" * 16
    assert len(needs(translate(event), CAPTURE, "2026-11").links) == 2


def test_the_same_submission_assembled_twice_differs_in_bytes_and_not_in_digest() -> None:
    """Salts and nonces are fresh, so the submission digest alone recognizes a repeat."""
    _, one, first = assembled(a_request())
    _, other, second = assembled(a_request())
    assert one.payload != other.payload
    assert one.leaf_hash != other.leaf_hash
    assert one.submission_digest == other.submission_digest == first["submission_digest"]
    assert one.submission_key_id == other.submission_key_id == second["submission_key_id"]


def test_another_submission_has_another_digest_and_other_persons_another_key() -> None:
    """Another body changes the digest under the same key id; another person changes the key id."""
    _, one, _ = assembled(a_request())
    changed = a_request()
    changed.request.input.text = "hellp"
    _, two, _ = assembled(changed)
    somebody = a_request()
    somebody.subjects[0].identifier = "noah"
    _, three, _ = assembled(somebody)
    assert one.submission_digest != two.submission_digest
    assert one.submission_key_id == two.submission_key_id != three.submission_key_id


def test_commitments_are_repeated_beside_what_they_are_of() -> None:
    """A document id, an external effect and a query can be found by what the body says of them."""
    event = a_request()
    for _ in range(2):
        event.request.retrieved.add(index_id="kb").document_id.text = "doc-1"
    event.request.retrieved.add(index_id="kb")
    _, _, payload = assembled(event)
    slots = {each["slot"]: each["commitment"] for each in payload["contents"]}
    found = [each["document_commitment"] for each in payload["request"]["retrieved"]]
    assert found == [slots["retrieved.0.document_id"], slots["retrieved.1.document_id"], None]
    assert found[0] != found[1]
    effect = pb.Event(event_id=EVENT_ID)
    effect.tool_call.tool = "refund"
    effect.tool_call.external_effect_id.text = "r-77"
    _, _, payload = assembled(effect)
    assert payload["tool_call"]["external_effect_commitment"] == payload["contents"][0]["commitment"]
    access = pb.Event(event_id=EVENT_ID)
    access.access.reader = "auditor"
    access.access.query.text = "select"
    _, _, payload = assembled(access)
    assert payload["access"]["query_commitment"] == payload["contents"][0]["commitment"]


def test_what_is_not_here_has_no_size_and_no_keys() -> None:
    """By reference or absent: the descriptor says so, and claims to know nothing."""
    event = a_request()
    event.request.output.reference = "s3://bucket/key"
    event.request.reasoning.absent = True
    _, made, payload = assembled(event)
    found = {each["slot"]: each for each in payload["contents"]}
    assert found["output"]["state"] == "by_reference"
    assert found["output"]["reference"] == "s3://bucket/key"
    assert found["reasoning"]["state"] == "absent"
    for slot in ("output", "reasoning"):
        for unknown in ("media_type", "size", "original_size", "ciphertext_sha256", "commitment"):
            assert found[slot][unknown] is None
        assert found[slot]["scope_ids"] == []
        assert slot not in dict(made.contents)


def test_an_empty_content_is_sealed() -> None:
    """An empty answer is an answer."""
    event = a_request()
    event.request.output.text = ""
    _, made, payload = assembled(event)
    assert opened(made, payload, "output", MIA, SOFIA) == b""
    assert next(each for each in payload["contents"] if each["slot"] == "output")["size"] == 0


TRUNCATE = ContentLimits(content_bytes_max=10, oversize="truncate")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a" * 10, "a" * 10),
        ("a" * 11, "a" * 10),
        ("a" * 9 + "é", "a" * 9),
        ("a" * 8 + "漢", "a" * 8),
        ("a" * 7 + "😀", "a" * 7),
        ("a" * 6 + "😀b", "a" * 6 + "😀"),
        ("é" * 6, "é" * 5),
    ],
)
def test_a_text_too_long_is_cut_between_characters_and_says_so(text: str, kept: str) -> None:
    """What is stored is a beginning of what was said, whole characters only; the descriptor tells both sizes."""
    event = a_request()
    event.request.input.text = text
    _, made, payload = assembled(event, TRUNCATE)
    assert opened(made, payload, "input", MIA, SOFIA).decode() == kept
    descriptor = next(each for each in payload["contents"] if each["slot"] == "input")
    assert (descriptor["size"], descriptor["original_size"]) == (len(kept.encode()), len(text.encode()))
    assert descriptor["state"] == ("full" if text == kept else "truncated")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=40), st.sampled_from(["text/plain", "application/json", "image/png", "TEXT/X; a=b"]))
def test_truncation_never_alters_what_it_keeps(data: bytes, media_type: str) -> None:
    """Bytes that call themselves text and are none are cut like others: a beginning is kept, nearly as long."""
    event = a_request()
    event.request.input.data = data
    event.request.input.media_type = media_type
    _, made, payload = assembled(event, TRUNCATE)
    stored = opened(made, payload, "input", MIA, SOFIA)
    assert data.startswith(stored)
    assert len(stored) >= min(len(data), 10) - 3


def test_too_large_is_refused_where_the_limit_refuses() -> None:
    """A content over the limit is refused with its field and both sizes."""
    event = a_request()
    event.request.input.text = "a" * 11
    with pytest.raises(Rejected, match="at most 10 bytes, got 11") as caught:
        check_sizes(translate(event), ContentLimits(content_bytes_max=10))
    assert caught.value.field == "request.input"
    check_sizes(translate(event), TRUNCATE)


@pytest.mark.parametrize(
    ("micros", "month"),
    [
        (1_793_491_199_999_999, "2026-10"),
        (1_793_491_200_000_000, "2026-11"),
        (1_798_761_599_999_999, "2026-12"),
        (1_798_761_600_000_000, "2027-01"),
        (0, "1970-01"),
    ],
)
def test_the_month_is_that_of_receipt_in_utc_to_the_microsecond(micros: int, month: str) -> None:
    """The last microsecond of a month belongs to it."""
    assert month_of(micros) == month


@pytest.mark.parametrize(
    ("id_ms", "occurred_ms", "skewed"),
    [
        (0, None, False),
        (CLOCK_SKEW_TOLERANCE_MS, None, False),
        (CLOCK_SKEW_TOLERANCE_MS + 1, None, True),
        (0, CLOCK_SKEW_TOLERANCE_MS + 1, True),
        (0, -(10**12), False),
    ],
)
def test_claims_ahead_of_the_gateway_are_flagged(id_ms: int, occurred_ms: int | None, skewed: bool) -> None:
    """An event from the future is taken and flagged; one from the past is a late one."""
    now_ms = RECEIVED_US // 1_000
    event = a_request()
    event.event_id = (now_ms + id_ms).to_bytes(6, "big") + EVENT_ID[6:]
    if occurred_ms is not None:
        event.occurred_at.FromMilliseconds(now_ms + occurred_ms)
    assert assembled(event)[2]["clock_skewed"] is skewed


def test_the_gateways_own_fields_are_the_gateways() -> None:
    """Tenant, shard, time, credential and policy come from the reception, never from the event."""
    reception = replace(RECEPTION, tenant="other", shard=3)
    _, _, payload = assembled(a_request(), reception=reception)
    assert (payload["tenant"], payload["shard"], payload["submitted_by"]) == ("other", 3, "key-1")
    assert (payload["gateway_id"], payload["gateway_build"]) == ("gw-1", "build-1")
    assert payload["authentication_method"] == "token"
    assert (payload["capture_mode"], payload["capture_policy_version"]) == ("full", "policy/1")
    assert _plain(payload["received_at"]) == RECEIVED_US
