"""Replay: the timeline, what never ended, and what was in effect at a moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ledger.client.builders import change, request, tool_call
from query import render_timeline
from query.replay import Replay, replay
from query.story import Selector, Window
from tests.query.ledgers import TOLERANCE, Asked, ago, prompt_change, release, use


def told(asked: Asked, state_at: datetime | None = None, tenant: str = "acme") -> Replay:
    """The replay of session s1."""
    return replay(
        asked.reading(tenant),
        Selector("session", "s1"),
        Window(),
        TOLERANCE,
        state_at=state_at,
        open_contents=True,
    )


def in_effect(found: Replay) -> dict[tuple[str, str], Any]:
    """The revision in effect by artifact."""
    return {(each.kind, each.artifact_id): each.state.revision for each in found.state}


async def incident(asked: Asked) -> None:
    """Two prompt revisions, a rollback, a tool that never ended."""
    await asked.seal("_org", *release("1", ago(50)), *release("2", ago(40), text="And sell."))
    await asked.seal("_org", prompt_change("roll_back", "1", ago(20), from_revision="2"))
    await asked.seal("_org", prompt_change("deploy", "7", ago(45), artifact_id="nobody's business"))
    begun = tool_call(tool="refund", phase="started", session_id="s1", occurred_at=ago(29), agent="aria")
    await asked.seal(
        "acme",
        request(
            vendor="openai", model_requested="m", user="mia", session_id="s1", **use("2", ago(30), text="And sell.")
        ),
        begun,
        tool_call(tool="mail", phase="started", session_id="s1", occurred_at=ago(28)),
        request(vendor="openai", model_requested="m", session_id="s1", **use("1", ago(15))),
        tool_call(
            tool="refund",
            phase="completed",
            operation_id=begun.operation_id,
            outcome="ok",
            session_id="s1",
            occurred_at=ago(10),
        ),
        change(artifact_kind="policy", artifact_id="refunds", action="deploy", to_revision="3", occurred_at=ago(60)),
    )


async def test_one_line_an_event_in_order(asked: Asked) -> None:
    """Every event has its line where it happened, phases apart, and what never ended is said at the end."""
    await incident(asked)
    found = told(asked)
    assert [(line.step, line.event.phase) for line in found.lines] == [
        (1, "single"),
        (2, "started"),
        (3, "started"),
        (4, "single"),
        (2, "completed"),
    ]
    assert [step.number for step in found.unended] == [3]
    assert found.story.proven


async def test_the_state_is_that_of_the_moment(asked: Asked) -> None:
    """What was in effect follows the moment asked for; without one, it is that of the last event."""
    await incident(asked)
    prompt, policy = ("prompt", "greeting"), ("policy", "refunds")
    assert in_effect(told(asked))[prompt] == "1"
    assert in_effect(told(asked, ago(25)))[prompt] == "2"
    assert in_effect(told(asked, ago(45)))[prompt] == "1"
    assert in_effect(told(asked, ago(55)))[prompt] is None
    assert in_effect(told(asked))[policy] == "3"


async def test_only_artifacts_that_the_incident_refers_to_are_read_from_org(asked: Asked) -> None:
    """Of `_org`, nothing stands in the state that the tenant's events do not refer to."""
    await incident(asked)
    assert set(in_effect(told(asked))) == {("prompt", "greeting"), ("model", "openai/m"), ("policy", "refunds")}


async def test_an_empty_incident_has_no_state(asked: Asked) -> None:
    """Nothing found is an empty timeline."""
    found = told(asked)
    assert (found.lines, found.state, found.state_at) == ((), (), None)
    assert "0 events" in render_timeline.replay(found)


async def test_it_reads_for_people_and_programs(asked: Asked) -> None:
    """Both forms name the events, what never ended, and what was in effect."""
    await incident(asked)
    found = told(asked)
    text = render_timeline.replay(found, 100)
    assert "tool mail" in text.partition("Started and never ended")[2]
    assert "prompt greeting: 1, since" in text
    assert max(map(len, text.splitlines())) <= 150
    plain = found.to_json()
    assert [each["step"] for each in plain["never_ended"]] == [3]
    assert {each["in_effect"] for each in plain["state"]} == {"1", None, "3"}
    assert plain["timeline"][0]["event"]["proof"]["state"] == "proven"
