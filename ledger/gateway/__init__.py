"""The gateway: takes events, makes them durable under a signed receipt, and only then says so.

| module       | owns                                                                              |
| ------------ | --------------------------------------------------------------------------------- |
| `clock`      | the time of receipt, which never goes back                                         |
| `remembered` | what was acknowledged lately, to answer repeats with their first receipt           |
| `batches`    | cutting events into atomic batches, each under one signed receipt                  |
| `intake`     | a call's events: checked, keyed, encrypted, encoded; no network, no waiting        |
| `admission`  | how much may be in work at once                                                    |
| `publisher`  | a call from admission to its answer: intake in a worker thread, then the appends   |
| `sealed`     | what the gateway asks of whoever sees the sealed rounds                            |
| `rpc`        | exceptions and cancellation at the edge: every call ends with a documented answer  |
| `service`    | IngestService on the wire                                                          |
| `otlp`       | OpenTelemetry's trace and log services, over gRPC and HTTP                         |
| `health`     | looking after the event log, and saying how it is                                  |
| `key_watch`  | looking after the key store                                                        |
| `metrics`    | what is counted and measured                                                       |
| `collector`  | Python's garbage collector, set for a gateway                                     |
| `observe`    | `/metrics` and `/healthz` over HTTP                                                |
| `server`     | the whole service: started, run, drained                                           |

The way of one call: `rpc` -> `service` -> `admission` -> `intake` (a thread) -> `publisher` appends -> `remembered` ->
the answer. Nothing is acknowledged before the append that holds it returned.
"""
