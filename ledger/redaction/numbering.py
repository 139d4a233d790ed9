"""Which number a value gets inside a correlation.

A number says only "the same value as there"; it must not need the values to be kept. Both numberings here know a value
by a keyed hash,

    HMAC-SHA-256(key, "ledger/redaction/number/v1" ‖ 0 ‖ length of correlation, u64 ‖ correlation ‖ type ‖ 0 ‖ value)

cut to 16 bytes, where `value` is the normalized form in UTF-8. Without the key a hash can't be checked against a
guess; the key is the caller's, and should die with the person (a gateway secret does).

What holds when a correlation spans gateways:

- `DerivedNumbering` keeps nothing. The number is 48 bits of the hash, modulo 10¹⁰ − 1, so every process with the key
  gives one value one number, at any time and in any order. Numbers are long (ten digits at most), and of n values of
  one type in a correlation two have the same number with a probability of about n² / (2 · 10¹⁰): 1 in 20,000 for a
  thousand values.
- `SequentialNumbering` counts 1, 2, 3 … in order of first sight, which reads best. The order is this object's own:
  two gateways that work on one correlation at once give different numbers unless they share it. `state` (keyed hashes
  only) and `from_state` hand it from one process to the next; whoever keeps a state keeps something that the key makes
  checkable, and must erase it as he erases contents.
"""

from __future__ import annotations

import hmac
from typing import Protocol

from ledger.errors import Misconfigured

HASH_BYTES = 16
KEY_BYTES_MIN = 16
VALUES_MAX = 10_000
_TAG = b"ledger/redaction/number/v1\x00"


class Numbering(Protocol):
    """Gives numbers to values; one object serves one correlation."""

    def number(self, type_: str, value: str) -> int | None:
        """The number (from 1) of the value with this normalized form; None where no more can be told apart."""
        ...


class _Keyed:
    """The keyed hash that both numberings know values by."""

    __slots__ = ("_key", "_prefix")

    def __init__(self, key: bytes, correlation: bytes) -> None:
        if len(key) < KEY_BYTES_MIN:
            raise Misconfigured(
                f"redaction numbering: the key has {len(key)} bytes, at least {KEY_BYTES_MIN} are needed"
            )
        self._key = key
        self._prefix = _TAG + len(correlation).to_bytes(8, "big") + correlation

    def _hash(self, type_: str, value: str) -> bytes:
        named = type_.encode("ascii") + b"\x00" + value.encode("utf-8", "replace")
        return hmac.digest(self._key, self._prefix + named, "sha256")[:HASH_BYTES]


class DerivedNumbering(_Keyed):
    """The number is taken from the keyed hash: the same in every process, with nothing kept."""

    __slots__ = ()

    def number(self, type_: str, value: str) -> int | None:
        return (int.from_bytes(self._hash(type_, value)[:6], "big") % (10**10 - 1)) + 1


class SequentialNumbering(_Keyed):
    """1, 2, 3 … of each type, in order of first sight; at most `values_max` values in all.

    Memory is bounded by about 120 bytes a value. Past the bound a new value gets no number, a known one keeps its own.
    Not safe for several threads at once.
    """

    __slots__ = ("_counts", "_numbers", "_values_max")

    def __init__(self, key: bytes, correlation: bytes, values_max: int = VALUES_MAX) -> None:
        super().__init__(key, correlation)
        self._values_max = values_max
        self._counts: dict[str, int] = {}
        self._numbers: dict[tuple[str, bytes], int] = {}

    @classmethod
    def from_state(
        cls, key: bytes, correlation: bytes, state: tuple[tuple[str, bytes], ...], values_max: int = VALUES_MAX
    ) -> SequentialNumbering:
        """The numbering that goes on where the one with this `state` stood; key and correlation must be the same."""
        numbering = cls(key, correlation, values_max)
        for type_, digest in state:
            numbering._next((type_, digest))
        return numbering

    @property
    def state(self) -> tuple[tuple[str, bytes], ...]:
        """(type, keyed hash) of every value known, in order of first sight."""
        return tuple(self._numbers)

    def number(self, type_: str, value: str) -> int | None:
        known = (type_, self._hash(type_, value))
        found = self._numbers.get(known)
        if found is not None or len(self._numbers) >= self._values_max:
            return found
        return self._next(known)

    def _next(self, known: tuple[str, bytes]) -> int:
        number = self._counts.get(known[0], 0) + 1
        self._counts[known[0]] = self._numbers[known] = number
        return number
