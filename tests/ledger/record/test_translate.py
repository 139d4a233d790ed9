"""From a submitted event to its parts: every field is checked, refused by its path, and goes where it belongs."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor as F
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings

from ledger.errors import Rejected
from ledger.record.payload import KINDS
from ledger.record.translate import CLEAR_PERSON_FIELDS, translate
from ledger.v1 import event_pb2 as pb
from tests.ledger.record.events import events
from tests.ledger.record.paths import EVENT_ID, Path, event_with, fields, text_of, timestamps

FREE = {"text", "identifier", "persons"}
"""Texts that are no names."""


def named(paths: list[Path]) -> Any:
    """The paths as parameters with readable ids."""
    return pytest.mark.parametrize("path", [pytest.param(path, id=text_of(path)) for path in paths])


NAME_PATHS = [path for path in fields(F.TYPE_STRING) if path[-1].name not in FREE]


def exempt(path: Path) -> bool:
    """Whether the field stands for accountable people."""
    own = CLEAR_PERSON_FIELDS.get(path[0].name, ())
    return len(path) > 1 and (path[1].name in own or path[-1].name in own)


def refusal(event: pb.Event) -> Rejected:
    """The refusal of an event."""
    with pytest.raises(Rejected) as caught:
        translate(event)
    return caught.value


@settings(max_examples=100, deadline=None)
@given(events())
def test_events_of_every_kind_are_taken(event: pb.Event) -> None:
    """Whatever is valid is taken, and keeps its id, kind and persons."""
    submission = translate(event)
    assert (submission.event_id, submission.kind) == (event.event_id, event.WhichOneof("body"))
    assert {content.slot for content in submission.contents if content.slot.startswith("subjects.")} == {
        f"subjects.{i}" for i in range(len(event.subjects))
    }


def test_every_kind_is_translated() -> None:
    """The protobuf bodies are the payload's kinds."""
    assert {field.name for field in pb.Event.DESCRIPTOR.oneofs_by_name["body"].fields} == set(KINDS)


def test_a_trace_as_correlation_may_hold_a_users_number() -> None:
    """The trace id in hex is random: a number that stands in it by chance refuses no event; in another name it does."""
    event = pb.Event(event_id=EVENT_ID, request=pb.AiRequest(vendor="v"))
    event.actor.user.identifier = "0405"
    event.story.trace_id = bytes(range(1, 17))
    event.story.correlation_id = event.story.session_id = event.story.trace_id.hex()
    assert translate(event).session_id == event.story.trace_id.hex()
    event.story.session_id += "0"
    assert refusal(event).field == "story.session_id"


@named([path for path in fields(F.TYPE_BOOL, F.TYPE_INT64) if path[-1].name != "absent"])
@pytest.mark.parametrize("value", [0, 1])
def test_what_protobuf_has_checked_is_taken_as_it_is(path: Path, value: int) -> None:
    """Booleans and signed numbers, zero and false among them, stand in the body as they were sent."""
    assert translate(event_with(path, value)).body[path[-1].name] == value


@named(NAME_PATHS)
def test_a_control_character_is_refused_in_every_name(path: Path) -> None:
    """No name field of any message lets a NUL through, and the refusal names the field."""
    error = refusal(event_with(path, "a\x00b" if path[-1].name != "month" else "2026-1\x00"))
    assert error.field == text_of(path)


@named([path for path in NAME_PATHS if path[-1].name != "month"])
def test_free_text_is_refused_in_every_name(path: Path) -> None:
    """No name field of any message takes a sentence, and the refusal does not repeat it."""
    error = refusal(event_with(path, "dear support my card number is four two four two"))
    assert error.field == text_of(path)
    assert "card" not in str(error)


