"""From what people already have to events.

An importer is deterministic: the same record gives the same events, ids, numbers and boot id included, so importing
twice adds nothing.

| module        | owns                                                                      |
| ------------- | ------------------------------------------------------------------------- |
| `records`     | from files (JSON Lines, JSON, CSV, gzipped or not, folders) to records     |
| `run`         | what an importer is, and running one over files                           |
| `openai_chat` | conversations in OpenAI chat format                                        |
"""
