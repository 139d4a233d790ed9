"""What the spans of one export tell about each other."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from ledger.otlp import MappingOptions, event_id_of, map_traces
from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb
from tests.ledger.otlp.mapping import CHAT, TOOL, kept
from tests.ledger.otlp.spans import START_NS, TRACE_ID, export, span

ROOT, CHILD, GRANDCHILD, OTHER = (bytes([n]) * 8 for n in range(1, 5))
SECOND = 1_000_000_000
ASKS = json.dumps(
    [
        {
            "role": "assistant",
            "parts": [
                {"type": "tool_call", "id": "call_1", "name": "find_order", "arguments": {}},
                {"type": "tool_call", "id": "call_2", "name": "find_order", "arguments": {}},
                {"type": "tool_call", "id": "call_3", "name": "never_ran", "arguments": {}},
            ],
        }
    ]
)


def mapped(*spans: Any, options: MappingOptions | None = None) -> dict[bytes, pb.Event]:
    """The events of one export by their span's id; the gateway takes each."""
    found = {}
    for each in map_traces(export(*spans), "acme", options).events:
        translate(each.event)
        found[each.event.story.span_id] = each.event
    return found


def at(second: float, attributes: Mapping[str, Any], span_id: bytes, parent: bytes = b"", **given: Any) -> Any:
    """A span of a tenth of a second."""
    start = START_NS + int(second * SECOND)
    return span(attributes, span_id=span_id, parent=parent, start_ns=start, end_ns=start + SECOND // 10, **given)


def test_user_session_and_purpose_come_from_the_nearest_ancestor_and_are_marked() -> None:
    """What only the root carries, whatever it is, reaches the spans below, marked as derived."""
    http = {
        "http.request.method": "POST",
        "enduser.id": "mia",
        "session.id": "s-1",
        "ledger.purpose": "support",
        "ledger.subjects": ["tom"],
        "ledger.classification": "restricted",
        "ledger.case": "case-7",
    }
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "aria", "session.id": "s-2"}
    events = mapped(
        span(CHAT, span_id=GRANDCHILD, parent=CHILD), span(agent, span_id=CHILD, parent=ROOT), span(http, span_id=ROOT)
    )
    assert set(events) == {CHILD, GRANDCHILD}
    event = events[GRANDCHILD]
    assert (event.actor.user.identifier, event.actor.identity_attribute) == ("mia", "enduser.id")
    assert (event.story.session_id, event.story.correlation_id, event.actor.agent) == ("s-2", "case-7", "aria")
    assert (event.purpose.purpose, event.subjects[0].identifier) == ("support", "tom")
    assert event.classification == pb.CLASSIFICATION_RESTRICTED
    assert set(event.derived_fields) >= {
        *("actor.user", "actor.agent", "story.session_id", "story.correlation_id", "purpose.purpose", "subjects"),
        "classification",
    }
    assert "actor.agent" not in events[CHILD].derived_fields
    assert event.story.parent_event_id == events[CHILD].event_id
    assert not events[CHILD].story.parent_event_id


def test_what_a_span_says_itself_is_not_inherited() -> None:
    """A span's own user counts before its parent's."""
    events = mapped(
        span({**CHAT, "user.id": "tom"}, span_id=CHILD, parent=ROOT),
        span({"gen_ai.operation.name": "invoke_agent", "enduser.id": "mia"}, span_id=ROOT),
    )
    assert events[CHILD].actor.user.identifier == "tom"
    assert "actor.user" not in events[CHILD].derived_fields


def test_spans_that_are_each_others_parents_end_no_mapping() -> None:
    """A circle of parents, or a span that is its own, is walked once."""
    events = mapped(
        span(CHAT, span_id=ROOT, parent=CHILD),
        span(TOOL, span_id=CHILD, parent=ROOT),
        span(TOOL, span_id=OTHER, parent=OTHER),
    )
    assert events[ROOT].story.parent_event_id == events[CHILD].event_id
    assert not events[OTHER].story.parent_event_id


