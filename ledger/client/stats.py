"""What a client counted since its start (since the fork, in a forked child)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ClientStats:
    """Counters of one client.

    - `emitted`: numbers given out, the close marker's and loss markers' among them.
    - `accepted`, `repeated`, `rejected`: what the gateway answered, for frames of the spool as well, also for those
      that an earlier client left.
    - `dropped`: the sum of the `dropped_*`: what found no place, what outlived its deadline (its outcome may be
      unknown), what is larger than an event may be, what a close left behind.
    - `unusable`: calls of `emit` that gave no event to number: another type, or after `close`.
    - `faults`: fields left out of an event, and events not made, because what the application gave could not be taken;
      see `ledger.client.capture`.
    - `undeclared`: numbers neither delivered nor waiting that no later event has declared yet.
    - `queued_events`, `queued_bytes`: in memory, in flight included.
    - `events_retried`: events that went back to the queue after a call, each time counted.
    - `spooled_events`: written to the spool; `spool_lost_events`: read from it and lost for good.
    """

    emitted: int = 0
    accepted: int = 0
    repeated: int = 0
    rejected: int = 0
    dropped: int = 0
    dropped_full: int = 0
    dropped_expired: int = 0
    dropped_oversize: int = 0
    dropped_closed: int = 0
    unusable: int = 0
    faults: int = 0
    undeclared: int = 0
    queued_events: int = 0
    queued_bytes: int = 0
    in_flight_events: int = 0
    last_sequence: int = 0
    calls: int = 0
    calls_failed: int = 0
    events_retried: int = 0
    spooled_events: int = 0
    spool_bytes: int = 0
    spool_lost_events: int = 0
    receipts: int = 0
