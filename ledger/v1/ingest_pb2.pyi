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

class EventStatus(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_STATUS_UNSPECIFIED: _ClassVar[EventStatus]
    EVENT_STATUS_ACCEPTED: _ClassVar[EventStatus]
    EVENT_STATUS_REPEAT: _ClassVar[EventStatus]
    EVENT_STATUS_REJECTED: _ClassVar[EventStatus]
    EVENT_STATUS_RETRY: _ClassVar[EventStatus]
EVENT_STATUS_UNSPECIFIED: EventStatus
EVENT_STATUS_ACCEPTED: EventStatus
EVENT_STATUS_REPEAT: EventStatus
EVENT_STATUS_REJECTED: EventStatus
EVENT_STATUS_RETRY: EventStatus

class PublishRequest(_message.Message):
    __slots__ = ("tenant", "events")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    events: _containers.RepeatedCompositeFieldContainer[_event_pb2.Event]
    def __init__(self, tenant: _Optional[str] = ..., events: _Optional[_Iterable[_Union[_event_pb2.Event, _Mapping]]] = ...) -> None: ...

class PublishFrame(_message.Message):
    __slots__ = ("tenant", "events")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    events: _containers.RepeatedScalarFieldContainer[bytes]
    def __init__(self, tenant: _Optional[str] = ..., events: _Optional[_Iterable[bytes]] = ...) -> None: ...

class PublishResponse(_message.Message):
    __slots__ = ("results", "batches")
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    BATCHES_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[EventResult]
    batches: _containers.RepeatedCompositeFieldContainer[AppendedBatch]
    def __init__(self, results: _Optional[_Iterable[_Union[EventResult, _Mapping]]] = ..., batches: _Optional[_Iterable[_Union[AppendedBatch, _Mapping]]] = ...) -> None: ...

class EventResult(_message.Message):
    __slots__ = ("status", "field", "reason", "leaf_hash", "batch")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LEAF_HASH_FIELD_NUMBER: _ClassVar[int]
    BATCH_FIELD_NUMBER: _ClassVar[int]
    status: EventStatus
    field: str
    reason: str
    leaf_hash: bytes
    batch: int
    def __init__(self, status: _Optional[_Union[EventStatus, str]] = ..., field: _Optional[str] = ..., reason: _Optional[str] = ..., leaf_hash: _Optional[bytes] = ..., batch: _Optional[int] = ...) -> None: ...

class AppendedBatch(_message.Message):
    __slots__ = ("receipt", "end")
    RECEIPT_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    receipt: bytes
    end: LogPosition
    def __init__(self, receipt: _Optional[bytes] = ..., end: _Optional[_Union[LogPosition, _Mapping]] = ...) -> None: ...

class LogPosition(_message.Message):
    __slots__ = ("partition", "next_offset")
    PARTITION_FIELD_NUMBER: _ClassVar[int]
    NEXT_OFFSET_FIELD_NUMBER: _ClassVar[int]
    partition: int
    next_offset: int
    def __init__(self, partition: _Optional[int] = ..., next_offset: _Optional[int] = ...) -> None: ...

class AwaitSealedRequest(_message.Message):
    __slots__ = ("tenant", "positions")
    TENANT_FIELD_NUMBER: _ClassVar[int]
    POSITIONS_FIELD_NUMBER: _ClassVar[int]
    tenant: str
    positions: _containers.RepeatedCompositeFieldContainer[LogPosition]
    def __init__(self, tenant: _Optional[str] = ..., positions: _Optional[_Iterable[_Union[LogPosition, _Mapping]]] = ...) -> None: ...

class AwaitSealedResponse(_message.Message):
    __slots__ = ("checkpoints",)
    CHECKPOINTS_FIELD_NUMBER: _ClassVar[int]
    checkpoints: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, checkpoints: _Optional[_Iterable[str]] = ...) -> None: ...

class GetSpoolKeyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetSpoolKeyResponse(_message.Message):
    __slots__ = ("key_id", "public_key", "seal_until", "destroyed_at")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    PUBLIC_KEY_FIELD_NUMBER: _ClassVar[int]
    SEAL_UNTIL_FIELD_NUMBER: _ClassVar[int]
    DESTROYED_AT_FIELD_NUMBER: _ClassVar[int]
    key_id: bytes
    public_key: bytes
    seal_until: _timestamp_pb2.Timestamp
    destroyed_at: _timestamp_pb2.Timestamp
    def __init__(self, key_id: _Optional[bytes] = ..., public_key: _Optional[bytes] = ..., seal_until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., destroyed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class PublishSpooledRequest(_message.Message):
    __slots__ = ("key_id", "box")
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    BOX_FIELD_NUMBER: _ClassVar[int]
    key_id: bytes
    box: bytes
    def __init__(self, key_id: _Optional[bytes] = ..., box: _Optional[bytes] = ...) -> None: ...
