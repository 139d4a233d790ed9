"""From the event log to sealed evidence.

| module       | owns                                                                              |
| ------------ | --------------------------------------------------------------------------------- |
| `stretch`    | cutting what was read into receipts and the events behind them                     |
| `admission`  | which events a receipt covers, decoded into columns; what goes to quarantine       |
| `identity`   | new, repeat, conflict or undetermined, by event id and submission digest           |
| `id_index`   | where ids seen before are found; derived, sorted runs                              |
| `quarantine` | what could not be admitted, as findings in the partition's system log              |
| `assembly`   | a round's objects from a partition's state and what was admitted                   |
| `sealer`     | one partition's rounds: read, check, write, read back, sign, publish               |
| `service`    | the sealers of a process, with health and metrics                                  |
| `going_on`   | an operator's order to go on after the event log was lost                          |
| `compaction` | large files sorted by subject, proposed as placements                              |
"""
