"""Events of earlier streams that are lost for good, gathered until they are declared. Pure.

Frames are lost one by one, but often many in a row (all that were sealed to one key). Losses of one stream without a
frame sent in between become one marker, with the first and last number lost and how many.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.client.markers import loss_marker
from ledger.client.spool_frame import Row
from ledger.v1.event_pb2 import Event


class Losses:
    """What was lost and not declared yet."""

    def __init__(self) -> None:
        self._stretches: dict[bytes, tuple[int, int, int]] = {}
        self._damaged: dict[bytes, int] = {}

    def add(self, boot_id: bytes, rows: Iterable[Row]) -> None:
        """These events of that stream are lost."""
        for row in rows:
            first, last, count = self._stretches.get(boot_id, (row.sequence, row.sequence, 0))
            self._stretches[boot_id] = (min(first, row.sequence), max(last, row.sequence), count + 1)

    def damaged(self, boot_id: bytes, events: int) -> None:
        """So many events of that stream, at least, stood in frames that no longer check."""
        self._damaged[boot_id] = self._damaged.get(boot_id, 0) + events

    def take(self) -> list[Event]:
        """The markers that declare them, once."""
        markers = [loss_marker(boot, (first, last), count) for boot, (first, last, count) in self._stretches.items()]
        markers += [loss_marker(boot, None, count) for boot, count in self._damaged.items()]
        self._stretches.clear()
        self._damaged.clear()
        return markers
