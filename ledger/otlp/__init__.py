"""From OpenTelemetry to events: spans and log records of services that are instrumented already.

`map_traces` and `map_logs` take an export request as it came over OTLP and give the events that it becomes. They do no
I/O and know no clock: the same request under the same options gives the same events, ids included, so that an export
that is retried adds nothing. They never raise for what a request holds.

The tenant is the receiver's to decide, from the caller's credential or a header; `resource_service(...).tenant` is what
the resource asks for. Publish the events with the gateway's own checks; what those refuse belongs in the partial
success, like `Mapped.refused`. docs/OTLP.md has every attribute that is read.

| module                             | owns                                                                           |
| ---------------------------------- | ------------------------------------------------------------------------------ |
| `parsing`, `resource`, `json_form` | a span or log record within the limits; whose it is; OTLP as JSON              |
| `record`, `mapped`                 | what was found of one, between all conventions; what a mapping takes and gives |
| `traces`, `logs`, `kinds`, `lineage` | spans and log records to events; what one is about; what spans tell of others |
| `conventions`, `reading`, `families` | what instrumentation writes; how that is described; numbered attributes      |
| `message_events`, `evaluations`, `surroundings` | contents in records of their own; evaluations; spans around calls |
| `building`, `placing`, `contents`, `envelope` | an event of what was found: where values go, contents, sender, time |
| `listed`, `parameters`, `asked_tools`, `finish` | parts of one: lists, parameters, tools asked for, how it ended    |
| `circumstances`, `completing`      | what every span says besides; what follows from what was found                 |
| `values`, `names`, `vendors`, `clearing` | one form of values; what may be a name, and taking out what may not      |
| `ids`                              | event ids made from the source's own                                           |
| `manual`                           | the tables of docs/OTLP.md                                                     |
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
