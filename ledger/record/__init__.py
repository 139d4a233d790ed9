"""The record: what is hashed and signed about an event, and the contents that stay outside.

| module       | owns                                                                     |
| ------------ | ------------------------------------------------------------------------ |
| `schemas`    | the pinned Avro schemas and the single-object header                     |
| `payload`    | a payload as bytes and as values, one at a time                          |
| `columns`    | many payloads or log values as Arrow columns                             |
| `content`    | sealing, opening and committing to one content                           |
| `fields`     | which protobuf field becomes which payload field or content slot         |
| `validation` | what a submitted event must satisfy                                      |
| `submission` | the deterministic encoding of a submission, and its keyed digest         |
| `assemble`   | a validated submission and its keys to a payload and sealed contents     |
"""
