"""The scenario told: 45 minutes of a support desk, as events in the order in which they occurred.

Times end a little before `now`, so that nothing in it is backdated by the ledger's tolerance of an hour.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ledger.client.builders import decision
from ledger.scenario.conversations import GRANT, SCOPE, Conversation
from ledger.scenario.governance import ANTHROPIC, ON_CALL, OPENAI, Clock, first_releases, rollback, second_prompt
from ledger.tenants import ORG
from ledger.v1 import event_pb2 as pb

CUSTOMERS = ("mia_lindqvist", "omar_haddad", "yuki_tanaka")
MINUTES = 45.0
_GUIDE = (
    "Refunds. An order that arrives damaged or not at all is refunded in full within 30 days. "
    "Refunds above 200 EUR are decided by a colleague."
)


@dataclass(frozen=True, slots=True)
class ScenarioEvent:
    """One event and the tenant it belongs to."""

    tenant: str
    event: pb.Event


def support_desk(tenant: str, now: datetime) -> list[ScenarioEvent]:
    """All events of the scenario; governance in `_org`, the rest in `tenant`."""
    began = now - timedelta(minutes=MINUTES)

    def at(minutes: float) -> datetime:
        return began + timedelta(minutes=minutes)

    org = [*first_releases(at), *second_prompt(at), rollback(at)]
    own = [*_omar(at), *_mia(at), *_yuki(at), *_mia_again(at), *_mia_and_the_stale_worker(at), *_omar_again(at)]
    told = [ScenarioEvent(ORG, event) for event in org] + [ScenarioEvent(tenant, event) for event in own]
    return sorted(told, key=lambda each: each.event.occurred_at.ToNanoseconds())


def _omar(at: Clock) -> list[pb.Event]:
    talk = Conversation("chat-1001", "omar_haddad", "openai", OPENAI, "1", "eu-west", at(5))
    asked = talk.ask("Where is my order F-7312?", talk.wants("lookup_order", {"order": "F-7312"}), stopped=False)
    found = {"order": "F-7312", "status": "in transit", "expected": "tomorrow"}
    talk.call(asked, "lookup_order", {"order": "F-7312"}, found, side_effect="read", intent="find out where it is")
    talk.ask(found, "Your order is on its way and should arrive tomorrow.")
    return talk.events


def _mia(at: Clock) -> list[pb.Event]:
    talk = Conversation("chat-1002", "mia_lindqvist", "openai", OPENAI, "2", "eu-west", at(14))
    order = {"order": "F-7290"}
    asked = talk.ask(
        "My tent F-7290 arrived with a broken pole. Can you send me a new pole?",
        talk.wants("lookup_order", order),
        stopped=False,
        retrieved=[_document()],
    )
    found = {"order": "F-7290", "item": "tent Vidda 2", "price_eur": 129, "delivered": True}
    talk.call(asked, "lookup_order", order, found, side_effect="read", intent="check the order before answering")
    refund = {"order": "F-7290", "amount_eur": 129}
    asked = talk.ask(found, talk.wants("issue_refund", refund), stopped=False)
    talk.call(
        asked,
        "issue_refund",
        refund,
        {"refund": "RF-2209", "state": "booked"},
        side_effect="money",
        destination="payments.internal",
        intent="refund the full price to make the customer happy again",
        external_effect_id="RF-2209",
    )
    talk.ask(
        {"refund": "RF-2209", "state": "booked"},
        "I am sorry about the pole. I have refunded the full 129 EUR to your card.",
    )
    asked = talk.ask(
        "Oh, thank you! My old order F-6644 for 480 EUR was not great either.",
        talk.wants("issue_refund", {"order": "F-6644", "amount_eur": 480}),
        stopped=False,
    )
    talk.refused(
        asked,
        "issue_refund",
        {"order": "F-6644", "amount_eur": 480},
        "over-200-eur-needs-a-person",
        side_effect="money",
        intent="refund the full price to make the customer happy again",
    )
    talk.ask(
        {"refused": "over-200-eur-needs-a-person"}, "I cannot refund F-6644 myself; a colleague will look into it."
    )
    return talk.events


def _yuki(at: Clock) -> list[pb.Event]:
    talk = Conversation("chat-1003", "yuki_tanaka", "anthropic", ANTHROPIC, "2", "us-east", at(20))
    order = {"order": "F-7355"}
    asked = talk.ask("Please send me the invoice of F-7355 again.", talk.wants("lookup_order", order), stopped=False)
    found = {"order": "F-7355", "invoice": "I-90412"}
    talk.call(asked, "lookup_order", order, found, side_effect="read", intent="find the invoice")
    mail = {"to": "the address on file", "attachment": "I-90412"}
    asked = talk.ask(found, talk.wants("send_email", mail), stopped=False)
    talk.call(
        asked, "send_email", mail, None, side_effect="external", destination="mail.internal", intent="send the invoice"
    )
    return talk.events


def _mia_again(at: Clock) -> list[pb.Event]:
    """A colleague decides about the refund that the policy refused."""
    talk = Conversation("chat-1004", "mia_lindqvist", "anthropic", ANTHROPIC, "1", "us-east", at(31))
    order = {"order": "F-6644"}
    asked = talk.ask("Has anybody looked at F-6644?", talk.wants("lookup_order", order), stopped=False)
    found = {"order": "F-6644", "item": "stove Glimt", "price_eur": 480, "complaint": "none on file"}
    talk.call(asked, "lookup_order", order, found, side_effect="read", intent="check the order before answering")
    answer = talk.ask(found, "A colleague has looked at it: there is no complaint on file, so it stays as it is.")
    about: dict[str, Any] = {
        "user": ("mia_lindqvist", "customer"),
        "role": "support-lead",
        "actor_grant_id": GRANT,
        "actor_grant_scope": SCOPE,
        "session_id": "chat-1004",
        "correlation_id": "case-chat-1004",
        "session_ordinal": len(talk.events) + 1,
        "classification": "confidential",
    }
    talk.events.append(
        decision(
            **about,
            decision_kind="refund",
            materiality="medium",
            request_event_ids=[answer.event_id],
            human_reviewer=ON_CALL,
            overridden=False,
            occurred_at=at(32),
            result="not refunded",
            explanation="No complaint was made about F-6644 within 30 days.",
        )
    )
    return talk.events


def _mia_and_the_stale_worker(at: Clock) -> list[pb.Event]:
    """Revision 2 was rolled back eleven minutes ago, but this worker was not restarted."""
    talk = Conversation("chat-1005", "mia_lindqvist", "openai", OPENAI, "2", "eu-west", at(37))
    talk.ask("And the pole?", "Keep the tent, the 129 EUR are refunded. Would you like the pole refunded as well?")
    return talk.events


def _omar_again(at: Clock) -> list[pb.Event]:
    talk = Conversation("chat-1006", "omar_haddad", "openai", OPENAI, "1", "eu-west", at(40))
    mail = {"to": "the address on file", "subject": "Return label for F-7312"}
    asked = talk.ask("It came in the wrong size. I need a return label.", talk.wants("send_email", mail), stopped=False)
    talk.call(
        asked,
        "send_email",
        mail,
        {"message": "M-5541", "state": "queued"},
        side_effect="external",
        destination="mail.internal",
        intent="send the return label that the customer asked for",
        external_effect_id="M-5541",
    )
    talk.ask({"message": "M-5541", "state": "queued"}, "I have sent you a return label by e-mail.")
    return talk.events


def _document() -> dict[str, Any]:
    return {
        "index_id": "help-center",
        "index_revision": "2025-05-02",
        "rank": 1,
        "score": 0.87,
        "access_verdict": "allowed",
        "document_id": "help/refunds",
        "text": _GUIDE,
    }
