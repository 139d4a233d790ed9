"""From conversations in OpenAI chat format to events."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ledger.importers.openai_chat import openai_chat
from ledger.importers.records import Wrong
from ledger.importers.run import import_files
from ledger.record.submission import parse_submission
from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb
from tests.ledger.cli.events import CONVERSATION, conversation


def _events(tmp_path: Path, text: str, at: datetime | None = None) -> list[pb.Event]:
    file = tmp_path / "talk.jsonl"
    file.write_text(text)
    return _imported(file, at)


def _imported(file: Path, at: datetime | None = None) -> list[pb.Event]:
    found = []
    for each in import_files(openai_chat(at), [file], Counter()):
        assert not isinstance(each, Wrong), each
        found.append(each.event)
    return found


def _wrong(tmp_path: Path, text: str) -> list[Wrong]:
    file = tmp_path / "talk.jsonl"
    file.write_text(text)
    return [each for each in import_files(openai_chat(), [file], Counter()) if isinstance(each, Wrong)]


def test_each_turn_is_an_event_that_the_ledger_takes(tmp_path: Path) -> None:
    """Two answers and one tool result become two requests and one tool call, valid as they are."""
    events = _events(tmp_path, conversation())
    assert [event.WhichOneof("body") for event in events] == ["request", "tool_call", "request"]
    for event in events:
        translate(parse_submission(event.SerializeToString())[0])
        assert event.actor.user.identifier == "nadia_k"
        assert (event.story.session_id, event.story.correlation_id) == ("talk-1", "talk-1")
    assert [event.story.session_ordinal for event in events] == [1, 2, 3]
    assert [event.producer.sequence for event in events] == [1, 2, 3]


def test_a_request_has_what_was_said_since_the_last_answer(tmp_path: Path) -> None:
    """The input is what came since the assistant spoke last; the system message stands as instructions."""
    first, _, second = _events(tmp_path, conversation())
    assert json.loads(first.request.input.text) == [CONVERSATION["messages"][1]]
    assert json.loads(second.request.input.text) == [CONVERSATION["messages"][3]]
    assert {each.request.system_instructions.text for each in (first, second)} == {"You help."}
    assert second.request.output.text == "At ten past nine."
    assert (first.request.finish_reason, second.request.finish_reason) == (
        pb.FINISH_REASON_TOOL_CALLS,
        pb.FINISH_REASON_STOP,
    )


@pytest.mark.parametrize(
    ("other", "finish"),
    [
        ({"refusal": "I can't help with that."}, pb.FINISH_REASON_STOP),
        ({"function_call": {"name": "get_flight", "arguments": "{}"}}, pb.FINISH_REASON_TOOL_CALLS),
    ],
)
def test_an_answer_without_text_is_kept_whole(tmp_path: Path, other: dict[str, Any], finish: int) -> None:
    """A refusal, or a call in the format before tools, is what the model answered."""
    message = {"role": "assistant", "content": None, **other}
    (event,) = _events(tmp_path, conversation(messages=[message]))
    assert json.loads(event.request.output.text) == message
    assert event.request.finish_reason == finish


def test_a_tool_call_knows_who_asked_for_it(tmp_path: Path) -> None:
    """Its tool, arguments and request come from the call that it answers; why it was called is not known."""
    request, call, _ = _events(tmp_path, conversation())
    assert call.tool_call.requested_by_event_id == request.event_id
    assert (call.tool_call.tool, call.tool_call.call_id) == ("get_flight", "call_1")
    assert call.tool_call.parameters.text == '{"no": "X1"}'
    assert call.tool_call.result.text == '{"at": "09:10"}'
    assert not call.tool_call.HasField("intent")


def test_nothing_is_invented(tmp_path: Path) -> None:
    """The version that answered and the time are unknown, and stay so; a time that is given is said."""
    at = datetime(2024, 5, 15, 15, tzinfo=UTC)
    for event in _events(tmp_path, conversation()):
        assert not event.HasField("occurred_at")
        assert not event.request.model_answered
    assert {event.occurred_at.ToDatetime(UTC) for event in _events(tmp_path, conversation(), at)} == {at}


def test_the_same_conversation_gives_the_same_events_wherever_it_stands(tmp_path: Path) -> None:
    """Ids, boot and numbers depend on the conversation alone: another line, another file, gzipped or not."""
    alone = _events(tmp_path, conversation())
    behind = _events(tmp_path, conversation(conversation_id="talk-0") + conversation())[3:]
    file = tmp_path / "talk.jsonl.gz"
    file.write_bytes(gzip.compress(conversation().encode()))
    packed = _imported(file)
    assert alone == behind == packed
    assert len({event.event_id for event in alone}) == 3
    assert all(event.event_id[6] >> 4 == 8 for event in alone)


def test_what_nobody_answered_is_counted(tmp_path: Path) -> None:
    """Messages behind the assistant's last are in no event, and the counts say how many; a tool's has its own."""
    counts: Counter[str] = Counter()
    file = tmp_path / "talk.jsonl"
    more = [{"role": "user", "content": "Hello?"}, {"role": "user", "content": "Anybody there?"}]
    file.write_text(conversation(messages=[*CONVERSATION["messages"], *more]) + conversation(conversation_id="talk-2"))
    events = list(import_files(openai_chat(), [file], counts))
    assert len(events) == 6
    assert counts["unanswered_messages"] == 2
    asked_only = conversation(messages=CONVERSATION["messages"][:4])
    counts.clear()
    file.write_text(asked_only)
    assert len(list(import_files(openai_chat(), [file], counts))) == 2
    assert "unanswered_messages" not in counts


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"user_id": None}, "user_id"),
        ({"model": ""}, "model"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "wizard"}]}, "messages[0]: role"),
        ({"messages": [{"role": "assistant", "content": 7}]}, "messages[0]: content"),
        ({"messages": [{"role": "assistant", "tool_calls": 7}]}, "messages[0]: tool_calls"),
        ({"messages": [{"role": "assistant", "tool_calls": [7]}]}, "messages[0]: tool_calls[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0]: tool_call_id"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changed: dict[str, Any], field: str) -> None:
    """Place and field of what is wrong are told, and nothing of its value."""
    (wrong,) = _wrong(tmp_path, conversation(**changed))
    assert (wrong.place.line, wrong.field) == (1, field)


def test_text_that_utf_8_cannot_hold_is_kept(tmp_path: Path) -> None:
    """Half a character in a message, as a cut log has it, is kept as bytes; in a name it is replaced."""
    talk = conversation(user_id="mia\ud800", messages=[{"role": "assistant", "content": "cut \ud83d"}])
    (event,) = _events(tmp_path, talk)
    assert event.actor.user.identifier == "mia\ufffd"
    assert event.request.output.data == "cut \ud83d".encode("utf-8", "surrogatepass")
