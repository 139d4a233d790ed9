"""The answer to a call: one result an event, and the batches whose receipts they stand in.

An event is ACCEPTED or a REPEAT only where the batch that holds it is durable, and those that hold the findings about
it. A batch that is not durable, or of which that can't be told, makes RETRY of its events.
"""

from __future__ import annotations

from collections.abc import Sequence

from ledger.gateway.remembered import AcknowledgedBatch
from ledger.gateway.verdicts import Failed, Known, Prepared, Refused, Taken
from ledger.v1 import ingest_pb2 as pb

ACCEPTED = pb.EVENT_STATUS_ACCEPTED
REPEAT = pb.EVENT_STATUS_REPEAT
REJECTED = pb.EVENT_STATUS_REJECTED
RETRY = pb.EVENT_STATUS_RETRY

NOT_DURABLE = "the event log did not take it, or the outcome is unknown; send it again, unchanged"


def publish_response(prepared: Prepared, appended: Sequence[AcknowledgedBatch | None]) -> pb.PublishResponse:
    """The answer; `appended` holds for each of the call's batches what is durable of it: all, or None."""
    response = pb.PublishResponse()
    places: dict[int, int] = {}

    def place_of(batch: AcknowledgedBatch) -> int:
        """Where in the answer this batch stands; put there when it is first needed."""
        if id(batch) not in places:
            places[id(batch)] = len(response.batches)
            end = pb.LogPosition(partition=batch.partition, next_offset=batch.next_offset)
            response.batches.append(pb.AppendedBatch(receipt=batch.receipt, end=end))
        return places[id(batch)]

    for batch in appended:
        if batch is not None:
            place_of(batch)
    results = response.results
    for index, verdict in enumerate(prepared.verdicts):
        if any(appended[batch] is None for batch in prepared.beside.get(index, ())):
            results.add(status=RETRY, reason=NOT_DURABLE)
        elif isinstance(verdict, Taken):
            durable = appended[verdict.batch]
            if durable is None:
                results.add(status=RETRY, reason=NOT_DURABLE)
            else:
                results.add(
                    status=ACCEPTED, reason=verdict.reason, leaf_hash=verdict.leaf_hash, batch=place_of(durable)
                )
        elif isinstance(verdict, Refused):
            results.add(status=REJECTED, field=verdict.field, reason=verdict.reason)
        elif isinstance(verdict, Known):
            first = verdict.first
            results.add(status=REPEAT, leaf_hash=first.leaf_hash, batch=place_of(first.batch))
        elif isinstance(verdict, Failed):
            results.add(status=RETRY, reason=f"internal error {verdict.fault_id}; send it again, unchanged")
        else:
            results.append(_again(results[verdict.first]))
    return response


def _again(first: pb.EventResult) -> pb.EventResult:
    """The result of an event that stands earlier in the call as well: what became of that one, became of this one."""
    again = pb.EventResult()
    again.CopyFrom(first)
    if first.status == ACCEPTED:
        again.status = REPEAT
        again.reason = ""
    return again
