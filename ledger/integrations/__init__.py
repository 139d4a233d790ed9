"""Frameworks that people already call models with, as callbacks of theirs that put every call on record.

| module      | for                                       | extra       |
| ----------- | ----------------------------------------- | ----------- |
| `litellm`   | LiteLLM, its library and its proxy        | `litellm`   |
| `langchain` | LangChain and LangGraph                   | `langchain` |

Each needs the client's install and the framework, nothing of the server's. Nothing in them raises into the framework,
and what they could not record is counted in the client's `faults`.
"""
