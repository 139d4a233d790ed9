"""Change capture: what governs the AI, read from the Git repository where it is changed.

| module               | owns                                                                                    |
| -------------------- | --------------------------------------------------------------------------------------- |
| `git`, `processes`   | runs the real git, so that nothing a repository holds can make it do anything but read  |
| `objects`, `commit`  | its objects by id; a commit's raw bytes: authors, co-authors, review trailers           |
| `document`           | the declaration, `audit-ledger.toml`: which files are artifacts, what the gate asks for |
| `patterns`, `naming` | file patterns and ids made from paths; what a repository is called                      |
| `structured`         | TOML and JSON, and values in them by key path                                           |
| `artifacts`, `pins`  | a commit's artifacts: id, revision, digest; whether a model's name fixes a version      |
| `history`            | which commit brought a revision in, what was there before, who worked on it             |
| `work_tree`          | that what is on disk is what was committed                                              |
| `people`             | which e-mail addresses and logins are one person                                        |
| `github`             | pull requests and reviews as GitHub's API and its events give them                      |
| `signatures`         | who signed a commit                                                                     |
| `claims`, `reviews`  | who wrote an artifact and who claims to have reviewed it; which reviews count           |
| `evaluation`, `report_json`, `report_junit` | evaluation reports, and whether a score meets its threshold      |
| `evidence`           | what is known besides the repository, read from files once                              |
| `gathering`          | all of it put together for one commit                                                   |
| `gate`               | whether an artifact may be deployed, and every reason why not                           |
| `events`             | the Change events, under ids that a second run derives again                            |

What asks git or reads files (`git`, `processes`, `objects`, `history`, `work_tree`, `signatures`, `evidence`,
`gathering`) stands around a core that takes values and returns values.
"""
