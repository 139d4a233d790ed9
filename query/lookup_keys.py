"""What an event can be found by, as 64-bit hashes: the keys of the look-up index. Pure functions.

    value of a text     = first 16 bytes of SHA-256(UTF-8)
    value of an id      = its 16 bytes
    salt of a key kind  = first 16 bytes of SHA-256(text("audit-ledger/query-key/v1") || log id || text(kind))
    key                 = mix(mix(high(value) XOR high(salt)) + (low(value) XOR low(salt)))      modulo 2^64

`high` and `low` are the two big-endian u64 of 16 bytes, `mix` the finalizer of splitmix64. Two values may share a key,
by accident or on purpose: whoever looks something up compares the events it leads to with what was asked for.

Keys are made from the typed columns, a row group at a time, without a Python loop over rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ledger.canonical import text
from ledger.errors import IntegrityError
from query.pairs import NO_PAIRS, U64, Pairs

KeyKind = Literal["person", "session", "correlation", "event", "operation", "reference", "artifact", "kind"]

I64 = npt.NDArray[np.int64]

_TAG = text.encode("audit-ledger/query-key/v1")
_MASK = (1 << 64) - 1

KEY_COLUMNS = (
    "log_id",
    "index",
    "event_id",
    "kind",
    "operation_id",
    "amends_event_id",
    "parent_event_id",
    "actor_user",
    "subjects",
    "session_id",
    "correlation_id",
    "tool_call.requested_by_event_id",
    "change.artifact_kind",
    "change.artifact_id",
    "decision_made.request_event_ids",
    "finding.evidence_event_ids",
)
"""The columns of an events file that keys are made from."""

_IDS: tuple[tuple[KeyKind, tuple[str, ...]], ...] = (
    ("event", ("event_id",)),
    ("operation", ("operation_id",)),
    ("person", ("actor_user",)),
    ("reference", ("amends_event_id",)),
    ("reference", ("parent_event_id",)),
    ("reference", ("tool_call", "requested_by_event_id")),
)
_ID_LISTS: tuple[tuple[KeyKind, tuple[str, ...], str | None], ...] = (
    ("person", ("subjects",), "pseudonym"),
    ("reference", ("decision_made", "request_event_ids"), None),
    ("reference", ("finding", "evidence_event_ids"), None),
)
_TEXTS: tuple[tuple[KeyKind, str], ...] = (("session", "session_id"), ("correlation", "correlation_id"))


def key(log_id: bytes, kind: KeyKind, value: bytes | str) -> int:
    """The key of one value: 16 bytes, or a text."""
    raw = text_value(value) if isinstance(value, str) else value
    if len(raw) != 16:
        raise ValueError(f"{kind}: expected an id of 16 bytes, got {len(raw)}")
    salt_high, salt_low = _salt(log_id, kind)
    high, low = int.from_bytes(raw[:8], "big"), int.from_bytes(raw[8:], "big")
    return _mix_one((_mix_one(high ^ salt_high) + (low ^ salt_low)) & _MASK)


def text_value(value: str) -> bytes:
    """A text as the 16 bytes that are hashed."""
    return sha256(value.encode("utf-8")).digest()[:16]


def artifact_value(artifact_kind: str, artifact_id: str) -> str:
    """The text by which the Changes of an artifact are found."""
    return f"{artifact_kind}\x00{artifact_id}"


def keys_of(table: pa.Table, wanted: Mapping[bytes, tuple[int, int]]) -> tuple[Pairs, int]:
    """All keys of the rows of `table` (columns `KEY_COLUMNS`) whose log and index `wanted` names as [first, end).

    Pairs of key and index in the log, in no order; and how many rows they are of.
    """
    rows = _Rows.of(table, wanted)
    if not len(rows.places):
        return NO_PAIRS, 0
    table = table.take(pa.array(rows.places))
    found = [rows.keys(kind, at, values) for kind, at, values in _values(table)]
    keys, indexes = (np.concatenate(each) for each in zip(*found, strict=True))
    return Pairs(keys, indexes), len(rows.places)


def _values(table: pa.Table) -> Iterator[tuple[KeyKind, I64, U64]]:
    """(kind, positions of rows, values as (n, 2) u64) of every key in the table."""
    for kind, path in _IDS:
        yield kind, *_ids(_column(table, path))
    for kind, path, member in _ID_LISTS:
        yield kind, *_id_lists(_column(table, path), member)
    for kind, name in _TEXTS:
        yield kind, *_texts(_column(table, (name,)))
    is_change = pc.equal(_column(table, ("kind",)), "change")
    changes = np.flatnonzero(is_change.to_numpy(zero_copy_only=False))
    if len(changes):
        kinds = _column(table, ("change", "artifact_kind")).take(pa.array(changes)).to_pylist()
        ids = _column(table, ("change", "artifact_id")).take(pa.array(changes)).to_pylist()
        names = [artifact_value(kind, id_) for kind, id_ in zip(kinds, ids, strict=True)]
        yield "artifact", changes, _pairs(b"".join(map(text_value, names)))
        yield "kind", changes, _pairs(text_value("change") * len(changes))


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows to index: their places in the table, their logs and their indexes."""

    log_ids: Sequence[bytes]
    places: I64
    ordinals: I64
    indexes: U64

    @classmethod
    def of(cls, table: pa.Table, wanted: Mapping[bytes, tuple[int, int]]) -> _Rows:
        encoded = _column(table, ("log_id",)).dictionary_encode()
        log_ids = [bytes(each) for each in encoded.dictionary.to_pylist()]
        ordinals = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        indexes = _column(table, ("index",)).to_numpy(zero_copy_only=False).astype(np.uint64)
        first = np.array([wanted.get(each, (0, 0))[0] for each in log_ids], np.uint64)
        end = np.array([wanted.get(each, (0, 0))[1] for each in log_ids], np.uint64)
        places = np.flatnonzero((indexes >= first[ordinals]) & (indexes < end[ordinals]))
        return cls(log_ids, places, ordinals[places], indexes[places])

    def keys(self, kind: KeyKind, at: I64, values: U64) -> tuple[U64, U64]:
        """Keys of `values`, found in the rows `at` of the narrowed table, and those rows' indexes."""
        salts = np.array([_salt(log_id, kind) for log_id in self.log_ids], np.uint64).reshape(-1, 2)
        own = salts[self.ordinals[at]]
        return _mix(_mix(values[:, 0] ^ own[:, 0]) + (values[:, 1] ^ own[:, 1])), self.indexes[at]


