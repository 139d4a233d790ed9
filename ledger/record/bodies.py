"""Each body of an event, from protobuf to the payload's values and its contents.

One function a body. It returns the body's payload fields and hands each content to `take` under its slot. Slot names
are permanent: `input`, `output`, `retrieved.<n>.text`, ... as they stand here.

Unset names become null, unset enums `unspecified`; nothing is invented.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from ledger.errors import Rejected
from ledger.record import names
from ledger.record.names import all_exactly, bounded, exactly, finite, name, required, signed
from ledger.record.schemas import PAYLOAD
from ledger.v1 import event_pb2 as pb

TakeContent = Callable[[str, str, pb.Content], None]
"""Called with slot, field path and content for each content that is set."""

Values = dict[str, Any]


def _collect_enums(node: Any, found: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    if isinstance(node, list):
        for each in node:
            _collect_enums(each, found)
    elif isinstance(node, dict):
        if node.get("type") == "enum":
            found[node["name"]] = tuple(node["symbols"])
        for key in ("type", "items", "fields"):
            if key in node:
                _collect_enums(node[key], found)
    return found


SYMBOLS = _collect_enums(PAYLOAD.definition, {})
"""Enum name to its symbols, in the order of the protobuf numbers."""


def symbol(number: int, enum: str, field: str) -> str:
    """The payload's symbol for a protobuf enum number."""
    return names.symbol(number, SYMBOLS[enum], field)


def moment(message: Any, attribute: str, field: str) -> int | None:
    """A timestamp as Unix microseconds, or None where unset. Refuses times outside the years 1 to 9999."""
    if not message.HasField(attribute):
        return None
    value: Timestamp = getattr(message, attribute)
    if not -62_135_596_800 <= value.seconds < 253_402_300_800 or not 0 <= value.nanos < 1_000_000_000:
        raise Rejected(field, "is not a valid timestamp (years 1 to 9999, nanos below 1e9)")
    return value.seconds * 1_000_000 + value.nanos // 1_000


def _optional(message: Any, attribute: str) -> Any:
    return getattr(message, attribute) if message.HasField(attribute) else None


def _count(message: Any, attribute: str, field: str) -> int | None:
    return signed(getattr(message, attribute), field) if message.HasField(attribute) else None


def _number(message: Any, attribute: str, field: str) -> float | None:
    return finite(getattr(message, attribute), field) if message.HasField(attribute) else None


def _contents(message: Any, path: str, take: TakeContent, *attributes: str) -> None:
    for attribute in attributes:
        if message.HasField(attribute):
            take(attribute, f"{path}.{attribute}", getattr(message, attribute))


