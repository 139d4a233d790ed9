"""Changes: what a typo makes of one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import grpc
import pytest

from ledger.client import Client, Ledger
from ledger.errors import Rejected
from ledger.v1 import event_pb2 as pb
from tests.ledger.client.capture.conftest import Recorded
from tests.ledger.client.gateway import ScriptedGateway, fails

DIGEST = sha256(b"prompt text").digest()
GOOD: dict[str, Any] = {
    "artifact_kind": "prompt",
    "artifact_id": "support",
    "action": "approve",
    "from_revision": "6",
    "to_revision": "7",
    "artifact_text": "prompt text",
    "author": "ana",
    "reviewers": ["ben", ("eve", "verified", "github-review")],
    "evaluations": [{"suite": "smoke", "metric": "accuracy", "score": 0.9, "artifact_sha256": DIGEST.hex()}],
    "effective_at": datetime(2024, 5, 1, tzinfo=UTC),
}


def test_a_change_is_durable_and_company_wide(gateway: ScriptedGateway, ledger: Ledger, recorded: Recorded) -> None:
    """It goes to `_org`, is acknowledged when the call returns, and has the digest of its text."""
    with ledger.within(correlation_id="release-9"):
        identity = ledger.record_change(**GOOD)
    (event,) = recorded()
    assert (gateway.tenants, event.event_id) == (["_org"], identity)
    assert event.change.artifact_sha256 == DIGEST
    assert [each.standing for each in event.change.reviewers] == [2, 1]
    assert event.change.evaluations[0].artifact_sha256 == DIGEST
    assert event.story.correlation_id == "release-9"
    ledger.record_change(tenant="acme", wait_s=None, **GOOD)
    recorded()
    assert gateway.tenants[-1] == "acme"


def test_what_is_refused_raises(gateway: ScriptedGateway, loose: Ledger) -> None:
    """Somebody waits: a gateway that does not take it is told."""
    gateway.script.append(fails(grpc.StatusCode.NOT_FOUND, "tenant: there is no such tenant"))
    with pytest.raises(Rejected, match="no such tenant"):
        loose.record_change(**GOOD)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"artifact_kind": "promt"}, "artifact_kind: .* did you mean 'prompt'"),
        ({"artifact_kind": "AI System"}, "did you mean 'ai_system'"),
        ({"action": "rollback"}, "did you mean 'roll_back'"),
        ({"action": None}, "action: expected one of"),
        ({"artifact_id": " "}, "artifact_id"),
        ({"to_revision": None}, "to_revision: approve leads to a revision"),
        ({"to_revision": "latest"}, "to_revision: 'latest' is not a revision"),
        ({"to_revision": "registry/support:Production"}, "is not a revision"),
        ({"to_revision": "claude-3-5-sonnet-latest"}, "is not a revision"),
        ({"from_revision": "7"}, "is the same as from_revision"),
        ({"artifact_sha256": "ab"}, "artifact_sha256: expected a SHA-256"),
        ({"artifact_sha256": "xyz"}, "64 hexadecimal digits"),
        ({"artifact_sha256": b"\0" * 32}, "not the digest of artifact_text"),
        ({"reviewers": ["Ana "]}, "somebody besides the author"),
        ({"reviewers": []}, "somebody besides the author"),
        ({"reviewers": "ben"}, "reviewers: expected a list"),
        ({"reviewers": [("ben", "verifed", "x")]}, "did you mean 'verified'"),
        ({"reviewers": [("ben", "verified")]}, "where it is recorded"),
        ({"reviewers": [7]}, "reviewers: expected names"),
        ({"evaluations": [{"suite": "s", "artifact_sha256": "00" * 32}]}, "about another artifact"),
        ({"evaluations": [{"suite": "s", "verdict": "pased"}]}, "did you mean 'passed'"),
        ({"evaluations": [{"suit": "s"}]}, "no field 'suit'"),
        ({"tenants": "acme"}, "tenants: expected a list"),
        ({"input_sha256": ["ab"]}, "input_sha256: expected a SHA-256"),
        ({"effective_at": datetime(2024, 5, 1)}, "with a time zone"),
        ({"revison": "7"}, "no argument 'revison'"),
    ],
)
def test_a_typo_is_told_and_nothing_is_emitted(
    client_to: Callable[..., Client], changed: dict[str, Any], says: str
) -> None:
    """Every check names the field and what was expected; the gateway is not even asked."""
    ledger = Ledger(client_to("127.0.0.1:1"))
    with pytest.raises((ValueError, TypeError), match=says):
        ledger.record_change(**{**GOOD, **changed})
    assert ledger.stats().emitted == 0


def test_reviewers_and_evaluations_may_be_messages(client_to: Callable[..., Client]) -> None:
    """As the builders take them."""
    ledger = Ledger(client_to("127.0.0.1:1"))
    given = {"reviewers": [pb.Reviewer(name="ben")], "evaluations": [pb.Evaluation(suite="s")]}
    assert len(ledger.record_change(tenant="acme", wait_s=None, **{**GOOD, **given})) == 16
