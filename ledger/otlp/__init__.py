"""From OpenTelemetry to events: spans and log records of services that are instrumented already.

`map_traces` and `map_logs` take an export request as it came over OTLP and give the events that it becomes. They do no
I/O and know no clock: the same request under the same options gives the same events, ids included, so that an export
that is retried adds nothing. They never raise for what a request holds.

The tenant is the receiver's to decide, from the caller's credential or a header; `resource_service(...).tenant` is what
the resource asks for. Publish the events with the gateway's own checks; what those refuse belongs into the partial
success, like `Mapped.refused`. docs/OTLP.md has every attribute that is read.
"""

from ledger.otlp.ids import event_id_of
from ledger.otlp.logs import map_logs
from ledger.otlp.mapped import Mapped, MappedEvent, MappingOptions, Refused
from ledger.otlp.resource import Service, resource_service
from ledger.otlp.traces import map_traces

__all__ = [
    "Mapped",
    "MappedEvent",
    "MappingOptions",
    "Refused",
    "Service",
    "event_id_of",
    "map_logs",
    "map_traces",
    "resource_service",
]
