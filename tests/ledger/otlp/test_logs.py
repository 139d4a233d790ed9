"""Log records: contents that come beside their span, calls that only a log tells of, evaluations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.otlp import Mapped, event_id_of, map_logs, map_traces
from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb
from tests.ledger.otlp.mapping import CHAT, TOOL, kept
from tests.ledger.otlp.spans import SPAN_ID, START_NS, TRACE_ID, export, log, log_export, span, span_event

DETAILS = "gen_ai.client.inference.operation.details"
SPOKEN = {**CHAT, "gen_ai.input.messages": [{"role": "user", "parts": []}], "gen_ai.usage.input_tokens": 3}


def mapped(*records: Any) -> Mapped:
    """What becomes of these records; the gateway takes each event."""
    found = map_logs(log_export(*records), "acme")
    for each in found.events:
        translate(each.event)
    return found


def test_details_of_a_span_amend_its_event() -> None:
    """The record says all that it says in an event of its own, which names the span's event."""
    (one,) = mapped(log(DETAILS, SPOKEN)).events
    assert one.event.amends_event_id == event_id_of("acme", TRACE_ID, SPAN_ID)
    assert one.event.event_id != one.event.amends_event_id
    assert one.event.request.input.text == '[{"parts":[],"role":"user"}]'
    assert (one.event.request.tokens_in, one.event.request.HasField("output")) == (3, False)
    assert one.event.story.correlation_id == TRACE_ID.hex()


@pytest.mark.parametrize("span_id", [b"", bytes(8), b"abc"])
def test_details_of_no_span_are_a_request_of_their_own(span_id: bytes) -> None:
    """Without a span id, or with one that OTLP calls invalid, a record stands for itself and says what is absent."""
    (one,) = mapped(log(DETAILS, SPOKEN, span_id=span_id)).events
    assert not one.event.amends_event_id
    assert one.event.request.output.absent
    (other,) = mapped(log(DETAILS, SPOKEN, span_id=span_id, trace_id=b"")).events
    assert not other.event.story.trace_id
    assert not other.event.story.session_id


def test_messages_one_by_one_become_one_amendment_in_their_order() -> None:
    """Records of one message each are put together by their times; the event has the ordinals of all of them."""
    records = [
        log("gen_ai.choice", {}, {"index": 0, "finish_reason": "stop", "message": {"content": "Here."}}, observed_ns=4),
        log("gen_ai.user.message", {"gen_ai.system": "openai"}, {"content": "Where?"}, observed_ns=2),
        log("gen_ai.system.message", {}, {"content": "Help."}, observed_ns=1),
        log("gen_ai.tool.message", {}, {"id": "call_1", "content": "shipped"}, time_ns=3),
        log("a line of the application"),
    ]
    found = mapped(*records)
    (one,) = found.events
    assert (one.ordinal, one.others, found.ignored) == (0, (1, 2, 3), 1)
    assert [each["role"] for each in json.loads(one.event.request.input.text)] == ["system", "user", "tool"]
    assert json.loads(one.event.request.output.text)["message"] == {"content": "Here."}
    assert (one.event.request.vendor, one.event.request.finish_reason) == ("openai", pb.FINISH_REASON_STOP)


def test_two_calls_of_which_only_logs_tell_are_two_events() -> None:
    """Records of one span that contradict each other tell of several calls: each is an amendment, and none is lost."""
    first = {**SPOKEN, "gen_ai.response.id": "one", "gen_ai.output.messages": [{"role": "assistant", "parts": ["a"]}]}
    second = {**first, "gen_ai.response.id": "two", "gen_ai.output.messages": [{"role": "assistant", "parts": ["b"]}]}
    more = {"gen_ai.response.id": "two", "gen_ai.usage.output_tokens": 9}
    sent = [log(DETAILS, first), log(DETAILS, second), log("gen_ai.more", more)]
    one, two = found = mapped(*sent).events
    assert [(each.event.request.provider_request_id, each.event.request.tokens_out) for each in found] == [
        ("one", 0),
        ("two", 9),
    ]
    assert ('"a"' in one.event.request.output.text, '"b"' in two.event.request.output.text) == (True, True)
    assert {each.event.amends_event_id for each in found} == {event_id_of("acme", TRACE_ID, SPAN_ID)}
    assert (one.others, two.ordinal, two.others) == ((), 1, (2,))
    assert len({each.event.event_id for each in found}) == 2
    assert [each.event.event_id for each in found] == [each.event.event_id for each in mapped(*sent).events]


