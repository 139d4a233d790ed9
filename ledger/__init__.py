"""AI Audit Ledger: the record, its keys, the event log, the gateway and everything an answer is proved with.

`consumers` (sealing) and `query` (answers) build on this package; it imports neither.

| module                    | owns                                                                                    |
| ------------------------- | --------------------------------------------------------------------------------------- |
| `record`, `canonical`, `receipt`, `signed` | an event's canonical form; the ledger's own structures and signatures  |
| `tlog`, `proofs`, `tiles` | a transparency log's formats; proofs of the ledger's logs, and the tiles they come from |
| `keys`, `trust`, `identity` | secrets and how they are forgotten; public keys that are believed; who may do what    |
| `policy`, `redaction`     | what is kept of a content; what is taken out of it                                      |
| `client`, `otlp`, `vendors` | ways in: the client, OpenTelemetry's telemetry, vendors' wire formats,                |
| `proxy`, `importers`, `integrations`, `changes` | a recording proxy, logs that are there already, frameworks, Git   |
| `gateway`                 | takes events, and answers once they are durable                                         |
| `log`                     | the event log: Kafka or embedded                                                        |
| `segments`                | sealed files, and the rules by which rounds follow each other                           |
| `verify`, `fsck`, `disclosure`, `disclosure_trust` | checking: all of it, its objects' names, one disclosed content |
| `erasure`                 | erasing persons, ending months, holding both up                                         |
| `export`, `deletion`, `final_statement` | a whole tenant taken away; removed; what is said of it then               |
| `note_time`               | how a time stands in the notes that say so                                              |
| `home`, `tenants`, `config` | a ledger's folder; tenants and their logs; settings                                   |
| `strict_toml`, `watched_file` | an operator's files: read strictly, and again when they change                      |
| `operations`              | what was done to the ledger itself, on its way into the log                             |
| `newest_rounds`, `key_store_age` | what the key store remembers of rounds; whether it is older than they are        |
| `cli`, `scenario`         | the command line; the story that its demo tells                                         |
| `errors`                  | who must act on what went wrong                                                         |
| `v1`                      | messages and services, generated from `proto/`                                          |
"""

__version__ = "0.1.0"