def request(body: pb.AiRequest, take: TakeContent) -> Values:
    """A call of a model."""
    p = "request"
    bounded(body.prompts, f"{p}.prompts")
    bounded(body.parameters, f"{p}.parameters")
    bounded(body.retrieved, f"{p}.retrieved")
    bounded(body.guardrails, f"{p}.guardrails")
    parameters = [
        {
            "name": required(each.name, f"{p}.parameters[{i}].name"),
            "value": finite(each.value, f"{p}.parameters[{i}].value"),
        }
        for i, each in enumerate(body.parameters)
    ]
    if len({each["name"] for each in parameters}) != len(parameters):
        raise Rejected(f"{p}.parameters", "holds a name twice")
    _contents(
        body,
        p,
        take,
        "system_instructions",
        "input",
        "variables",
        "tool_definitions",
        "output",
        "reasoning",
        "error_text",
    )
    return {
        "operation": symbol(body.operation, "AiOperation", f"{p}.operation"),
        "vendor": name(body.vendor, f"{p}.vendor"),
        "model_requested": name(body.model_requested, f"{p}.model_requested"),
        "model_answered": name(body.model_answered, f"{p}.model_answered"),
        "region": name(body.region, f"{p}.region"),
        "region_source": name(body.region_source, f"{p}.region_source"),
        "endpoint_tier": name(body.endpoint_tier, f"{p}.endpoint_tier"),
        "deployment": name(body.deployment, f"{p}.deployment"),
        "vendor_account": name(body.vendor_account, f"{p}.vendor_account"),
        "vendor_project": name(body.vendor_project, f"{p}.vendor_project"),
        "provider_request_id": name(body.provider_request_id, f"{p}.provider_request_id"),
        "store_requested": _optional(body, "store_requested"),
        "prompts": [_prompt(each, f"{p}.prompts[{i}]") for i, each in enumerate(body.prompts)],
        "temperature": _number(body, "temperature", f"{p}.temperature"),
        "top_p": _number(body, "top_p", f"{p}.top_p"),
        "tokens_max": _count(body, "tokens_max", f"{p}.tokens_max"),
        "seed": _optional(body, "seed"),
        "parameters": parameters,
        "retrieved": [_retrieved(each, i, take) for i, each in enumerate(body.retrieved)],
        "finish_reason_raw": name(body.finish_reason_raw, f"{p}.finish_reason_raw"),
        "finish_reason": symbol(body.finish_reason, "FinishReason", f"{p}.finish_reason"),
        **{
            each: _count(body, each, f"{p}.{each}")
            for each in (
                "tokens_in",
                "tokens_out",
                "tokens_cached",
                "tokens_reasoning",
                "latency_ms",
                "time_to_first_token_ms",
                "cost_micros",
            )
        },
        "currency": name(body.currency, f"{p}.currency"),
        "streamed": _optional(body, "streamed"),
        "error_class": name(body.error_class, f"{p}.error_class"),
        "guardrails": [
            {
                "name": required(each.name, f"{p}.guardrails[{i}].name"),
                "version": name(each.version, f"{p}.guardrails[{i}].version"),
                "verdict": symbol(each.verdict, "Verdict", f"{p}.guardrails[{i}].verdict"),
            }
            for i, each in enumerate(body.guardrails)
        ],
        "output_delivered": symbol(body.output_delivered, "Delivery", f"{p}.output_delivered"),
    }


def _prompt(body: pb.PromptUse, p: str) -> Values:
    return {
        "prompt_id": required(body.prompt_id, f"{p}.prompt_id"),
        "revision": name(body.revision, f"{p}.revision"),
        "role": name(body.role, f"{p}.role"),
        "template_sha256": exactly(body.template_sha256, 32, f"{p}.template_sha256"),
    }


def _retrieved(body: pb.RetrievedDocument, i: int, take: TakeContent) -> Values:
    p = f"request.retrieved[{i}]"
    for attribute in ("document_id", "text"):
        if body.HasField(attribute):
            take(f"retrieved.{i}.{attribute}", f"{p}.{attribute}", getattr(body, attribute))
    return {
        "index_id": name(body.index_id, f"{p}.index_id"),
        "index_revision": name(body.index_revision, f"{p}.index_revision"),
        "namespace": name(body.namespace, f"{p}.namespace"),
        "document_owner_tenant": name(body.document_owner_tenant, f"{p}.document_owner_tenant"),
        "rank": _count(body, "rank", f"{p}.rank"),
        "score": _number(body, "score", f"{p}.score"),
        "access_verdict": symbol(body.access_verdict, "AccessVerdict", f"{p}.access_verdict"),
        "classification": symbol(body.classification, "Classification", f"{p}.classification"),
        "document_commitment": None,
    }


def tool_call(body: pb.ToolCall, take: TakeContent) -> Values:
    """A run of a tool."""
    p = "tool_call"
    bounded(body.data_classes_sent, f"{p}.data_classes_sent")
    _contents(body, p, take, "external_effect_id", "intent", "parameters", "result", "error_text")
    approval = body.approval
    return {
        "tool": required(body.tool, f"{p}.tool"),
        "version": name(body.version, f"{p}.version"),
        "provider": name(body.provider, f"{p}.provider"),
        "destination": name(body.destination, f"{p}.destination"),
        "region": name(body.region, f"{p}.region"),
        "call_id": name(body.call_id, f"{p}.call_id"),
        "requested_by_event_id": exactly(body.requested_by_event_id, 16, f"{p}.requested_by_event_id"),
        "side_effect": symbol(body.side_effect, "SideEffect", f"{p}.side_effect"),
        "outcome": symbol(body.outcome, "ToolOutcome", f"{p}.outcome"),
        "grant_id": name(body.grant_id, f"{p}.grant_id"),
        "approver": name(approval.approver, f"{p}.approval.approver"),
        "approval_verdict": symbol(approval.verdict, "ApprovalVerdict", f"{p}.approval.verdict"),
        "approved_at": moment(approval, "decided_at", f"{p}.approval.decided_at"),
        "data_classes_sent": [
            symbol(each, "Classification", f"{p}.data_classes_sent[{i}]")
            for i, each in enumerate(body.data_classes_sent)
        ],
        "external_effect_commitment": None,
        "latency_ms": _count(body, "latency_ms", f"{p}.latency_ms"),
        "error_class": name(body.error_class, f"{p}.error_class"),
    }


