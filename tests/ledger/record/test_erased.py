"""What is left of an event that names an erased person."""

from __future__ import annotations

from ledger.keys.provider import HolderRef
from ledger.record.erased import concerns, encoding_of_erased, renamed_slots, without
from ledger.record.submission import submission_bytes
from ledger.record.translate import translate
from tests.small_ledger import request

MIA, JON = HolderRef("person", "mia"), HolderRef("person", "jon")


def test_nothing_of_her_is_left() -> None:
    """An event of hers alone keeps its facts; identity and contents are absent, and it stands for itself."""
    event = request("mia", "secret")
    before = translate(event)
    after, _ = without(before, frozenset({MIA}))
    assert concerns(before, frozenset({MIA}))
    assert not concerns(before, frozenset({JON}))
    assert (after.actor_user, after.persons, after.subjects) == (None, (), ())
    assert after.holders == (HolderRef("event", event.event_id.hex()),)
    assert after.session_id is None
    assert {content.slot: content.data for content in after.contents} == {
        "actor.user": None,
        "input": None,
        "output": None,
    }
    assert after.envelope == before.envelope
    assert after.body == before.body


def test_others_keep_what_is_theirs() -> None:
    """Of an event of two persons the other stays, with her own contents, under the next free slot."""
    event = request("mia", "both")
    event.subjects.add(identifier="mia")
    event.subjects.add(identifier="jon", relation="applicant")
    event.request.reasoning.text = "of jon alone"
    event.request.reasoning.persons.append("jon")
    after, renamed = without(translate(event), frozenset({MIA}))
    assert after.persons == ("jon",)
    assert after.holders == (JON,)
    assert after.subjects == (("jon", "applicant"),)
    assert {content.slot: content.data for content in after.contents} == {
        "actor.user": None,
        "subjects.0": b"jon",
        "input": None,
        "output": None,
        "reasoning": b"of jon alone",
    }
    assert renamed_slots({"subjects.0": 1, "subjects.1": 2, "input": 3}, renamed) == {"subjects.0": 2, "input": 3}


def test_a_session_that_stood_for_her_is_treated_like_her() -> None:
    """An event without a person, in a session that was erased with her, keeps no content; in another one all."""
    event = translate(request(None, "of whom?"))
    assert not concerns(event, frozenset({MIA}))
    session = HolderRef("session", "session-1")
    after, _ = without(event, frozenset({session}))
    assert after.holders == (HolderRef("event", event.event_id.hex()),)
    assert all(content.data is None for content in after.contents)


def test_the_digest_is_over_nothing_that_could_be_guessed() -> None:
    """Two bodies under one id have one encoding, another id another; no byte of what was submitted is in it."""
    event = request("mia")
    assert encoding_of_erased(event.event_id).endswith(event.event_id)
    assert encoding_of_erased(event.event_id) != encoding_of_erased(request().event_id)
    assert b"mia" in submission_bytes(event)
    assert b"mia" not in encoding_of_erased(event.event_id)
