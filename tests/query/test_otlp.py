"""What came over OTLP, as an investigator finds it: contents that came late, tools, and a person's erasure."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from ledger.keys.destruction import Request
from ledger.keys.erasure import Destructions
from ledger.keys.master import LocalMasterKey
from ledger.otlp import map_logs, map_traces
from ledger.v1 import event_pb2 as pb
from query.story import Step
from tests.ledger.erasure.erasing import Published, proceeding
from tests.ledger.otlp.spans import START_NS, TRACE_ID, export, log, log_export, span
from tests.query.ledgers import Asked

CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.conversation.id": "conversation-7",
    "enduser.id": "mia",
}
DETAILS = {
    "gen_ai.operation.name": "chat",
    "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "Where is it?"}]}],
    "gen_ai.output.messages": [
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "call_1", "name": "find", "arguments": {}}]}
    ],
}
RAN = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find", "gen_ai.tool.call.id": "call_1"}


def late() -> list[pb.Event]:
    """The span's event and the log record's, and that of the tool that its answer asked for, from three exports."""
    traces = map_traces(export(span(CHAT)), "acme")
    logs = map_logs(log_export(log("gen_ai.client.inference.operation.details", DETAILS)), "acme")
    session = {"gen_ai.conversation.id": "conversation-7"}
    ran = span(
        {**RAN, **session}, span_id=b"\7" * 8, start_ns=START_NS + 2_000_000_000, end_ns=START_NS + 3_000_000_000
    )
    tools = map_traces(export(ran), "acme")
    return [each.event for mapped in (traces, logs, tools) for each in mapped.events]


def contents(step: Step) -> dict[str, str | None]:
    """What a step's contents say, by slot; those of amendments count where the step's own are absent."""
    return {each.slot: each.text for event in (*step.amendments, *step.events) for each in event.contents if each.text}


@pytest.mark.parametrize("order", list(permutations(range(3))), ids=lambda order: "".join(map(str, order)))
async def test_late_contents_are_shown_with_their_step_in_whatever_order_they_came(
    asked: Asked, order: tuple[int, ...]
) -> None:
    """Span, log record and tool come one by one; asked for the user, there is one request with its input and output,
    and behind it the tool that it asked for."""
    events = late()
    for at in order:
        await asked.seal("acme", events[at])
    story = asked.story("user", "mia")
    assert story.proven
    request, tool = story.steps
    assert [event.event_id for event in request.events] == [events[0].event_id]
    assert [event.event_id for event in request.amendments] == [events[1].event_id]
    told = contents(request)
    assert "Where is it?" in str(told["input"])
    assert "call_1" in str(told["output"])
    assert (tool.kind, tool.requested_by, tool.requested_by_basis) == ("tool_call", 1, "call_id")


async def test_what_a_log_record_brought_is_erased_with_the_person_whom_only_the_span_names(asked: Asked) -> None:
    """A log record knows neither user nor session, only the trace; its contents die with the span's user too."""
    span_event, log_event, _ = late()
    await asked.seal("acme", log_event)
    await asked.seal("acme", span_event)
    work = Destructions(asked.small.database, LocalMasterKey.load(asked.small.folder / "master.key"), lease_s=0.0)
    marked = work.mark_persons("acme", ["mia"], Request("olga", ("paul",), "GDPR Art. 17", "by letter"))
    await proceeding(asked.small, Published(asked.small)).go_on(marked.destruction_id)
    await asked.small.seal()
    await asked.small.close()
    await asked.small.start()
    story = asked.story("correlation", TRACE_ID.hex())
    assert story.proven
    [step] = story.steps
    shown: list[Any] = [each.text for event in (*step.events, *step.amendments) for each in event.contents]
    assert all(text is None for text in shown)