@named([path for path in NAME_PATHS if path[-1].name != "month"])
def test_a_named_persons_identifier_is_refused_in_every_name(path: Path) -> None:
    """No name field lets the identifier of a person named in the event through, but those of accountable people."""
    event = event_with(path, "x-ＭＩＡ_Li_3668-x")
    subject = event.subjects[0] if event.subjects else event.subjects.add()
    subject.identifier = "mia_li_3668"
    if event.actor.HasField("user"):
        event.actor.user.identifier = "somebody"
    if exempt(path):
        translate(event)
        return
    error = refusal(event)
    assert "holds the identifier" in error.reason
    assert error.field == text_of(path)


@named([path for path in NAME_PATHS if path[-1].name != "month"])
def test_an_address_is_refused_in_every_name(path: Path) -> None:
    """No name field takes an e-mail address, whoever's it is, but those of accountable people; it is not repeated."""
    event = event_with(path, "by.someone.else@example.org")
    if exempt(path):
        translate(event)
        return
    error = refusal(event)
    assert "holds a value of type email" in error.reason
    assert "someone" not in str(error)
    assert error.field == text_of(path)


@pytest.mark.parametrize("who", ["chat", "stop", "request", "unspecified", "single", "none", "text/plain"[:4]])
def test_a_person_called_like_an_enum_is_no_clash(who: str) -> None:
    """Enum values are not names: a user called `chat` can chat."""
    event = pb.Event(event_id=EVENT_ID)
    event.actor.user.identifier = who
    event.request.operation = pb.AI_OPERATION_CHAT
    event.request.finish_reason = pb.FINISH_REASON_STOP
    assert translate(event).actor_user == who


@named(fields(F.TYPE_ENUM))
@pytest.mark.parametrize("number", [-1, 99, 2**31 - 1])
def test_an_unknown_enum_number_is_refused_with_its_path(path: Path, number: int) -> None:
    """A newer producer's enum value is not taken for another one; number and field are told."""
    error = refusal(event_with(path, number))
    assert error.field == text_of(path)
    assert str(number) in error.reason


@named([path for path in fields(F.TYPE_BYTES) if path[-1].name != "data"])
@pytest.mark.parametrize("length", [1, 7, 33])
def test_bytes_of_another_length_are_refused(path: Path, length: int) -> None:
    """Ids and digests have one length; lengths are told, bytes are not."""
    if path[-1].name == "key_ids_destroyed" and length <= 32:
        translate(event_with(path, b"x" * length))
        return
    error = refusal(event_with(path, b"x" * length))
    assert error.field == text_of(path)
    assert f"got {length}" in error.reason


@named(fields(F.TYPE_DOUBLE))
@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_are_refused(path: Path, number: float) -> None:
    """NaN and infinities compare and encode differently everywhere."""
    assert refusal(event_with(path, number)).field == text_of(path)


@named(fields(F.TYPE_UINT64))
def test_counts_beyond_a_signed_integer_are_refused(path: Path) -> None:
    """The payload holds signed 64-bit integers; a larger count is refused, not wrapped."""
    translate(event_with(path, 2**63 - 1))
    assert refusal(event_with(path, 2**63)).field == text_of(path)


@named(timestamps())
@pytest.mark.parametrize(
    "time",
    [
        Timestamp(nanos=-1),
        Timestamp(nanos=1_000_000_000),
        Timestamp(seconds=253_402_300_800),
        Timestamp(seconds=-(2**62)),
    ],
    ids=["nanos below 0", "nanos of a second", "year 10000", "before year 1"],
)
def test_times_outside_the_calendar_are_refused(path: Path, time: Timestamp) -> None:
    """Years 1 to 9999, nanoseconds below a second."""
    assert refusal(event_with(path, time)).field == text_of(path)


