"""Change capture: what governs the AI, read from the Git repository where it is changed.

| module        | what it knows                                                                                    |
| ------------- | ------------------------------------------------------------------------------------------------ |
| `git`         | runs the real git, so that nothing a repository holds can make it do anything but read            |
| `objects`     | its objects by id, `processes` how what it starts is ended                                        |
| `commit`      | a commit's raw bytes: authors, co-authors, review trailers                                        |
| `document`    | the declaration, `audit-ledger.toml`: which files are artifacts, what the gate asks for           |
| `patterns`    | file patterns and ids made from paths                                                            |
| `structured`  | TOML and JSON, and values in them by key path                                                    |
| `artifacts`   | the artifacts of a commit, each with its id, revision and digest                                  |
| `pins`        | whether a model's name fixes a version                                                           |
| `history`     | which commit brought a revision in, what was there before, who worked on it                       |
| `work_tree`   | that what is on disk is what was committed                                                       |
| `people`      | which e-mail addresses and logins are one person                                                 |
| `github`      | pull requests and reviews as GitHub's API and its events give them                               |
| `signatures`  | who signed a commit                                                                              |
| `reviews`     | which reviews count for an artifact                                                              |
| `evaluation`  | evaluation reports, and whether a score meets its threshold (`report_json`, `report_junit`)       |
| `gate`        | whether an artifact may be deployed, and every reason why not                                     |
| `events`      | the Change events, under ids that a second run derives again                                      |
| `gathering`   | all of it put together for one commit                                                            |

The core (all but `git`, `history`, `work_tree`, `signatures`, `gathering`) takes values and returns values.
"""