def test_what_stands_in_a_records_body_is_read_too() -> None:
    """Contents that an instrumentation puts into the body of a record count like its attributes; a text is kept."""
    (one,) = mapped(log(DETAILS, CHAT, {"gen_ai.response.model": "m-1"})).events
    assert one.event.request.model_answered == "m-1"
    (other,) = mapped(log("gen_ai.notice", CHAT, "model was warm")).events
    assert kept(other.event)["gen_ai.notice"] == "model was warm"


def test_details_on_a_span_are_the_spans_own() -> None:
    """Contents that a framework writes on events of the span, in several, are the span's input and output; what
    contradicts another event is kept beside."""
    inside = [
        span_event(DETAILS, {"gen_ai.input.messages": '[{"role": "user", "parts": []}]'}),
        span_event(
            DETAILS, {"gen_ai.output.messages": '[{"role": "assistant", "parts": [], "finish_reason": "stop"}]'}
        ),
        span_event(DETAILS, {"gen_ai.output.messages": "[]", "gen_ai.response.id": "r-1"}),
    ]
    (one,) = map_traces(export(span(CHAT, events=inside)), "acme").events
    translate(one.event)
    body = one.event.request
    assert body.input.text == '[{"parts":[],"role":"user"}]'
    assert body.output.text == '[{"finish_reason":"stop","parts":[],"role":"assistant"}]'
    assert (body.finish_reason, body.provider_request_id) == (pb.FINISH_REASON_STOP, "r-1")
    assert kept(one.event) == {DETAILS: [{"gen_ai.output.messages": "[]"}]}


@pytest.mark.parametrize("shape", ["now", "older"])
def test_what_a_run_took_and_gave_may_be_told_as_messages(shape: str) -> None:
    """A tool's run whose arguments and result stand in messages, of either shape, has both, and that it failed."""
    asked = {"role": "tool", "parts": [{"type": "tool_call", "name": "find_order", "arguments": {"order": "A-7"}}]}
    gave = {"role": "tool", "parts": [{"type": "tool_call_response", "response": [{"text": "shipped"}]}]}
    inside = {
        "now": [
            span_event(DETAILS, {"gen_ai.input.messages": json.dumps([asked])}),
            span_event(DETAILS, {"gen_ai.output.messages": json.dumps([gave])}),
        ],
        "older": [
            span_event("gen_ai.tool.message", {"role": "tool", "content": '{"order": "A-7"}'}),
            span_event("gen_ai.choice", {"message": '[{"text": "shipped"}]'}),
        ],
    }[shape]
    (one,) = map_traces(export(span({**TOOL, "gen_ai.tool.status": "error"}, events=inside)), "acme").events
    translate(one.event)
    ran = one.event.tool_call
    assert json.loads(ran.parameters.text) == {"order": "A-7"}
    assert json.loads(ran.result.text) == [{"text": "shipped"}]
    assert (ran.tool, ran.outcome) == ("find_order", pb.TOOL_OUTCOME_ERROR)


def test_older_sdks_name_the_event_in_an_attribute() -> None:
    """`event.name` among the attributes names a record as the field of today does."""
    (one,) = mapped(log("", {"event.name": "gen_ai.user.message"}, {"content": "hi"})).events
    assert one.event.request.input.text == '[{"content":"hi","role":"user"}]'
    assert "event.name" not in kept(one.event)


def test_events_on_a_span_are_read_like_records() -> None:
    """Messages and contents as events on the span, of older conventions, belong to the span's own event."""
    events = [
        span_event("gen_ai.user.message", {"gen_ai.event.content": '{"content": "Where?"}'}),
        span_event(
            "gen_ai.choice", {"gen_ai.event.content": '{"message": {"content": "Here."}, "finish_reason": "stop"}'}
        ),
    ]
    (one,) = map_traces(export(span({**CHAT, "gen_ai.system": "openai"}, events=events)), "acme").events
    assert one.event.request.input.text == '[{"content":"Where?","role":"user"}]'
    assert "Here." in one.event.request.output.text
    older = [
        span_event("gen_ai.content.prompt", {"gen_ai.prompt": '[{"role": "user"}]'}),
        span_event("gen_ai.content.completion", {"gen_ai.completion": "said"}),
    ]
    (one,) = map_traces(export(span(CHAT, events=older)), "acme").events
    assert (one.event.request.input.text, one.event.request.output.text) == ('[{"role":"user"}]', "said")