@named([path for path in fields(F.TYPE_STRING, F.TYPE_BYTES, F.TYPE_MESSAGE, F.TYPE_ENUM) if path[-1].is_repeated])
def test_every_list_is_bounded(path: Path) -> None:
    """No list of any message grows without end; key ids and scopes may be more."""
    event = event_with(path, 1 if path[-1].type == F.TYPE_ENUM else b"x" * 16 if path[-1].type == F.TYPE_BYTES else "x")
    message: Any = event
    for field in path[:-1]:
        message = getattr(message, field.name)
        message = message[0] if field.is_repeated else message
    values = getattr(message, path[-1].name)
    values.extend([values[0]] * 5_000)
    assert refusal(event).field == text_of(path).removesuffix("[0]")


def required_paths() -> list[Path]:
    """The paths of fields without which an event is refused."""
    found = []
    for path in fields(F.TYPE_STRING, F.TYPE_ENUM):
        field = path[-1]
        if field.is_repeated or field.has_presence or len(path) == 1:
            continue
        try:
            translate(event_with(path, 0 if field.type == F.TYPE_ENUM else ""))
        except Rejected:
            found.append(path)
    return found


def test_required_fields_are_the_documented_ones() -> None:
    """What must be there is what names the thing itself; everything else may be unknown."""
    assert {text_of(path) for path in required_paths()} == {
        "actor.user.identifier",
        "subjects[0].identifier",
        "request.prompts[0].prompt_id",
        "request.parameters[0].name",
        "request.guardrails[0].name",
        "tool_call.tool",
        "change.artifact_kind",
        "change.artifact_id",
        "change.action",
        "change.reviewers[0].name",
        "change.evaluations[0].suite",
        "change.evaluations[0].metric",
        "decision.decision_kind",
        "finding.rule",
        "access.reader",
        "legal_hold.hold_id",
        "expiry.retention_class",
        "expiry.month",
        "operation.action",
    }


def a_request(**changes: Any) -> pb.Event:
    """A request by somebody about somebody."""
    event = pb.Event(event_id=EVENT_ID, **changes)
    event.actor.user.identifier = "mia"
    event.subjects.add(identifier="sofia", relation="customer")
    event.request.input.text = "hello"
    return event


def test_contents_belong_to_everybody_named_unless_they_say_whose_they_are() -> None:
    """A content's persons default to all in the event; identities belong to the person alone."""
    event = a_request()
    event.request.output.text = "hi"
    event.request.output.persons.append("noah")
    found = {content.slot: content for content in translate(event).contents}
    assert found["actor.user"].persons == ("mia",)
    assert found["subjects.0"].persons == ("sofia",)
    assert found["input"].persons == ("mia", "sofia")
    assert found["output"].persons == ("noah",)
    assert translate(event).persons == ("mia", "sofia", "noah")


def test_a_person_named_twice_is_one() -> None:
    """Repeats of an identifier in one event are one person."""
    event = a_request()
    event.subjects.add(identifier="mia")
    assert translate(event).persons == ("mia", "sofia")


def test_media_types_and_classes_have_documented_defaults() -> None:
    """Text is text/plain, data is bytes; a content without a class has the event's; what is not here has no type."""
    event = a_request(classification=pb.CLASSIFICATION_CONFIDENTIAL)
    event.request.output.data = b"\x00"
    event.request.output.classification = pb.CLASSIFICATION_PUBLIC
    event.request.reasoning.reference = "s3://bucket/key"
    event.request.variables.absent = True
    found = {content.slot: content for content in translate(event).contents}
    assert (found["input"].media_type, found["input"].declared_class) == ("text/plain", "confidential")
    assert (found["output"].media_type, found["output"].declared_class) == ("application/octet-stream", "public")
    assert (found["reasoning"].media_type, found["reasoning"].data) == (None, None)
    assert found["reasoning"].reference == "s3://bucket/key"
    assert (found["variables"].data, found["variables"].reference) == (None, None)


def test_a_content_says_what_it_is() -> None:
    """Set but empty of everything, a false absence, an empty reference: each would mean nothing."""
    event = a_request()
    event.request.output.SetInParent()
    assert refusal(event).field == "request.output"
    event.request.output.absent = False
    assert refusal(event).field == "request.output.absent"
    event.request.output.reference = ""
    assert refusal(event).field == "request.output.reference"
    event.request.output.text = ""
    assert translate(event).contents[-1].data == b""