def change(body: pb.Change, take: TakeContent) -> Values:
    """A change of something that governs what the AI does."""
    p = "change"
    bounded(body.reviewers, f"{p}.reviewers")
    bounded(body.evaluations, f"{p}.evaluations")
    _contents(body, p, take, "artifact_text", "description", "reason")
    if not body.artifact_kind:
        raise Rejected(f"{p}.artifact_kind", "is required")
    if not body.action:
        raise Rejected(f"{p}.action", "is required")
    return {
        "artifact_kind": symbol(body.artifact_kind, "ArtifactKind", f"{p}.artifact_kind"),
        "artifact_id": required(body.artifact_id, f"{p}.artifact_id"),
        "from_revision": name(body.from_revision, f"{p}.from_revision"),
        "to_revision": name(body.to_revision, f"{p}.to_revision"),
        "artifact_sha256": exactly(body.artifact_sha256, 32, f"{p}.artifact_sha256"),
        "action": symbol(body.action, "ChangeAction", f"{p}.action"),
        "author": name(body.author, f"{p}.author"),
        "reviewers": [
            {
                "name": required(each.name, f"{p}.reviewers[{i}].name"),
                "standing": symbol(each.standing, "ReviewStanding", f"{p}.reviewers[{i}].standing"),
                "source": name(each.source, f"{p}.reviewers[{i}].source"),
            }
            for i, each in enumerate(body.reviewers)
        ],
        "ticket": name(body.ticket, f"{p}.ticket"),
        "evaluations": [_evaluation(each, f"{p}.evaluations[{i}]") for i, each in enumerate(body.evaluations)],
        "input_sha256": all_exactly(body.input_sha256, 32, f"{p}.input_sha256"),
        "consent_reference": name(body.consent_reference, f"{p}.consent_reference"),
        "owner": name(body.owner, f"{p}.owner"),
        "effective_at": moment(body, "effective_at", f"{p}.effective_at"),
        "tenants": names.names(body.tenants, f"{p}.tenants"),
    }


def _evaluation(body: pb.Evaluation, p: str) -> Values:
    return {
        "suite": required(body.suite, f"{p}.suite"),
        "dataset_sha256": exactly(body.dataset_sha256, 32, f"{p}.dataset_sha256"),
        "artifact_sha256": exactly(body.artifact_sha256, 32, f"{p}.artifact_sha256"),
        "run_id": name(body.run_id, f"{p}.run_id"),
        "metric": required(body.metric, f"{p}.metric"),
        "score": finite(body.score, f"{p}.score"),
        "threshold": finite(body.threshold, f"{p}.threshold"),
        "verdict": symbol(body.verdict, "EvaluationVerdict", f"{p}.verdict"),
    }


def decision(body: pb.Decision, take: TakeContent) -> Values:
    """A decision about somebody."""
    p = "decision"
    _contents(body, p, take, "result", "explanation")
    return {
        "decision_kind": required(body.decision_kind, f"{p}.decision_kind"),
        "materiality": symbol(body.materiality, "Materiality", f"{p}.materiality"),
        "request_event_ids": all_exactly(body.request_event_ids, 16, f"{p}.request_event_ids"),
        "human_reviewer": name(body.human_reviewer, f"{p}.human_reviewer"),
        "overridden": _optional(body, "overridden"),
        "effective_at": moment(body, "effective_at", f"{p}.effective_at"),
    }


def finding(body: pb.Finding, take: TakeContent) -> Values:
    """A rule that something broke."""
    p = "finding"
    _contents(body, p, take, "note")
    return {
        "rule": required(body.rule, f"{p}.rule"),
        "rule_version": name(body.rule_version, f"{p}.rule_version"),
        "severity": symbol(body.severity, "Severity", f"{p}.severity"),
        "evidence_event_ids": all_exactly(body.evidence_event_ids, 16, f"{p}.evidence_event_ids"),
        "status": symbol(body.status, "FindingStatus", f"{p}.status"),
        "owner": name(body.owner, f"{p}.owner"),
        "resolved_at": moment(body, "resolved_at", f"{p}.resolved_at"),
    }


