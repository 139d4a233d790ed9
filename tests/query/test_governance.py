"""What governed a step: the approved text, the Changes behind it, and everything that was not in order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from ledger.client.builders import change, request, tool_call
from ledger.v1 import event_pb2 as pb
from query.governance import Governed
from tests.query.ledgers import Asked, ago, digest, prompt_change, release, use

ASSERTED = pb.Reviewer(name="priya", standing=pb.REVIEW_STANDING_ASSERTED)
VERIFIED = pb.Reviewer(name="priya", standing=pb.REVIEW_STANDING_VERIFIED)
AUTHOR = pb.Reviewer(name="Dana", standing=pb.REVIEW_STANDING_VERIFIED)


def asks(**fields: Any) -> pb.Event:
    """A request of mia."""
    return request(**{"user": "mia", "vendor": "openai", "model_requested": "m", "model_answered": "m-1", **fields})


async def governed(asked: Asked, kind: str = "prompt", **given: Any) -> Governed:
    """What governed the one request of mia."""
    (step,) = asked.story("user", "mia", **given).steps
    (found,) = (each for each in step.governance if each.kind == kind)
    return found


def codes(found: Governed) -> set[str]:
    """The codes of its flags."""
    return {flag.code for flag in found.flags}


async def test_a_revision_in_order_has_its_text_and_no_flag(asked: Asked) -> None:
    """An approved, reviewed, evaluated and deployed revision shows the text that was approved, from `_org`."""
    await asked.seal("_org", *release("1", ago(30)))
    await asked.seal("acme", asks(**use("1", ago(10))))
    found = await governed(asked)
    assert (found.text, found.flags, found.in_effect) == ("Greet {name}.", (), "1")
    assert [act.action for act in found.changes] == ["approve", "deploy"]
    assert found.put_in_effect is not None
    assert found.put_in_effect.action == "deploy"
    assert all(act.event.proof.state == "proven" and act.event.tenant == "_org" for act in found.changes)


async def test_changes_in_the_tenants_own_log_count_too(asked: Asked) -> None:
    """A tenant that keeps its own prompts finds their Changes in its own log."""
    await asked.seal("acme", *release("1", ago(30)), asks(**use("1", ago(10))))
    assert (await governed(asked)).flags == ()


async def test_nothing_is_known_of_it(asked: Asked) -> None:
    """A revision without any Change was never approved, and has no text."""
    await asked.seal("acme", asks(**use("1", ago(10))))
    found = await governed(asked)
    assert (codes(found), found.text, found.changes) == ({"never_approved"}, None, ())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reviewers": [AUTHOR]}, {"author_only_reviewer"}),
        ({"reviewers": [ASSERTED]}, {"reviewers_asserted"}),
        ({"reviewers": [AUTHOR, ASSERTED]}, {"author_only_reviewer"}),
        ({"author": "dana, priya", "reviewers": [VERIFIED]}, {"author_only_reviewer"}),
        ({"author": "dana, zoe", "reviewers": [VERIFIED]}, set()),
        ({"reviewers": []}, {"no_reviewer"}),
        ({"evaluations": []}, {"no_evaluation"}),
        (
            {"evaluations": [pb.Evaluation(suite="s", metric="m", verdict=pb.EVALUATION_VERDICT_FAILED)]},
            {"evaluation_failed"},
        ),
        (
            {
                "evaluations": [
                    pb.Evaluation(
                        suite="s",
                        metric="m",
                        artifact_sha256=digest("another"),
                        verdict=pb.EVALUATION_VERDICT_PASSED,
                    )
                ]
            },
            {"evaluation_of_other"},
        ),
        ({"artifact_text": "Not the artifact."}, {"text_differs"}),
    ],
)
async def test_what_is_wrong_with_the_evidence_is_told(
    asked: Asked, fields: dict[str, Any], expected: set[str]
) -> None:
    """Weak or wrong reviews, evaluations and texts are flagged, each by its name."""
    await asked.seal("_org", *release("1", ago(30), **fields))
    await asked.seal("acme", asks(**use("1", ago(10))))
    assert codes(await governed(asked)) == expected


async def test_another_template_than_the_approved_one(asked: Asked) -> None:
    """The template used is compared with the artifact approved."""
    await asked.seal("_org", *release("1", ago(30)))
    await asked.seal("acme", asks(**use("1", ago(10), text="Greet {name}. And sell.")))
    assert codes(await governed(asked)) == {"template_differs"}


async def test_used_before_it_was_approved(asked: Asked) -> None:
    """An approval after the use is told as such, though it is there today."""
    await asked.seal("_org", *release("1", ago(10)))
    await asked.seal("acme", asks(**use("1", ago(30))))
    assert {"approved_later", "not_deployed"} <= codes(await governed(asked))


async def test_as_effective_at_judges_every_step_by_that_moment(asked: Asked) -> None:
    """What was in force at the moment asked for judges the use, and a difference to its own time is told."""
    rollback = prompt_change("roll_back", "1", ago(10), from_revision="2")
    await asked.seal("_org", *release("1", ago(50)), *release("2", ago(30)), rollback)
    await asked.seal("acme", asks(**use("2", ago(20))))
    found = await governed(asked)
    assert (found.in_effect, codes(found)) == ("2", set())
    found = await governed(asked, effective_at=ago(40))
    assert (found.in_effect, found.revision) == ("1", "2")
    assert codes(found) == {"approved_later", "not_deployed", "other_in_effect", "effect_differs"}
    assert "judged as of" in next(flag.detail for flag in found.flags if flag.code == "approved_later")
    found = await governed(asked, effective_at=ago(5))
    assert (found.in_effect, codes(found)) == ("1", {"rolled_back", "other_in_effect", "effect_differs"})
    found = await governed(asked, effective_at=ago(60))
    assert found.in_effect is None
    detail = next(flag.detail for flag in found.flags if flag.code == "effect_differs")
    assert detail.startswith("2 was in effect when it was used, none at")


async def test_known_at_and_effective_at_are_independent(asked: Asked) -> None:
    """What was sealed later does not govern, whatever moment it claims; what is known governs at any moment."""
    await asked.seal("_org", *release("1", ago(50)))
    await asked.seal("acme", asks(**use("1", ago(20))))
    (step,) = asked.story("user", "mia").steps
    known_at = step.events[0].sealed_at
    await asked.seal("_org", prompt_change("retire", "1", ago(10)))
    after = ago(5)
    assert codes(await governed(asked)) == set()
    assert codes(await governed(asked, effective_at=after)) == {"rolled_back", "effect_differs"}
    assert codes(await governed(asked, effective_at=after, known_at=known_at)) == set()
    assert codes(await governed(asked, known_at=known_at)) == set()
    story = asked.story("user", "mia", known_at=known_at, effective_at=after)
    assert (story.known_at, story.effective_at) == (known_at, after)


async def test_a_backdated_claim_is_flagged_at_every_moment(asked: Asked) -> None:
    """As effective between its claim and its sealing it approves nothing; flagged at all times."""
    day = timedelta(days=1)
    await asked.seal("_org", *release("1", ago(0) - 30 * day))
    await asked.seal("acme", asks(**use("1", ago(0) - 40 * day)))
    before, between, since = [codes(await governed(asked, effective_at=ago(0) + at * day)) for at in (-35, -10, 1)]
    assert {"change_backdated", "approved_later", "not_deployed"} <= before
    assert {"change_backdated", "approved_later"} <= between
    assert "not_deployed" not in between
    assert "change_backdated" in since
    assert "approved_later" not in since


async def test_a_backdated_approval_never_becomes_what_was_approved(asked: Asked) -> None:
    """A Change sealed today that claims last month is flagged, and approves no use before its sealing."""
    day = timedelta(days=1)
    await asked.seal("_org", *release("1", ago(0) - 30 * day))
    await asked.seal("acme", asks(**use("1", ago(0) - 10 * day)))
    found = await governed(asked)
    assert {"change_backdated", "approved_later"} <= codes(found)
    assert "sealed only" in next(flag.detail for flag in found.flags if flag.code == "approved_later")
    assert "approved_later" not in codes(await governed(asked, tolerance=365 * day))


async def test_another_revision_that_only_a_backdated_claim_put_in_effect_is_told_as_such(asked: Asked) -> None:
    """A deployment sealed today that claims last month is flagged where it makes another revision the one in effect."""
    await asked.seal("_org", prompt_change("deploy", "2", ago(0) - timedelta(days=30)))
    await asked.seal("acme", asks(**use("1", ago(10))))
    found = await governed(asked)
    assert {"other_in_effect", "change_backdated"} <= codes(found)
    assert "2 was in effect" in next(flag.detail for flag in found.flags if flag.code == "change_backdated")
    assert "change_backdated" not in codes(await governed(asked, tolerance=timedelta(days=365)))


async def test_as_known_before_the_approval_was_sealed(asked: Asked) -> None:
    """As known before its sealing, an approval does not exist."""
    await asked.seal("acme", asks(**use("1", ago(10))))
    known_at = asked.story("user", "mia").steps[0].events[0].sealed_at
    asked.small.clock_us = lambda: int((known_at + timedelta(minutes=1)).timestamp() * 1_000_000)
    await asked.seal("_org", *release("1", ago(30)))
    assert "never_approved" not in codes(await governed(asked))
    assert codes(await governed(asked, known_at=known_at)) == {"never_approved"}


async def test_rolled_back_and_used_all_the_same(asked: Asked) -> None:
    """Who goes on using a revision that was rolled back is told, with what was in effect instead."""
    await asked.seal("_org", *release("1", ago(50)), *release("2", ago(40), text="Greet {name}. And sell."))
    await asked.seal("_org", prompt_change("roll_back", "1", ago(30), from_revision="2"))
    await asked.seal("acme", asks(**use("2", ago(10), text="Greet {name}. And sell.")))
    found = await governed(asked)
    assert codes(found) == {"rolled_back", "other_in_effect"}
    assert found.in_effect == "1"


async def test_a_revision_that_is_not_stated_is_the_one_in_effect(asked: Asked) -> None:
    """Where the event does not say which revision it used, that is told, and the one in effect is judged."""
    await asked.seal("_org", *release("1", ago(50)))
    await asked.seal("acme", asks(**use(None, ago(10))))
    found = await governed(asked)
    assert (found.revision, codes(found)) == ("1", {"revision_unknown"})


async def test_changes_for_other_tenants_are_not_read(asked: Asked) -> None:
    """Of `_org`, a tenant sees only Changes that are for all or for it."""
    await asked.seal("_org", *release("1", ago(30), tenants=["beta"]))
    for tenant in ("acme", "beta"):
        await asked.seal(tenant, asks(**use("1", ago(10))))
    assert [act.action for act in (await governed(asked)).changes] == ["deploy"]
    assert [act.action for act in (await governed(asked, tenant="beta")).changes] == ["approve", "deploy"]


@pytest.mark.parametrize(
    ("artifact_id", "revision"),
    [
        ("openai/gpt-4o", "gpt-4o-2024-08-06"),
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("gpt-4o", "2024-08-06"),
        ("openai/gpt-4o-2024-08-06", "gpt-4o-2024-08-06"),
        ("gpt-4o-2024-08-06", "1"),
        ("gpt-4o-2024-08-06", None),
    ],
)
async def test_a_model_is_found_however_it_is_registered(asked: Asked, artifact_id: str, revision: str | None) -> None:
    """By vendor or without, by the version that answered or the name asked for, the approval is found."""
    given: dict[str, Any] = {"artifact_kind": "model", "artifact_id": artifact_id, "author": "dana"}
    if revision is not None:
        given["to_revision"] = revision
    reviewed = [pb.Reviewer(name="priya", standing=pb.REVIEW_STANDING_VERIFIED)]
    passed = [pb.Evaluation(suite="s", metric="m", verdict=pb.EVALUATION_VERDICT_PASSED)]
    await asked.seal(
        "_org",
        change(**given, action="approve", reviewers=reviewed, evaluations=passed, occurred_at=ago(30)),
        change(**given, action="deploy", occurred_at=ago(29)),
    )
    model = {"model_requested": "gpt-4o", "model_answered": "gpt-4o-2024-08-06", "occurred_at": ago(1)}
    await asked.seal("acme", asks(**model))
    found = await governed(asked, "model")
    assert (found.artifact_id, found.flags) == (artifact_id, ())


async def test_tools_and_agents_count_once_somebody_registers_them(asked: Asked) -> None:
    """What no Change is about is not judged, but for prompts and models; what one is about, is."""
    await asked.seal("acme", tool_call(tool="refund", version="2", agent="aria", agent_version="3", user="mia"))
    (step,) = asked.story("user", "mia").steps
    assert step.governance == ()
    await asked.seal(
        "_org", change(artifact_kind="tool", artifact_id="refund", action="propose", to_revision="2", author="dana")
    )
    (step,) = asked.story("user", "mia").steps
    assert [(each.kind, each.artifact_id, "never_approved" in codes(each)) for each in step.governance] == [
        ("tool", "refund", True)
    ]


async def test_metadata_only_leaves_the_approved_text_closed(asked: Asked) -> None:
    """Without contents, governance is judged as before, and the text stays closed."""
    await asked.seal("_org", *release("1", ago(30)))
    await asked.seal("acme", asks(**use("1", ago(10))))
    found = await governed(asked, open_contents=False)
    assert (found.text, found.flags) == (None, ())
