"""The client of the audit ledger: three lines for a service, nothing in its way.

    from ledger.client import Client, request

    client = Client("127.0.0.1:7443", tenant="acme", service="support-bot")
    client.emit(request(vendor="openai", model_requested="gpt-4o", user="mia", input="...", output="..."))

`emit` returns at once and raises nothing; threads of the client batch, send, and retry with the same event ids. Every
event has a number; what is dropped for want of room or time is counted and declared by the next event, and a closed
client says so: no gap is silent. With `spool_dir` events outlive the gateway's absence and the process, sealed so that
only a gateway reads them. A tool with side effects first asks for the durable acknowledgement of its start:

    start = tool_call(tool="refund", phase="started", side_effect="money", parameters={"order": 4711})
    client.emit_durable(start, timeout_s=5)      # raises ledger.errors.Unavailable or Rejected
    ...
    client.emit(tool_call(tool="refund", phase="completed", operation_id=start.operation_id, outcome="ok"))

`Ledger` does all that by decorators and context managers; see `ledger.client.capture.ledger` and docs/CLIENT.md.

Installing it needs grpcio, protobuf and pynacl only.

| module                                   | owns                                                               |
| ---------------------------------------- | ------------------------------------------------------------------ |
| `sync`, `asyncio_client`                 | `Client`, `AsyncClient`: the same client twice                     |
| `options`, `stats`                       | every option with its default and bounds; the counters             |
| `builders`, `fields`, `ids`, `markers`   | events from keyword arguments; event ids; the client's own events  |
| `core`, `books`, `line`, `items`         | the queue: numbers, batches, drops, answers; no I/O                |
| `wire`, `prepare`, `retry`, `losses`     | bytes, failures and pauses, lost numbers; no I/O                   |
| `engine`, `gate`                         | one stream of one process: its lock, threads, end                  |
| `lanes`, `bulk_lane`, `drain`            | what the threads do                                                |
| `transport`                              | the gRPC channel, and what becomes of it in a fork                 |
| `spool`, `spool_folder`, `spool_frame`, `spool_key` | the spool on disk                                       |
| `tls`                                    | certificates and tokens out of files                               |
| `receipts`, `notices`                    | the file of receipts; log lines                                    |
| `capture`                                | `Ledger`: decorators and context managers over a client            |
| `lifecycle`                              | fork and interpreter exit                                          |
"""

from __future__ import annotations

from ledger.client.asyncio_client import AsyncClient
from ledger.client.builders import change, decision, request, tool_call
from ledger.client.capture.ledger import Ledger
from ledger.client.ids import derived_event_id, event_id
from ledger.client.items import Acknowledgement, Rejection
from ledger.client.options import Options
from ledger.client.stats import ClientStats
from ledger.client.sync import Client
from ledger.client.tls import tls, token_file

__all__ = [
    "Acknowledgement",
    "AsyncClient",
    "Client",
    "ClientStats",
    "Ledger",
    "Options",
    "Rejection",
    "change",
    "decision",
    "derived_event_id",
    "event_id",
    "request",
    "tls",
    "token_file",
    "tool_call",
]
