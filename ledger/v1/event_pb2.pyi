import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PHASE_UNSPECIFIED: _ClassVar[Phase]
    PHASE_SINGLE: _ClassVar[Phase]
    PHASE_STARTED: _ClassVar[Phase]
    PHASE_COMPLETED: _ClassVar[Phase]
    PHASE_FAILED: _ClassVar[Phase]
    PHASE_CANCELLED: _ClassVar[Phase]

class Classification(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CLASSIFICATION_UNSPECIFIED: _ClassVar[Classification]
    CLASSIFICATION_PUBLIC: _ClassVar[Classification]
    CLASSIFICATION_INTERNAL: _ClassVar[Classification]
    CLASSIFICATION_CONFIDENTIAL: _ClassVar[Classification]
    CLASSIFICATION_RESTRICTED: _ClassVar[Classification]

class CapturePath(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CAPTURE_PATH_UNSPECIFIED: _ClassVar[CapturePath]
    CAPTURE_PATH_STUB: _ClassVar[CapturePath]
    CAPTURE_PATH_OTLP: _ClassVar[CapturePath]
    CAPTURE_PATH_PROXY: _ClassVar[CapturePath]
    CAPTURE_PATH_IMPORTER: _ClassVar[CapturePath]
    CAPTURE_PATH_CI: _ClassVar[CapturePath]

class IdentitySource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    IDENTITY_SOURCE_UNSPECIFIED: _ClassVar[IdentitySource]
    IDENTITY_SOURCE_VERIFIED: _ClassVar[IdentitySource]
    IDENTITY_SOURCE_CLAIMED: _ClassVar[IdentitySource]

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_ALLOW: _ClassVar[Verdict]
    VERDICT_REDACT: _ClassVar[Verdict]
    VERDICT_REFUSE: _ClassVar[Verdict]

class AiOperation(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AI_OPERATION_UNSPECIFIED: _ClassVar[AiOperation]
    AI_OPERATION_CHAT: _ClassVar[AiOperation]
    AI_OPERATION_COMPLETION: _ClassVar[AiOperation]
    AI_OPERATION_EMBEDDING: _ClassVar[AiOperation]
    AI_OPERATION_TRANSCRIPTION: _ClassVar[AiOperation]
    AI_OPERATION_IMAGE: _ClassVar[AiOperation]
    AI_OPERATION_RERANK: _ClassVar[AiOperation]
    AI_OPERATION_SPEECH: _ClassVar[AiOperation]
    AI_OPERATION_MODERATION: _ClassVar[AiOperation]
    AI_OPERATION_OTHER: _ClassVar[AiOperation]

class FinishReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINISH_REASON_UNSPECIFIED: _ClassVar[FinishReason]
    FINISH_REASON_STOP: _ClassVar[FinishReason]
    FINISH_REASON_LENGTH: _ClassVar[FinishReason]
    FINISH_REASON_TOOL_CALLS: _ClassVar[FinishReason]
    FINISH_REASON_CONTENT_FILTER: _ClassVar[FinishReason]
    FINISH_REASON_ERROR: _ClassVar[FinishReason]
    FINISH_REASON_OTHER: _ClassVar[FinishReason]

class Delivery(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DELIVERY_UNSPECIFIED: _ClassVar[Delivery]
    DELIVERY_AS_IS: _ClassVar[Delivery]
    DELIVERY_ALTERED: _ClassVar[Delivery]
    DELIVERY_WITHHELD: _ClassVar[Delivery]

class AccessVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCESS_VERDICT_UNSPECIFIED: _ClassVar[AccessVerdict]
    ACCESS_VERDICT_ALLOWED: _ClassVar[AccessVerdict]
    ACCESS_VERDICT_DENIED: _ClassVar[AccessVerdict]
    ACCESS_VERDICT_NOT_CHECKED: _ClassVar[AccessVerdict]

class SideEffect(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIDE_EFFECT_UNSPECIFIED: _ClassVar[SideEffect]
    SIDE_EFFECT_NONE: _ClassVar[SideEffect]
    SIDE_EFFECT_READ: _ClassVar[SideEffect]
    SIDE_EFFECT_WRITE: _ClassVar[SideEffect]
    SIDE_EFFECT_EXTERNAL: _ClassVar[SideEffect]
    SIDE_EFFECT_MONEY: _ClassVar[SideEffect]

class ToolOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    TOOL_OUTCOME_UNSPECIFIED: _ClassVar[ToolOutcome]
    TOOL_OUTCOME_OK: _ClassVar[ToolOutcome]
    TOOL_OUTCOME_ERROR: _ClassVar[ToolOutcome]
    TOOL_OUTCOME_DENIED: _ClassVar[ToolOutcome]
    TOOL_OUTCOME_TIMED_OUT: _ClassVar[ToolOutcome]

class ApprovalVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPROVAL_VERDICT_UNSPECIFIED: _ClassVar[ApprovalVerdict]
    APPROVAL_VERDICT_APPROVED: _ClassVar[ApprovalVerdict]
    APPROVAL_VERDICT_REJECTED: _ClassVar[ApprovalVerdict]

class ArtifactKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ARTIFACT_KIND_UNSPECIFIED: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_PROMPT: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_MODEL: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_TOOL: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_AGENT: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_GRANT: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_GUARDRAIL: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_POLICY: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_VENDOR: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_EVALUATION_THRESHOLD: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_RETENTION_RULE: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_DATASET: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_TRAINING_RUN: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_WEIGHTS: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_EMBEDDING_INDEX: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_AI_SYSTEM: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_USE_CASE: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_IMPACT_ASSESSMENT: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_RISK_ASSESSMENT: _ClassVar[ArtifactKind]
    ARTIFACT_KIND_RISK_TREATMENT: _ClassVar[ArtifactKind]

class ChangeAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANGE_ACTION_UNSPECIFIED: _ClassVar[ChangeAction]
    CHANGE_ACTION_PROPOSE: _ClassVar[ChangeAction]
    CHANGE_ACTION_REVIEW: _ClassVar[ChangeAction]
    CHANGE_ACTION_APPROVE: _ClassVar[ChangeAction]
    CHANGE_ACTION_DEPLOY: _ClassVar[ChangeAction]
    CHANGE_ACTION_ROLL_BACK: _ClassVar[ChangeAction]
    CHANGE_ACTION_RETIRE: _ClassVar[ChangeAction]

class ReviewStanding(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVIEW_STANDING_UNSPECIFIED: _ClassVar[ReviewStanding]
    REVIEW_STANDING_VERIFIED: _ClassVar[ReviewStanding]
    REVIEW_STANDING_ASSERTED: _ClassVar[ReviewStanding]

class EvaluationVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVALUATION_VERDICT_UNSPECIFIED: _ClassVar[EvaluationVerdict]
    EVALUATION_VERDICT_PASSED: _ClassVar[EvaluationVerdict]
    EVALUATION_VERDICT_FAILED: _ClassVar[EvaluationVerdict]

class Materiality(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MATERIALITY_UNSPECIFIED: _ClassVar[Materiality]
    MATERIALITY_LOW: _ClassVar[Materiality]
    MATERIALITY_MEDIUM: _ClassVar[Materiality]
    MATERIALITY_HIGH: _ClassVar[Materiality]

class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEVERITY_UNSPECIFIED: _ClassVar[Severity]
    SEVERITY_INFO: _ClassVar[Severity]
    SEVERITY_LOW: _ClassVar[Severity]
    SEVERITY_MEDIUM: _ClassVar[Severity]
    SEVERITY_HIGH: _ClassVar[Severity]
    SEVERITY_CRITICAL: _ClassVar[Severity]

class FindingStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FINDING_STATUS_UNSPECIFIED: _ClassVar[FindingStatus]
    FINDING_STATUS_OPEN: _ClassVar[FindingStatus]
    FINDING_STATUS_ACCEPTED: _ClassVar[FindingStatus]
    FINDING_STATUS_RESOLVED: _ClassVar[FindingStatus]

class QueryKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    QUERY_KIND_UNSPECIFIED: _ClassVar[QueryKind]
    QUERY_KIND_RECONSTRUCT: _ClassVar[QueryKind]
    QUERY_KIND_REPLAY: _ClassVar[QueryKind]
    QUERY_KIND_FIND: _ClassVar[QueryKind]
    QUERY_KIND_SQL: _ClassVar[QueryKind]
    QUERY_KIND_PROVE: _ClassVar[QueryKind]
    QUERY_KIND_DISCLOSE: _ClassVar[QueryKind]
    QUERY_KIND_EXPORT: _ClassVar[QueryKind]

class AccessResult(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACCESS_RESULT_UNSPECIFIED: _ClassVar[AccessResult]
    ACCESS_RESULT_ANSWERED: _ClassVar[AccessResult]
    ACCESS_RESULT_REFUSED: _ClassVar[AccessResult]
    ACCESS_RESULT_FAILED: _ClassVar[AccessResult]

class OperationAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPERATION_ACTION_UNSPECIFIED: _ClassVar[OperationAction]
    OPERATION_ACTION_ROLE_GRANT: _ClassVar[OperationAction]
    OPERATION_ACTION_ROTATION: _ClassVar[OperationAction]
    OPERATION_ACTION_EXPORT: _ClassVar[OperationAction]
    OPERATION_ACTION_VERIFICATION: _ClassVar[OperationAction]
    OPERATION_ACTION_RESTORE: _ClassVar[OperationAction]
    OPERATION_ACTION_CONFIGURATION: _ClassVar[OperationAction]
    OPERATION_ACTION_PRODUCER_CLOSED: _ClassVar[OperationAction]
PHASE_UNSPECIFIED: Phase
PHASE_SINGLE: Phase
PHASE_STARTED: Phase
PHASE_COMPLETED: Phase
PHASE_FAILED: Phase
PHASE_CANCELLED: Phase
CLASSIFICATION_UNSPECIFIED: Classification
CLASSIFICATION_PUBLIC: Classification
CLASSIFICATION_INTERNAL: Classification
CLASSIFICATION_CONFIDENTIAL: Classification
CLASSIFICATION_RESTRICTED: Classification
CAPTURE_PATH_UNSPECIFIED: CapturePath
CAPTURE_PATH_STUB: CapturePath
CAPTURE_PATH_OTLP: CapturePath
CAPTURE_PATH_PROXY: CapturePath
CAPTURE_PATH_IMPORTER: CapturePath
CAPTURE_PATH_CI: CapturePath
IDENTITY_SOURCE_UNSPECIFIED: IdentitySource
IDENTITY_SOURCE_VERIFIED: IdentitySource
IDENTITY_SOURCE_CLAIMED: IdentitySource
VERDICT_UNSPECIFIED: Verdict
VERDICT_ALLOW: Verdict
VERDICT_REDACT: Verdict
VERDICT_REFUSE: Verdict
AI_OPERATION_UNSPECIFIED: AiOperation
AI_OPERATION_CHAT: AiOperation
AI_OPERATION_COMPLETION: AiOperation
AI_OPERATION_EMBEDDING: AiOperation
AI_OPERATION_TRANSCRIPTION: AiOperation
AI_OPERATION_IMAGE: AiOperation
AI_OPERATION_RERANK: AiOperation
AI_OPERATION_SPEECH: AiOperation
AI_OPERATION_MODERATION: AiOperation
AI_OPERATION_OTHER: AiOperation
FINISH_REASON_UNSPECIFIED: FinishReason
FINISH_REASON_STOP: FinishReason
FINISH_REASON_LENGTH: FinishReason
FINISH_REASON_TOOL_CALLS: FinishReason
FINISH_REASON_CONTENT_FILTER: FinishReason
FINISH_REASON_ERROR: FinishReason
FINISH_REASON_OTHER: FinishReason
DELIVERY_UNSPECIFIED: Delivery
DELIVERY_AS_IS: Delivery
DELIVERY_ALTERED: Delivery
DELIVERY_WITHHELD: Delivery
ACCESS_VERDICT_UNSPECIFIED: AccessVerdict
ACCESS_VERDICT_ALLOWED: AccessVerdict
ACCESS_VERDICT_DENIED: AccessVerdict
ACCESS_VERDICT_NOT_CHECKED: AccessVerdict
SIDE_EFFECT_UNSPECIFIED: SideEffect
SIDE_EFFECT_NONE: SideEffect
SIDE_EFFECT_READ: SideEffect
SIDE_EFFECT_WRITE: SideEffect
SIDE_EFFECT_EXTERNAL: SideEffect
SIDE_EFFECT_MONEY: SideEffect
TOOL_OUTCOME_UNSPECIFIED: ToolOutcome
TOOL_OUTCOME_OK: ToolOutcome
TOOL_OUTCOME_ERROR: ToolOutcome
TOOL_OUTCOME_DENIED: ToolOutcome
TOOL_OUTCOME_TIMED_OUT: ToolOutcome
APPROVAL_VERDICT_UNSPECIFIED: ApprovalVerdict
APPROVAL_VERDICT_APPROVED: ApprovalVerdict
APPROVAL_VERDICT_REJECTED: ApprovalVerdict
ARTIFACT_KIND_UNSPECIFIED: ArtifactKind
ARTIFACT_KIND_PROMPT: ArtifactKind
ARTIFACT_KIND_MODEL: ArtifactKind
ARTIFACT_KIND_TOOL: ArtifactKind
ARTIFACT_KIND_AGENT: ArtifactKind
ARTIFACT_KIND_GRANT: ArtifactKind
ARTIFACT_KIND_GUARDRAIL: ArtifactKind
ARTIFACT_KIND_POLICY: ArtifactKind
ARTIFACT_KIND_VENDOR: ArtifactKind
ARTIFACT_KIND_EVALUATION_THRESHOLD: ArtifactKind
ARTIFACT_KIND_RETENTION_RULE: ArtifactKind
ARTIFACT_KIND_DATASET: ArtifactKind
ARTIFACT_KIND_TRAINING_RUN: ArtifactKind
ARTIFACT_KIND_WEIGHTS: ArtifactKind
ARTIFACT_KIND_EMBEDDING_INDEX: ArtifactKind
ARTIFACT_KIND_AI_SYSTEM: ArtifactKind
ARTIFACT_KIND_USE_CASE: ArtifactKind
ARTIFACT_KIND_IMPACT_ASSESSMENT: ArtifactKind
ARTIFACT_KIND_RISK_ASSESSMENT: ArtifactKind
ARTIFACT_KIND_RISK_TREATMENT: ArtifactKind
CHANGE_ACTION_UNSPECIFIED: ChangeAction
CHANGE_ACTION_PROPOSE: ChangeAction
CHANGE_ACTION_REVIEW: ChangeAction
CHANGE_ACTION_APPROVE: ChangeAction
CHANGE_ACTION_DEPLOY: ChangeAction
CHANGE_ACTION_ROLL_BACK: ChangeAction
CHANGE_ACTION_RETIRE: ChangeAction
REVIEW_STANDING_UNSPECIFIED: ReviewStanding
REVIEW_STANDING_VERIFIED: ReviewStanding
REVIEW_STANDING_ASSERTED: ReviewStanding
EVALUATION_VERDICT_UNSPECIFIED: EvaluationVerdict
EVALUATION_VERDICT_PASSED: EvaluationVerdict
EVALUATION_VERDICT_FAILED: EvaluationVerdict
MATERIALITY_UNSPECIFIED: Materiality
MATERIALITY_LOW: Materiality
MATERIALITY_MEDIUM: Materiality
MATERIALITY_HIGH: Materiality
SEVERITY_UNSPECIFIED: Severity
SEVERITY_INFO: Severity
SEVERITY_LOW: Severity
SEVERITY_MEDIUM: Severity
SEVERITY_HIGH: Severity
SEVERITY_CRITICAL: Severity
FINDING_STATUS_UNSPECIFIED: FindingStatus
FINDING_STATUS_OPEN: FindingStatus
FINDING_STATUS_ACCEPTED: FindingStatus
FINDING_STATUS_RESOLVED: FindingStatus
QUERY_KIND_UNSPECIFIED: QueryKind
QUERY_KIND_RECONSTRUCT: QueryKind
QUERY_KIND_REPLAY: QueryKind
QUERY_KIND_FIND: QueryKind
QUERY_KIND_SQL: QueryKind
QUERY_KIND_PROVE: QueryKind
QUERY_KIND_DISCLOSE: QueryKind
QUERY_KIND_EXPORT: QueryKind
ACCESS_RESULT_UNSPECIFIED: AccessResult
ACCESS_RESULT_ANSWERED: AccessResult
ACCESS_RESULT_REFUSED: AccessResult
ACCESS_RESULT_FAILED: AccessResult
OPERATION_ACTION_UNSPECIFIED: OperationAction
OPERATION_ACTION_ROLE_GRANT: OperationAction
OPERATION_ACTION_ROTATION: OperationAction
OPERATION_ACTION_EXPORT: OperationAction
OPERATION_ACTION_VERIFICATION: OperationAction
OPERATION_ACTION_RESTORE: OperationAction
OPERATION_ACTION_CONFIGURATION: OperationAction
OPERATION_ACTION_PRODUCER_CLOSED: OperationAction

class Event(_message.Message):
    __slots__ = ("event_id", "phase", "operation_id", "amends_event_id", "occurred_at", "producer", "actor", "subjects", "story", "purpose", "policy_decision", "classification", "derived_fields", "request", "tool_call", "change", "decision", "finding", "access", "erasure", "legal_hold", "expiry", "operation")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    AMENDS_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    PRODUCER_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    STORY_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    POLICY_DECISION_FIELD_NUMBER: _ClassVar[int]
    CLASSIFICATION_FIELD_NUMBER: _ClassVar[int]
    DERIVED_FIELDS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    TOOL_CALL_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    ACCESS_FIELD_NUMBER: _ClassVar[int]
    ERASURE_FIELD_NUMBER: _ClassVar[int]
    LEGAL_HOLD_FIELD_NUMBER: _ClassVar[int]
    EXPIRY_FIELD_NUMBER: _ClassVar[int]
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    event_id: bytes
    phase: Phase
    operation_id: bytes
    amends_event_id: bytes
    occurred_at: _timestamp_pb2.Timestamp
    producer: Producer
    actor: Actor
    subjects: _containers.RepeatedCompositeFieldContainer[Person]
    story: Story
    purpose: Purpose
    policy_decision: PolicyDecision
    classification: Classification
    derived_fields: _containers.RepeatedScalarFieldContainer[str]
    request: AiRequest
    tool_call: ToolCall
    change: Change
    decision: Decision
    finding: Finding
    access: Access
    erasure: Erasure
    legal_hold: LegalHold
    expiry: Expiry
    operation: Operation
    def __init__(self, event_id: _Optional[bytes] = ..., phase: _Optional[_Union[Phase, str]] = ..., operation_id: _Optional[bytes] = ..., amends_event_id: _Optional[bytes] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., producer: _Optional[_Union[Producer, _Mapping]] = ..., actor: _Optional[_Union[Actor, _Mapping]] = ..., subjects: _Optional[_Iterable[_Union[Person, _Mapping]]] = ..., story: _Optional[_Union[Story, _Mapping]] = ..., purpose: _Optional[_Union[Purpose, _Mapping]] = ..., policy_decision: _Optional[_Union[PolicyDecision, _Mapping]] = ..., classification: _Optional[_Union[Classification, str]] = ..., derived_fields: _Optional[_Iterable[str]] = ..., request: _Optional[_Union[AiRequest, _Mapping]] = ..., tool_call: _Optional[_Union[ToolCall, _Mapping]] = ..., change: _Optional[_Union[Change, _Mapping]] = ..., decision: _Optional[_Union[Decision, _Mapping]] = ..., finding: _Optional[_Union[Finding, _Mapping]] = ..., access: _Optional[_Union[Access, _Mapping]] = ..., erasure: _Optional[_Union[Erasure, _Mapping]] = ..., legal_hold: _Optional[_Union[LegalHold, _Mapping]] = ..., expiry: _Optional[_Union[Expiry, _Mapping]] = ..., operation: _Optional[_Union[Operation, _Mapping]] = ...) -> None: ...

class Content(_message.Message):
    __slots__ = ("media_type", "text", "data", "reference", "absent", "classification", "persons")
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    ABSENT_FIELD_NUMBER: _ClassVar[int]
    CLASSIFICATION_FIELD_NUMBER: _ClassVar[int]
    PERSONS_FIELD_NUMBER: _ClassVar[int]
    media_type: str
    text: str
    data: bytes
    reference: str
    absent: bool
    classification: Classification
    persons: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, media_type: _Optional[str] = ..., text: _Optional[str] = ..., data: _Optional[bytes] = ..., reference: _Optional[str] = ..., absent: _Optional[bool] = ..., classification: _Optional[_Union[Classification, str]] = ..., persons: _Optional[_Iterable[str]] = ...) -> None: ...

class Person(_message.Message):
    __slots__ = ("identifier", "relation")
    IDENTIFIER_FIELD_NUMBER: _ClassVar[int]
    RELATION_FIELD_NUMBER: _ClassVar[int]
    identifier: str
    relation: str
    def __init__(self, identifier: _Optional[str] = ..., relation: _Optional[str] = ...) -> None: ...

class Producer(_message.Message):
    __slots__ = ("service", "version", "environment", "instance", "boot_id", "sequence", "capture_path", "dropped_count", "declared_sampling")
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    BOOT_ID_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CAPTURE_PATH_FIELD_NUMBER: _ClassVar[int]
    DROPPED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DECLARED_SAMPLING_FIELD_NUMBER: _ClassVar[int]
    service: str
    version: str
    environment: str
    instance: str
    boot_id: bytes
    sequence: int
    capture_path: CapturePath
    dropped_count: int
    declared_sampling: float
    def __init__(self, service: _Optional[str] = ..., version: _Optional[str] = ..., environment: _Optional[str] = ..., instance: _Optional[str] = ..., boot_id: _Optional[bytes] = ..., sequence: _Optional[int] = ..., capture_path: _Optional[_Union[CapturePath, str]] = ..., dropped_count: _Optional[int] = ..., declared_sampling: _Optional[float] = ...) -> None: ...

class Actor(_message.Message):
    __slots__ = ("user", "service", "agent", "agent_version", "role", "grant_id", "grant_scope", "credential_id", "identity_source", "identity_attribute")
    USER_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    AGENT_FIELD_NUMBER: _ClassVar[int]
    AGENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    GRANT_SCOPE_FIELD_NUMBER: _ClassVar[int]
    CREDENTIAL_ID_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_SOURCE_FIELD_NUMBER: _ClassVar[int]
    IDENTITY_ATTRIBUTE_FIELD_NUMBER: _ClassVar[int]
    user: Person
    service: str
    agent: str
    agent_version: str
    role: str
    grant_id: str
    grant_scope: str
    credential_id: str
    identity_source: IdentitySource
    identity_attribute: str
    def __init__(self, user: _Optional[_Union[Person, _Mapping]] = ..., service: _Optional[str] = ..., agent: _Optional[str] = ..., agent_version: _Optional[str] = ..., role: _Optional[str] = ..., grant_id: _Optional[str] = ..., grant_scope: _Optional[str] = ..., credential_id: _Optional[str] = ..., identity_source: _Optional[_Union[IdentitySource, str]] = ..., identity_attribute: _Optional[str] = ...) -> None: ...

class Story(_message.Message):
    __slots__ = ("session_id", "session_ordinal", "correlation_id", "parent_event_id", "trace_id", "span_id")
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ORDINAL_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    SPAN_ID_FIELD_NUMBER: _ClassVar[int]
    session_id: str
    session_ordinal: int
    correlation_id: str
    parent_event_id: bytes
    trace_id: bytes
    span_id: bytes
    def __init__(self, session_id: _Optional[str] = ..., session_ordinal: _Optional[int] = ..., correlation_id: _Optional[str] = ..., parent_event_id: _Optional[bytes] = ..., trace_id: _Optional[bytes] = ..., span_id: _Optional[bytes] = ...) -> None: ...

class Purpose(_message.Message):
    __slots__ = ("ai_system_id", "use_case_id", "purpose")
    AI_SYSTEM_ID_FIELD_NUMBER: _ClassVar[int]
    USE_CASE_ID_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    ai_system_id: str
    use_case_id: str
    purpose: str
    def __init__(self, ai_system_id: _Optional[str] = ..., use_case_id: _Optional[str] = ..., purpose: _Optional[str] = ...) -> None: ...

class PolicyDecision(_message.Message):
    __slots__ = ("verdict", "policy_id", "policy_revision", "rule")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_REVISION_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    verdict: Verdict
    policy_id: str
    policy_revision: str
    rule: str
    def __init__(self, verdict: _Optional[_Union[Verdict, str]] = ..., policy_id: _Optional[str] = ..., policy_revision: _Optional[str] = ..., rule: _Optional[str] = ...) -> None: ...

class AiRequest(_message.Message):
    __slots__ = ("operation", "vendor", "model_requested", "model_answered", "region", "region_source", "endpoint_tier", "deployment", "vendor_account", "vendor_project", "provider_request_id", "store_requested", "prompts", "temperature", "top_p", "tokens_max", "seed", "parameters", "retrieved", "finish_reason_raw", "finish_reason", "tokens_in", "tokens_out", "tokens_cached", "tokens_reasoning", "latency_ms", "time_to_first_token_ms", "cost_nanos", "currency", "streamed", "error_class", "guardrails", "output_delivered", "system_instructions", "input", "variables", "tool_definitions", "output", "reasoning", "error_text", "attributes")
    OPERATION_FIELD_NUMBER: _ClassVar[int]
    VENDOR_FIELD_NUMBER: _ClassVar[int]
    MODEL_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    MODEL_ANSWERED_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    REGION_SOURCE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_TIER_FIELD_NUMBER: _ClassVar[int]
    DEPLOYMENT_FIELD_NUMBER: _ClassVar[int]
    VENDOR_ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    VENDOR_PROJECT_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    STORE_REQUESTED_FIELD_NUMBER: _ClassVar[int]
    PROMPTS_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    TOP_P_FIELD_NUMBER: _ClassVar[int]
    TOKENS_MAX_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    RETRIEVED_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_RAW_FIELD_NUMBER: _ClassVar[int]
    FINISH_REASON_FIELD_NUMBER: _ClassVar[int]
    TOKENS_IN_FIELD_NUMBER: _ClassVar[int]
    TOKENS_OUT_FIELD_NUMBER: _ClassVar[int]
    TOKENS_CACHED_FIELD_NUMBER: _ClassVar[int]
    TOKENS_REASONING_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_FIRST_TOKEN_MS_FIELD_NUMBER: _ClassVar[int]
    COST_NANOS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_FIELD_NUMBER: _ClassVar[int]
    STREAMED_FIELD_NUMBER: _ClassVar[int]
    ERROR_CLASS_FIELD_NUMBER: _ClassVar[int]
    GUARDRAILS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_DELIVERED_FIELD_NUMBER: _ClassVar[int]
    SYSTEM_INSTRUCTIONS_FIELD_NUMBER: _ClassVar[int]
    INPUT_FIELD_NUMBER: _ClassVar[int]
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    TOOL_DEFINITIONS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_FIELD_NUMBER: _ClassVar[int]
    REASONING_FIELD_NUMBER: _ClassVar[int]
    ERROR_TEXT_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    operation: AiOperation
    vendor: str
    model_requested: str
    model_answered: str
    region: str
    region_source: str
    endpoint_tier: str
    deployment: str
    vendor_account: str
    vendor_project: str
    provider_request_id: str
    store_requested: bool
    prompts: _containers.RepeatedCompositeFieldContainer[PromptUse]
    temperature: float
    top_p: float
    tokens_max: int
    seed: int
    parameters: _containers.RepeatedCompositeFieldContainer[NamedNumber]
    retrieved: _containers.RepeatedCompositeFieldContainer[RetrievedDocument]
    finish_reason_raw: str
    finish_reason: FinishReason
    tokens_in: int
    tokens_out: int
    tokens_cached: int
    tokens_reasoning: int
    latency_ms: int
    time_to_first_token_ms: int
    cost_nanos: int
    currency: str
    streamed: bool
    error_class: str
    guardrails: _containers.RepeatedCompositeFieldContainer[GuardrailResult]
    output_delivered: Delivery
    system_instructions: Content
    input: Content
    variables: Content
    tool_definitions: Content
    output: Content
    reasoning: Content
    error_text: Content
    attributes: Content
    def __init__(self, operation: _Optional[_Union[AiOperation, str]] = ..., vendor: _Optional[str] = ..., model_requested: _Optional[str] = ..., model_answered: _Optional[str] = ..., region: _Optional[str] = ..., region_source: _Optional[str] = ..., endpoint_tier: _Optional[str] = ..., deployment: _Optional[str] = ..., vendor_account: _Optional[str] = ..., vendor_project: _Optional[str] = ..., provider_request_id: _Optional[str] = ..., store_requested: _Optional[bool] = ..., prompts: _Optional[_Iterable[_Union[PromptUse, _Mapping]]] = ..., temperature: _Optional[float] = ..., top_p: _Optional[float] = ..., tokens_max: _Optional[int] = ..., seed: _Optional[int] = ..., parameters: _Optional[_Iterable[_Union[NamedNumber, _Mapping]]] = ..., retrieved: _Optional[_Iterable[_Union[RetrievedDocument, _Mapping]]] = ..., finish_reason_raw: _Optional[str] = ..., finish_reason: _Optional[_Union[FinishReason, str]] = ..., tokens_in: _Optional[int] = ..., tokens_out: _Optional[int] = ..., tokens_cached: _Optional[int] = ..., tokens_reasoning: _Optional[int] = ..., latency_ms: _Optional[int] = ..., time_to_first_token_ms: _Optional[int] = ..., cost_nanos: _Optional[int] = ..., currency: _Optional[str] = ..., streamed: _Optional[bool] = ..., error_class: _Optional[str] = ..., guardrails: _Optional[_Iterable[_Union[GuardrailResult, _Mapping]]] = ..., output_delivered: _Optional[_Union[Delivery, str]] = ..., system_instructions: _Optional[_Union[Content, _Mapping]] = ..., input: _Optional[_Union[Content, _Mapping]] = ..., variables: _Optional[_Union[Content, _Mapping]] = ..., tool_definitions: _Optional[_Union[Content, _Mapping]] = ..., output: _Optional[_Union[Content, _Mapping]] = ..., reasoning: _Optional[_Union[Content, _Mapping]] = ..., error_text: _Optional[_Union[Content, _Mapping]] = ..., attributes: _Optional[_Union[Content, _Mapping]] = ...) -> None: ...

class PromptUse(_message.Message):
    __slots__ = ("prompt_id", "revision", "role", "template_sha256")
    PROMPT_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_SHA256_FIELD_NUMBER: _ClassVar[int]
    prompt_id: str
    revision: str
    role: str
    template_sha256: bytes
    def __init__(self, prompt_id: _Optional[str] = ..., revision: _Optional[str] = ..., role: _Optional[str] = ..., template_sha256: _Optional[bytes] = ...) -> None: ...

class NamedNumber(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class RetrievedDocument(_message.Message):
    __slots__ = ("index_id", "index_revision", "namespace", "document_owner_tenant", "rank", "score", "access_verdict", "classification", "document_id", "text")
    INDEX_ID_FIELD_NUMBER: _ClassVar[int]
    INDEX_REVISION_FIELD_NUMBER: _ClassVar[int]
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_OWNER_TENANT_FIELD_NUMBER: _ClassVar[int]
    RANK_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    ACCESS_VERDICT_FIELD_NUMBER: _ClassVar[int]
    CLASSIFICATION_FIELD_NUMBER: _ClassVar[int]
    DOCUMENT_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    index_id: str
    index_revision: str
    namespace: str
    document_owner_tenant: str
    rank: int
    score: float
    access_verdict: AccessVerdict
    classification: Classification
    document_id: Content
    text: Content
    def __init__(self, index_id: _Optional[str] = ..., index_revision: _Optional[str] = ..., namespace: _Optional[str] = ..., document_owner_tenant: _Optional[str] = ..., rank: _Optional[int] = ..., score: _Optional[float] = ..., access_verdict: _Optional[_Union[AccessVerdict, str]] = ..., classification: _Optional[_Union[Classification, str]] = ..., document_id: _Optional[_Union[Content, _Mapping]] = ..., text: _Optional[_Union[Content, _Mapping]] = ...) -> None: ...

class GuardrailResult(_message.Message):
    __slots__ = ("name", "version", "verdict")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    name: str
    version: str
    verdict: Verdict
    def __init__(self, name: _Optional[str] = ..., version: _Optional[str] = ..., verdict: _Optional[_Union[Verdict, str]] = ...) -> None: ...

class ToolCall(_message.Message):
    __slots__ = ("tool", "version", "provider", "destination", "region", "call_id", "requested_by_event_id", "side_effect", "outcome", "grant_id", "approval", "data_classes_sent", "external_effect_id", "latency_ms", "error_class", "intent", "parameters", "result", "error_text", "attributes")
    TOOL_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    CALL_ID_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    SIDE_EFFECT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    GRANT_ID_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    DATA_CLASSES_SENT_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_EFFECT_ID_FIELD_NUMBER: _ClassVar[int]
    LATENCY_MS_FIELD_NUMBER: _ClassVar[int]
    ERROR_CLASS_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_TEXT_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    tool: str
    version: str
    provider: str
    destination: str
    region: str
    call_id: str
    requested_by_event_id: bytes
    side_effect: SideEffect
    outcome: ToolOutcome
    grant_id: str
    approval: Approval
    data_classes_sent: _containers.RepeatedScalarFieldContainer[Classification]
    external_effect_id: Content
    latency_ms: int
    error_class: str
    intent: Content
    parameters: Content
    result: Content
    error_text: Content
    attributes: Content
    def __init__(self, tool: _Optional[str] = ..., version: _Optional[str] = ..., provider: _Optional[str] = ..., destination: _Optional[str] = ..., region: _Optional[str] = ..., call_id: _Optional[str] = ..., requested_by_event_id: _Optional[bytes] = ..., side_effect: _Optional[_Union[SideEffect, str]] = ..., outcome: _Optional[_Union[ToolOutcome, str]] = ..., grant_id: _Optional[str] = ..., approval: _Optional[_Union[Approval, _Mapping]] = ..., data_classes_sent: _Optional[_Iterable[_Union[Classification, str]]] = ..., external_effect_id: _Optional[_Union[Content, _Mapping]] = ..., latency_ms: _Optional[int] = ..., error_class: _Optional[str] = ..., intent: _Optional[_Union[Content, _Mapping]] = ..., parameters: _Optional[_Union[Content, _Mapping]] = ..., result: _Optional[_Union[Content, _Mapping]] = ..., error_text: _Optional[_Union[Content, _Mapping]] = ..., attributes: _Optional[_Union[Content, _Mapping]] = ...) -> None: ...

class Approval(_message.Message):
    __slots__ = ("approver", "verdict", "decided_at")
    APPROVER_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
    approver: str
    verdict: ApprovalVerdict
    decided_at: _timestamp_pb2.Timestamp
    def __init__(self, approver: _Optional[str] = ..., verdict: _Optional[_Union[ApprovalVerdict, str]] = ..., decided_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Change(_message.Message):
    __slots__ = ("artifact_kind", "artifact_id", "from_revision", "to_revision", "artifact_sha256", "action", "author", "reviewers", "ticket", "evaluations", "input_sha256", "consent_reference", "owner", "effective_at", "tenants", "author_standing", "author_source", "artifact_text", "description", "reason")
    ARTIFACT_KIND_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_REVISION_FIELD_NUMBER: _ClassVar[int]
    TO_REVISION_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_SHA256_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    REVIEWERS_FIELD_NUMBER: _ClassVar[int]
    TICKET_FIELD_NUMBER: _ClassVar[int]
    EVALUATIONS_FIELD_NUMBER: _ClassVar[int]
    INPUT_SHA256_FIELD_NUMBER: _ClassVar[int]
    CONSENT_REFERENCE_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_STANDING_FIELD_NUMBER: _ClassVar[int]
    AUTHOR_SOURCE_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_TEXT_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    artifact_kind: ArtifactKind
    artifact_id: str
    from_revision: str
    to_revision: str
    artifact_sha256: bytes
    action: ChangeAction
    author: str
    reviewers: _containers.RepeatedCompositeFieldContainer[Reviewer]
    ticket: str
    evaluations: _containers.RepeatedCompositeFieldContainer[Evaluation]
    input_sha256: _containers.RepeatedScalarFieldContainer[bytes]
    consent_reference: str
    owner: str
    effective_at: _timestamp_pb2.Timestamp
    tenants: _containers.RepeatedScalarFieldContainer[str]
    author_standing: ReviewStanding
    author_source: str
    artifact_text: Content
    description: Content
    reason: Content
    def __init__(self, artifact_kind: _Optional[_Union[ArtifactKind, str]] = ..., artifact_id: _Optional[str] = ..., from_revision: _Optional[str] = ..., to_revision: _Optional[str] = ..., artifact_sha256: _Optional[bytes] = ..., action: _Optional[_Union[ChangeAction, str]] = ..., author: _Optional[str] = ..., reviewers: _Optional[_Iterable[_Union[Reviewer, _Mapping]]] = ..., ticket: _Optional[str] = ..., evaluations: _Optional[_Iterable[_Union[Evaluation, _Mapping]]] = ..., input_sha256: _Optional[_Iterable[bytes]] = ..., consent_reference: _Optional[str] = ..., owner: _Optional[str] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., tenants: _Optional[_Iterable[str]] = ..., author_standing: _Optional[_Union[ReviewStanding, str]] = ..., author_source: _Optional[str] = ..., artifact_text: _Optional[_Union[Content, _Mapping]] = ..., description: _Optional[_Union[Content, _Mapping]] = ..., reason: _Optional[_Union[Content, _Mapping]] = ...) -> None: ...

class Reviewer(_message.Message):
    __slots__ = ("name", "standing", "source")
    NAME_FIELD_NUMBER: _ClassVar[int]
    STANDING_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    name: str
    standing: ReviewStanding
    source: str
    def __init__(self, name: _Optional[str] = ..., standing: _Optional[_Union[ReviewStanding, str]] = ..., source: _Optional[str] = ...) -> None: ...

class Evaluation(_message.Message):
    __slots__ = ("suite", "dataset_sha256", "artifact_sha256", "run_id", "metric", "score", "threshold", "verdict")
    SUITE_FIELD_NUMBER: _ClassVar[int]
    DATASET_SHA256_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_SHA256_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    suite: str
    dataset_sha256: bytes
    artifact_sha256: bytes
    run_id: str
    metric: str
    score: float
    threshold: float
    verdict: EvaluationVerdict
    def __init__(self, suite: _Optional[str] = ..., dataset_sha256: _Optional[bytes] = ..., artifact_sha256: _Optional[bytes] = ..., run_id: _Optional[str] = ..., metric: _Optional[str] = ..., score: _Optional[float] = ..., threshold: _Optional[float] = ..., verdict: _Optional[_Union[EvaluationVerdict, str]] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("decision_kind", "materiality", "request_event_ids", "human_reviewer", "overridden", "effective_at", "result", "explanation")
    DECISION_KIND_FIELD_NUMBER: _ClassVar[int]
    MATERIALITY_FIELD_NUMBER: _ClassVar[int]
    REQUEST_EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    HUMAN_REVIEWER_FIELD_NUMBER: _ClassVar[int]
    OVERRIDDEN_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    decision_kind: str
    materiality: Materiality
    request_event_ids: _containers.RepeatedScalarFieldContainer[bytes]
    human_reviewer: str
    overridden: bool
    effective_at: _timestamp_pb2.Timestamp
    result: Content
    explanation: Content
    def __init__(self, decision_kind: _Optional[str] = ..., materiality: _Optional[_Union[Materiality, str]] = ..., request_event_ids: _Optional[_Iterable[bytes]] = ..., human_reviewer: _Optional[str] = ..., overridden: _Optional[bool] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., result: _Optional[_Union[Content, _Mapping]] = ..., explanation: _Optional[_Union[Content, _Mapping]] = ...) -> None: ...

class Finding(_message.Message):
    __slots__ = ("rule", "rule_version", "severity", "evidence_event_ids", "status", "owner", "resolved_at", "note")
    RULE_FIELD_NUMBER: _ClassVar[int]
    RULE_VERSION_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_EVENT_IDS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    RESOLVED_AT_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    rule: str
    rule_version: str
    severity: Severity
    evidence_event_ids: _containers.RepeatedScalarFieldContainer[bytes]
    status: FindingStatus
    owner: str
    resolved_at: _timestamp_pb2.Timestamp
    note: Content
    def __init__(self, rule: _Optional[str] = ..., rule_version: _Optional[str] = ..., severity: _Optional[_Union[Severity, str]] = ..., evidence_event_ids: _Optional[_Iterable[bytes]] = ..., status: _Optional[_Union[FindingStatus, str]] = ..., owner: _Optional[str] = ..., resolved_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., note: _Optional[_Union[Content, _Mapping]] = ...) -> None: ...

class Access(_message.Message):
    __slots__ = ("reader", "role", "case_id", "query_kind", "events_touched", "contents_decrypted", "result", "query")
    READER_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    QUERY_KIND_FIELD_NUMBER: _ClassVar[int]
    EVENTS_TOUCHED_FIELD_NUMBER: _ClassVar[int]
    CONTENTS_DECRYPTED_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    reader: str
    role: str
    case_id: str
    query_kind: QueryKind
    events_touched: int
    contents_decrypted: int
    result: AccessResult
    query: Content
    def __init__(self, reader: _Optional[str] = ..., role: _Optional[str] = ..., case_id: _Optional[str] = ..., query_kind: _Optional[_Union[QueryKind, str]] = ..., events_touched: _Optional[int] = ..., contents_decrypted: _Optional[int] = ..., result: _Optional[_Union[AccessResult, str]] = ..., query: _Optional[_Union[Content, _Mapping]] = ...) -> None: ...

class Erasure(_message.Message):
    __slots__ = ("pseudonyms", "scope_ids", "legal_ground", "approvers", "contents_count", "keys_destroyed", "key_ids_destroyed", "reason")
    PSEUDONYMS_FIELD_NUMBER: _ClassVar[int]
    SCOPE_IDS_FIELD_NUMBER: _ClassVar[int]
    LEGAL_GROUND_FIELD_NUMBER: _ClassVar[int]
    APPROVERS_FIELD_NUMBER: _ClassVar[int]
    CONTENTS_COUNT_FIELD_NUMBER: _ClassVar[int]
    KEYS_DESTROYED_FIELD_NUMBER: _ClassVar[int]
    KEY_IDS_DESTROYED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    pseudonyms: _containers.RepeatedScalarFieldContainer[bytes]
    scope_ids: _containers.RepeatedScalarFieldContainer[bytes]
    legal_ground: str
    approvers: _containers.RepeatedScalarFieldContainer[str]
    contents_count: int
    keys_destroyed: int
    key_ids_destroyed: _containers.RepeatedScalarFieldContainer[bytes]
    reason: Content
    def __init__(self, pseudonyms: _Optional[_Iterable[bytes]] = ..., scope_ids: _Optional[_Iterable[bytes]] = ..., legal_ground: _Optional[str] = ..., approvers: _Optional[_Iterable[str]] = ..., contents_count: _Optional[int] = ..., keys_destroyed: _Optional[int] = ..., key_ids_destroyed: _Optional[_Iterable[bytes]] = ..., reason: _Optional[_Union[Content, _Mapping]] = ...) -> None: ...

class LegalHold(_message.Message):
    __slots__ = ("hold_id", "pseudonyms", "legal_ground", "approvers", "released", "scope_ids", "reason")
    HOLD_ID_FIELD_NUMBER: _ClassVar[int]
    PSEUDONYMS_FIELD_NUMBER: _ClassVar[int]
    LEGAL_GROUND_FIELD_NUMBER: _ClassVar[int]
    APPROVERS_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    SCOPE_IDS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    hold_id: str
    pseudonyms: _containers.RepeatedScalarFieldContainer[bytes]
    legal_ground: str
    approvers: _containers.RepeatedScalarFieldContainer[str]
    released: bool
    scope_ids: _containers.RepeatedScalarFieldContainer[bytes]
    reason: Content
    def __init__(self, hold_id: _Optional[str] = ..., pseudonyms: _Optional[_Iterable[bytes]] = ..., legal_ground: _Optional[str] = ..., approvers: _Optional[_Iterable[str]] = ..., released: _Optional[bool] = ..., scope_ids: _Optional[_Iterable[bytes]] = ..., reason: _Optional[_Union[Content, _Mapping]] = ...) -> None: ...

class Expiry(_message.Message):
    __slots__ = ("retention_class", "month", "legal_ground", "contents_count", "keys_destroyed", "key_ids_destroyed", "approvers", "reason")
    RETENTION_CLASS_FIELD_NUMBER: _ClassVar[int]
    MONTH_FIELD_NUMBER: _ClassVar[int]
    LEGAL_GROUND_FIELD_NUMBER: _ClassVar[int]
    CONTENTS_COUNT_FIELD_NUMBER: _ClassVar[int]
    KEYS_DESTROYED_FIELD_NUMBER: _ClassVar[int]
    KEY_IDS_DESTROYED_FIELD_NUMBER: _ClassVar[int]
    APPROVERS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    retention_class: str
    month: str
    legal_ground: str
    contents_count: int
    keys_destroyed: int
    key_ids_destroyed: _containers.RepeatedScalarFieldContainer[bytes]
    approvers: _containers.RepeatedScalarFieldContainer[str]
    reason: Content
    def __init__(self, retention_class: _Optional[str] = ..., month: _Optional[str] = ..., legal_ground: _Optional[str] = ..., contents_count: _Optional[int] = ..., keys_destroyed: _Optional[int] = ..., key_ids_destroyed: _Optional[_Iterable[bytes]] = ..., approvers: _Optional[_Iterable[str]] = ..., reason: _Optional[_Union[Content, _Mapping]] = ...) -> None: ...

class Operation(_message.Message):
    __slots__ = ("action", "target", "approvers", "count", "succeeded", "legal_ground", "key_ids_destroyed", "reason")
    ACTION_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    APPROVERS_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SUCCEEDED_FIELD_NUMBER: _ClassVar[int]
    LEGAL_GROUND_FIELD_NUMBER: _ClassVar[int]
    KEY_IDS_DESTROYED_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    action: OperationAction
    target: str
    approvers: _containers.RepeatedScalarFieldContainer[str]
    count: int
    succeeded: bool
    legal_ground: str
    key_ids_destroyed: _containers.RepeatedScalarFieldContainer[bytes]
    reason: Content
    def __init__(self, action: _Optional[_Union[OperationAction, str]] = ..., target: _Optional[str] = ..., approvers: _Optional[_Iterable[str]] = ..., count: _Optional[int] = ..., succeeded: _Optional[bool] = ..., legal_ground: _Optional[str] = ..., key_ids_destroyed: _Optional[_Iterable[bytes]] = ..., reason: _Optional[_Union[Content, _Mapping]] = ...) -> None: ...
