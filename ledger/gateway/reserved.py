"""Which events only the ledger itself may write.

| event | written by |
| ----- | ---------- |
| Access | the query service, before it gives an answer |
| Erasure, LegalHold, Expiry | the ledger, when an operator has it destroy keys, or forbids that |
| Operation | the ledger; but for a producer's PRODUCER_CLOSED, and RESTORE that did not succeed (what it lost) |
| Finding of a rule `quarantine.…` | the sealer |
| Finding of a rule `policy.…` | the gateway |

A producer that could write them could cover up what was read, or have contents dropped under an erasure that never was.
All else anybody may publish who may publish to that tenant: with roles, those kinds of event that his grants name. That
includes Changes of `_org`, so that only a grant that names `_org` lets a producer approve a prompt for everybody;
without roles every producer that reaches the gateway may.
"""

from __future__ import annotations

from ledger.errors import Rejected
from ledger.record.translate import Submission

KINDS = {"access": "Access", "erasure": "Erasure", "legal_hold": "LegalHold", "expiry": "Expiry"}
OWN_RULES = ("quarantine.", "policy.")

_WHO = "only the ledger's own processes write them"


def check_writer(submission: Submission, is_ledger: bool, kinds: frozenset[str] | None = None) -> None:
    """`Rejected`, with the kind in its reason, for an event that this caller may not write; `kinds` as granted."""
    if is_ledger:
        return
    kind, body = submission.kind, submission.body
    if kind in KINDS:
        raise Rejected(kind, f"{KINDS[kind]} events are refused from outside: {_WHO}")
    if kind == "operation":
        action = body["action"]
        if action != "producer_closed" and not (action == "restore" and body["succeeded"] is False):
            name = str(action).upper()
            raise Rejected("operation.action", f"Operation events of {name} are refused from outside: {_WHO}")
    elif kind == "finding" and str(body["rule"]).startswith(OWN_RULES):
        own = " or ".join(f"{prefix}…" for prefix in OWN_RULES)
        raise Rejected("finding.rule", f"Finding events of a rule {own} are refused from outside: {_WHO}")
    if kinds is not None and kind not in kinds:
        raise Rejected(kind, "events of this kind are refused: no grant of the caller names it for this tenant")
