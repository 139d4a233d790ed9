"""Short ways from attributes to the event that they become."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ledger.otlp import MappingOptions, map_traces
from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb
from tests.ledger.otlp.spans import export, span

CHAT = {"gen_ai.operation.name": "chat"}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "find_order"}
LLM = {"openinference.span.kind": "LLM"}


def event_of(attributes: Mapping[str, Any], options: MappingOptions | None = None, **given: Any) -> pb.Event:
    """The event of one span with these attributes, which the gateway takes; `given`: `resource` and `span`'s own."""
    resource = given.pop("resource", None)
    (one,) = map_traces(export(span(attributes, **given), resource=resource), "acme", options).events
    translate(one.event)
    return one.event


def kept(event: pb.Event) -> dict[str, Any]:
    """The content `attributes` of an event."""
    body = event.request if event.HasField("request") else event.tool_call
    found: dict[str, Any] = json.loads(body.attributes.text) if body.attributes.text else {}
    return found
