"""What can't stand in clear is kept in a content, and the span is not lost."""

from __future__ import annotations

import pytest

from ledger.otlp import map_traces
from ledger.record.translate import translate
from tests.ledger.otlp.mapping import CHAT, TOOL, event_of, kept
from tests.ledger.otlp.spans import TRACE_ID, export, span

TOKEN = "sk-ant-api03-" + "A" * 95


@pytest.mark.parametrize(
    "model",
    [
        "m" * 257,
        "a\nb",
        "a\x00b",
        "a\u200bb",
        " padded",
        "two  spaces",
        "a name of far too many words for any name",
        TOKEN,
        "ask mia@example.org",
    ],
)
def test_what_is_no_name_is_kept_as_an_attribute(model: str) -> None:
    """A model's name that may not stand in clear leaves its field empty, and stands whole in the content."""
    event = event_of({**CHAT, "gen_ai.request.model": model, "gen_ai.response.model": "m-1"})
    assert (event.request.model_requested, event.request.model_answered) == ("", "m-1")
    assert kept(event)["gen_ai.request.model"] == model


def test_a_name_of_256_characters_stays() -> None:
    """The longest name is a name."""
    event = event_of({**CHAT, "gen_ai.request.model": "m" * 256})
    assert event.request.model_requested == "m" * 256


def test_names_that_hold_the_users_identifier_are_taken_out() -> None:
    """Whatever would put a person's identifier into the record for ever goes into the erasable content."""
    given = {**CHAT, "enduser.id": "mia.li", "gen_ai.conversation.id": "chat-of-MIA.LI", "gen_ai.response.id": "r-1"}
    event = event_of(given, resource={"service.name": "desk-mia.li", "service.version": "2"})
    assert (event.story.session_id, event.producer.service) == ("", "")
    assert (event.request.provider_request_id, event.producer.version) == ("r-1", "2")
    assert kept(event)["gen_ai.conversation.id"] == "chat-of-MIA.LI"
    assert "desk-mia.li" in kept(event).values()


@pytest.mark.parametrize(
    "user", ["enduser.id", "user", "json", "application", "actor", "session", "endpoint", "chat", "0102"]
)
def test_a_user_who_is_called_like_our_own_words_is_taken(user: str) -> None:
    """An identifier that stands in our own constants, or by chance in a trace id, refuses no span."""
    event = event_of({**CHAT, "enduser.id": user, "server.address": "eu.api.openai.com"})
    assert event.actor.user.identifier == user
    assert event.story.trace_id == TRACE_ID


def test_a_trace_id_that_holds_a_users_number_by_chance_stays() -> None:
    """A short number stands in one of two thousand trace ids; those spans keep their correlation and session."""
    event = event_of({**CHAT, "enduser.id": "0405"})
    assert (event.story.correlation_id, event.story.session_id) == (TRACE_ID.hex(), TRACE_ID.hex())
    assert event_of({**CHAT, "enduser.id": TRACE_ID.hex()}).story.correlation_id == ""


def test_a_derived_value_that_cannot_be_marked_is_no_value() -> None:
    """Where the mark would name a person, what was derived goes too: it must not look observed."""
    event = event_of({**CHAT, "enduser.id": "request.region", "server.address": "eu.api.openai.com"})
    assert event.request.region == ""
    assert "request.region" not in event.derived_fields


def test_an_identifier_that_is_none_is_kept() -> None:
    """A user id that no identifier can be stands in the content, and nobody acted."""
    for user in ("m" * 513, "a\nb", "   "):
        event = event_of({**CHAT, "enduser.id": user})
        assert not event.actor.HasField("user")
        assert kept(event)["enduser.id"] == user


def test_a_tool_whose_name_is_none_is_unknown() -> None:
    """A tool call needs a tool: one without a name is `unknown`, marked as derived, its own name kept."""
    event = event_of({**TOOL, "gen_ai.tool.name": "t" * 300})
    assert (event.tool_call.tool, kept(event)["gen_ai.tool.name"]) == ("unknown", "t" * 300)
    assert "tool_call.tool" in event.derived_fields


def test_names_in_lists_go_with_their_item() -> None:
    """A prompt, a guardrail or a parameter whose name may not stand goes whole; its neighbours stay."""
    prompts = '[{"id": "for mia.li", "revision": "1"}, {"id": "greeting", "revision": "mia.li-7"}]'
    guardrails = '[{"name": "mia.li", "verdict": "refuse"}, {"name": "pii", "version": "2", "verdict": "redact"}]'
    event = event_of(
        {
            **CHAT,
            "enduser.id": "mia.li",
            "ledger.prompts": prompts,
            "ledger.guardrails": guardrails,
            "ledger.subjects": ["tom", '{"a": 1}', ""],
        }
    )
    assert [(each.prompt_id, each.revision) for each in event.request.prompts] == [("greeting", "")]
    assert [each.name for each in event.request.guardrails] == ["pii"]
    assert [each.identifier for each in event.subjects] == ["tom", '{"a": 1}']
    assert "for mia.li" in str(kept(event))


def test_two_spans_of_one_export_do_not_share_what_is_left_over() -> None:
    """What one span could not place is not found in the next one's content."""
    first, second = span({**CHAT, "gen_ai.request.model": "a\nb"}), span(CHAT, span_id=b"\2" * 8)
    mapped = map_traces(export(first, second), "acme")
    for each in mapped.events:
        translate(each.event)
    assert [bool(kept(each.event)) for each in mapped.events] == [True, False]