def test_spans_of_another_trace_are_no_ancestors() -> None:
    """The same span id in another trace is another span."""
    other = span({**CHAT, "enduser.id": "tom"}, span_id=ROOT, trace_id=b"\7" * 16)
    events = mapped(span(CHAT, span_id=CHILD, parent=ROOT), other)
    assert not events[CHILD].actor.HasField("user")


def test_of_a_parent_that_is_not_in_the_export_nothing_is_said() -> None:
    """Nobody knows whether it will be an event, so none is named."""
    assert not mapped(span(CHAT, span_id=CHILD, parent=ROOT))[CHILD].story.parent_event_id


def test_a_tool_is_paired_by_its_call_id() -> None:
    """A run names the request whose answer asked for that call; nothing about it is inferred."""
    events = mapped(
        at(0, {**CHAT, "gen_ai.output.messages": ASKS}, CHILD, ROOT),
        at(1, {**TOOL, "gen_ai.tool.call.id": "call_2"}, OTHER, ROOT),
    )
    assert events[OTHER].tool_call.requested_by_event_id == events[CHILD].event_id
    assert "tool_call.requested_by_event_id" not in events[OTHER].derived_fields


def test_tools_without_ids_are_paired_in_order_and_marked() -> None:
    """Two runs of a tool that was asked for twice get the two calls in order; a third run gets none; what never ran is
    no event."""
    runs = [at(second, TOOL, bytes([16 + second]) * 8, ROOT) for second in (1, 2, 3)]
    events = mapped(*reversed(runs), at(0, {**CHAT, "gen_ai.output.messages": ASKS}, CHILD, ROOT))
    calls = [events[bytes([16 + second]) * 8].tool_call.call_id for second in (1, 2, 3)]
    assert calls == ["call_1", "call_2", ""]
    first = events[bytes([17]) * 8]
    assert first.tool_call.requested_by_event_id == events[CHILD].event_id
    assert {"tool_call.call_id", "tool_call.requested_by_event_id"} <= set(first.derived_fields)
    assert len(events) == 4


def test_a_tool_is_not_paired_with_strangers() -> None:
    """An answer of another parent, or one that came later, asked for nothing here."""
    events = mapped(
        at(0, {**CHAT, "gen_ai.output.messages": ASKS}, CHILD, b"\x55" * 8),
        at(2, {**CHAT, "gen_ai.output.messages": ASKS}, GRANDCHILD, ROOT),
        at(1, TOOL, OTHER, ROOT),
    )
    assert not events[OTHER].tool_call.requested_by_event_id


def test_a_call_inside_a_call_is_the_same_call() -> None:
    """A framework's span around the client's own is one step: the inner event amends the outer, marked as derived."""
    outer = {"openinference.span.kind": "LLM", "llm.input_messages.0.message.content": "hi"}
    events = mapped(span(CHAT, span_id=CHILD, parent=ROOT), span(outer, span_id=ROOT))
    assert events[CHILD].amends_event_id == events[ROOT].event_id
    assert "amends_event_id" in events[CHILD].derived_fields
    assert not events[CHILD].request.HasField("input")


def test_a_call_inside_an_agent_or_with_another_answer_is_its_own() -> None:
    """Agents hold calls; and two answers with ids of their own are two calls."""
    agent = {"gen_ai.operation.name": "invoke_agent"}
    events = mapped(span(CHAT, span_id=CHILD, parent=ROOT), span(agent, span_id=ROOT))
    assert not events[CHILD].amends_event_id
    inner, outer = ({**CHAT, "gen_ai.response.id": each} for each in ("r-1", "r-2"))
    events = mapped(span(inner, span_id=CHILD, parent=ROOT), span(outer, span_id=ROOT))
    assert not events[CHILD].amends_event_id


