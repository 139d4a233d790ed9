"""Reconstruction: the right events, in order, proven, opened as far as keys exist, as known at a time."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

import pytest

from ledger.client.builders import decision, request, tool_call
from ledger.client.ids import event_id
from ledger.errors import IntegrityError, Rejected
from ledger.v1 import event_pb2 as pb
from query.contents import KEYS_DESTROYED, MISSING
from query.reading import UnknownTenant
from query.story import Story, Window
from tests.query.ledgers import Asked, ago


def texts(story: Story, slot: str = "input") -> list[str | None]:
    """One content of each step's first event."""
    return [content.text for step in story.steps if (content := step.events[0].content(slot)) is not None]


def codes(story: Story) -> set[str]:
    """The codes of all flags of steps."""
    return {flag.code for step in story.steps for flag in step.flags}


def asks(text: str, user: str | None = "mia", at: datetime | None = None, **fields: object) -> pb.Event:
    """A request of a user."""
    given = {"vendor": "openai", "model_requested": "gpt-4o", "input": text, "output": f"re: {text}", **fields}
    if user is not None:
        given["user"] = user
    if at is not None:
        given["occurred_at"] = at
    return request(**given)  # type: ignore[arg-type]


async def test_a_users_events_in_order_with_contents_and_proof(asked: Asked) -> None:
    """A user's story holds her events and nobody else's, in order, opened, each proven under a signed checkpoint."""
    await asked.seal("acme", asks("second", at=ago(1)), asks("other", user="bob"), asks("first", at=ago(2)))
    await asked.seal("acme", asks("third", at=ago(0.5)))
    story = asked.story("user", " MIA ".strip().lower())
    assert texts(story) == ["first", "second", "third"]
    assert story.proven
    assert [each.note is not None for each in story.checkpoints] == [True]
    assert story.checkpoints[0].size == 4


async def test_an_unknown_person_has_an_empty_story(asked: Asked) -> None:
    """Asking for somebody unknown answers with nothing, and makes no pseudonym."""
    await asked.seal("acme", asks("hello"))
    story = asked.story("user", "nobody")
    assert (story.person, story.steps) == (None, ())
    assert asked.small.keys.pseudonym("acme", "nobody") is None


async def test_no_other_tenants_rows_ever_appear(asked: Asked) -> None:
    """Tenants share a round's files; under the same user, session, correlation and event id each sees its own."""
    shared = {"session_id": "s1", "correlation_id": "c1", "event_id": event_id()}
    for tenant in ("acme", "beta"):
        for at in range(3):
            same = shared if at == 0 else {"session_id": "s1", "correlation_id": "c1"}
            await asked.small.publish(tenant, asks(f"{tenant} {at}", **same))
    await asked.small.seal()
    for _ in range(2):
        for tenant in ("acme", "beta"):
            for kind, value in (("user", "mia"), ("session", "s1"), ("correlation", "c1")):
                story = asked.story(kind, value, tenant)  # type: ignore[arg-type]
                assert sorted(text or "" for text in texts(story)) == [f"{tenant} {at}" for at in range(3)]
            story = asked.story("event", shared["event_id"].hex(), tenant)
            assert texts(story) == [f"{tenant} 0"]
        await asked.compact()
    with pytest.raises(UnknownTenant):
        asked.story("user", "mia", "gamma")


async def test_subjects_count_as_well_as_actors(asked: Asked) -> None:
    """Whoever is affected or spoken of finds the event in her story."""
    await asked.seal("acme", asks("about mia", user="bob", subjects=[("mia", "customer")]))
    assert texts(asked.story("user", "mia")) == ["about mia"]


async def test_events_of_her_session_that_name_nobody_are_in_a_users_story(asked: Asked) -> None:
    """A tool call whose producer did not know the user is there, and says why; somebody else's is not."""
    await asked.seal(
        "acme",
        asks("question", session_id="s1", at=ago(3)),
        tool_call(tool="search", session_id="s1", occurred_at=ago(2)),
        asks("bob in the same session", user="bob", session_id="s1", at=ago(1)),
        tool_call(tool="other", session_id="s2"),
    )
    story = asked.story("user", "mia")
    assert [step.kind for step in story.steps] == ["request", "tool_call"]
    assert [flag.code for flag in story.steps[1].flags] == ["by_session"]