def test_a_retried_export_has_the_same_ids_and_another_batch_has_others() -> None:
    """Ids follow the records' names and times: the same export repeats, and other batches never share an id."""
    first, second = log("gen_ai.user.message", {}, "a", observed_ns=1), log("gen_ai.choice", {}, "b", observed_ns=2)
    together = [each.event.event_id for each in mapped(first, second).events]
    assert together == [each.event.event_id for each in mapped(first, second).events]
    apart = [each.event.event_id for one in (first, second) for each in mapped(one).events]
    assert len({*together, *apart}) == 3


def test_records_that_cannot_be_told_apart_are_numbered() -> None:
    """Two records of no span with the same name and time are two events."""
    records = [log(DETAILS, SPOKEN, span_id=b""), log(DETAILS, {**SPOKEN, "gen_ai.usage.input_tokens": 4}, span_id=b"")]
    assert len({each.event.event_id for each in mapped(*records).events}) == 2


def test_ids_do_not_depend_on_what_a_record_holds() -> None:
    """An id stands in clear for ever, so no guess at a content can be checked against it."""
    first, second = (mapped(log(DETAILS, {**CHAT, "gen_ai.input.messages": each})).events[0] for each in ("a", "b"))
    assert first.event.event_id == second.event.event_id


def test_an_evaluation_is_a_finding_about_the_event_it_evaluates() -> None:
    """A result, as a record, an event on the span or OpenInference's attributes, is a finding with score and reason."""
    said = {
        "gen_ai.evaluation.name": "relevance",
        "gen_ai.evaluation.score.value": 0.4,
        "gen_ai.evaluation.explanation": "Off topic.",
    }
    (from_log,) = mapped(log("gen_ai.evaluation.result", said)).events
    evaluated = event_id_of("acme", TRACE_ID, SPAN_ID)
    chat, from_event = map_traces(
        export(span(CHAT, events=[span_event("gen_ai.evaluation.result", said)])), "acme"
    ).events
    named = {"evaluations.0.evaluation.name": "relevance", "evaluations.0.evaluation.score": 0.4}
    _, from_family = map_traces(export(span({**CHAT, **named})), "acme").events
    assert chat.event.event_id == evaluated
    for each in (from_log, from_event, from_family):
        translate(each.event)
        finding = each.event.finding
        assert (finding.rule, finding.severity) == ("evaluation.relevance", pb.SEVERITY_INFO)
        assert list(finding.evidence_event_ids) == [evaluated]
        assert 0.4 in json.loads(finding.note.text).values()
    assert len({each.event.event_id for each in (chat, from_log, from_event)}) == 3


def test_an_evaluation_without_a_usable_name_is_one() -> None:
    """A name that may not stand in clear is kept in the note."""
    (one,) = mapped(
        log("gen_ai.evaluation.result", {"gen_ai.evaluation.name": "ask mia@example.org"}, span_id=b"")
    ).events
    assert one.event.finding.rule == "evaluation"
    assert "mia@example.org" in one.event.finding.note.text


def test_a_record_of_another_tenant_is_refused() -> None:
    """A record that names another tenant than it was sent for is not taken into this one."""
    found = mapped(
        log(DETAILS, {**SPOKEN, "ledger.tenant": "other"}), log(DETAILS, {**SPOKEN, "ledger.tenant": "acme"})
    )
    assert ([each.ordinal for each in found.refused], len(found.events)) == ([0], 1)
    assert "other" not in found.refused[0].reason.replace("another", "")


def test_errors_of_records_are_kept() -> None:
    """What failed says so in the record too."""
    (one,) = mapped(log(DETAILS, {**SPOKEN, "error.type": "timeout"}, time_ns=START_NS)).events
    assert one.event.request.error_class == "timeout"
    assert one.event.occurred_at.seconds == START_NS // 10**9
