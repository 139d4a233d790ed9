"""The gateway: takes events, makes them durable under a signed receipt, and only then says so.

| module                    | owns                                                                                 |
| ------------------------- | ------------------------------------------------------------------------------------ |
| `clock`                   | the time of receipt, which never goes back                                           |
| `callers`, `reserved`     | who calls; which events only the ledger itself may write                             |
| `capturing`, `governing`  | the capture policy carried out on contents; which policy is in force                 |
| `remembered`              | what was acknowledged lately, to answer repeats with their first receipt             |
| `batches`                 | cutting events into atomic batches, each under one signed receipt                    |
| `intake`                  | a call's events: checked, keyed, encrypted, encoded; no network, no waiting          |
| `admission`               | how much may be in work at once                                                      |
| `publisher`               | a call from admission to its answer: intake in a worker thread, then the appends     |
| `verdicts`, `answer`      | what becomes of each event of a call; the answer made of that                        |
| `sealed`, `sealed_rounds` | what the gateway asks of whoever sees the sealed rounds; waiting for them            |
| `rpc`, `faults`           | every call ends with a documented answer; our own faults, by an id                   |
| `service`                 | IngestService on the wire                                                            |
| `otlp`                    | OpenTelemetry's trace and log services, over gRPC and HTTP                           |
| `health`, `streak`        | looking after the event log, and saying how it is; what failed appends say of it     |
| `key_watch`               | looking after the key store                                                          |
| `metrics`, `observe`      | what is counted and measured; `/metrics` and `/healthz` over HTTP                    |
| `collector`               | Python's garbage collector, set for a gateway                                        |
| `own_records`             | operations of commands and changed files, recorded as events                         |
| `own`, `private`          | publishing as the ledger itself, from a command; the gateway it makes when none runs |
| `listening`, `server`     | addresses and their TLS; the whole service: started, run, drained                    |

The way of one call: `rpc` -> `service` -> `admission` -> `intake` (a thread) -> `publisher` appends -> `remembered` ->
the answer. Nothing is acknowledged before the append that holds it returned.
"""