def test_one_answer_in_two_traces_is_one_step_only_inside_its_time() -> None:
    """The same answer's id joins a span to the one around it in time, and to no other."""
    answered = {**CHAT, "gen_ai.provider.name": "anthropic", "gen_ai.response.id": "msg_1"}
    around = span(answered, span_id=ROOT, start_ns=START_NS, end_ns=START_NS + 10 * SECOND)
    inside = at(1, answered, CHILD, trace_id=b"\7" * 16)
    later = at(20, answered, OTHER, trace_id=b"\6" * 16)
    events = mapped(inside, around, later)
    assert events[CHILD].amends_event_id == events[ROOT].event_id
    assert not events[OTHER].amends_event_id
    assert not events[ROOT].amends_event_id


def test_spans_around_are_kept_where_that_is_wanted() -> None:
    """With context kept, a query under a tool is an amendment of it with all that it said; without, it is counted."""
    query = span({"db.system": "postgresql", "db.query.text": "SELECT 1"}, name="SELECT", span_id=CHILD, parent=ROOT)
    alone = span({"http.request.method": "GET"}, span_id=OTHER)
    request = export(span(TOOL, span_id=ROOT), query, alone)
    assert map_traces(request, "acme").ignored == 2
    kept_too = map_traces(request, "acme", MappingOptions(keep_context=True))
    assert (len(kept_too.events), kept_too.ignored) == (2, 1)
    event = kept_too.events[1].event
    translate(event)
    assert event.amends_event_id == event_id_of("acme", TRACE_ID, ROOT)
    assert kept(event)["db.query.text"] == "SELECT 1"
    assert (kept(event)["otel.span.name"], event.tool_call.tool) == ("SELECT", "find_order")


def test_ten_thousand_spans_in_a_chain_are_mapped() -> None:
    """A chain of spans without end costs no more than it is long: ancestors are looked for only so far."""
    ids = [n.to_bytes(8, "big") for n in range(1, 2_001)]
    chain = [span({}, span_id=each, parent=parent) for each, parent in zip(ids, [b"", *ids], strict=False)]
    last = span({**CHAT}, span_id=OTHER, parent=ids[-1])
    assert len(map_traces(export(*chain, last), "acme").events) == 1


@pytest.mark.parametrize(("inner_call", "amends"), [("call_1", True), (None, True), ("call_2", False)])
def test_a_run_inside_a_run_of_the_same_tool_is_another_where_its_call_is(inner_call: str | None, amends: bool) -> None:
    """A tool that calls itself ran twice; what two instrumentations saw of one call did not."""
    inner = {**TOOL} if inner_call is None else {**TOOL, "gen_ai.tool.call.id": inner_call}
    found = mapped(at(0, {**TOOL, "gen_ai.tool.call.id": "call_1"}, ROOT), at(1, inner, CHILD, ROOT))
    assert (found[CHILD].amends_event_id == found[ROOT].event_id) == amends
    assert found[CHILD].story.parent_event_id == found[ROOT].event_id


def test_tries_inside_one_call_are_calls_of_their_own() -> None:
    """A framework's call that was tried again with another model: the try that failed is a request below it, and only
    the last is the same as what the framework saw. Calls side by side are the same, as two instrumentations saw it."""
    asks = {**CHAT, "gen_ai.request.model": "large"}
    again = {**CHAT, "gen_ai.request.model": "small", "gen_ai.response.model": "small-1"}
    found = mapped(
        span(asks, span_id=ROOT, start_ns=START_NS, end_ns=START_NS + 9 * SECOND),
        span(asks, span_id=CHILD, parent=ROOT, start_ns=START_NS, end_ns=START_NS + SECOND, error="busy"),
        span(again, span_id=OTHER, parent=ROOT, start_ns=START_NS + 2 * SECOND, end_ns=START_NS + 8 * SECOND),
        span(again, span_id=GRANDCHILD, parent=ROOT, start_ns=START_NS + 3 * SECOND, end_ns=START_NS + 7 * SECOND),
    )
    root = found[ROOT].event_id
    assert [found[each].amends_event_id for each in (CHILD, OTHER, GRANDCHILD)] == [b"", root, root]
    assert {found[each].story.parent_event_id for each in (CHILD, OTHER, GRANDCHILD)} == {root}
    assert "amends_event_id" not in found[CHILD].derived_fields
