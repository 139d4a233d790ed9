"""`ledger.*`: what no convention has a name for, and an auditor asks for. These attributes come before all others.

They may stand on the span or on one of its ancestors in the same export (then the event marks what it took from there
as derived); `ledger.ai_system`, `ledger.use_case`, `ledger.purpose` and `ledger.classification` on the resource too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.otlp.listed import digest_of
from ledger.otlp.reading import Convention, Row
from ledger.otlp.values import Value, structure, text_of, texts_of, truth_of
from ledger.v1 import event_pb2 as pb

TENANT = "ledger.tenant"


def _one_of(prefix: str, enum: Any) -> Callable[[Value], int | None]:
    """Reads an enum's value by its name without the prefix, in any case."""
    known = {name.removeprefix(prefix).lower(): number for name, number in enum.items() if number}

    def read(value: Value) -> int | None:
        text = text_of(value)
        return None if text is None else known.get(text.strip().lower().replace("-", "_").replace(" ", "_"))

    return read


classification_of = _one_of("CLASSIFICATION_", pb.Classification)


def subjects_of(value: Value) -> list[Value] | None:
    """Persons: identifiers, or objects with `id` and `relation`; a list, one of them, or JSON that holds a list."""
    found = structure(value, 4)
    if isinstance(found, dict):
        return [found]
    if isinstance(found, list):
        return found or None
    one = text_of(found)
    return [one] if one is not None else None


def _objects_of(value: Value) -> list[Value] | None:
    found = structure(value, 4)
    found = [found] if isinstance(found, dict) else found
    return found if isinstance(found, list) and found and all(isinstance(each, dict) for each in found) else None


def _hex_digest(value: Value) -> str | None:
    digest = digest_of(value.strip() if isinstance(value, str) else value)
    return digest.hex() if digest is not None else None


def _classes_of(value: Value) -> list[int] | None:
    texts = texts_of(value)
    classes = [classification_of(each) for each in texts or ()]
    return [each for each in classes if each] if classes and all(classes) else None


def _moment_of(value: Value) -> Timestamp | None:
    text = text_of(value)
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        moment = Timestamp()
        moment.FromDatetime(at if at.tzinfo is not None else at.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None
    return moment


LEDGER = Convention(
    "ledger",
    frozenset({"ledger"}),
    (
        Row("subjects", "ledger.subjects", subjects_of),
        Row("subjects", "ledger.subject", subjects_of),
        Row("story.session_id", "ledger.session_id", text_of),
        Row("story.correlation_id", "ledger.correlation_id", text_of),
        Row("story.correlation_id", "ledger.case", text_of),
        Row("purpose.ai_system_id", "ledger.ai_system", text_of),
        Row("purpose.use_case_id", "ledger.use_case", text_of),
        Row("purpose.purpose", "ledger.purpose", text_of),
        Row("classification", "ledger.classification", classification_of),
        Row("actor.agent", "ledger.agent", text_of),
        Row("actor.agent_version", "ledger.agent.version", text_of),
        Row("actor.role", "ledger.role", text_of),
        Row("actor.grant_id", "ledger.grant", text_of),
        Row("actor.grant_scope", "ledger.grant.scope", text_of),
        Row("actor.credential_id", "ledger.credential", text_of),
        Row("policy_decision.verdict", "ledger.decision", _one_of("VERDICT_", pb.Verdict)),
        Row("policy_decision.policy_id", "ledger.decision.policy", text_of),
        Row("policy_decision.policy_revision", "ledger.decision.revision", text_of),
        Row("policy_decision.rule", "ledger.decision.rule", text_of),
        Row("request.prompts", "ledger.prompts", _objects_of),
        Row("request.prompt.id", "ledger.prompt.id", text_of),
        Row("request.prompt.revision", "ledger.prompt.revision", text_of),
        Row("request.prompt.role", "ledger.prompt.role", text_of),
        Row("request.prompt.sha256", "ledger.prompt.sha256", _hex_digest),
        Row("request.vendor", "ledger.vendor", text_of),
        Row("request.model_answered", "ledger.model_answered", text_of),
        Row("request.region", "ledger.region", text_of),
        Row("request.region_source", "ledger.region.source", text_of),
        Row("request.endpoint_tier", "ledger.endpoint_tier", text_of),
        Row("request.deployment", "ledger.deployment", text_of),
        Row("request.vendor_account", "ledger.vendor_account", text_of),
        Row("request.vendor_project", "ledger.vendor_project", text_of),
        Row("request.store_requested", "ledger.store_requested", truth_of),
        Row("request.output_delivered", "ledger.output_delivered", _one_of("DELIVERY_", pb.Delivery)),
        Row("request.guardrails", "ledger.guardrails", _objects_of),
        Row("request.retrieved", "ledger.retrieved", _objects_of),
        Row("tool_call.version", "ledger.tool.version", text_of),
        Row("tool_call.provider", "ledger.tool.provider", text_of),
        Row("tool_call.destination", "ledger.destination", text_of),
        Row("tool_call.region", "ledger.region", text_of),
        Row("tool_call.side_effect", "ledger.side_effect", _one_of("SIDE_EFFECT_", pb.SideEffect)),
        Row("tool_call.outcome", "ledger.outcome", _one_of("TOOL_OUTCOME_", pb.ToolOutcome)),
        Row("tool_call.grant_id", "ledger.grant", text_of),
        Row("tool_call.intent", "ledger.intent", text_of),
        Row("tool_call.external_effect_id", "ledger.external_effect_id", text_of),
        Row("tool_call.data_classes_sent", "ledger.data_classes_sent", _classes_of),
        Row("tool_call.approval.approver", "ledger.approval.approver", text_of),
        Row("tool_call.approval.verdict", "ledger.approval.verdict", _one_of("APPROVAL_VERDICT_", pb.ApprovalVerdict)),
        Row("tool_call.approval.decided_at", "ledger.approval.decided_at", _moment_of),
    ),
)
