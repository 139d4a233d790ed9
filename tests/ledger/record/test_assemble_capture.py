"""What the capture policy decided, carried out: redacted contents, keyed digests, retention classes."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from ledger.keys.provider import HolderRef
from ledger.record.assemble import AssembledEvent, assemble, digest_of, needs
from ledger.record.capture import Capture, ContentCapture, Mode
from ledger.record.payload import decode_payload
from ledger.record.submission import submission_bytes
from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb
from tests.ledger.record import keys
from tests.ledger.record.paths import EVENT_ID
from tests.ledger.record.test_assemble import LIMITS, RECEPTION, SEALER, a_request, opened


def decided(mode: Mode, data: bytes, retention_class: str = "standard") -> Capture:
    """A capture that decided for the content `input`."""
    of_input = ContentCapture(mode, retention_class, data, "confidential", "rules/1", (("email", 2),))
    return Capture(mode, "policy/1", "standard", {"input": of_input}, "confidential")


def captured(event: pb.Event, capture: Capture) -> tuple[AssembledEvent, dict[str, Any]]:
    """An event through all steps under this capture, and its payload read back."""
    submission = translate(event)
    granted = keys.grant(needs(submission, capture, RECEPTION.month))
    digest = digest_of(submission, submission_bytes(event), granted, RECEPTION.tenant)
    made = assemble(submission, digest, granted, capture, RECEPTION, LIMITS, SEALER)
    return made, decode_payload(made.payload)


def test_a_redacted_content_says_what_was_found() -> None:
    """What is stored is the redacted text; the descriptor has both sizes, the class found, the rules and the counts."""
    event = pb.Event(event_id=EVENT_ID)
    event.actor.user.identifier = "mia"
    event.request.input.text = "write to m@example.org"
    capture = decided("redacted", "write to ⟨email:1⟩".encode())
    who = ContentCapture("redacted", "standard", b"mia")
    capture = replace(capture, contents={**capture.contents, "actor.user": who})
    made, payload = captured(event, capture)
    descriptor = next(each for each in payload["contents"] if each["slot"] == "input")
    assert (descriptor["state"], descriptor["original_size"]) == ("redacted", len("write to m@example.org"))
    assert (descriptor["detected_class"], descriptor["rule_pack"]) == ("confidential", "rules/1")
    assert descriptor["detections"] == [{"type": "email", "count": 2}]
    assert opened(made, payload, "input", HolderRef("person", "mia")) == "write to ⟨email:1⟩".encode()
    assert (payload["capture_mode"], payload["detected_class"]) == ("redacted", "confidential")


def test_of_a_metadata_content_a_keyed_digest_is_all_that_is_kept() -> None:
    """Nothing is stored and no scope is asked for; one person's equal contents have equal digests, another's not."""

    def digest(user: str, text: str) -> tuple[bytes, bytes]:
        event = pb.Event(event_id=EVENT_ID)
        event.story.session_id = "s"
        event.request.input.text = text
        event.request.input.persons.append(user)
        capture = decided("metadata", text.encode())
        assert needs(translate(event), capture, "2026-11").scopes == ()
        made, payload = captured(event, capture)
        (descriptor,) = payload["contents"]
        assert made.contents == ()
        assert (descriptor["state"], descriptor["size"], descriptor["original_size"]) == ("metadata", None, len(text))
        assert descriptor["ciphertext_sha256"] is descriptor["commitment"] is None
        assert descriptor["scope_ids"] == []
        return descriptor["keyed_digest"], descriptor["keyed_digest_key_id"]

    assert digest("mia", "hello") == digest("mia", "hello")
    assert digest("mia", "hello")[0] != digest("mia", "hullo")[0]
    assert digest("mia", "hello")[1] != digest("noah", "hello")[1]
    assert digest("mia", "hello")[0] != sha256(b"hello").digest()


def test_a_content_has_the_scopes_of_its_own_retention_class() -> None:
    """A content of another retention class is sealed under a scope of that class, so that it expires by itself."""
    event = pb.Event(event_id=EVENT_ID)
    event.story.session_id = "s"
    event.request.input.text = "hello"
    event.request.output.text = "hullo"
    capture = replace(decided("full", b"hello", "short"), mode="full")
    wanted = needs(translate(event), capture, "2026-11").scopes
    assert {scope.retention_class for scope in wanted} == {"short", "standard"}
    _, payload = captured(event, capture)
    by_slot = {each["slot"]: each for each in payload["contents"]}
    assert {slot: each["retention_class"] for slot, each in by_slot.items()} == {"input": "short", "output": "standard"}
    assert by_slot["input"]["scope_ids"] != by_slot["output"]["scope_ids"]


def test_a_mode_without_a_decision_is_a_fault() -> None:
    """Nothing is kept whole by accident: a mode that needs a look at each content is never applied without one."""
    with pytest.raises(ValueError, match="without a decision"):
        captured(a_request(), Capture("redacted", "policy/1", "standard"))
