"""Stories as people read them: complete, within their width, and harmless to a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.client.builders import request, tool_call
from ledger.v1 import event_pb2 as pb
from query import layout, render
from tests.query.ledgers import Asked, ago, digest, release, use


async def test_a_story_names_everything(asked: Asked) -> None:
    """Model, prompt and approved text, who approved it, input, output, tool, proof, checkpoint: all is there."""
    await asked.seal("_org", *release("1", ago(30)))
    base = request(
        vendor="openai",
        model_requested="gpt-4o",
        model_answered="gpt-4o-1",
        region="eu-west-1",
        user="mia",
        role="customer",
        input="Where is my order?",
        output="On its way.",
        **use("1", ago(10)),
    )
    await asked.seal(
        "acme",
        base,
        tool_call(
            tool="track", phase="started", user="mia", requested_by_event_id=base.event_id, side_effect="read",
            occurred_at=ago(9),
        ),
    )  # fmt: skip
    text = render.story(asked.story("user", "mia"), 90)
    for told in (
        "gpt-4o → gpt-4o-1", "region eu-west-1", "as customer", "prompt greeting 1", "Greet {name}.",
        "reviewed by priya (verified)", "evaluated s, m 0.9 against 0.8: passed", "Where is my order?", "On its way.",
        "tool track (read)", "asked for by step 1", "never ended", "PROVEN", "every event is proven", "Checkpoints",
        "never approved",
    ):  # fmt: skip
        assert told in text
    assert max(map(layout.cells, text.splitlines())) <= 145


async def test_a_change_says_where_its_evidence_is(asked: Asked) -> None:
    """Where authorship and reviews are recorded, which run on which data set, which ticket, and why."""
    approved, deployed = release(
        "1",
        ago(30),
        author_standing="verified",
        author_source="signed-commit:c0ffee",
        reviewers=[pb.Reviewer(name="priya", standing=pb.REVIEW_STANDING_VERIFIED, source="github-review:12")],
        evaluations=[pb.Evaluation(suite="s", metric="m", run_id="run-7", dataset_sha256=digest("d"), score=1.0)],
        ticket="SUP-1",
        reason="Too\x1b[2J kind.",
    )
    await asked.seal("_org", approved, deployed)
    await asked.seal("acme", request(vendor="v", model_requested="m", user="mia", **use("1", ago(10))))
    text = " ".join(render.story(asked.story("user", "mia"), 140).split())
    for told in (
        "author dana (verified, signed-commit:c0ffee)",
        "reviewed by priya (verified, github-review:12)",
        f"(run run-7, data set {digest('d').hex()[:12]})",
        "ticket SUP-1",
        "reason: Too\\x1b[2J kind.",
    ):
        assert told in text


async def test_a_terminal_is_told_nothing(asked: Asked) -> None:
    """Escape sequences in contents are shown, not sent."""
    await asked.seal("acme", request(vendor="v", model_requested="m", user="mia", input="\x1b[2J\x07 hi \u202e"))
    text = render.story(asked.story("user", "mia"))
    assert "\x1b" not in text
    assert "\\x1b[2J\\x07 hi \\u202e" in text


async def test_long_contents_are_cut_and_counted(asked: Asked) -> None:
    """A content of many lines is shortened, and the rest counted."""
    await asked.seal("acme", request(vendor="v", model_requested="m", user="mia", input="\n".join(map(str, range(99)))))
    assert "… 90 more lines" in render.story(asked.story("user", "mia"), content_lines_max=10)


@given(st.text(max_size=300), st.integers(20, 60))
def test_wrapping_loses_nothing_but_spaces(text: str, width: int) -> None:
    """Wrapped lines fit, and hold every printable character of the text."""
    lines = list(layout.wrap(text, width))
    assert all(layout.cells(line) <= width for line in lines)
    kept = "".join(lines).replace(" ", "")
    whole = "".join(layout.printable(line.rstrip("\r").replace("\t", "    ")) for line in text.split("\n"))
    assert kept == whole.replace(" ", "")


@pytest.mark.parametrize("width", [30, 60, 200])
def test_tables_fit(width: int) -> None:
    """A table keeps to its width, wide characters counted as two, and lines up numbers to the right."""
    rows = [("a" * 50, 1, "日本語のとても長いテキスト"), (None, 22, "x")]
    lines = layout.table(("text", "n", "more"), rows, width).splitlines()
    assert all(layout.cells(line) <= width for line in lines)
    assert len(lines) == 4
    assert " 1  " in lines[2]
