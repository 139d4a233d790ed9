import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from ledger.v1 import event_pb2 as _event_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ProofState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROOF_STATE_UNSPECIFIED: _ClassVar[ProofState]
    PROOF_STATE_PROVEN: _ClassVar[ProofState]
    PROOF_STATE_FAILED: _ClassVar[ProofState]
PROOF_STATE_UNSPECIFIED: ProofState
PROOF_STATE_PROVEN: ProofState
PROOF_STATE_FAILED: ProofState

class Selector(_message.Message):
    __slots__ = ("user", "session_id", "correlation_id", "event_id")
    USER_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    user: str
    session_id: str
    correlation_id: str
    event_id: bytes
    def __init__(self, user: _Optional[str] = ..., session_id: _Optional[str] = ..., correlation_id: _Optional[str] = ..., event_id: _Optional[bytes] = ...) -> None: ...

class Reader(_message.Message):
    __slots__ = ("name", "role", "case_id", "reason")
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    name: str
    role: str
    case_id: str
    reason: str
    def __init__(self, name: _Optional[str] = ..., role: _Optional[str] = ..., case_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ReconstructRequest(_message.Message):
    __slots__ = ("tenant", "selector", "to", "known_at", "metadata_only", "reader", "effective_at", "page_width")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    KNOWN_AT_FIELD_NUMBER: _ClassVar[int]
    METADATA_ONLY_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    PAGE_WIDTH_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    selector: Selector
    to: _timestamp_pb2.Timestamp
    known_at: _timestamp_pb2.Timestamp
    metadata_only: bool
    reader: Reader
    effective_at: _timestamp_pb2.Timestamp
    page_width: int
    def __init__(self, tenant: _Optional[str] = ..., selector: _Optional[_Union[Selector, _Mapping]] = ..., to: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., known_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., metadata_only: _Optional[bool] = ..., reader: _Optional[_Union[Reader, _Mapping]] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_width: _Optional[int] = ..., **kwargs) -> None: ...

class OpenedContent(_message.Message):
    __slots__ = ("slot", "state", "media_type", "size", "original_size", "data", "unavailable")
    SLOT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    UNAVAILABLE_FIELD_NUMBER: _ClassVar[int]
    slot: str
    state: str
    media_type: str
    size: int
    original_size: int
    data: bytes
    unavailable: str
    def __init__(self, slot: _Optional[str] = ..., state: _Optional[str] = ..., media_type: _Optional[str] = ..., size: _Optional[int] = ..., original_size: _Optional[int] = ..., data: _Optional[bytes] = ..., unavailable: _Optional[str] = ...) -> None: ...

class SealedEvent(_message.Message):
    __slots__ = ("event_id", "kind", "log_origin", "index", "leaf_hash", "occurred_at", "received_at", "sealed_at", "proof_state", "payload", "contents")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LOG_ORIGIN_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    LEAF_HASH_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    SEALED_AT_FIELD_NUMBER: _ClassVar[int]
    PROOF_STATE_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    CONTENTS_FIELD_NUMBER: _ClassVar[int]
    event_id: bytes
    kind: str
    log_origin: str
    index: int
    leaf_hash: bytes
    occurred_at: _timestamp_pb2.Timestamp
    received_at: _timestamp_pb2.Timestamp
    sealed_at: _timestamp_pb2.Timestamp
    proof_state: ProofState
    payload: bytes
    contents: _containers.RepeatedCompositeFieldContainer[OpenedContent]
    def __init__(self, event_id: _Optional[bytes] = ..., kind: _Optional[str] = ..., log_origin: _Optional[str] = ..., index: _Optional[int] = ..., leaf_hash: _Optional[bytes] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., received_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., sealed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., proof_state: _Optional[_Union[ProofState, str]] = ..., payload: _Optional[bytes] = ..., contents: _Optional[_Iterable[_Union[OpenedContent, _Mapping]]] = ...) -> None: ...

class Governance(_message.Message):
    __slots__ = ("artifact_kind", "artifact_id", "revision", "changes", "text", "flags")
    ARTIFACT_KIND_FIELD_NUMBER: _ClassVar[int]
    ARTIFACT_ID_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    artifact_kind: _event_pb2.ArtifactKind
    artifact_id: str
    revision: str
    changes: _containers.RepeatedCompositeFieldContainer[SealedEvent]
    text: str
    flags: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, artifact_kind: _Optional[_Union[_event_pb2.ArtifactKind, str]] = ..., artifact_id: _Optional[str] = ..., revision: _Optional[str] = ..., changes: _Optional[_Iterable[_Union[SealedEvent, _Mapping]]] = ..., text: _Optional[str] = ..., flags: _Optional[_Iterable[str]] = ...) -> None: ...

