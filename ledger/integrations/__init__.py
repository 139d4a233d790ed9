"""Frameworks that people already call models with, as callbacks of theirs that put every call on record.

| module                            | owns                                                    |
| --------------------------------- | ------------------------------------------------------- |
| `litellm`                         | LiteLLM, its library and its proxy; the extra `litellm` |
| `langchain`, `langchain_messages` | LangChain and LangGraph; the extra `langchain`          |

Each needs the client's install and the framework, nothing of the server's. Nothing in them raises into the framework,
and what they could not record is counted in the client's `faults`.
"""
