"""From the event log to sealed evidence.

| module                          | owns                                                                              |
| ------------------------------- | --------------------------------------------------------------------------------- |
| `stretch`                       | cutting what was read into receipts and the events behind them                    |
| `reader`                        | reading the next stretch of a partition, from the previous round's last record on |
| `admission`                     | which events a receipt covers, decoded into columns; what goes to quarantine      |
| `identity`                      | new, repeat, conflict or undetermined, by event id and submission digest          |
| `id_index`                      | where ids seen before are found; derived, sorted runs                             |
| `quarantine`                    | what could not be admitted, as findings in the partition's system log             |
| `assembly`                      | a round's objects from a partition's state and what was admitted                  |
| `publication`                   | writing them, reading them back, signing and publishing the round                 |
| `sealer`                        | one partition's rounds: read, check, write, read back, sign, publish              |
| `catch_up`                      | from the published rounds to a sealer's state                                     |
| `service`, `metrics`            | the sealers of a process, with health and metrics                                 |
| `going_on`                      | an operator's order to go on after the event log was lost                         |
| `compaction`, `proposals`       | large files sorted by subject, proposed as placements until a round commits them  |
| `removal`                       | which contents an Erasure or Expiry makes unreadable, for compaction to leave out |
| `placement_check`, `moved_rows` | whether a placement keeps everything; a round's rows, wherever they stand now     |
| `superseded`                    | removing files that no current placement or round needs                           |
| `opening`, `commands`           | from a home to a sealer's parts; `seal`, `resume`, `compact`                      |
"""
