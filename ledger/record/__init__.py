"""The record: what is hashed and signed about an event, and the contents that stay outside.

| module       | owns                                                                     |
| ------------ | ------------------------------------------------------------------------ |
| `schemas`    | the pinned Avro schemas and the single-object header                     |
| `encode`     | values to Avro bytes, compiled once from a schema                        |
| `payload`    | a payload as bytes and as values, one at a time                          |
| `columns`    | many payloads or log values as Arrow columns                             |
| `spelling`   | whether columns were written in the one encoding of their values         |
| `content`    | sealing, opening and committing to one content                           |
| `names`      | what may stand in a payload in clear                                     |
| `fields`     | how the fields of a submitted message are read                           |
| `bodies`     | each body: which field becomes which payload field or content slot       |
| `translate`  | a whole event, checked and taken apart                                   |
| `submission` | the deterministic encoding of a submission, and its keyed digest         |
| `assemble`   | a translated submission and its keys to a payload and sealed contents    |
"""
