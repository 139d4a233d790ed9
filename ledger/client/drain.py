"""How frames leave the spool.

A frame is done with when each of its events was accepted, known or rejected; one event to be sent again sends the
whole frame again, whose other events are repeats then. If the gateway says that the frame's key is destroyed, or that
it can't be read, the frame is lost. Numbers of this stream that are lost or rejected are declared by its next event;
for those of an earlier stream, which has no next event, a loss marker is emitted (see `losses`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from ledger.client.items import Rejection
from ledger.client.losses import Losses
from ledger.client.retry import MALFORMED, Failure, FailureKind
from ledger.client.spool import Spool
from ledger.client.spool_frame import Frame, Row
from ledger.client.transport import Method
from ledger.v1.ingest_pb2 import EventStatus, PublishResponse, PublishSpooledRequest

if TYPE_CHECKING:
    from ledger.client.bulk_lane import BulkLane


class Drain:
    """The bulk lane's way out of the spool; runs on its thread."""

    def __init__(self, lane: BulkLane) -> None:
        self._lane = lane
        self._losses = Losses()

    def frame(self) -> None:
        """Sends the oldest frame."""
        engine, spool = self._lane.engine, self._lane.engine.spool
        if spool is None:
            return
        try:
            frame = spool.head()
            self._note_damage(spool)
            if frame is not None:
                request = PublishSpooledRequest(key_id=frame.key_id, box=frame.box).SerializeToString()
                if self._settle_frame(frame, self._lane.call(Method.PUBLISH_SPOOLED, request)):
                    spool.done()
        except OSError as error:
            self._lane.disk_failed(error)
        if spool.empty:
            self._declare_losses()
        with engine.gate:
            engine.gate.notify()

    def _settle_frame(self, frame: Frame, answer: bytes | Failure) -> bool:
        """Whether the frame is done with."""
        lane = self._lane
        response = _response(answer, len(frame.rows)) if isinstance(answer, bytes) else None
        if response is not None:
            return self._settle_results(frame, response)
        failure = answer if isinstance(answer, Failure) else MALFORMED
        if failure.kind in (FailureKind.GONE, FailureKind.REFUSED):
            count = len(frame.rows)
            lane.engine.notices.warn("spool lost", f"a frame of {count} events in the spool can't be opened any more")
            with lane.engine.gate:
                lane.succeeded()
            self._lose(frame.boot_id, frame.rows)
            return True
        with lane.engine.gate:
            lane.failed(failure)
        lane.report_away(failure)
        return False

    def _settle_results(self, frame: Frame, response: PublishResponse) -> bool:
        engine = self._lane.engine
        tally = {"accepted": 0, "repeated": 0}
        rejections: list[Rejection] = []
        lost: list[Row] = []
        again = 0
        for row, result in zip(frame.rows, response.results, strict=True):
            if result.status == EventStatus.EVENT_STATUS_ACCEPTED:
                tally["accepted"] += 1
            elif result.status == EventStatus.EVENT_STATUS_REPEAT:
                tally["repeated"] += 1
            elif result.status == EventStatus.EVENT_STATUS_REJECTED:
                rejections.append(Rejection(row.event_id, result.field, result.reason))
                lost.append(row)
            else:
                again += 1
        receipts = tuple(each.receipt for each in response.batches if each.receipt)
        engine.reports.receipts(receipts)
        with engine.gate:
            engine.core.counts["receipts"] += len(receipts)
            if again:
                # The whole frame goes again; what was accepted will be a repeat.
                self._lane.backoff.failed(time.monotonic())
                return False
            engine.core.counts.update(tally, rejected=len(rejections))
            self._lane.succeeded()
        engine.reports.rejections(tuple(rejections))
        self._lose(frame.boot_id, lost, rejected=True)
        self._declare_losses()
        return True

    def _lose(self, boot_id: bytes, rows: Sequence[Row], *, rejected: bool = False) -> None:
        engine = self._lane.engine
        with engine.gate:
            engine.core.counts["spool_lost_events"] += 0 if rejected else len(rows)
            if boot_id == engine.boot_id:
                engine.core.declare(sum(1 + row.dropped for row in rows))
                return
        self._losses.add(boot_id, rows)

    def _note_damage(self, spool: Spool) -> None:
        engine = self._lane.engine
        for damage in spool.take_damages():
            engine.notices.warn("spool damaged", f"{damage.frames} frames in the spool are damaged; they are lost")
            with engine.gate:
                engine.core.counts["spool_lost_events"] += damage.events
                if damage.boot_id == engine.boot_id:
                    engine.core.declare(damage.events)
            self._losses.damaged(damage.boot_id, damage.events)

    def _declare_losses(self) -> None:
        with self._lane.engine.gate:
            for marker in self._losses.take():
                self._lane.engine.offer_own(marker)


def _response(answer: bytes, events: int) -> PublishResponse | None:
    """The answer, or None when it does not fit the frame."""
    try:
        response = PublishResponse.FromString(answer)
    except DecodeError:
        return None
    return response if len(response.results) == events else None
