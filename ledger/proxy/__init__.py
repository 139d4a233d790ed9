"""The recording proxy: an HTTP reverse proxy in front of the endpoints of model vendors (docs/PROXY.md).

A service changes its base URL. What passes is decided on before it leaves, passed on byte for byte, and recorded.

| module                                | owns                                                                 |
| ------------------------------------- | -------------------------------------------------------------------- |
| `upstreams`, `ready`                  | the endpoints behind it; settings completed by a ledger's            |
| `requests`, `headers`, `answers`      | what comes in, which fields go on, answers of its own                |
| `callers`, `admitting`                | who asks, for whom, in which story; who may                          |
| `deciding`, `redacting`, `governing`  | allow, redact, refuse; what is taken out; the policy and its changes |
| `handling`, `passing`, `forwarding`   | a request's way: before it leaves, to its end; bytes to and fro      |
| `aws_signing`                         | requests to Bedrock, signed again                                    |
| `calls`, `exchange_events`, `fitting` | a call and its end; events of it; events made to fit                 |
| `recorder`, `recorder_process`        | all of that off the path of the calls, in a process of its own       |
| `recording`, `recording_frames`       | the proxy's side of it; what the two say to each other               |
| `metrics`, `server`                   | counters; the service                                                |

What the vendors' formats say is read by `ledger.vendors`, which does no I/O.
"""
