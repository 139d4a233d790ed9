"""From conversations in OpenAI chat format to events."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import Rejected
from ledger.importers.openai_chat import read_conversations
from ledger.record.submission import parse_submission
from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb
from tests.ledger.cli.events import CONVERSATION, conversation


def _events(tmp_path: Path, text: str, at: datetime | None = None) -> list[pb.Event]:
    file = tmp_path / "talk.jsonl"
    file.write_text(text)
    return [event for each in read_conversations(file, at) for event in each.events]


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
    packed = [event for each in read_conversations(file) for event in each.events]
    assert alone == behind == packed
    assert len({event.event_id for event in alone}) == 3
    assert all(event.event_id[6] >> 4 == 8 for event in alone)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"user_id": None}, "line 1: user_id"),
        ({"model": ""}, "line 1: model"),
        ({"messages": "hello"}, "line 1: messages"),
        ({"messages": [{"role": "wizard"}]}, "line 1: messages[0]: role"),
        ({"messages": [{"role": "assistant", "content": 7}]}, "line 1: messages[0]: content"),
        ({"messages": [{"role": "assistant", "tool_calls": [7]}]}, "line 1: messages[0]: tool_calls[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "line 1: messages[0]: tool_call_id"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changed: dict[str, Any], field: str) -> None:
    """Line and field of what is wrong are told, and nothing of its value."""
    with pytest.raises(Rejected) as refused:
        _events(tmp_path, conversation(**changed))
    assert refused.value.field == field


@pytest.mark.parametrize("text", ["{", "[]", "\udc80", "[" * 100_000])
def test_lines_that_are_no_objects_are_refused(tmp_path: Path, text: str) -> None:
    """Broken JSON, another kind of value, bytes that are no UTF-8 and endless nesting are refused with their line."""
    file = tmp_path / "talk.jsonl"
    file.write_bytes(conversation().encode() + text.encode("utf-8", "surrogateescape") + b"\n")
    with pytest.raises(Rejected, match="line 2"):
        list(read_conversations(file))


def test_a_gzip_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    """Half a file is not taken for a whole one."""
    file = tmp_path / "talk.jsonl.gz"
    file.write_bytes(gzip.compress(conversation().encode() * 3)[:-9])
    with pytest.raises(Rejected, match="not a whole gzip file"):
        list(read_conversations(file))
