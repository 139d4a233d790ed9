"""Events from keyword arguments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from ledger.client import change, decision, request, tool_call
from ledger.client.builders import _PLACES, WTF8_MEDIA_TYPE
from ledger.client.fields import ChangeFields, DecisionFields, Envelope, RequestFields, ToolCallFields
from ledger.v1 import event_pb2 as pb

FIXED: dict[str, Any] = {"event_id": b"i" * 16, "occurred_at": None}


def test_a_request_says_who_asked_what_of_which_model() -> None:
    """The usual arguments land in the fields the record has for them."""
    event = request(
        **FIXED,
        vendor="openai",
        model_requested="gpt-4o",
        operation="chat",
        user="mia",
        subjects=["mia", ("bob", "mentioned")],
        agent="helper",
        session_id="s1",
        session_ordinal=3,
        correlation_id="c1",
        purpose="support",
        classification="confidential",
        input="question",
        output=b"\x00\x01",
        parameters={"top_k": 40.0},
        prompts=[{"prompt_id": "greet", "revision": "7", "template_sha256": b"t" * 32}],
        retrieved=[{"index_id": "kb", "document_id": "d1", "access_verdict": "allowed"}],
        tokens_in=12,
        store_requested=False,
        finish_reason="stop",
        declared_sampling=0.5,
    )
    assert event == pb.Event(
        event_id=b"i" * 16,
        phase=pb.PHASE_SINGLE,
        actor=pb.Actor(user=pb.Person(identifier="mia"), agent="helper"),
        subjects=[pb.Person(identifier="mia"), pb.Person(identifier="bob", relation="mentioned")],
        story=pb.Story(session_id="s1", session_ordinal=3, correlation_id="c1"),
        purpose=pb.Purpose(purpose="support"),
        classification=pb.CLASSIFICATION_CONFIDENTIAL,
        producer=pb.Producer(declared_sampling=0.5),
        request=pb.AiRequest(
            vendor="openai",
            model_requested="gpt-4o",
            operation=pb.AI_OPERATION_CHAT,
            input=pb.Content(text="question"),
            output=pb.Content(data=b"\x00\x01"),
            parameters=[pb.NamedNumber(name="top_k", value=40.0)],
            prompts=[pb.PromptUse(prompt_id="greet", revision="7", template_sha256=b"t" * 32)],
            retrieved=[
                pb.RetrievedDocument(
                    index_id="kb", document_id=pb.Content(text="d1"), access_verdict=pb.ACCESS_VERDICT_ALLOWED
                )
            ],
            tokens_in=12,
            store_requested=False,
            finish_reason=pb.FINISH_REASON_STOP,
        ),
    )


def test_the_other_bodies_are_built_alike() -> None:
    """`tool_call`, `change` and `decision` make events of their kind."""
    called = tool_call(**FIXED, tool="refund", side_effect="money", outcome="ok", parameters={"order": 4711, "ü": [1]})
    assert called.tool_call.side_effect == pb.SIDE_EFFECT_MONEY
    assert called.tool_call.parameters == pb.Content(text='{"order": 4711, "ü": [1]}', media_type="application/json")
    when = datetime(2026, 11, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    changed = change(
        **FIXED,
        artifact_kind="prompt",
        artifact_id="greet",
        action="approve",
        reviewers=[{"name": "eva", "standing": "verified"}],
        effective_at=when,
        artifact_text="Hello",
    )
    assert changed.change.effective_at.ToDatetime(UTC) == when
    assert changed.change.reviewers[0] == pb.Reviewer(name="eva", standing=pb.REVIEW_STANDING_VERIFIED)
    decided = decision(**FIXED, decision_kind="credit", request_event_ids=[UUID(int=5)], result="denied")
    assert list(decided.decision.request_event_ids) == [UUID(int=5).bytes]


def test_an_event_has_an_id_a_phase_and_a_time_unless_told_otherwise() -> None:
    """Id, phase and time are filled in; `occurred_at=None` leaves the time unknown; nothing else is invented."""
    before = datetime.now(UTC)
    event = request()
    assert len(event.event_id) == 16
    assert event.phase == pb.PHASE_SINGLE
    assert (
        before <= event.occurred_at.ToDatetime(UTC) + timedelta(microseconds=1) <= datetime.now(UTC) + timedelta(0, 1)
    )
    assert event.WhichOneof("body") == "request"
    assert not request(occurred_at=None).HasField("occurred_at")
    assert [name.name for name, _ in request(occurred_at=None).ListFields()] == ["event_id", "phase", "request"]


def test_a_started_operation_gets_an_id_and_the_others_name_it() -> None:
    """`phase="started"` without an operation id uses the event's own; a given one is kept."""
    started = tool_call(tool="t", phase="started")
    assert started.operation_id == started.event_id
    assert tool_call(tool="t", phase="completed", operation_id=started.operation_id).operation_id == started.event_id


def test_none_leaves_a_field_out() -> None:
    """A value of None, as an application that does not know passes it, is no value."""
    assert request(**FIXED, vendor=None, tokens_in=None, user=None) == request(**FIXED)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"modle": "x"}, "no argument 'modle'"),
        ({"vendor": 5}, "vendor: expected text, got int"),
        ({"phase": "begun"}, "phase: expected one of single, started"),
        ({"occurred_at": datetime(2026, 1, 1)}, "time zone"),
        ({"occurred_at": "now"}, "expected a datetime"),
        ({"subjects": "mia"}, "subjects: expected a list"),
        ({"subjects": [5]}, "subjects: expected an identifier"),
        ({"prompts": ["greet"]}, "expected a PromptUse or a dict"),
        ({"prompts": [{"id": "greet"}]}, "no field 'id'"),
        ({"input": object()}, "input: expected text, bytes, a Content or JSON"),
        ({"producer": {}}, "no argument 'producer'"),
    ],
)
def test_a_wrong_argument_is_named(wrong: dict[str, Any], message: str) -> None:
    """A mistake raises where it is made, and says which argument it is."""
    with pytest.raises((TypeError, ValueError), match=message):
        request(**wrong)


def test_text_that_utf_8_can_not_hold_never_raises() -> None:
    """Lone surrogates, as models emit them, are kept in contents and replaced in names."""
    event = request(vendor="a\ud800b😀", input="x\udfffy", output={"k": "\ud800"})
    assert event.request.vendor == "a�b😀"
    assert event.request.input == pb.Content(data=b"x\xed\xbf\xbfy", media_type=WTF8_MEDIA_TYPE)
    assert event.request.output.text == '{"k": "\\ud800"}'


def test_the_typed_arguments_are_exactly_the_fields_of_the_protocol() -> None:
    """Every field of a body has its argument, and every argument of the envelope its field."""
    for fields, body in (
        (RequestFields, pb.AiRequest),
        (ToolCallFields, pb.ToolCall),
        (ChangeFields, pb.Change),
        (DecisionFields, pb.Decision),
    ):
        own = set(fields.__annotations__) - set(Envelope.__annotations__)
        assert own == {field.name for field in body.DESCRIPTOR.fields}
    plain = set(Envelope.__annotations__) - set(_PLACES)
    assert plain <= {field.name for field in pb.Event.DESCRIPTOR.fields}
    assert set(_PLACES) <= set(Envelope.__annotations__)
    for group, name in _PLACES.values():
        assert name in getattr(pb.Event(), group).DESCRIPTOR.fields_by_name
