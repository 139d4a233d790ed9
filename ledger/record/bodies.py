"""Each body of an event, from protobuf to the payload's values and its contents.

One function a body. It returns the body's payload fields and hands each content to `take` under its slot. Slot names
are permanent: `input`, `output`, `retrieved.<n>.text`, ... as they stand here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from ledger.errors import Rejected
from ledger.record.fields import (
    TakeContent,
    Values,
    as_it_is,
    bytes_of,
    count,
    counts_in,
    fields_of,
    moment,
    names_in,
    number,
    optional,
    symbol,
    symbol_of,
    table_of,
    take_contents,
)
from ledger.record.names import IDS_MAX, all_exactly, bounded, exactly, finite, name, names, required, signed
from ledger.v1 import event_pb2 as pb

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")

_REQUEST = table_of(
    "Request",
    pb.AiRequest.DESCRIPTOR,
    "request",
    {
        **dict.fromkeys(
            (
                "vendor",
                "model_requested",
                "model_answered",
                "region",
                "region_source",
                "endpoint_tier",
                "deployment",
                "vendor_account",
                "vendor_project",
                "provider_request_id",
                "finish_reason_raw",
                "currency",
                "error_class",
            ),
            name,
        ),
        **dict.fromkeys(
            (
                "tokens_max",
                "tokens_in",
                "tokens_out",
                "tokens_cached",
                "tokens_reasoning",
                "latency_ms",
                "time_to_first_token_ms",
                "cost_nanos",
            ),
            signed,
        ),
        **dict.fromkeys(("temperature", "top_p"), finite),
        **dict.fromkeys(("seed", "store_requested", "streamed"), as_it_is),
        "operation": symbol_of("AiOperation"),
        "finish_reason": symbol_of("FinishReason"),
        "output_delivered": symbol_of("Delivery"),
    },
)


def request(body: pb.AiRequest, take: TakeContent) -> Values:
    """A call of a model."""
    values, lists = _REQUEST.read(body, take)
    for attribute, given in lists:
        bounded(given, f"request.{attribute}")
        values[attribute] = _REQUEST_LISTS[attribute](given, take)
    return values


def _prompts(given: Any, _take: TakeContent) -> list[Values]:
    return [_prompt(each, f"request.prompts[{i}]") for i, each in enumerate(given)]


def _all_retrieved(given: Any, take: TakeContent) -> list[Values]:
    return [_retrieved(each, i, take) for i, each in enumerate(given)]


def _guardrails(given: Any, _take: TakeContent) -> list[Values]:
    return [
        {
            "name": required(each.name, f"request.guardrails[{i}].name"),
            "version": name(each.version, f"request.guardrails[{i}].version"),
            "verdict": symbol(each.verdict, "Verdict", f"request.guardrails[{i}].verdict"),
        }
        for i, each in enumerate(given)
    ]


def _parameters(given: Any, _take: TakeContent) -> list[Values]:
    parameters = [
        {
            "name": required(each.name, f"request.parameters[{i}].name"),
            "value": finite(each.value, f"request.parameters[{i}].value"),
        }
        for i, each in enumerate(given)
    ]
    if len({each["name"] for each in parameters}) != len(parameters):
        raise Rejected("request.parameters", "holds a name twice")
    return parameters


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
        **names_in(body, fields_of(p, "index_id", "index_revision", "namespace", "document_owner_tenant")),
        **counts_in(body, fields_of(p, "rank")),
        "score": number(body, "score", f"{p}.score"),
        "access_verdict": symbol(body.access_verdict, "AccessVerdict", f"{p}.access_verdict"),
        "classification": symbol(body.classification, "Classification", f"{p}.classification"),
        "document_commitment": None,
    }


_REQUEST_LISTS: dict[str, Callable[[Any, TakeContent], list[Values]]] = {
    "prompts": _prompts,
    "parameters": _parameters,
    "retrieved": _all_retrieved,
    "guardrails": _guardrails,
}
"""Retrieved documents hand over their contents behind those of the request itself."""

_TOOL_CALL = table_of(
    "ToolCall",
    pb.ToolCall.DESCRIPTOR,
    "tool_call",
    {
        **dict.fromkeys(
            ("tool", "version", "provider", "destination", "region", "call_id", "grant_id", "error_class"), name
        ),
        "latency_ms": signed,
        "requested_by_event_id": bytes_of(16),
        "side_effect": symbol_of("SideEffect"),
        "outcome": symbol_of("ToolOutcome"),
    },
)


def tool_call(body: pb.ToolCall, take: TakeContent) -> Values:
    """A run of a tool."""
    values, others = _TOOL_CALL.read(body, take)
    if values["tool"] is None:
        raise Rejected("tool_call.tool", "is required")
    for attribute, given in others:
        if attribute == "approval":
            values["approver"] = name(given.approver, "tool_call.approval.approver")
            values["approval_verdict"] = symbol(given.verdict, "ApprovalVerdict", "tool_call.approval.verdict")
            values["approved_at"] = moment(given, "decided_at", "tool_call.approval.decided_at")
        else:
            bounded(given, f"tool_call.{attribute}")
            values[attribute] = [
                symbol(each, "Classification", f"tool_call.{attribute}[{i}]") for i, each in enumerate(given)
            ]
    return values


def change(body: pb.Change, take: TakeContent) -> Values:
    """A change of something that governs what the AI does."""
    p = "change"
    bounded(body.reviewers, f"{p}.reviewers")
    bounded(body.evaluations, f"{p}.evaluations")
    take_contents(body, fields_of(p, "artifact_text", "description", "reason"), take)
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
        "author_standing": symbol(body.author_standing, "ReviewStanding", f"{p}.author_standing"),
        "author_source": name(body.author_source, f"{p}.author_source"),
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
        "tenants": names(body.tenants, f"{p}.tenants"),
    }


def _evaluation(body: pb.Evaluation, p: str) -> Values:
    return {
        "suite": required(body.suite, f"{p}.suite"),
        "dataset_sha256": exactly(body.dataset_sha256, 32, f"{p}.dataset_sha256"),
        "artifact_sha256": exactly(body.artifact_sha256, 32, f"{p}.artifact_sha256"),
        "run_id": name(body.run_id, f"{p}.run_id"),
        "metric": required(body.metric, f"{p}.metric"),
        "score": number(body, "score", f"{p}.score"),
        "threshold": number(body, "threshold", f"{p}.threshold"),
        "verdict": symbol(body.verdict, "EvaluationVerdict", f"{p}.verdict"),
    }


def decision(body: pb.Decision, take: TakeContent) -> Values:
    """A decision about somebody."""
    p = "decision"
    take_contents(body, fields_of(p, "result", "explanation"), take)
    return {
        "decision_kind": required(body.decision_kind, f"{p}.decision_kind"),
        "materiality": symbol(body.materiality, "Materiality", f"{p}.materiality"),
        "request_event_ids": all_exactly(body.request_event_ids, 16, f"{p}.request_event_ids"),
        "human_reviewer": name(body.human_reviewer, f"{p}.human_reviewer"),
        "overridden": optional(body, "overridden"),
        "effective_at": moment(body, "effective_at", f"{p}.effective_at"),
    }


def finding(body: pb.Finding, take: TakeContent) -> Values:
    """A rule that something broke."""
    p = "finding"
    take_contents(body, fields_of(p, "note"), take)
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
    take_contents(body, fields_of(p, "query"), take)
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
    take_contents(body, fields_of(p, "reason"), take)
    return {
        "pseudonyms": all_exactly(body.pseudonyms, 16, f"{p}.pseudonyms", IDS_MAX),
        "scope_ids": all_exactly(body.scope_ids, 16, f"{p}.scope_ids", IDS_MAX),
        "legal_ground": name(body.legal_ground, f"{p}.legal_ground"),
        "approvers": names(body.approvers, f"{p}.approvers"),
        "contents_count": signed(body.contents_count, f"{p}.contents_count"),
        "keys_destroyed": signed(body.keys_destroyed, f"{p}.keys_destroyed"),
        "key_ids_destroyed": _key_ids(body.key_ids_destroyed, f"{p}.key_ids_destroyed"),
    }


def _key_ids(values: Any, field: str) -> list[bytes]:
    bounded(values, field, IDS_MAX)
    for i, value in enumerate(values):
        if not 0 < len(value) <= 32:
            raise Rejected(f"{field}[{i}]", f"expected 1 to 32 bytes, got {len(value)}")
    return list(values)


def legal_hold(body: pb.LegalHold, take: TakeContent) -> Values:
    """Erasure and expiry are forbidden, or allowed again."""
    p = "legal_hold"
    take_contents(body, fields_of(p, "reason"), take)
    return {
        "hold_id": required(body.hold_id, f"{p}.hold_id"),
        "pseudonyms": all_exactly(body.pseudonyms, 16, f"{p}.pseudonyms", IDS_MAX),
        "scope_ids": all_exactly(body.scope_ids, 16, f"{p}.scope_ids", IDS_MAX),
        "legal_ground": name(body.legal_ground, f"{p}.legal_ground"),
        "approvers": names(body.approvers, f"{p}.approvers"),
        "released": optional(body, "released"),
    }


def expiry(body: pb.Expiry, take: TakeContent) -> Values:
    """A month of a retention class reached its end."""
    p = "expiry"
    take_contents(body, fields_of(p, "reason"), take)
    return {
        "retention_class": required(body.retention_class, f"{p}.retention_class"),
        "month": _month(body.month, f"{p}.month"),
        "legal_ground": name(body.legal_ground, f"{p}.legal_ground"),
        "approvers": names(body.approvers, f"{p}.approvers"),
        "contents_count": signed(body.contents_count, f"{p}.contents_count"),
        "keys_destroyed": signed(body.keys_destroyed, f"{p}.keys_destroyed"),
        "key_ids_destroyed": _key_ids(body.key_ids_destroyed, f"{p}.key_ids_destroyed"),
    }


def _month(value: str, field: str) -> str:
    if not _MONTH.fullmatch(value):
        raise Rejected(field, "expected a month such as 2026-11")
    return value


def operation(body: pb.Operation, take: TakeContent) -> Values:
    """Something done to the ledger itself."""
    p = "operation"
    take_contents(body, fields_of(p, "reason"), take)
    if not body.action:
        raise Rejected(f"{p}.action", "is required")
    return {
        "action": symbol(body.action, "OperationAction", f"{p}.action"),
        "target": name(body.target, f"{p}.target"),
        "legal_ground": name(body.legal_ground, f"{p}.legal_ground"),
        "approvers": names(body.approvers, f"{p}.approvers"),
        "count": count(body, "count", f"{p}.count"),
        "succeeded": optional(body, "succeeded"),
        "key_ids_destroyed": _key_ids(body.key_ids_destroyed, f"{p}.key_ids_destroyed"),
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
