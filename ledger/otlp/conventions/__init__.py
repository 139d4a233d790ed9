"""The conventions by which instrumentation writes down what a model or a tool did, one file each.

A record may carry several at once. They are asked in the order of `CONVENTIONS`, field by field: who comes first and
has a field decides it, the others fill what is left.

| module                                 | owns                                              |
| -------------------------------------- | ------------------------------------------------- |
| `ledger_attributes`                    | `ledger.*`: what no convention has a name for     |
| `identity`                             | who it was for, in which session                  |
| `endpoint`                             | what an endpoint's address tells: vendor, region  |
| `gen_ai`, `gen_ai_older`               | OpenTelemetry's own, as they are and as they were |
| `clients`                              | what vendors' own clients write besides           |
| `openinference`, `openinference_parts` | OpenInference                                     |
| `openllmetry`                          | OpenLLMetry (Traceloop)                           |
| `langfuse`                             | Langfuse's SDK                                    |
| `mcp`                                  | the Model Context Protocol                        |
"""

from __future__ import annotations

from ledger.otlp.conventions.clients import CLIENTS
from ledger.otlp.conventions.endpoint import ENDPOINT
from ledger.otlp.conventions.gen_ai import GEN_AI
from ledger.otlp.conventions.gen_ai_older import GEN_AI_OLDER
from ledger.otlp.conventions.identity import IDENTITY
from ledger.otlp.conventions.langfuse import LANGFUSE
from ledger.otlp.conventions.ledger_attributes import LEDGER
from ledger.otlp.conventions.mcp import MCP
from ledger.otlp.conventions.openinference import OPENINFERENCE
from ledger.otlp.conventions.openllmetry import OPENLLMETRY
from ledger.otlp.reading import Convention

CONVENTIONS: tuple[Convention, ...] = (
    LEDGER,
    IDENTITY,
    ENDPOINT,
    GEN_AI,
    GEN_AI_OLDER,
    CLIENTS,
    OPENINFERENCE,
    OPENLLMETRY,
    LANGFUSE,
    MCP,
)