async def test_phases_are_joined_and_what_never_ended_says_so(asked: Asked) -> None:
    """One operation is one step, its end found though it names nobody; one without an end is shown as such."""
    begun = tool_call(tool="refund", phase="started", user="mia", session_id="s1", occurred_at=ago(5))
    open_ended = tool_call(tool="mail", phase="started", user="mia", session_id="s1", occurred_at=ago(4))
    ended = tool_call(
        tool="refund", phase="completed", operation_id=begun.operation_id, outcome="ok", occurred_at=ago(1)
    )
    await asked.seal("acme", ended, open_ended, begun)
    story = asked.story("user", "mia")
    assert [(step.ending, len(step.events)) for step in story.steps] == [("completed", 2), ("never_ended", 1)]
    assert [step.number for step in story.unended] == [2]
    assert story.steps[0].ended_at == ended.occurred_at.ToDatetime(tzinfo=UTC)


async def test_amendments_stand_with_what_they_amend(asked: Asked) -> None:
    """A late content, which names nobody, is part of the step it completes."""
    first = asks("question", at=ago(5))
    late = request(
        vendor="openai",
        model_requested="gpt-4o",
        amends_event_id=first.event_id,
        reasoning="because",
        occurred_at=ago(1),
    )
    await asked.seal("acme", first)
    await asked.seal("acme", late)
    (step,) = asked.story("user", "mia").steps
    assert [content.text for event in step.amendments for content in event.contents] == ["because"]


async def test_tool_calls_stand_behind_the_request_that_asked_for_them(asked: Asked) -> None:
    """A call is matched by the event id it states, else by its call id in an answer of the same session."""
    wanted = asks("look", output={"tool_calls": [{"id": "call_9"}]}, session_id="s1", at=ago(3))
    await asked.seal(
        "acme",
        tool_call(tool="early", user="mia", session_id="s1", requested_by_event_id=wanted.event_id, occurred_at=ago(4)),
        wanted,
        tool_call(tool="by id", user="mia", session_id="s1", call_id="call_9", occurred_at=ago(2)),
        tool_call(tool="unasked", user="mia", session_id="s2", call_id="call_9", occurred_at=ago(1)),
    )
    story = asked.story("user", "mia")
    assert [step.requested_by_basis for step in story.steps] == [None, "stated", "call_id", None]
    assert [step.requested_by for step in story.steps] == [None, 1, 1, None]
    assert story.steps[0].tool_calls == (2, 3)


async def test_session_numbers_decide_inside_a_session(asked: Asked) -> None:
    """Where producers number a session's events, clocks that disagree do not change their order."""
    await asked.seal(
        "acme",
        asks("three", session_id="s1", session_ordinal=3, at=ago(9)),
        asks("one", session_id="s1", session_ordinal=1, at=ago(5)),
        asks("between", session_id="s2", at=ago(4)),
        asks("two", session_id="s1", session_ordinal=2, at=ago(3)),
    )
    assert texts(asked.story("user", "mia")) == ["one", "two", "between", "three"]


async def test_an_event_brings_what_belongs_to_it(asked: Asked) -> None:
    """By event id: the request behind a tool call, the call, and the decision that rests on the request."""
    base = asks("question", at=ago(3))
    call = tool_call(tool="t", requested_by_event_id=base.event_id, occurred_at=ago(2))
    rests = decision(decision_kind="refund", request_event_ids=[base.event_id], occurred_at=ago(1))
    await asked.seal("acme", base, call, rests, asks("unrelated"))
    story = asked.story("event", call.event_id.hex())
    assert [step.kind for step in story.steps] == ["request", "tool_call", "decision"]
    with pytest.raises(Rejected, match="UUID"):
        asked.story("event", "not an id")


async def test_only_what_was_known_then(asked: Asked) -> None:
    """As known at T, nothing sealed later counts, whatever it claims."""
    clock = iter(range(1_700_000_000_000_000, 1_800_000_000_000_000, 10**9))
    asked.small.clock_us = lambda: next(clock)
    await asked.seal("acme", asks("early", at=ago(60)))
    sealed_at = asked.story("user", "mia").steps[0].events[0].sealed_at
    await asked.seal("acme", asks("claims to be earlier", at=ago(600)))
    assert texts(asked.story("user", "mia", known_at=sealed_at)) == ["early"]
    assert texts(asked.story("user", "mia", known_at=sealed_at - timedelta(microseconds=1))) == []
    assert len(asked.story("user", "mia").steps) == 2


async def test_only_what_happened_in_the_window(asked: Asked) -> None:
    """A window takes steps from its start on and before its end; an unknown time is that of receipt."""
    first, second = ago(30), ago(20)
    await asked.seal("acme", asks("a", at=first), asks("b", at=second))
    assert texts(asked.story("user", "mia", window=Window(first, second))) == ["a"]
    assert texts(asked.story("user", "mia", window=Window(second, None))) == ["b"]


