"""What becomes of each event of a call, before it is known whether its batch is durable.

An event ends in one of these: `Refused`, `Known` (acknowledged before: its first receipt is the answer), `Again` (the
same event earlier in this call), `Taken` (part of a batch), `Failed` (a fault of ours; the others of the call go on).

One id with two bodies is no reason to refuse: both are taken, with a reason in the answer, and the sealer marks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from ledger.gateway.batches import Batch
from ledger.gateway.remembered import Remembered

CONFLICT = "an event with this id was taken before with another body; both are kept, and marked as a conflict"
UNDETERMINED = (
    "an event with this id was taken before under other keys; whether it is the same can't be told, both are kept, "
    "and marked"
)


@dataclass(frozen=True, slots=True)
class Refused:
    """Sending it unchanged cannot help. `stage`: which check refused it, for the metrics."""

    field: str
    reason: str
    stage: Literal["size", "parse", "check", "content_size", "person", "batch_size"]


@dataclass(frozen=True, slots=True)
class Known:
    """Acknowledged before; nothing is appended."""

    first: Remembered


@dataclass(frozen=True, slots=True)
class Again:
    """The same event as `first`, an index into this call."""

    first: int


@dataclass(frozen=True, slots=True)
class Taken:
    """Part of `batch`, an index into the call's batches, once that is durable."""

    batch: int
    leaf_hash: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A fault of the gateway, reported under this id."""

    fault_id: str


Verdict = Refused | Known | Again | Taken | Failed


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call's events in their order, and the batches that hold the new ones and the findings beside them.

    `beside`: by an event's index, the batches of its findings: it is answered as acknowledged only with them.
    """

    verdicts: tuple[Verdict, ...]
    batches: tuple[Batch, ...]
    beside: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