class Step(_message.Message):
    __slots__ = ("event", "governance", "flags", "json")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    GOVERNANCE_FIELD_NUMBER: _ClassVar[int]
    FLAGS_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    event: SealedEvent
    governance: _containers.RepeatedCompositeFieldContainer[Governance]
    flags: _containers.RepeatedScalarFieldContainer[str]
    json: str
    def __init__(self, event: _Optional[_Union[SealedEvent, _Mapping]] = ..., governance: _Optional[_Iterable[_Union[Governance, _Mapping]]] = ..., flags: _Optional[_Iterable[str]] = ..., json: _Optional[str] = ...) -> None: ...

class Reconstruction(_message.Message):
    __slots__ = ("steps", "checkpoints", "known_at", "json", "effective_at", "page", "proven")
    STEPS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    KNOWN_AT_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    EFFECTIVE_AT_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    PROVEN_FIELD_NUMBER: _ClassVar[int]
    steps: _containers.RepeatedCompositeFieldContainer[Step]
    checkpoints: _containers.RepeatedScalarFieldContainer[str]
    known_at: _timestamp_pb2.Timestamp
    json: str
    effective_at: _timestamp_pb2.Timestamp
    page: str
    proven: bool
    def __init__(self, steps: _Optional[_Iterable[_Union[Step, _Mapping]]] = ..., checkpoints: _Optional[_Iterable[str]] = ..., known_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., json: _Optional[str] = ..., effective_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page: _Optional[str] = ..., proven: _Optional[bool] = ...) -> None: ...

class ReplayRequest(_message.Message):
    __slots__ = ("tenant", "selector", "to", "known_at", "state_at", "metadata_only", "reader", "page_width")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    SELECTOR_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    KNOWN_AT_FIELD_NUMBER: _ClassVar[int]
    STATE_AT_FIELD_NUMBER: _ClassVar[int]
    METADATA_ONLY_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    PAGE_WIDTH_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    selector: Selector
    to: _timestamp_pb2.Timestamp
    known_at: _timestamp_pb2.Timestamp
    state_at: _timestamp_pb2.Timestamp
    metadata_only: bool
    reader: Reader
    page_width: int
    def __init__(self, tenant: _Optional[str] = ..., selector: _Optional[_Union[Selector, _Mapping]] = ..., to: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., known_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., metadata_only: _Optional[bool] = ..., reader: _Optional[_Union[Reader, _Mapping]] = ..., page_width: _Optional[int] = ..., **kwargs) -> None: ...

class ReplayResponse(_message.Message):
    __slots__ = ("json", "page", "proven")
    JSON_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    PROVEN_FIELD_NUMBER: _ClassVar[int]
    json: str
    page: str
    proven: bool
    def __init__(self, json: _Optional[str] = ..., page: _Optional[str] = ..., proven: _Optional[bool] = ...) -> None: ...

class FindRequest(_message.Message):
    __slots__ = ("tenant", "kinds", "to", "vendor", "model", "tool", "policy_version", "limit", "reader", "known_at", "page_width")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    VENDOR_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    KNOWN_AT_FIELD_NUMBER: _ClassVar[int]
    PAGE_WIDTH_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    kinds: _containers.RepeatedScalarFieldContainer[str]
    to: _timestamp_pb2.Timestamp
    vendor: str
    model: str
    tool: str
    policy_version: str
    limit: int
    reader: Reader
    known_at: _timestamp_pb2.Timestamp
    page_width: int
    def __init__(self, tenant: _Optional[str] = ..., kinds: _Optional[_Iterable[str]] = ..., to: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., vendor: _Optional[str] = ..., model: _Optional[str] = ..., tool: _Optional[str] = ..., policy_version: _Optional[str] = ..., limit: _Optional[int] = ..., reader: _Optional[_Union[Reader, _Mapping]] = ..., known_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_width: _Optional[int] = ..., **kwargs) -> None: ...

class FindResponse(_message.Message):
    __slots__ = ("events", "more", "json", "page")
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[SealedEvent]
    more: bool
    json: str
    page: str
    def __init__(self, events: _Optional[_Iterable[_Union[SealedEvent, _Mapping]]] = ..., more: _Optional[bool] = ..., json: _Optional[str] = ..., page: _Optional[str] = ...) -> None: ...

class ProveRequest(_message.Message):
    __slots__ = ("tenant", "event_id", "reader")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    event_id: bytes
    reader: Reader
    def __init__(self, tenant: _Optional[str] = ..., event_id: _Optional[bytes] = ..., reader: _Optional[_Union[Reader, _Mapping]] = ...) -> None: ...

class ProveResponse(_message.Message):
    __slots__ = ("proof", "payload", "json")
    PROOF_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    proof: str
    payload: bytes
    json: str
    def __init__(self, proof: _Optional[str] = ..., payload: _Optional[bytes] = ..., json: _Optional[str] = ...) -> None: ...

