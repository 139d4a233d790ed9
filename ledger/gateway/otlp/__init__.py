"""OTLP: traces and logs of OpenTelemetry's exporters, taken as they are.

| module    | owns                                                                             |
| --------- | -------------------------------------------------------------------------------- |
| `signals` | what there is of each signal: messages, names, paths, its mapping                |
| `parts`   | a request taken apart, from protobuf or JSON, each span or log record by itself  |
| `tenancy` | for which tenant the records of a resource are                                   |
| `reading` | a request's bytes to one readable request a tenant, and what was refused of it   |
| `mapping` | such a request to events, by `ledger.otlp`; a fault costs one record             |
| `export`  | one Export: read, mapped, published like any other event, answered               |
| `inflate` | compressed bodies, within a bound                                                |
| `status`  | how an Export ends that does not succeed, in the terms that exporters understand |
| `service` | TraceService, LogsService and MetricsService over gRPC                           |
| `web`     | the same over HTTP: a request to its answer                                      |
| `serving` | the HTTP server: its address, its connections, its end                           |

An Export is answered with success only when everything of it that is kept is durable: exporters do not send again what
was answered, and an answer that refuses some records (a partial success) is one. Whatever could not be made durable
fails the call as a whole, in a way that exporters retry; what had become durable before is then a repeat, which adds
nothing, since event ids are made from the ids of traces and spans.
"""
