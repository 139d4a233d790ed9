"""The command line `audit-ledger`.

| module     | owns                                                                    |
| ---------- | ----------------------------------------------------------------------- |
| `main`     | the entry point; commands found by entry points; errors to exit codes   |
| `options`  | the options that many commands share                                    |
| `output`   | tables for people, JSON for programs                                    |
| `progress` | progress on what takes longer than a second                             |
| `running`  | running a service until a signal says stop                              |
| `commands` | this package's own commands                                             |

Exit codes: 0 fine, 1 a finding, 2 wrong usage or configuration, 3 something is unavailable, 130 interrupted.
"""
