"""What the gateway asks of whoever sees the sealed rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the event log: everything of `partition` below `next_offset`."""

    partition: int
    next_offset: int


class SealedView(Protocol):
    """Sees the published rounds."""

    async def await_sealed(self, tenant: str, positions: Sequence[Position], deadline_s: float) -> list[str]:
        """Wait until everything up to the positions is sealed; then the signed checkpoints of the tenant's logs.

        `TimeoutError` when that takes longer than `deadline_s` seconds; `Unavailable` when the rounds can't be seen.
        """