async def test_backdated_and_skewed_claims_are_flagged(asked: Asked) -> None:
    """A time long before sealing, or ahead of the gateway's clock, is told with the step."""
    skewed = asks("ahead", at=datetime.now(UTC) + timedelta(days=2))
    skewed.derived_fields.append("request.region")
    skewed.producer.dropped_count = 4
    await asked.seal("acme", asks("old", at=ago(300)), asks("fresh", at=ago(1)), skewed)
    story = asked.story("user", "mia")
    assert [sorted(flag.code for flag in step.flags) for step in story.steps] == [
        ["backdated"],
        [],
        ["clock_skew", "derived_fields", "dropped_before"],
    ]


async def test_conflicting_bodies_are_both_shown(asked: Asked) -> None:
    """Two bodies under one id are two steps; the second says which was first."""
    first = asks("one body", at=ago(2))
    second = pb.Event()
    second.CopyFrom(first)
    second.request.input.text = "another body"
    await asked.seal("acme", first)
    await asked.seal("acme", second)
    story = asked.story("user", "mia")
    assert texts(story) == ["one body", "another body"]
    assert [[flag.code for flag in step.flags] for step in story.steps] == [["conflict"], ["conflict"]]
    assert [flag.detail[-7:] for step in story.steps for flag in step.flags] == ["index 1", "index 0"]
    assert texts(asked.story("event", first.event_id.hex())) == ["one body", "another body"]


async def test_a_conflict_sealed_later_was_not_known_before(asked: Asked) -> None:
    """As known at T, an event does not say that its id was sealed again after T."""
    clock = iter(range(1_700_000_000_000_000, 1_800_000_000_000_000, 10**9))
    asked.small.clock_us = lambda: next(clock)
    first = asks("one body", at=ago(2))
    second = pb.Event()
    second.CopyFrom(first)
    second.request.input.text = "another body"
    await asked.seal("acme", first)
    sealed_at = asked.story("user", "mia").steps[0].events[0].sealed_at
    await asked.seal("acme", second)
    assert "conflict" in codes(asked.story("user", "mia"))
    assert "conflict" not in codes(asked.story("user", "mia", known_at=sealed_at))


async def test_erased_keys_close_contents_and_leave_the_proof(asked: Asked) -> None:
    """When a scope's key is gone its contents say so, and the event is as proven as before."""
    await asked.seal("acme", asks("secret"))
    with asked.small.database.write() as rows:
        rows.execute("DELETE FROM scopes")
    await asked.small.close()
    await asked.small.start()
    sources = asked.sources()
    assert sources.keys is asked.small.keys
    story = asked.story("user", "mia")
    (event,) = story.steps[0].events
    assert {content.unavailable for content in event.contents} == {KEYS_DESTROYED}
    assert {content.data for content in event.contents} == {None}
    assert story.proven


