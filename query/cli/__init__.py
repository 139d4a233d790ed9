"""The commands that answer questions.

| module       | owns                                                              |
| ------------ | ----------------------------------------------------------------- |
| `answering`  | one question: its options, its home, its reader, its Access event |
| `asking`     | the same question to a query service (`--ask`): no home, no keys  |
| `stories`    | `reconstruct`, `replay`, `find`                                   |
| `evidence`   | `checkpoint`, `prove`                                             |
| `disclosing` | `disclose`                                                        |
| `tables`     | `sql`                                                             |
| `covering`   | `coverage`                                                        |
| `serving`    | `serve-query`                                                     |

They read the home's files and key store directly: no server has to run. What an answer shows is recorded before it is
given, through the gateway at `--to`, else by a gateway of the command's own on the home's event log.
"""
