"""Submitted events made by Hypothesis from the message descriptors.

`events()` are events that a gateway takes: names are names, ids have their lengths, required fields are there.
`messages()` are any values at all that the messages can hold, for the encoding alone.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor as F
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import strategies as st

from ledger.v1 import event_pb2 as pb

ID_BYTES = {"span_id": 8, "template_sha256": 32, "artifact_sha256": 32, "dataset_sha256": 32, "input_sha256": 32}
REQUIRED = {
    "identifier",
    "prompt_id",
    "name",
    "tool",
    "artifact_id",
    "artifact_kind",
    "action",
    "suite",
    "metric",
    "decision_kind",
    "rule",
    "reader",
    "hold_id",
    "retention_class",
    "month",
}
NAMES = st.text("abcxyz0189-._/:éß漢", min_size=1, max_size=12)
IDENTIFIERS = st.text("ЖЩЮ", min_size=4, max_size=8)
"""Letters that no name has, so that a name never holds one by chance."""

CAPTURED = "ѮѰ"
"""In front of every content, and nowhere else."""

EVENT_IDS = st.tuples(st.integers(0, 2**48 - 1), st.sampled_from([7, 8]), st.binary(min_size=10, max_size=10)).map(
    lambda parts: (
        parts[0].to_bytes(6, "big")
        + bytes([parts[1] << 4 | parts[2][0] & 0x0F, parts[2][1], 0x80 | parts[2][2] & 0x3F])
        + parts[2][3:]
    )
)


def messages(descriptor: Any = pb.Event.DESCRIPTOR) -> st.SearchStrategy[Any]:
    """Any message of this type."""
    return _message(descriptor, _any_value)


def events(kind: str | None = None) -> st.SearchStrategy[pb.Event]:
    """Events that are taken, of one kind or any."""
    kinds = st.just(kind) if kind else st.sampled_from(sorted(f.name for f in pb.Event.DESCRIPTOR.oneofs[0].fields))
    return kinds.flatmap(_event)


def _event(kind: str) -> st.SearchStrategy[pb.Event]:
    fields = {
        field.name: _valid_value(field)
        for field in pb.Event.DESCRIPTOR.fields
        if field.containing_oneof is None and field.name not in ("event_id", "operation_id")
    }
    body = _valid_value(pb.Event.DESCRIPTOR.fields_by_name[kind])
    ids = {"event_id": EVENT_IDS, "operation_id": st.binary(min_size=16, max_size=16), kind: body}
    return st.fixed_dictionaries(ids, optional=fields).map(lambda values: _make(pb.Event, values))


def _message(descriptor: Any, value_of: Any) -> st.SearchStrategy[Any]:
    if descriptor.full_name == Timestamp.DESCRIPTOR.full_name:
        seconds = st.integers(-62_135_596_800, 253_402_300_799)
        return st.builds(Timestamp, seconds=seconds, nanos=st.integers(0, 999_999_999))
    needed, optional = {}, {}
    groups = {group.name: [each.name for each in group.fields] for group in descriptor.oneofs if len(group.fields) > 1}
    for field in descriptor.fields:
        (needed if value_of is _valid_value and field.name in REQUIRED else optional)[field.name] = value_of(field)
    grouped = {name: group for group, names in groups.items() for name in names}
    needs_one = value_of is _valid_value and groups

    def choose(values: dict[str, Any]) -> Any:
        seen: dict[str, str] = {}
        kept = {k: v for k, v in values.items() if k not in grouped or seen.setdefault(grouped[k], k) == k}
        return _make(descriptor._concrete_class, kept)

    made = st.fixed_dictionaries(needed, optional=optional)
    if needs_one:
        made = made.filter(lambda values: all(any(n in values for n in names) for names in groups.values()))
    return made.map(choose)


def _make(make: Any, values: dict[str, Any]) -> Any:
    return make(**values)


def _any_value(field: Any) -> st.SearchStrategy[Any]:
    scalar: dict[int, st.SearchStrategy[Any]] = {
        F.TYPE_STRING: st.text(st.characters(exclude_categories=("Cs",)), max_size=8),
        F.TYPE_BYTES: st.binary(max_size=12),
        F.TYPE_BOOL: st.booleans(),
        F.TYPE_DOUBLE: st.floats() | st.just(-0.0),
        F.TYPE_UINT64: st.integers(0, 2**64 - 1),
        F.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
        F.TYPE_ENUM: st.integers(-(2**31), 2**31 - 1) | st.integers(0, 3),
    }
    one = _message(field.message_type, _any_value) if field.type == F.TYPE_MESSAGE else scalar[field.type]
    return st.lists(one, max_size=2) if field.is_repeated else one


def _valid_value(field: Any) -> st.SearchStrategy[Any]:
    one = _valid_one(field)
    unique = field.name == "parameters" and field.message_type is pb.NamedNumber.DESCRIPTOR
    if field.is_repeated:
        return st.lists(one, max_size=2, unique_by=(lambda each: each.name) if unique else None)
    return one


def _valid_one(field: Any) -> st.SearchStrategy[Any]:
    if field.type == F.TYPE_MESSAGE:
        return _message(field.message_type, _valid_value)
    if field.type == F.TYPE_STRING:
        return _valid_text(field)
    if field.type == F.TYPE_BYTES:
        length = ID_BYTES.get(field.name, 16)
        if field.name == "data":
            return st.binary(max_size=60).map(lambda data: CAPTURED.encode() + data)
        return st.binary(min_size=length, max_size=length)
    if field.type == F.TYPE_ENUM:
        least = 1 if field.name in REQUIRED else 0
        return st.sampled_from([each.number for each in field.enum_type.values if each.number >= least])
    if field.name == "declared_sampling":
        return st.floats(0, 1, exclude_min=True)
    if field.name == "absent":
        return st.just(True)
    return {
        F.TYPE_BOOL: st.booleans(),
        F.TYPE_DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
        F.TYPE_UINT64: st.integers(0, 2**63 - 1),
        F.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    }[field.type]


def _valid_text(field: Any) -> st.SearchStrategy[str]:
    if field.name in ("identifier", "persons"):
        return IDENTIFIERS
    if field.name == "text":
        return st.text(st.characters(exclude_categories=("Cs",)), max_size=40).map(lambda text: CAPTURED + text)
    if field.name == "month":
        return st.just("2026-11")
    return NAMES