def test_phases_beyond_single_need_an_operation() -> None:
    """A start that nothing joins to its end would be a silence."""
    assert translate(a_request()).envelope["phase"] == "single"
    assert refusal(a_request(phase=pb.PHASE_STARTED)).field == "operation_id"
    assert translate(a_request(phase=pb.PHASE_STARTED, operation_id=bytes(16))).envelope["phase"] == "started"


def test_an_event_without_a_body_is_refused() -> None:
    """An event says what happened."""
    assert refusal(pb.Event(event_id=EVENT_ID)).field == "body"


def test_what_is_unknown_stays_null() -> None:
    """Unset fields are null or `unspecified`; nothing is invented, not even zero."""
    event = pb.Event(event_id=EVENT_ID)
    event.change.artifact_kind, event.change.action = pb.ARTIFACT_KIND_PROMPT, pb.CHANGE_ACTION_APPROVE
    event.change.artifact_id = "greeting"
    event.change.evaluations.add(suite="s", metric="m")
    submission = translate(event)
    unknown = {name: value for name, value in submission.envelope.items() if value not in (None, [], "unspecified")}
    assert unknown == {"event_id": EVENT_ID, "kind": "change", "phase": "single"}
    evaluation = submission.body["evaluations"][0]
    assert (evaluation["score"], evaluation["threshold"], evaluation["verdict"]) == (None, None, "unspecified")
    assert submission.body["author_standing"] == "unspecified"
    zero = pb.Event(event_id=EVENT_ID)
    zero.request.tokens_in = 0
    zero.producer.dropped_count = 0
    assert translate(zero).body["tokens_in"] == 0
    assert translate(zero).envelope["dropped_count"] == 0


@pytest.mark.parametrize("sampling", [0.0, -0.1, 1.0000001])
def test_declared_sampling_is_a_fraction(sampling: float) -> None:
    """Nothing, less than nothing and more than all are no samples."""
    event = a_request()
    event.producer.declared_sampling = sampling
    assert refusal(event).field == "producer.declared_sampling"


def test_a_parameter_is_named_once() -> None:
    """Two values of one parameter would be one of them, nobody knows which."""
    event = a_request()
    event.request.parameters.add(name="k", value=1)
    event.request.parameters.add(name="k", value=2)
    assert refusal(event).field == "request.parameters"


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "26-11", "2026-11-01", "２０２６-11"])
def test_an_expiry_is_of_a_month(month: str) -> None:
    """Expiry destroys by month: another text would destroy nothing."""
    event = pb.Event(event_id=EVENT_ID)
    event.expiry.retention_class, event.expiry.month = "short", month
    assert refusal(event).field == "expiry.month"


def test_contents_come_in_the_order_of_their_fields() -> None:
    """The order of contents is part of the payload: persons, then the body's by number, then what was retrieved."""
    event = a_request()
    event.request.retrieved.add().text.text = "a document"
    for slot in ("error_text", "output", "tool_definitions", "variables", "system_instructions", "reasoning"):
        getattr(event.request, slot).text = slot
    assert [content.slot for content in translate(event).contents] == [
        "actor.user",
        "subjects.0",
        "system_instructions",
        "input",
        "variables",
        "tool_definitions",
        "output",
        "reasoning",
        "error_text",
        "retrieved.0.text",
    ]
    call = pb.Event(event_id=EVENT_ID)
    call.tool_call.tool = "refund"
    for slot in ("error_text", "result", "parameters", "intent", "external_effect_id"):
        getattr(call.tool_call, slot).text = slot
    assert [content.slot for content in translate(call).contents] == [
        "external_effect_id",
        "intent",
        "parameters",
        "result",
        "error_text",
    ]
