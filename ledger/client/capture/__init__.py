"""Recording a service by `with` and `@` instead of building events: the inside of `ledger.client.Ledger`.

| module      | owns                                                                            |
| ----------- | ------------------------------------------------------------------------------- |
| `ledger`    | `Ledger`: what a service uses                                                   |
| `around`    | what is known of whoever emits here: user, session, agent, correlation, parent  |
| `asked`     | the calls that answers asked for, until a tool runs                             |
| `scope`     | beginning and ending around a block or a function, sync, async, step by step    |
| `wrapping`  | functions, coroutines, generators and async generators with a scope around them |
| `lifecycle` | what requests and tools share: the events of one piece of work                  |
| `requests`  | a call of a model                                                               |
| `tools`     | a run of a tool                                                                 |
| `building`  | events out of what an application gave, wrong values left out and counted       |
| `describe`  | arguments and results as JSON, private objects by their type                    |
| `finish`    | vendors' finish reasons, and the calls an answer asks for, in one form          |
| `changes`   | `record_change`: what a Change must say, and what a typo makes of it            |

Nothing here raises into the application, with three exceptions: an argument name that does not exist (TypeError, as of
any function), a tool that must be on record before it runs (`durable_start_s`), and `record_change`, which somebody
calls to be told.
"""
