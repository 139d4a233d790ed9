"""The record: what is hashed and signed about an event, and the contents that stay outside.

| module                  | owns                                                                               |
| ----------------------- | ---------------------------------------------------------------------------------- |
| `schemas`               | the pinned Avro schemas and the single-object header                               |
| `encode`                | values to Avro bytes, compiled once from a schema                                  |
| `payload`               | a payload as bytes and as values, one at a time                                    |
| `columns`               | many payloads or log values as Arrow columns                                       |
| `spelling`              | whether columns were written in the one encoding of their values                   |
| `content`, `descriptor` | sealing, opening and committing to one content; what a payload says of it          |
| `names`                 | what may stand in a payload in clear                                               |
| `fields`                | how the fields of a submitted message are read                                     |
| `envelope`, `bodies`    | what an event says besides its body; each body, from protobuf to payload and slots |
| `translate`             | a whole event, checked and taken apart                                             |
| `capture`               | what the capture policy decided for an event and its contents                      |
| `submission`            | the deterministic encoding of a submission, and its keyed digest                   |
| `assemble`              | a translated submission and its keys to a payload and sealed contents              |
| `erased`                | what is left of an event that names somebody who was erased                        |
"""
