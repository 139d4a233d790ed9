"""Canonical bytes of the ledger's own structures (receipt, statement, round, placement).

One structure has one encoding, and a decoder accepts no other:

- integer: big-endian u64;
- digest or id of fixed length: its bytes as they are;
- text: u64 length in bytes, then UTF-8; blob: u64 length, then the bytes;
- optional: u64 0, or u64 1 and the value;
- list: u64 count, then the items;
- structure: its domain tag as text (top-level structures only), then its fields in the order of their declaration.

A decoder refuses trailing bytes, counts that cannot fit in what is left, invalid UTF-8 and a foreign tag, and names
the field. Codecs are values, composed of each other; the composition *is* the format's description.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ledger.errors import IntegrityError

T = TypeVar("T")
U64_MAX = 2**64 - 1


class Malformed(IntegrityError):
    """Bytes that are not the canonical encoding of the structure they claim to be."""


@dataclass(frozen=True, slots=True)
class Codec(Generic[T]):
    """How one type is written and read. `read(buffer, position)` returns the value and the next position.

    `least` is the smallest number of bytes an encoding takes; lists use it to refuse counts that cannot fit.
    """

    write: Callable[[T, bytearray], None]
    read: Callable[[bytes, int], tuple[T, int]]
    least: int

    def encode(self, value: T) -> bytes:
        """The canonical bytes of `value`."""
        out = bytearray()
        self.write(value, out)
        return bytes(out)

    def decode(self, data: bytes) -> T:
        """The value whose canonical bytes are exactly `data`; `Malformed` otherwise."""
        value, end = self.read(data, 0)
        if end != len(data):
            raise Malformed(f"{len(data) - end} bytes after the end of the structure, expected none")
        return value


def _take(data: bytes, at: int, count: int) -> bytes:
    if at + count > len(data):
        raise Malformed(f"needs {count} bytes at position {at}, found {len(data) - at}")
    return data[at : at + count]


def _write_u64(value: int, out: bytearray) -> None:
    if not 0 <= value <= U64_MAX:
        raise ValueError(f"integer {value} is not a u64")
    out += value.to_bytes(8, "big")


def _read_u64(data: bytes, at: int) -> tuple[int, int]:
    return int.from_bytes(_take(data, at, 8), "big"), at + 8


u64: Codec[int] = Codec(_write_u64, _read_u64, 8)


def fixed(length: int) -> Codec[bytes]:
    """Exactly `length` bytes, written as they are."""

    def write(value: bytes, out: bytearray) -> None:
        if len(value) != length:
            raise ValueError(f"expected {length} bytes, got {len(value)}")
        out += value

    return Codec(write, lambda data, at: (_take(data, at, length), at + length), length)


digest: Codec[bytes] = fixed(32)
"""A SHA-256 digest, an HMAC-SHA-256 or a log id."""


def _write_text(value: str, out: bytearray) -> None:
    try:
        encoded = value.encode("utf-8")
    except UnicodeEncodeError:
        # Python's own message shows the character.
        raise ValueError("text with a lone surrogate, which has no UTF-8") from None
    _write_blob(encoded, out)


def _write_blob(value: bytes, out: bytearray) -> None:
    _write_u64(len(value), out)
    out += value


def _read_blob(data: bytes, at: int) -> tuple[bytes, int]:
    length, at = _read_u64(data, at)
    return _take(data, at, length), at + length


blob: Codec[bytes] = Codec(_write_blob, _read_blob, 8)


def _read_text(data: bytes, at: int) -> tuple[str, int]:
    raw, end = _read_blob(data, at)
    try:
        return raw.decode("utf-8"), end
    except UnicodeDecodeError:
        raise Malformed(f"text at position {at} is not UTF-8") from None


text: Codec[str] = Codec(_write_text, _read_text, 8)


def optional(item: Codec[T]) -> Codec[T | None]:
    """Absent (u64 0) or present (u64 1, then the value)."""

    def write(value: T | None, out: bytearray) -> None:
        _write_u64(0 if value is None else 1, out)
        if value is not None:
            item.write(value, out)

    def read(data: bytes, at: int) -> tuple[T | None, int]:
        present, after = _read_u64(data, at)
        if present > 1:
            raise Malformed(f"presence at position {at} is {present}, expected 0 or 1")
        return item.read(data, after) if present else (None, after)

    return Codec(write, read, 8)


def sequence(item: Codec[T]) -> Codec[tuple[T, ...]]:
    """A count and that many items, each of at least one byte."""
    if item.least < 1:
        raise ValueError("items of no bytes: a count could not be bounded by what follows")

    def write(value: tuple[T, ...], out: bytearray) -> None:
        _write_u64(len(value), out)
        for each in value:
            item.write(each, out)

    def read(data: bytes, at: int) -> tuple[tuple[T, ...], int]:
        count, after = _read_u64(data, at)
        if count * item.least > len(data) - after:
            raise Malformed(f"list at position {at} claims {count} items, more than the bytes that follow can hold")
        items = []
        for _ in range(count):
            value, after = item.read(data, after)
            items.append(value)
        return tuple(items), after

    return Codec(write, read, 8)


def structure(make: Callable[..., T], *, tag: str | None = None, **fields: Codec[Any]) -> Codec[T]:
    """Fields by name in the order given, after the domain `tag` where there is one. `make` takes them by keyword."""
    prefix = text.encode(tag) if tag is not None else b""

    def write(value: T, out: bytearray) -> None:
        out += prefix
        for name, codec in fields.items():
            try:
                codec.write(getattr(value, name), out)
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from None

    def read(data: bytes, at: int) -> tuple[T, int]:
        if data[at : at + len(prefix)] != prefix:
            raise Malformed(f"expected the tag {tag!r} at position {at}")
        at += len(prefix)
        values = {}
        for name, codec in fields.items():
            try:
                values[name], at = codec.read(data, at)
            except Malformed as error:
                raise Malformed(f"{name}: {error}") from None
        return make(**values), at

    return Codec(write, read, len(prefix) + sum(codec.least for codec in fields.values()))
