"""Change events and their ids."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from ledger.changes.artifacts import Artifact, Place
from ledger.changes.document import Rules, Source
from ledger.changes.evaluation import Limit, Metric, Report
from ledger.changes.events import TEXT_BYTES_MAX, Action, Occasion, change_event
from ledger.changes.gate import Candidate, judge
from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb
from tests.ledger.changes.test_gate import candidate
from tests.ledger.changes.test_reviews import MIA, PRIYA, THIS, seen

TEXT = Artifact(
    "prompt", "support", "1" * 12, THIS, Place("prompts/s.md", Source("prompt", ("p",), owner="team"), "o"), b"Help.\n"
)
BEFORE = replace(TEXT, revision="0" * 12, sha256=b"0" * 32)
OCCASION = Occasion("github.com/acme/assistant")
REPORT = Report("r.json", "s", "run", b"d" * 32, THIS, (Metric("m", 0.9, Limit(0.8, True)),), b"r" * 32)


def made(
    action: Action = "approve", occasion: Occasion = OCCASION, subject: Candidate | None = None, **more: Any
) -> pb.Event:
    """The event of a reviewed and evaluated prompt."""
    outcome = judge(subject or candidate(TEXT, before=BEFORE, origin_at_s=1_760_000_000), [REPORT], Rules())
    reviewers = outcome.reviewed.counted if action in ("approve", "deploy") else ()
    return change_event(occasion, action, outcome, reviewers, **more)


def test_an_approval_holds_what_it_rests_on() -> None:
    """Author, reviewers, evaluations, revisions, digest, text: and the gateway takes it."""
    event = made()
    change = event.change
    assert (change.artifact_id, change.from_revision, change.to_revision) == ("support", "0" * 12, "1" * 12)
    assert (change.artifact_sha256, change.artifact_text.text) == (THIS, "Help.\n")
    assert (change.author, change.author_standing) == ("mia", pb.REVIEW_STANDING_ASSERTED)
    assert change.author_source == f"commit:{'c' * 40}"
    assert [each.standing for each in change.reviewers] == [pb.REVIEW_STANDING_VERIFIED]
    assert [each.metric for each in change.evaluations] == ["m"]
    assert change.owner == "team"
    assert event.producer.capture_path == pb.CAPTURE_PATH_CI
    assert event.story.correlation_id == f"github.com/acme/assistant/commit/{'c' * 40}"
    translate(event)


def test_a_signed_authorship_is_verified() -> None:
    """Where each author signed, the ledger says so, and where it is recorded."""
    signed = candidate(TEXT, signed_by_authors=True, unsigned=(), authors=(MIA, PRIYA))
    change = made(subject=signed).change
    assert (change.author, change.author_standing) == ("mia, priya", pb.REVIEW_STANDING_VERIFIED)
    assert change.author_source == f"signed-commit:{'c' * 40}"


def test_no_time_is_claimed_unless_one_is_given() -> None:
    """A Change takes effect when the gateway receives it."""
    event = made()
    assert not event.HasField("occurred_at")
    assert not event.change.HasField("effective_at")
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    claimed = made(occasion=replace(OCCASION, effective_at=at))
    assert claimed.change.effective_at.ToDatetime(UTC) == claimed.occurred_at.ToDatetime(UTC) == at


def test_the_same_event_has_the_same_id() -> None:
    """Made again it is the same to the byte, id included; its time is the commit's."""
    one, other = made(), made()
    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)
    assert int.from_bytes(one.event_id[:6], "big") == 1_760_000_000_000
    assert one.event_id[6] >> 4 == 8


@pytest.mark.parametrize(
    "other",
    [
        made("deploy"),
        made("propose"),
        made(occasion=replace(OCCASION, repository="github.com/acme/other")),
        made(occasion=replace(OCCASION, again="2")),
        made(occasion=replace(OCCASION, ticket="T-1")),
        made(subject=candidate(TEXT, before=BEFORE, origin="d" * 40, origin_at_s=1_760_000_000)),
        made(subject=candidate(replace(TEXT, id="other"), before=BEFORE, origin_at_s=1_760_000_000)),
        made(subject=candidate(TEXT, before=BEFORE, origin_at_s=1_760_000_000, sightings=(seen(PRIYA),))),
    ],
)
def test_what_says_something_else_has_another_id(other: pb.Event) -> None:
    """Another action, repository, time, commit, artifact or evidence is another event: never a conflict."""
    assert other.event_id != made().event_id


def test_a_proposal_knows_nothing_of_what_comes_later() -> None:
    """Reviews and reports given to a proposal don't change it, so that it is the same before and after them."""
    bare = candidate(TEXT, before=BEFORE, origin_at_s=1_760_000_000, sightings=())
    assert made("propose").event_id == change_event(OCCASION, "propose", judge(bare, [], Rules())).event_id


def test_a_removal_and_an_order_say_who() -> None:
    """A retirement has the revision that is left, and whoever ordered it stands as its author, asserted."""
    gone = candidate(None, before=BEFORE, sightings=())
    change = made("retire", replace(OCCASION, by="lena.koch"), gone).change
    assert (change.from_revision, change.to_revision, change.author) == ("0" * 12, "", "lena.koch")
    assert change.author_standing == pb.REVIEW_STANDING_ASSERTED
    assert not change.HasField("artifact_text")
    assert made("retire", OCCASION, gone).change.author == "mia"


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        (b"\xff\xfe", "data"),
        (b"x" * (TEXT_BYTES_MAX + 1), "reference"),
        (b"a\r\nb\xef\xbb\xbf", "text"),
    ],
)
def test_a_text_is_kept_to_the_byte_or_by_reference(content: bytes, kept: str) -> None:
    """What is no text is kept as bytes; what is too large stays in the repository, under its digest."""
    text = made(subject=candidate(replace(TEXT, content=content))).change.artifact_text
    assert text.WhichOneof("body") == kept
    if kept == "text":
        assert text.text.encode() == content


def test_the_description_names_commits_reviews_and_reports() -> None:
    """What has no field of its own stands in the description, and nothing of the run."""
    described = json.loads(made(told={"more": 1}).change.description.text)
    assert described["commit"] == "c" * 40
    assert described["reviews"][0]["who"] == "tomas"
    assert described["reports_sha256"] == [(b"r" * 32).hex()]
    assert described["more"] == 1
    assert "r.json" not in json.dumps(described)