def access(body: pb.Access, take: TakeContent) -> Values:
    """A reading of the ledger."""
    p = "access"
    _contents(body, p, take, "query")
    return {
        "reader": required(body.reader, f"{p}.reader"),
        "role": name(body.role, f"{p}.role"),
        "case_id": name(body.case_id, f"{p}.case_id"),
        "query_kind": symbol(body.query_kind, "QueryKind", f"{p}.query_kind"),
        "query_commitment": None,
        "events_touched": signed(body.events_touched, f"{p}.events_touched"),
        "contents_decrypted": signed(body.contents_decrypted, f"{p}.contents_decrypted"),
        "result": symbol(body.result, "AccessResult", f"{p}.result"),
    }


def erasure(body: pb.Erasure, take: TakeContent) -> Values:
    """Keys of persons or scopes were destroyed."""
    p = "erasure"
    _contents(body, p, take, "reason")
    return {
        "pseudonyms": all_exactly(body.pseudonyms, 16, f"{p}.pseudonyms"),
        "scope_ids": all_exactly(body.scope_ids, 16, f"{p}.scope_ids"),
        "legal_ground": name(body.legal_ground, f"{p}.legal_ground"),
        "approvers": names.names(body.approvers, f"{p}.approvers"),
        "contents_count": signed(body.contents_count, f"{p}.contents_count"),
        "keys_destroyed": signed(body.keys_destroyed, f"{p}.keys_destroyed"),
        "key_ids_destroyed": _key_ids(body.key_ids_destroyed, f"{p}.key_ids_destroyed"),
    }


def _key_ids(values: Any, field: str) -> list[bytes]:
    for i, value in enumerate(values):
        if not 0 < len(value) <= 32:
            raise Rejected(f"{field}[{i}]", f"expected 1 to 32 bytes, got {len(value)}")
    return list(values)


def legal_hold(body: pb.LegalHold, take: TakeContent) -> Values:
    """Erasure and expiry are forbidden, or allowed again."""
    p = "legal_hold"
    _contents(body, p, take, "reason")
    return {
        "hold_id": required(body.hold_id, f"{p}.hold_id"),
        "pseudonyms": all_exactly(body.pseudonyms, 16, f"{p}.pseudonyms"),
        "legal_ground": name(body.legal_ground, f"{p}.legal_ground"),
        "approvers": names.names(body.approvers, f"{p}.approvers"),
        "released": _optional(body, "released"),
    }


def expiry(body: pb.Expiry, take: TakeContent) -> Values:
    """A month of a retention class reached its end."""
    p = "expiry"
    _contents(body, p, take, "reason")
    return {
        "retention_class": required(body.retention_class, f"{p}.retention_class"),
        "month": required(body.month, f"{p}.month"),
        "legal_ground": name(body.legal_ground, f"{p}.legal_ground"),
        "contents_count": signed(body.contents_count, f"{p}.contents_count"),
        "keys_destroyed": signed(body.keys_destroyed, f"{p}.keys_destroyed"),
        "key_ids_destroyed": _key_ids(body.key_ids_destroyed, f"{p}.key_ids_destroyed"),
    }


def operation(body: pb.Operation, take: TakeContent) -> Values:
    """Something done to the ledger itself."""
    p = "operation"
    _contents(body, p, take, "reason")
    if not body.action:
        raise Rejected(f"{p}.action", "is required")
    return {
        "action": symbol(body.action, "OperationAction", f"{p}.action"),
        "target": name(body.target, f"{p}.target"),
        "approvers": names.names(body.approvers, f"{p}.approvers"),
        "count": signed(body.count, f"{p}.count"),
        "succeeded": _optional(body, "succeeded"),
    }


BODIES: dict[str, Callable[[Any, TakeContent], Values]] = {
    "request": request,
    "tool_call": tool_call,
    "change": change,
    "decision": decision,
    "finding": finding,
    "access": access,
    "erasure": erasure,
    "legal_hold": legal_hold,
    "expiry": expiry,
    "operation": operation,
}
"""Protobuf body field (= kind) to its translation."""
