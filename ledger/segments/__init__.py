"""Sealed evidence: the objects a round writes, what they say, and how the committed ones add up.

| module      | owns                                                                       |
| ----------- | -------------------------------------------------------------------------- |
| `objects`   | put-if-absent storage of named objects                                     |
| `names`     | how objects are named                                                      |
| `statement` | segment statements and the bundle that holds a round's                     |
| `round`     | the signed commit point                                                    |
| `placement` | which files hold a log's rows now                                          |
| `rows`      | events and contents as Parquet                                             |
| `state`     | what a partition's committed rounds add up to; one rule for each transition |
| `history`   | reading the rounds of a partition in order, checked                        |
"""