class CheckpointRequest(_message.Message):
    __slots__ = ("tenant",)
    TENANT_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    def __init__(self, tenant: _Optional[str] = ...) -> None: ...

class CheckpointResponse(_message.Message):
    __slots__ = ("checkpoints", "json")
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    JSON_FIELD_NUMBER: _ClassVar[int]
    checkpoints: _containers.RepeatedScalarFieldContainer[str]
    json: str
    def __init__(self, checkpoints: _Optional[_Iterable[str]] = ..., json: _Optional[str] = ...) -> None: ...

class CountRequest(_message.Message):
    __slots__ = ("tenants", "kinds", "to", "vendor", "model", "tool", "policy_version", "reader", "known_at")
    TENANTS_FIELD_NUMBER: _ClassVar[int]
    KINDS_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    VENDOR_FIELD_NUMBER: _ClassVar[int]
    MODEL_FIELD_NUMBER: _ClassVar[int]
    TOOL_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    KNOWN_AT_FIELD_NUMBER: _ClassVar[int]
    tenants: _containers.RepeatedScalarFieldContainer[str]
    kinds: _containers.RepeatedScalarFieldContainer[str]
    to: _timestamp_pb2.Timestamp
    vendor: str
    model: str
    tool: str
    policy_version: str
    reader: Reader
    known_at: _timestamp_pb2.Timestamp
    def __init__(self, tenants: _Optional[_Iterable[str]] = ..., kinds: _Optional[_Iterable[str]] = ..., to: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., vendor: _Optional[str] = ..., model: _Optional[str] = ..., tool: _Optional[str] = ..., policy_version: _Optional[str] = ..., reader: _Optional[_Union[Reader, _Mapping]] = ..., known_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., **kwargs) -> None: ...

class CountResponse(_message.Message):
    __slots__ = ("counts",)
    COUNTS_FIELD_NUMBER: _ClassVar[int]
    counts: _containers.RepeatedCompositeFieldContainer[TenantCount]
    def __init__(self, counts: _Optional[_Iterable[_Union[TenantCount, _Mapping]]] = ...) -> None: ...

class TenantCount(_message.Message):
    __slots__ = ("tenant", "events", "by_class")
    class ByClassEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    TENANT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    BY_CLASS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    events: int
    by_class: _containers.ScalarMap[str, int]
    def __init__(self, tenant: _Optional[str] = ..., events: _Optional[int] = ..., by_class: _Optional[_Mapping[str, int]] = ...) -> None: ...

class CoverageRequest(_message.Message):
    __slots__ = ("tenant", "to", "reader", "page_width")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    FROM_FIELD_NUMBER: _ClassVar[int]
    TO_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    PAGE_WIDTH_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    to: _timestamp_pb2.Timestamp
    reader: Reader
    page_width: int
    def __init__(self, tenant: _Optional[str] = ..., to: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reader: _Optional[_Union[Reader, _Mapping]] = ..., page_width: _Optional[int] = ..., **kwargs) -> None: ...

class SqlRequest(_message.Message):
    __slots__ = ("tenant", "query", "reader")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    READER_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    query: str
    reader: Reader
    def __init__(self, tenant: _Optional[str] = ..., query: _Optional[str] = ..., reader: _Optional[_Union[Reader, _Mapping]] = ...) -> None: ...

class SqlColumn(_message.Message):
    __slots__ = ("name", "type")
    NAME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    type: str
    def __init__(self, name: _Optional[str] = ..., type: _Optional[str] = ...) -> None: ...

class SqlResponse(_message.Message):
    __slots__ = ("columns", "rows", "truncated_by", "elapsed_ms", "landlock")
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_BY_FIELD_NUMBER: _ClassVar[int]
    ELAPSED_MS_FIELD_NUMBER: _ClassVar[int]
    LANDLOCK_FIELD_NUMBER: _ClassVar[int]
    columns: _containers.RepeatedCompositeFieldContainer[SqlColumn]
    rows: _containers.RepeatedScalarFieldContainer[str]
    truncated_by: str
    elapsed_ms: int
    landlock: bool
    def __init__(self, columns: _Optional[_Iterable[_Union[SqlColumn, _Mapping]]] = ..., rows: _Optional[_Iterable[str]] = ..., truncated_by: _Optional[str] = ..., elapsed_ms: _Optional[int] = ..., landlock: _Optional[bool] = ...) -> None: ...

class CoverageResponse(_message.Message):
    __slots__ = ("json", "page")
    JSON_FIELD_NUMBER: _ClassVar[int]
    PAGE_FIELD_NUMBER: _ClassVar[int]
    json: str
    page: str
    def __init__(self, json: _Optional[str] = ..., page: _Optional[str] = ...) -> None: ...
