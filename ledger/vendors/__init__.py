"""The wire formats of model vendors, read into one record of an exchange, and that into fields of events. No I/O.

| module                               | owns                                                                   |
| ------------------------------------ | ---------------------------------------------------------------------- |
| `exchange`                           | the record: what was asked, what was answered, tools that ran          |
| `routes`                             | what a path of an endpoint is                                          |
| `formats`                            | every format by name; reading a request, reading an answer as it comes |
| `openai_chat`, `openai_completions`, `openai_responses` | OpenAI's, and those who speak like it               |
| `anthropic_messages`, `gemini`       | Anthropic's and Google's                                               |
| `bedrock_converse`, `bedrock_invoke` | AWS Bedrock's                                                          |
| `errors`                             | errors as each vendor writes them, read and written                    |
| `sse`, `event_stream`, `json_array`, `decompressing` | frames of streams                                      |
| `assembling`, `pieces`               | streamed answers put together, to a bound                              |
| `fields`, `tools_ran`                | keyword arguments of events; events of tools that ran                  |
| `text_places`                        | where in a request's body stands what people wrote                     |
| `json_values`                        | JSON from outside, read without trust                                  |

Each format has `asked(body)` and `answered(body)` for whole bodies, as JSON values, and an assembler for streams; all
of them take any value and raise nothing. Records of other sources (logs of a gateway, of Bedrock) hold such bodies too
and are read with the same functions.
"""

from __future__ import annotations

from ledger.vendors.exchange import Answered, Asked, Guardrail, PromptSent, ToolRan
from ledger.vendors.fields import answered_fields, asked_fields, tool_fields
from ledger.vendors.formats import FORMATS, AnswerReader, Format, read_request
from ledger.vendors.routes import Route, route_of
from ledger.vendors.tools_ran import keyed_id, results_seen, results_to_key, runs_at_vendor

__all__ = [
    "FORMATS",
    "AnswerReader",
    "Answered",
    "Asked",
    "Format",
    "Guardrail",
    "PromptSent",
    "Route",
    "ToolRan",
    "answered_fields",
    "asked_fields",
    "keyed_id",
    "read_request",
    "results_seen",
    "results_to_key",
    "route_of",
    "runs_at_vendor",
    "tool_fields",
]
