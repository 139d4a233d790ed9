"""Events made to fit: whatever stands in them, the gateway's own checks take them afterwards."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.client.builders import request, tool_call
from ledger.proxy.fitting import fit
from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb

TEXTS = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        ["mia@example.org", "mia_li_3668", "x mia_li_3668 y", "a" * 400, "two\nlines", "a b c d e f g h i"]
    ),
)


def hashed(text: str) -> str:
    """A stand-in."""
    return f"hashed-{abs(hash(text)):x}"


@settings(max_examples=200, deadline=None)
@given(st.lists(TEXTS, min_size=12, max_size=12), st.lists(TEXTS, max_size=3), st.lists(TEXTS, max_size=3))
def test_any_words_become_an_event(words: list[str], subjects: list[str], prompts: list[str]) -> None:
    """Names, ids, persons and prompts of any kind cost their field, never the event; contents are not touched."""
    event = request(
        vendor=words[0],
        model_requested=words[1],
        model_answered=words[2],
        deployment=words[3],
        session_id=words[4],
        correlation_id=words[5],
        agent=words[6],
        actor_service=words[7],
        user=words[8],
        error_class=words[9],
        purpose=words[10],
        credential_id=words[11],
        subjects=subjects,
        prompts=[{"prompt_id": each} for each in prompts],
        input="write to mia@example.org",
        output="done",
    )
    fit(event, 1 << 20, hashed)
    assert translate(event).kind == "request"
    assert (event.request.input.text, event.request.output.text) == ("write to mia@example.org", "done")


def test_a_session_named_after_its_user_stays_one_session() -> None:
    """An id that may not stand in clear is replaced by a hash of it, and the event says which field was derived."""
    event = request(user="mia_li_3668", session_id="chat-mia_li_3668")
    assert fit(event, 1 << 20, hashed) == ["story.session_id"]
    assert event.story.session_id == hashed("chat-mia_li_3668")
    assert list(event.derived_fields) == ["story.session_id"]


def test_a_content_is_cut_at_a_character() -> None:
    """A content over the limit is cut where a character ends, and says from how many bytes."""
    event = tool_call(tool="t", result="é" * 1_000, parameters=b"\xff" * 1_000)
    assert fit(event, 101, hashed) == ["tool_call.parameters", "tool_call.result"]
    assert event.tool_call.result.text == "é" * 50
    assert event.tool_call.result.media_type == "text/plain;cut-from-bytes=2000"
    assert event.tool_call.parameters.data == b"\xff" * 101
    assert translate(event).kind == "tool_call"


def test_what_fits_is_not_changed() -> None:
    """An event that is right stays the same."""
    event = request(user="mia", session_id="s-1", input="hello")
    same = pb.Event.FromString(event.SerializeToString())
    assert fit(event, 1 << 20, hashed) == []
    assert event == same
