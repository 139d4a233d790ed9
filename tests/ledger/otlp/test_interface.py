"""The mapping as its callers see it: events that the ledger takes, refusals, and what is ignored."""

from __future__ import annotations

from ledger.otlp import MappingOptions, event_id_of, map_traces
from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb
from tests.ledger.otlp.spans import SPAN_ID, TRACE_ID, export, span

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "Where is it?"}]}]',
    "gen_ai.output.messages": [{"role": "assistant", "parts": [{"type": "text", "content": "On its way."}]}],
    "enduser.id": "mia",
}


def test_a_chat_span_becomes_a_request() -> None:
    """A call of a model is one event with its model, tokens, contents, latency and user, under an id of its own."""
    mapped = map_traces(export(span(CHAT)), "acme")
    (one,) = mapped.events
    event = one.event
    assert (one.ordinal, mapped.refused, mapped.ignored) == (0, (), 0)
    assert event.event_id == event_id_of("acme", TRACE_ID, SPAN_ID)
    assert (event.request.vendor, event.request.model_answered) == ("openai", "gpt-4o-2024-08-06")
    assert (event.request.tokens_in, event.request.latency_ms) == (12, 1_500)
    assert event.request.operation == pb.AI_OPERATION_CHAT
    assert event.request.input.text == '[{"parts":[{"content":"Where is it?","type":"text"}],"role":"user"}]'
    assert event.request.output.text == '[{"parts":[{"content":"On its way.","type":"text"}],"role":"assistant"}]'
    assert (event.actor.user.identifier, event.actor.identity_attribute) == ("mia", "enduser.id")
    assert (event.producer.service, event.story.correlation_id) == ("desk", TRACE_ID.hex())
    assert translate(event).kind == "request"


def test_a_spans_event_id_is_that_of_the_format() -> None:
    """The id of a span's event is the one in docs/FORMAT.md: whoever knows the span can name its event."""
    assert event_id_of("acme", TRACE_ID, SPAN_ID).hex() == "0007130326448324814b7154d3c3a551"


def test_a_tool_span_becomes_a_tool_call() -> None:
    """A run of a tool is one event with its call id, parameters, result and outcome."""
    tool = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "find_order",
        "gen_ai.tool.call.id": "call_1",
        "gen_ai.tool.call.arguments": '{"order": 7}',
        "gen_ai.tool.call.result": "sent",
    }
    (one,) = map_traces(export(span(tool)), "acme").events
    body = one.event.tool_call
    assert (body.tool, body.call_id, body.parameters.text, body.result.text) == (
        "find_order",
        "call_1",
        '{"order":7}',
        "sent",
    )
    assert body.outcome == pb.TOOL_OUTCOME_OK
    assert translate(one.event).kind == "tool_call"


def test_malformed_spans_are_refused_and_good_ones_kept() -> None:
    """A span with wrong ids is refused by its place; the others of the request become events."""
    request = export(
        span(CHAT, span_id=b"\0" * 8), span(CHAT), span(CHAT, trace_id=b"short"), span({"http.request.method": "GET"})
    )
    mapped = map_traces(request, "acme", MappingOptions())
    assert [each.ordinal for each in mapped.events] == [1]
    assert [(each.ordinal, each.reason) for each in mapped.refused] == [
        (0, "span_id: all zero"),
        (2, "trace_id: expected 16 bytes, got 5"),
    ]
    assert mapped.ignored == 1


def test_a_retried_export_becomes_the_same_events() -> None:
    """The same request gives the same events to the byte."""
    request = export(span(CHAT))
    first, second = (map_traces(request, "acme").events[0].event for _ in range(2))
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)
