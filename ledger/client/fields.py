"""The keyword arguments of the builders, for type checkers and readers. A value of None is a field left out.

Where a field of the event is

- a content: text, bytes, a `Content`, or any JSON value (list, dict, number), which is written as application/json;
- a time: a `datetime` with a time zone;
- an id: 16 bytes or a `uuid.UUID`;
- an enum: its number, or its name in lower case without the prefix: `phase="started"`, `side_effect="money"`;
- a person: the identifier, a pair (identifier, relation), or a `Person`;
- a list of messages: messages, or dicts of their fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypedDict
from uuid import UUID

from ledger.v1 import event_pb2 as pb

Id = bytes | UUID
Body = str | bytes | pb.Content | Mapping[str, Any] | Sequence[Any] | int | float | bool
Human = str | tuple[str, str] | pb.Person


class Envelope(TypedDict, total=False):
    """What every event can say. `occurred_at`: now, unless given; None where it is not known."""

    event_id: Id | None
    phase: str | int
    operation_id: Id | None
    amends_event_id: Id | None
    occurred_at: datetime | None
    user: Human | None
    actor_service: str | None
    agent: str | None
    agent_version: str | None
    role: str | None
    actor_grant_id: str | None
    actor_grant_scope: str | None
    credential_id: str | None
    identity_source: str | int
    identity_attribute: str | None
    subjects: Sequence[Human]
    session_id: str | None
    session_ordinal: int | None
    correlation_id: str | None
    parent_event_id: Id | None
    trace_id: bytes | None
    span_id: bytes | None
    ai_system_id: str | None
    use_case_id: str | None
    purpose: str | None
    policy_decision: pb.PolicyDecision | Mapping[str, Any] | None
    classification: str | int
    derived_fields: Sequence[str]
    declared_sampling: float | None


class RequestFields(Envelope, total=False):
    """Fields of `AiRequest`."""

    operation: str | int
    vendor: str | None
    model_requested: str | None
    model_answered: str | None
    region: str | None
    region_source: str | None
    endpoint_tier: str | None
    deployment: str | None
    vendor_account: str | None
    vendor_project: str | None
    provider_request_id: str | None
    store_requested: bool | None
    prompts: Sequence[pb.PromptUse | Mapping[str, Any]]
    temperature: float | None
    top_p: float | None
    tokens_max: int | None
    seed: int | None
    parameters: Mapping[str, float] | Sequence[pb.NamedNumber | Mapping[str, Any]]
    retrieved: Sequence[pb.RetrievedDocument | Mapping[str, Any]]
    finish_reason_raw: str | None
    finish_reason: str | int
    tokens_in: int | None
    tokens_out: int | None
    tokens_cached: int | None
    tokens_reasoning: int | None
    latency_ms: int | None
    time_to_first_token_ms: int | None
    cost_nanos: int | None
    currency: str | None
    streamed: bool | None
    error_class: str | None
    guardrails: Sequence[pb.GuardrailResult | Mapping[str, Any]]
    output_delivered: str | int
    system_instructions: Body | None
    input: Body | None
    variables: Body | None
    tool_definitions: Body | None
    output: Body | None
    reasoning: Body | None
    error_text: Body | None
    attributes: Body | None


class ToolCallFields(Envelope, total=False):
    """Fields of `ToolCall`."""

    tool: str
    version: str | None
    provider: str | None
    destination: str | None
    region: str | None
    call_id: str | None
    requested_by_event_id: Id | None
    side_effect: str | int
    outcome: str | int
    grant_id: str | None
    approval: pb.Approval | Mapping[str, Any] | None
    data_classes_sent: Sequence[str | int]
    external_effect_id: Body | None
    latency_ms: int | None
    error_class: str | None
    intent: Body | None
    parameters: Body | None
    result: Body | None
    error_text: Body | None
    attributes: Body | None


class ChangeFields(Envelope, total=False):
    """Fields of `Change`."""

    artifact_kind: str | int
    artifact_id: str
    from_revision: str | None
    to_revision: str | None
    artifact_sha256: bytes | None
    action: str | int
    author: str | None
    author_standing: str | int
    author_source: str | None
    reviewers: Sequence[pb.Reviewer | Mapping[str, Any]]
    ticket: str | None
    evaluations: Sequence[pb.Evaluation | Mapping[str, Any]]
    input_sha256: Sequence[bytes]
    consent_reference: str | None
    owner: str | None
    effective_at: datetime | None
    tenants: Sequence[str]
    artifact_text: Body | None
    description: Body | None
    reason: Body | None


class DecisionFields(Envelope, total=False):
    """Fields of `Decision`."""

    decision_kind: str
    materiality: str | int
    request_event_ids: Sequence[Id]
    human_reviewer: str | None
    overridden: bool | None
    effective_at: datetime | None
    result: Body | None
    explanation: Body | None
