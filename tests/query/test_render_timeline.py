"""Replays and finds as people read them: from 80 columns on nothing that tells events apart is lost."""

from __future__ import annotations

import pytest

from ledger.client.builders import request, tool_call
from query import layout, render_timeline
from query.find import Filters, Finds, find
from query.plain import uuid_text
from query.reading import Reading
from query.replay import Replay, replay
from query.story import Selector, Window
from tests.query.ledgers import TOLERANCE, Asked, ago, release, use

AGENT = {"agent": "returns-assistant", "agent_version": "2026.11.3", "role": "second-line-support", "session_id": "s1"}
MODEL = "anthropic-large-multilingual-20251101"


async def fill(asked: Asked) -> None:
    """A request with long names, a refund of two phases, something of another actor, and one of unknown time."""
    await asked.seal("_org", *release("1", ago(30)))
    start = tool_call(
        tool="issue_refund", phase="started", user="mia", side_effect="money", occurred_at=ago(9), **AGENT
    )
    await asked.seal(
        "acme",
        request(vendor="v", model_requested="large", model_answered=MODEL, user="mia", **use("1", ago(10)), **AGENT),
        start,
        tool_call(
            tool="issue_refund", phase="completed", user="mia", outcome="ok", occurred_at=ago(8),
            operation_id=start.operation_id, **AGENT,
        ),
        tool_call(tool="audit", agent="night-shift", session_id="s1", occurred_at=None),
    )  # fmt: skip


def replayed(asked: Asked) -> Replay:
    """The replay of the session."""
    selector = Selector("session", "s1")
    return replay(asked.reading(), selector, Window(), TOLERANCE, state_at=None, open_contents=False)


def found(asked: Asked) -> Finds:
    """All events of the tenant."""
    sources = asked.sources()
    return find(Reading(sources, "acme"), sources.files, Filters())


@pytest.mark.parametrize("width", [80, 100, 240])
async def test_finds_are_legible_from_80_columns_on(asked: Asked, width: int) -> None:
    """Time, kind with phase, what, who and the whole id of each event stand there, and no line is too wide."""
    await fill(asked)
    answer = found(asked)
    text = render_timeline.finds(answer, width)
    assert max(map(layout.cells, text.splitlines())) <= width
    assert layout.ELLIPSIS not in text
    for event in answer.events:
        assert uuid_text(event.event_id) in text
    told = "".join(text.split())
    for each in (f"large→{MODEL}", "toolissue_refund(money)", "returns-assistant2026.11.3assecond-line-support"):
        assert each in told
    assert "tool_call started" in text
    assert ("\n    event" in text) == (width < 240)


@pytest.mark.parametrize("width", [80, 100])
async def test_a_timeline_is_legible_from_80_columns_on(asked: Asked, width: int) -> None:
    """Who acts is told where it changes, what each event did in full, and which times are those of receipt."""
    await fill(asked)
    text = render_timeline.replay(replayed(asked), width)
    timeline = text.partition("In effect")[0]
    assert max(map(layout.cells, timeline.splitlines())) <= width
    assert layout.ELLIPSIS not in timeline
    told = "".join(timeline.split())
    assert f"large→{MODEL}" in told
    assert told.count("returns-assistant2026.11.3assecond-line-support") == 1
    assert "toolissue_refund(money),started" in told
    assert "toolissue_refund(money):ok,completed" in told or "toolissue_refund:ok,completed" in told
    assert "night-shift" in told
    assert "~ received then; when it happened is not known" in timeline


async def test_an_evaluation_is_told_once(asked: Asked) -> None:
    """An evaluation that the approval and the deployment both name stands once in the state."""
    first, second = release("1", ago(30))
    second.change.evaluations.extend(first.change.evaluations)
    await asked.seal("_org", first, second)
    await asked.seal("acme", request(vendor="v", model_requested="m", session_id="s1", **use("1", ago(10))))
    assert render_timeline.replay(replayed(asked)).count("evaluated s, m 0.9: passed") == 1