def _column(table: pa.Table, path: tuple[str, ...]) -> Any:
    """A column, or a member of a struct column, as one array; null where the struct is."""
    column = table.column(path[0]).combine_chunks()
    if isinstance(column, pa.ChunkedArray):
        column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    for name in path[1:]:
        column = pc.struct_field(column, name)
    return column


def _ids(column: Any) -> tuple[I64, U64]:
    at = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    return at, _pairs(_bytes_of(column.drop_null()))


def _id_lists(column: Any, member: str | None) -> tuple[I64, U64]:
    at = pc.list_parent_indices(column).to_numpy(zero_copy_only=False).astype(np.int64)
    items = column.flatten()
    if member is not None:
        items = pc.struct_field(items, member)
    return at, _pairs(_bytes_of(items))


def _texts(column: Any) -> tuple[I64, U64]:
    at = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    encoded = column.drop_null().dictionary_encode()
    distinct = _pairs(b"".join(text_value(each) for each in encoded.dictionary.to_pylist()))
    return at, distinct[encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)]


def _bytes_of(column: Any) -> bytes:
    """The values of a column without nulls, each 16 bytes, back to back."""
    if len(column) and not pc.all(pc.equal(pc.binary_length(column), 16)).as_py():
        raise IntegrityError("look-up index: an id column holds a value that has not 16 bytes")
    return b"".join(column.to_pylist())


def _pairs(raw: bytes) -> U64:
    return np.frombuffer(raw, ">u8").astype(np.uint64).reshape(-1, 2)


@lru_cache(maxsize=65_536)
def _salt(log_id: bytes, kind: KeyKind) -> tuple[int, int]:
    salt = sha256(_TAG + log_id + text.encode(kind)).digest()
    return int.from_bytes(salt[:8], "big"), int.from_bytes(salt[8:16], "big")


def _mix(value: U64) -> U64:
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


def _mix_one(value: int) -> int:
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    return value ^ (value >> 31)
