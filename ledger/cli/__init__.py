"""The command line `audit-ledger`.

| module                  | owns                                                                                      |
| ----------------------- | ----------------------------------------------------------------------------------------- |
| `main`, `lazy`          | the entry point, errors to exit codes; commands imported when they are asked for          |
| `options`, `output`, `progress` | options that many commands share; tables and JSON; progress                       |
| `running`, `children`   | a service until a signal says stop; processes that live and end together                  |
| `processes`, `gateways` | `serve`, `up`; several processes that are one gateway                                     |
| `connecting`, `sending` | reaching a gateway or a query service; publishing many events                             |
| `publishing`, `event_lines` | `publish`; its JSON Lines                                                             |
| `importing`, `delivering` | `import`; what it shares with `publish`                                                 |
| `proxying`              | `proxy`                                                                                   |
| `changing`, `changing_options`, `changing_output` | `change`: its commands, options, and what they print            |
| `changing_publishing`   | sending the Changes that it finds                                                         |
| `administration`, `tenants` | `init`; `tenant`                                                                      |
| `exporting`, `deleting`, `rounds` | `tenant export`, `check-export`, `tenant delete`; having rounds published for it |
| `erasing`, `restoring`, `ordering` | `erase`, `expire`, `hold`; `restore`; who orders them                          |
| `keys`, `policies`, `roles` | `keys`, `policy`, `roles`                                                             |
| `status`, `verifying`, `checking`, `disclosing` | `status`, `verify`, `fsck`, `check-disclosure`                    |
| `demo`, `stage`, `tampering` | `demo`: the way of an event on a stage of its own, and a tamper                      |
| `manual`                | docs/COMMANDS.md, from what the commands say of themselves                                |

Exit codes: 0 fine, 1 a finding, 2 wrong usage or configuration, 3 something is unavailable, 130 interrupted.
"""
