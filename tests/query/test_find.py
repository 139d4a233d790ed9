"""Find: what matches by metadata, in the tenant, bounded, proven, closed."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.client.builders import request, tool_call
from ledger.errors import Rejected
from query.find import LIMIT_MAX, Filters, Finds, find
from query.reading import Reading
from query.story import Window
from tests.query.ledgers import Asked, ago


async def fill(asked: Asked) -> None:
    """Requests of two vendors and tool calls, over several rounds and two tenants."""
    for at in range(4):
        for tenant in ("acme", "beta"):
            await asked.small.publish(
                tenant,
                request(vendor="openai", model_requested="gpt-4o", model_answered="gpt-4o-1", occurred_at=ago(60 - at)),
                request(vendor="anthropic", model_requested="claude", occurred_at=ago(30 - at)),
                tool_call(tool=f"tool-{at}", occurred_at=None, policy_decision={"policy_revision": f"r{at}"}),
            )
        await asked.small.seal()


def found(asked: Asked, limit: int = 100, **filters: Any) -> Finds:
    """What is found in acme, from fresh sources."""
    sources = asked.sources()
    return find(Reading(sources, "acme"), sources.files, Filters(**filters), limit)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, 12),
        ({"kinds": ("tool_call",)}, 4),
        ({"kinds": ("tool_call", "request")}, 12),
        ({"kinds": ("finding",)}, 0),
        ({"vendor": "openai"}, 4),
        ({"model": "gpt-4o"}, 4),
        ({"model": "gpt-4o-1"}, 4),
        ({"model": "gpt-4"}, 0),
        ({"tool": "tool-2"}, 1),
        ({"policy_version": "r1"}, 1),
        ({"policy_version": "builtin-full/1"}, 12),
        ({"vendor": "openai", "kinds": ("tool_call",)}, 0),
    ],
)
async def test_it_finds_exactly_what_matches(asked: Asked, filters: dict[str, Any], expected: int) -> None:
    """Before and after a compaction the same events match, none of another tenant, all of them proven."""
    await fill(asked)
    for _ in range(2):
        answer = found(asked, **filters)
        assert len(answer.events) == expected
        assert all(event.tenant == "acme" and event.proof.state == "proven" for event in answer.events)
        assert not answer.more
        await asked.compact()


async def test_a_window_is_of_when_it_happened(asked: Asked) -> None:
    """Events are found by when they occurred, else were received."""
    await fill(asked)
    assert len(found(asked, window=Window(ago(45), None)).events) == 8
    assert len(found(asked, window=Window(ago(45), ago(15))).events) == 4
    assert len(found(asked, window=Window(None, ago(45))).events) == 4


async def test_it_is_bounded_and_says_so(asked: Asked) -> None:
    """The first events by receipt are given, and that there are more."""
    await fill(asked)
    answer = found(asked, limit=5)
    assert [event.index for event in answer.events] == [0, 1, 2, 3, 4]
    assert answer.more
    assert all(content.data is None for event in answer.events for content in event.contents)
    for limit in (0, LIMIT_MAX + 1):
        with pytest.raises(Rejected, match="limit"):
            found(asked, limit=limit)
    with pytest.raises(Rejected, match="unknown kind"):
        Filters(kinds=("nonsense",))
