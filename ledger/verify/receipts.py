"""Receipts: who signed them, and whether what they cover was sealed with them.

A statement's leaves must be what its receipts cover, neither more nor less, but for

- repeats, which the statement lists instead of sealing them again;
- the sealer's own findings about what it could not admit, in a partition's system log: the round vouches for them;
- entries whose event was quarantined or cut off: not sealed here. They may be sealed later in the same log; past the
  receipt's sealing delay they are missing events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from ledger.canonical import Malformed
from ledger.errors import IntegrityError
from ledger.receipt import ENTRY, RECEIPT, Receipt, ReceiptEntry
from ledger.record.columns import NotColumnar, decode_columns
from ledger.record.payload import decode_payload
from ledger.record.schemas import HEADER_BYTES, PAYLOADS
from ledger.segments.statement import Repeat
from ledger.signed import SIGNED, BadSignature, verify
from ledger.tenants import SYSTEM
from ledger.trust import TrustedKeys

QUARANTINE_RULES = "quarantine."
SEALER = "sealer"


def open_receipt(signed_bytes: bytes, trust: TrustedKeys) -> Receipt:
    """The receipt, signed by a gateway key that was good at its time; `IntegrityError` otherwise.

    Its time is the latest that its entries state.
    """
    try:
        signed = SIGNED.decode(signed_bytes)
        receipt = RECEIPT.decode(signed.body)
    except Malformed as error:
        raise IntegrityError(f"a receipt is malformed: {error}") from None
    times = receipt.table()["received_at_us"]
    try:
        at = datetime.fromtimestamp(int(times.max()) / 1e6 if len(times) else 0, UTC)
    except (ValueError, OverflowError, OSError):
        raise IntegrityError("a receipt states a time that is none") from None
    try:
        key = trust.key("gateway", signed.key_id, at)
    except IntegrityError as error:
        raise BadSignature(f"a receipt's signature: {error}") from None
    verify(signed, key, "a receipt")
    return receipt


@dataclass(frozen=True, slots=True)
class Entries:
    """The entries of receipts in their order, and for each the time after which its event may be called missing."""

    table: np.ndarray
    deadline_us: np.ndarray

    def leaves(self) -> list[bytes]:
        """The leaf hashes of the entries."""
        data = np.ascontiguousarray(self.table["leaf_hash"]).tobytes()
        return [data[at : at + 32] for at in range(0, len(data), 32)]

    def entry(self, at: int) -> ReceiptEntry:
        """One entry as values."""
        row = self.table[at]
        return ReceiptEntry(
            row["event_id"].tobytes(),
            row["submission_digest"].tobytes(),
            row["submission_key_id"].tobytes(),
            row["leaf_hash"].tobytes(),
            int(row["received_at_us"]),
        )

    def deadline(self, at: int) -> int:
        """The time after which the entry's event may be called missing, Unix microseconds."""
        return int(self.deadline_us[at])


def entries_of(receipts: Sequence[Receipt]) -> Entries:
    """The entries of several receipts, in order."""
    tables = [receipt.table() for receipt in receipts]
    deadlines = [
        table["received_at_us"].astype(np.int64) + min(receipt.sealing_delay_ms, 2**52) * 1_000
        for receipt, table in zip(receipts, tables, strict=True)
    ]
    return Entries(
        np.concatenate(tables) if tables else np.empty(0, ENTRY),
        np.concatenate(deadlines) if deadlines else np.empty(0, np.int64),
    )


@dataclass(frozen=True, slots=True)
class Coverage:
    """How a statement's leaves and its receipts match. Places among the leaves, the repeats and the entries."""

    uncovered: list[int]
    repeats_uncovered: list[int]
    unsealed: list[int]


EVERYTHING = Coverage([], [], [])


def coverage(leaves: list[bytes], repeats: Sequence[Repeat], covered: list[bytes]) -> Coverage:
    """Matches them one to one, each entry used once."""
    if not repeats and leaves == covered:
        return EVERYTHING
    left = Counter(covered)
    uncovered = _take(leaves, left)
    repeats_uncovered = _take([repeat.leaf_hash for repeat in repeats], left)
    unsealed = []
    for at in reversed(range(len(covered))):
        if left[covered[at]] > 0:
            left[covered[at]] -= 1
            unsealed.append(at)
    return Coverage(uncovered, repeats_uncovered, unsealed[::-1])


def _take(wanted: Iterable[bytes], left: Counter[bytes]) -> list[int]:
    missed = []
    for at, leaf in enumerate(wanted):
        if left[leaf] > 0:
            left[leaf] -= 1
        else:
            missed.append(at)
    return missed


def sealers_own(payloads: list[bytes]) -> np.ndarray:
    """For each payload whether it is a finding the sealer made itself about a record it could not admit."""
    headers = {payload[:HEADER_BYTES] for payload in payloads}
    if len(headers) == 1 and headers <= PAYLOADS.keys():
        try:
            columns = decode_columns(PAYLOADS[headers.pop()], payloads)
        except NotColumnar:
            return np.array([_is_sealers_own(payload) for payload in payloads], bool)
        names = ("tenant", "kind", "submitted_by", "finding")
        rows = zip(*(columns[name].to_pylist() for name in names), strict=True)
        return np.array([_tells_own(*row) for row in rows], bool)
    return np.array([_is_sealers_own(payload) for payload in payloads], bool)


def _is_sealers_own(payload: bytes) -> bool:
    try:
        values = decode_payload(payload)
    except IntegrityError:
        return False
    return _tells_own(values["tenant"], values["kind"], values["submitted_by"], values["finding"])


def _tells_own(tenant: str, kind: str, submitted_by: str, finding: dict[str, object] | None) -> bool:
    made = (tenant, kind, submitted_by) == (SYSTEM, "finding", SEALER)
    return made and finding is not None and str(finding["rule"]).startswith(QUARANTINE_RULES)
