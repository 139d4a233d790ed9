"""What an answer says in place of a content that was erased or expired."""

from __future__ import annotations

import re

from ledger.keys.destruction import Request
from ledger.keys.erasure import Destructions
from ledger.keys.master import LocalMasterKey
from tests.ledger.erasure.erasing import Published, proceeding
from tests.query.ledgers import Asked
from tests.small_ledger import request

REQUEST = Request("olga", ("paul",), "GDPR Art. 17", "by letter")
ERASED = re.compile(r"erased on \d{4}-\d\d-\d\d by olga \(event [0-9a-f-]{36}\)")


def reasons(asked: Asked, event_id: bytes) -> set[str | None]:
    """What the story of one event says of its contents."""
    story = asked.story("event", event_id.hex())
    assert story.proven
    [step] = story.steps
    assert all(content.data is None for event in step.events for content in event.contents)
    return {content.unavailable for event in step.events for content in event.contents}


async def reopened(asked: Asked) -> None:
    """The key store without what it remembers."""
    await asked.small.close()
    await asked.small.start()


async def test_it_says_when_by_whom_and_by_which_event(asked: Asked) -> None:
    """With its keys gone a content names the Erasure, before it is sealed, after, and when the bytes are gone too."""
    event = request("mia", "hers", session_id="s")
    await asked.seal("acme", event, request("jon", "his", session_id="t"))
    work = Destructions(asked.small.database, LocalMasterKey.load(asked.small.folder / "master.key"), lease_s=0.0)
    marked = work.mark_persons("acme", ["mia"], REQUEST)
    await proceeding(asked.small, Published(asked.small)).go_on(marked.destruction_id)
    await reopened(asked)
    assert reasons(asked, event.event_id) == {"erased; the event that says so is not sealed yet"}
    await asked.small.seal()
    [said] = reasons(asked, event.event_id)
    assert said is not None
    assert ERASED.fullmatch(said)
    await asked.compact()
    assert reasons(asked, event.event_id) == {said}


async def test_others_are_shown_as_ever(asked: Asked) -> None:
    """Erasing one of several persons closes none of the others' contents."""
    people = ["mia", "jon", "eve", "kim"]
    events = {name: request(name, f"of {name}", session_id=f"s-{name}") for name in people}
    await asked.seal("acme", *events.values())
    work = Destructions(asked.small.database, LocalMasterKey.load(asked.small.folder / "master.key"), lease_s=0.0)
    marked = work.mark_persons("acme", ["mia"], REQUEST)
    await proceeding(asked.small, Published(asked.small)).go_on(marked.destruction_id)
    await asked.small.seal()
    await asked.compact()
    await reopened(asked)
    for name in people[1:]:
        story = asked.story("user", name)
        shown = {content.text for step in story.steps for event in step.events for content in event.contents}
        assert {name, f"of {name}", f"answer to of {name}"} <= shown
    assert asked.story("user", "mia").steps == ()
