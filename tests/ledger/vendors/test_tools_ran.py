"""Tools that ran: read from answers, and as events that the ledger takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ledger.client.builders import request
from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb
from ledger.vendors import (
    FORMATS,
    Answered,
    Asked,
    ToolRan,
    answered_fields,
    asked_fields,
    keyed_id,
    results_seen,
    results_to_key,
    runs_at_vendor,
)

STORY = {"session_id": "s-1", "user": "mia"}
ASKED, OTHER = bytes(15) + b"1", bytes(15) + b"2"
RAN = ToolRan("c1", "find_order", '{"order_id":"1001"}', [{"type": "text", "text": "on its way"}])


By = Callable[[Sequence[ToolRan], dict[str, Any], bytes], list[pb.Event]]


def by_request(ran: Sequence[ToolRan], story: dict[str, Any], request_id: bytes) -> list[pb.Event]:
    """As importers and callbacks make them."""
    return list(results_seen(ran, "openai", story, request_id))


def by_key(ran: Sequence[ToolRan], story: dict[str, Any], request_id: bytes) -> list[pb.Event]:
    """As a proxy makes them."""
    found = list(results_to_key(ran, "openai", story))
    for event in found:
        event.event_id = keyed_id(event, lambda said: f"key {said}")
    return found


def test_a_result_seen_claims_no_more_than_was_seen() -> None:
    """Of a tool's result in a request, neither time nor outcome nor who ran it is claimed, and it is called derived."""
    (event,) = results_seen([RAN], "openai", STORY, ASKED)
    assert not event.HasField("occurred_at")
    assert event.tool_call.outcome == pb.TOOL_OUTCOME_UNSPECIFIED
    assert event.tool_call.provider == ""
    assert list(event.derived_fields) == ["event_id", "tool_call"]
    assert (event.tool_call.tool, event.tool_call.call_id) == ("find_order", "c1")
    assert (event.tool_call.parameters.text, event.tool_call.result.text) == ('{"order_id":"1001"}', "on its way")
    assert translate(event).kind == "tool_call"


@pytest.mark.parametrize("by", [by_request, by_key])
def test_a_result_seen_twice_is_one_event(by: By) -> None:
    """The same result sent again gives the same event to the byte; as history it gives none."""
    (first,) = by([RAN], STORY, ASKED)
    (again,) = by([RAN], dict(STORY), OTHER)
    assert first == again
    old = ToolRan(RAN.call_id, RAN.tool, RAN.arguments, RAN.result, is_new=False)
    assert by([old], STORY, ASKED) == []


@pytest.mark.parametrize("by", [by_request, by_key])
def test_results_that_differ_are_different_events(by: By) -> None:
    """Another call, another conversation, or the same call made twice without ids: other events."""
    unnamed = ToolRan("", "find_order", RAN.arguments, "on its way")
    events = [
        *by([RAN], STORY, ASKED),
        *by([RAN], {**STORY, "session_id": "s-2"}, ASKED),
        *by([replace(RAN, call_id="c2")], STORY, ASKED),
        *by([unnamed, unnamed], STORY, ASKED),
        *by([replace(unnamed, result="lost")], STORY, OTHER),
    ]
    assert len({event.event_id for event in events}) == 6


def test_no_id_of_a_result_can_be_checked_against_a_guess() -> None:
    """Without a key an id does not depend on what was given, what came back, or who asked; with one, on the key."""
    guesses = [replace(RAN, arguments="guess"), replace(RAN, result="guess")]
    (event,) = by_request([RAN], STORY, ASKED)
    assert {each.event_id for guess in guesses for each in by_request([guess], STORY, ASKED)} == {event.event_id}
    assert by_request([RAN], {**STORY, "user": "ana"}, ASKED)[0].event_id == event.event_id
    (unkeyed,) = results_to_key([RAN], "openai", STORY)
    assert keyed_id(unkeyed, lambda said: f"one {said}") != keyed_id(unkeyed, lambda said: f"two {said}")


def test_what_the_service_says_of_the_outcome_is_kept() -> None:
    """A result that is said to be an error is one."""
    (event,) = results_seen([ToolRan("c1", "t", None, "boom", "error")], "anthropic", STORY, ASKED)
    assert event.tool_call.outcome == pb.TOOL_OUTCOME_ERROR


def test_a_run_at_the_vendor_names_its_request() -> None:
    """What the vendor ran is its own event, asked for by the request, with an id made from the request's."""
    asked = request(vendor="openai")
    ran = ToolRan("ws_1", "web_search", {"query": "x"}, None, "ok", at_vendor=True)
    (event,) = runs_at_vendor([RAN, ran], "openai", STORY, asked)
    assert event.tool_call.requested_by_event_id == asked.event_id
    assert event.tool_call.provider == "openai"
    assert list(runs_at_vendor([RAN, ran], "openai", STORY, asked)) == [event]
    assert translate(event).kind == "tool_call"


def test_words_that_no_name_can_hold_are_left_out() -> None:
    """A vendor's word that is too long or of several lines costs the field, not the event."""
    answered = Answered(model="x" * 300, finish_raw="a\nb", error_class="one two three four five six seven eight nine")
    event = request(**asked_fields(Asked(model="gpt-4o", input="hi")), **answered_fields(answered))
    assert translate(event).body["model_requested"] == "gpt-4o"
    assert event.request.model_answered == event.request.finish_reason_raw == event.request.error_class == ""


def test_tools_that_a_vendor_ran_itself() -> None:
    """Searches and MCP calls in an answer are tools that ran at the vendor, with what they gave back."""
    body = {
        "id": "resp_1",
        "status": "completed",
        "output": [
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "weather"}},
            {
                "type": "mcp_call",
                "id": "mcp_1",
                "name": "refund",
                "server_label": "shop",
                "arguments": "{}",
                "error": "denied",
            },
        ],
    }
    search, refund = FORMATS["openai.responses"].answered(body, "").tools_ran
    assert (search.tool, search.outcome, search.at_vendor) == ("web_search", "ok", True)
    assert (refund.tool, refund.outcome, refund.error_text, refund.destination) == ("refund", "error", "denied", "shop")
    message = {
        "content": [
            {"type": "server_tool_use", "id": "srv_1", "name": "web_search", "input": {"query": "weather"}},
            {"type": "web_search_tool_result", "tool_use_id": "srv_1", "content": [{"url": "https://example.org"}]},
        ]
    }
    (search,) = FORMATS["anthropic.messages"].answered(message, "").tools_ran
    assert (search.tool, search.outcome, search.at_vendor) == ("web_search", "ok", True)
