"""The event log: one small interface, two implementations (Kafka and embedded SQLite), chosen by a URL.

| module                                   | owns                                                                  |
| ---------------------------------------- | --------------------------------------------------------------------- |
| `interface`                              | what the ledger asks of an event log                                  |
| `framing`                                | how receipts and events stand in it: keys, headers, values            |
| `open`                                   | from a URL to an event log                                            |
| `embedded`                               | one SQLite file, for everything on one machine                        |
| `embedded_file`, `embedded_beside`       | its tables and connections; that its files are still the ones opened  |
| `embedded_reader`, `embedded_writer`     | snapshots that no writer waits for; the one thread that commits       |
| `kafka`, `kafka_settings`, `kafka_topic` | a topic of Apache Kafka: how it is reached, made, checked and trimmed |
| `kafka_producer`, `kafka_generation`     | appending under supervision; one producer from its start to its end   |
| `kafka_reader`, `kafka_records`          | every read a fetch of its own; from a fetch's bytes to records        |
"""
