"""From what people already have to events.

An importer is deterministic: the same record gives the same events, ids, numbers and boot id included, so importing
twice adds nothing.

| module                     | owns                                                                   |
| -------------------------- | ---------------------------------------------------------------------- |
| `records`                  | from files (JSON Lines, JSON, CSV, gzipped or not, folders) to records |
| `run`                      | what an importer is, and running one over files                        |
| `values`, `producing`      | foreign values in one form; what every imported event says             |
| `openai_chat`              | conversations in OpenAI chat format                                    |
| `litellm`, `litellm_calls` | LiteLLM's spend logs                                                   |
| `bedrock`                  | AWS Bedrock's model-invocation logs                                    |
| `otlp`                     | OTLP in JSON, as collectors write it to files                          |
"""
