"""From sealed evidence to answers: reconstruction, replay, find, SQL, proofs.

| module                       | owns                                                                               |
| ---------------------------- | ---------------------------------------------------------------------------------- |
| `view`, `log_view`           | what the published rounds vouch for: which file holds which row of which log       |
| `files`, `pages`             | opening those files, verified; reading single values of them                       |
| `rows`, `row_maps`           | a log's rows and ciphertexts by index; where they stand in compacted files         |
| `lookup`, `lookup_keys`, `pairs` | the look-up index: from a person, session, id to indexes                       |
| `proving`, `checkpoints`     | inclusion proofs of many events at once; signed checkpoints                        |
| `evidence`, `contents`, `erased` | one sealed event as an answer shows it; opening contents, or why not           |
| `reading`                    | reading for one question: one tenant, one moment, one snapshot, everything counted |
| `order`, `call_ids`          | from events to steps, in an order in which a story reads; who asked for a tool     |
| `flags`                      | what a reader must be told about an event besides what it says                     |
| `artifacts`, `governance`    | what governed a use: revisions in effect, approvals, evidence, what is wrong       |
| `story`, `reconstruct`, `replay`, `find`, `prove` | the answers                                                   |
| `coverage`, `coverage_needs` | which services send what, and what an auditor would still ask for                  |
| `sql`, `sql_views`, `sql_columns`, `sql_manual` | an auditor's SQL, its views and their manual                    |
| `sandbox`                    | the sealed box in which it runs                                                    |
| `permits`, `access`          | who may be shown what; the Access event that precedes every answer                 |
| `without_persons`            | what a reader wrote, as his Access keeps it                                        |
| `service`                    | questions with accountability: answer, Access, then the answer is given            |
| `server`, `servicer`, `wire` | QueryService over gRPC                                                             |
| `plain`, `layout`            | answers as JSON; laying out text                                                   |
| `render`, `render_timeline`, `render_coverage`, `told_once` | answers as text                                     |
| `opening`                    | from a home to all of it                                                           |
| `cli`                        | the commands that ask                                                              |

The way of a question: `service` takes a snapshot (`view`), `reading` finds events (`lookup`), reads them (`rows`),
proves them (`proving`) and opens contents; an answer is made of them; its Access is published and durable (`access`);
then the answer is given. Derived files (index, row maps, tiles) change how long that takes, never what it says.
"""
