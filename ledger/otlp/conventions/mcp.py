"""The Model Context Protocol: `mcp.method.name` = `tools/call`, with OpenTelemetry's names for the tool and its
contents.

A tool that fails answers like one that succeeds, with `isError` in its result: that is an error too. The ids of session
and request are the protocol's, not those of a conversation or of a model's call: they are kept as attributes.
"""

from __future__ import annotations

from ledger.otlp.conventions.gen_ai import json_of
from ledger.otlp.reading import Convention, Family, Row
from ledger.otlp.record import Found, Record
from ledger.otlp.values import text_of
from ledger.v1 import event_pb2 as pb

_RESULTS = ("gen_ai.tool.call.result", "mcp.response.value")


def _more(record: Record, found: Found) -> None:
    if found.kind != "tool_call":
        return
    for attribute in _RESULTS:
        result = json_of(record.attributes.get(attribute))
        if isinstance(result, dict) and result.get("isError") is True:
            found.give("tool_call.outcome", pb.TOOL_OUTCOME_ERROR, attribute)


MCP = Convention(
    "MCP",
    frozenset({"mcp"}),
    (
        Row("tool_call.tool", "mcp.tool.name", text_of),
        Row("tool_call.parameters", "mcp.request.argument", json_of),
        Row("tool_call.result", "mcp.response.value", json_of),
        Row("tool_call.destination", "server.address", text_of),
    ),
    _more,
    (Family("tool_call.outcome", "`isError` inside the result"),),
)
