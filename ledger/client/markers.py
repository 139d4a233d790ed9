"""The events a client emits of its own accord, as `Operation`s.

- the close marker, `PRODUCER_CLOSED`: the last event of a numbered stream; a stream without one lost its tail;
- a loss, `RESTORE` that did not succeed: events of an earlier stream stood in a spool and can't be sent any more. The
  stream they belonged to is gone and can't declare them, so a later one does. `target` is
  `spool/<boot id in hex>/<first>-<last number>`, or `spool/<boot id in hex>/damaged` where the numbers are lost too.
"""

from __future__ import annotations

from ledger.client.ids import event_id
from ledger.v1.event_pb2 import Event, Operation, OperationAction, Phase


def closed_marker() -> Event:
    """The last event of a stream."""
    return _event(Operation(action=OperationAction.OPERATION_ACTION_PRODUCER_CLOSED))


def loss_marker(boot_id: bytes, numbers: tuple[int, int] | None, count: int) -> Event:
    """`count` events of the stream `boot_id` are lost; `numbers` are the first and the last."""
    which = "damaged" if numbers is None else f"{numbers[0]}-{numbers[1]}"
    operation = Operation(
        action=OperationAction.OPERATION_ACTION_RESTORE,
        target=f"spool/{boot_id.hex()}/{which}",
        count=count,
        succeeded=False,
    )
    return _event(operation)


def _event(operation: Operation) -> Event:
    event = Event(event_id=event_id(), phase=Phase.PHASE_SINGLE, operation=operation)
    event.occurred_at.GetCurrentTime()
    return event
