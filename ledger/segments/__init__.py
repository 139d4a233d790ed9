"""Sealed evidence: the objects a round writes, what they say, and how the committed ones add up.

| module                  | owns                                                                        |
| ----------------------- | --------------------------------------------------------------------------- |
| `objects`, `names`      | put-if-absent storage of named objects; how they are named                  |
| `statement`             | segment statements and the bundle that holds a round's                      |
| `round`                 | the signed commit point                                                     |
| `placement`, `holdings` | which files hold a log's rows: as it is stated, and as of now               |
| `rows`, `log_rows`      | events and contents as Parquet; one log's rows out of it, by index          |
| `state`                 | what a partition's committed rounds add up to; one rule for each transition |
| `history`               | reading the rounds of a partition in order, checked                         |
| `checkpoints`           | the checkpoints signed after a round                                        |
| `scoped_contents`       | which stored contents stand under given key scopes                          |
"""