async def test_a_content_without_its_row_is_a_finding(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ciphertext that is not where it must be is named; the rest of the answer stands."""
    await asked.seal("acme", asks("question"))
    monkeypatch.setattr("query.rows.RowReader.ciphertexts", lambda *_: {})
    story = asked.story("user", "mia")
    assert {content.unavailable for content in story.steps[0].events[0].contents} == {MISSING}
    assert "content_finding" in codes(story)


async def test_metadata_only_opens_nothing(asked: Asked) -> None:
    """Asked for metadata only, no content is decrypted."""
    await asked.seal("acme", asks("question"))
    story = asked.story("user", "mia", open_contents=False)
    assert all(content.data is None for content in story.steps[0].events[0].contents)
    assert story.proven


async def test_compaction_changes_no_story(asked: Asked) -> None:
    """A story reads the same before rows were moved, after, and with newer rows behind them."""
    for at in range(4):
        await asked.seal("acme", asks(f"q{at}", at=ago(50 - at)), asks("noise", user="bob"))
    before = asked.story("user", "mia")
    await asked.compact(rows_max=3)
    after = asked.story("user", "mia")
    assert (texts(after), after.proven) == (texts(before), True)
    await asked.seal("acme", asks("q4", at=ago(1)))
    assert texts(asked.story("user", "mia")) == [*texts(before), "q4"]


async def test_a_flipped_segment_gives_no_answer(asked: Asked) -> None:
    """Evidence that differs from what the round names is refused, and named."""
    await asked.seal("acme", asks("question"))
    for part in ("events", "contents"):
        (name,) = asked.small.store.names_in(f"partitions/0000/{part}")
        path = asked.small.store.path(name)
        good = path.read_bytes()
        path.write_bytes(good[:300] + bytes((good[300] ^ 1,)) + good[301:])
        with pytest.raises(IntegrityError, match=part):
            asked.story("user", "mia")
        path.write_bytes(good)
    assert asked.story("user", "mia").proven


async def test_a_payload_that_is_not_the_leaf_fails_its_proof(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should a row lie about its payload, the step says that its proof failed."""
    await asked.seal("acme", asks("question"), asks("another"))
    monkeypatch.setattr("query.rows.leaf_hash", lambda payload: bytes(32))
    story = asked.story("user", "mia")
    assert not story.proven
    assert codes(story) == {"proof_failed"}


async def test_damaged_tiles_change_no_proof(asked: Asked) -> None:
    """Tiles that were flipped, cut or lost cost a rebuild, and every proof still holds."""
    for _ in range(3):
        await asked.seal("acme", *(asks(f"q{at}") for at in range(5)))
    sources = asked.sources()
    assert asked.story("user", "mia").proven
    files = sorted(path for path in asked.derived.glob("tiles/*/*"))
    assert len(files) == 2
    for path in files:
        good = path.read_bytes()
        for bad in (good[:7] + bytes((good[7] ^ 1,)) + good[8:], good[:-1], b""):
            path.write_bytes(bad)
            assert asked.story("user", "mia").proven
        path.unlink()
        assert asked.story("user", "mia").proven
    assert sources.prover is not None


async def test_damaged_row_maps_change_no_answer(asked: Asked) -> None:
    """A row map of a compacted file that was damaged is made again."""
    await asked.seal("acme", *(asks(f"q{at}", at=ago(9 - at)) for at in range(5)))
    await asked.compact()
    expected = texts(asked.story("user", "mia"))
    maps = sorted(asked.derived.glob("query/rows/*.rows"))
    assert len(maps) == 2
    for path in maps:
        good = path.read_bytes()
        for bad in (good[:210] + bytes((good[210] ^ 1,)) + good[211:], good[:-8], b"", maps[0].read_bytes()):
            path.write_bytes(bad)
            assert texts(asked.story("user", "mia")) == expected


async def test_nowhere_to_keep_derived_files_changes_no_answer(asked: Asked) -> None:
    """Where nothing derived can be written, indexes and tiles are made elsewhere, and answers are the same."""
    await asked.seal("acme", *(asks(f"q{at}", at=ago(9 - at)) for at in range(5)))
    await asked.compact()
    expected = texts(asked.story("user", "mia"))
    shutil.rmtree(asked.derived)
    asked.derived.write_bytes(b"a file where the folder should be")
    story = asked.story("user", "mia")
    assert (texts(story), story.proven) == (expected, True)
    asked.derived.unlink()


async def test_too_much_is_refused(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """A selector that leads to more events than an answer may hold is refused, and told how to ask for less."""
    await asked.seal("acme", *(asks(f"q{at}") for at in range(5)))
    monkeypatch.setattr("query.reading.EVENTS_MAX", 4)
    with pytest.raises(Rejected, match="more than 4 events; ask for less: a shorter time"):
        asked.story("user", "mia")
    monkeypatch.setattr("query.reading.LOOKED_AT_MAX", 4)
    with pytest.raises(Rejected, match="more than 4 events"):
        asked.story("user", "mia", window=Window(ago(1), ago(0)))


async def test_a_window_tells_of_somebody_with_more_events_than_an_answer_holds(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the window's events count against the limit, and the answer is that of a ledger without one: phases and
    amendments outside it stand with their step, which began inside, and none of a step that began outside."""
    begun = tool_call(tool="refund", phase="started", user="mia", session_id="s1", occurred_at=ago(25))
    outside = tool_call(tool="mail", phase="started", user="mia", session_id="s1", occurred_at=ago(35))
    first = asks("inside", at=ago(24), session_id="s1")
    amends = [
        request(vendor="openai", model_requested="m", user="mia", reasoning=text, amends_event_id=of, occurred_at=at)
        for text, of, at in (("of inside", first.event_id, ago(5)), ("of outside", outside.event_id, ago(23)))
    ]
    await asked.seal(
        "acme",
        *(asks(f"before {at}", at=ago(60 - at), session_id="s1") for at in range(12)),
        *(begun, outside, first, *amends),
        tool_call(tool="refund", phase="completed", operation_id=begun.operation_id, outcome="ok", occurred_at=ago(6)),
        tool_call(tool="mail", phase="completed", operation_id=outside.operation_id, outcome="ok", occurred_at=ago(22)),
        tool_call(tool="search", session_id="s1", occurred_at=ago(21)),
        *(asks(f"after {at}", at=ago(9 - at)) for at in range(4)),
    )
    window = Window(ago(30), ago(20))
    expected = asked.story("user", "mia", window=window)
    assert [(step.kind, len(step.events), len(step.amendments)) for step in expected.steps] == [
        ("tool_call", 2, 0),
        ("request", 1, 1),
        ("tool_call", 1, 0),
    ]
    monkeypatch.setattr("query.reading.EVENTS_MAX", 5)
    assert asked.story("user", "mia", window=window).to_json() == expected.to_json()
