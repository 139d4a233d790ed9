"""OTLP requests from a seed: of anything at all, most of it looking like generative AI gone wrong.

A seed makes one request, always the same. That is far denser than drawing every part of it, and a failing seed can be
tried again.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from ledger.otlp.conventions import CONVENTIONS
from ledger.otlp.kinds import KINDS
from tests.ledger.otlp.spans import any_value

KEYS = sorted({row.attribute for convention in CONVENTIONS for row in convention.rows})
FAMILY_KEYS = [
    *("llm.input_messages.0.message.role", "llm.input_messages.1.message.content", "llm.input_messages.0.message"),
    *("llm.output_messages.0.message.tool_calls.0.tool_call.id", "llm.output_messages.7.message.content"),
    *("llm.tools.0.tool.json_schema", "llm.prompts.0", "llm.choices.0.completion.text", "llm.input_messages."),
    *("gen_ai.prompt.0.content", "gen_ai.prompt.0", "gen_ai.prompt.0.role", "gen_ai.completion.0.tool_calls.0.name"),
    *("retrieval.documents.0.document.content", "retrieval.documents.1.document.score", "retrieval.documents.0"),
    *("reranker.output_documents.0.document.id", "reranker.query", "embedding.embeddings.0.embedding.text"),
    *("evaluations.0.evaluation.name", "evaluations.0.evaluation.score", "gen_ai.prompt.variable.name"),
    *("traceloop.prompt.template_variables.a.b", "gen_ai.unheard.of", "http.request.method", "", ".", "gen_ai"),
    *("ledger.tenant", "server.address", "cloud.region", "rpc.system", "llm.invocation_parameters", "error.type"),
    *("langfuse.observation.model.name", "langfuse.observation.model.parameters", "langfuse.observation.usage_details"),
    *("langfuse.observation.completion_start_time", "langfuse.observation.level", "llm.model_name", "llm.cost.total"),
    *(".".join("0" * 30), "llm.input_messages." + "9" * 400 + ".message.role", "gen_ai.request." + "y" * 3_000),
]
EVENT_NAMES = [
    *("gen_ai.user.message", "gen_ai.choice", "gen_ai.tool.message", "gen_ai.content.prompt", "exception"),
    *("gen_ai.client.inference.operation.details", "gen_ai.evaluation.result", "gen_ai.other", "", "log line"),
    *("First Token Stream Event", "gen_ai.content.completion.chunk"),
]
KEY_TEXT = "sk-ant-api03-" + "A" * 95
WORDS = [
    *("mia", "user", "request", "gen_ai", "1234", "mia@example.org", "acme", "application", "json", "endpoint", "text"),
    *(
        KEY_TEXT,
        "x" * 300,
        "a\nb",
        "\u200b",
        " ",
        "two  spaces",
        "one two three four five six seven eight nine",
        "é" * 200,
    ),
    *("0", "-1", "1e400", "NaN", "inf", "99999999999999999999", "true", "{", "[]", "{}", '{"a":1,"a":2}', '"\\ud800"'),
    *('[{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]', '{"name": "\\ud800"}', "[" * 2_000, "\ufdd0"),
    *('{"method": "tools/call", "params": {"name": "t", "arguments": {"a": 1}}}', '{"isError": true}', "1" * 5_000),
    *('[{"type": "tool_call", "id": "call_1", "name": "t", "arguments": {}}]', "call_1", "t", "confidential", "money"),
    *(
        '{"model": "m", "user": "mia", "temperature": 1e999, "x": 1, "stream": true, "max_tokens": -1}',
        "2026-11-21",
        "",
    ),
    *(
        '[{"id": "p", "revision": "7", "sha256": "' + "ab" * 32 + '"}, {"id": ""}, {"name": "g", "verdict": "allow"}]',
        "ab" * 32,
    ),
    *(
        '[{"id": "mia", "relation": "customer"}, "tom", 7, null, {"id": "x\\ny"}]',
        "https://api.openai.com/v1",
        "\x00\x1f",
    ),
    *("0102030405060708090a0b0c0d0e0f10", "call", "actor", "identity", "enduser.id", "service", "attributes"),
]
NUMBERS = [0, 1, -1, 2**63 - 1, -(2**63), 0.5, 1.0, -0.0, 1e308, float("nan"), float("inf"), 2**53 + 1]
TIMES = [0, 1, 2**64 - 1, 2**63, 1_795_000_000 * 10**9, 1_795_000_001 * 10**9, 1_795_000_002 * 10**9 + 7]
TRACES = [b"\1" * 16, b"\2" * 16, bytes(range(1, 17))]
SPANS = [b"\1" * 8, b"\2" * 8, b"\3" * 8, b"\4" * 8]
WRONG = [b"", b"abc", bytes(16), bytes(8), b"\1" * 32]
STATES = ["", "", "ot=th:8", "ot=p:70", "ot=p:2;r:1", "ot=th:zz,a=b", "ot=th:" + "f" * 14, "x" * 9_000]


class Maker:
    """Makes requests from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def traces(self) -> ExportTraceServiceRequest:
        """An export of spans."""
        request = ExportTraceServiceRequest()
        for _ in range(self._random.randint(0, 2)):
            one = request.resource_spans.add()
            one.resource.attributes.extend(self._resource())
            one.scope_spans.add().spans.extend(self._span() for _ in range(self._random.randint(0, 6)))
        return request

    def logs(self) -> ExportLogsServiceRequest:
        """An export of log records."""
        request = ExportLogsServiceRequest()
        for _ in range(self._random.randint(0, 2)):
            one = request.resource_logs.add()
            one.resource.attributes.extend(self._resource())
            one.scope_logs.add().log_records.extend(self._log() for _ in range(self._random.randint(0, 6)))
        return request

    def _resource(self) -> list[KeyValue]:
        keys = ["service.name", "service.version", "service.instance.id", "ledger.tenant", "ledger.sampling"]
        keys += ["ledger.classification", "ledger.purpose", "deployment.environment.name"]
        return [KeyValue(key=key, value=any_value(self._value())) for key in self._random.sample(keys, 3)]

    def _span(self) -> Span:
        pick = self._random.choice
        return Span(
            trace_id=pick(TRACES) if self._random.random() < 0.95 else pick(WRONG),
            span_id=pick(SPANS) if self._random.random() < 0.95 else pick(WRONG),
            parent_span_id=pick(SPANS) if self._random.random() < 0.7 else pick(WRONG),
            trace_state=pick(STATES),
            name=pick(["chat", "tools/call", "execute_tool t", *WORDS]),
            kind=self._random.randint(0, 5),  # type: ignore[arg-type]
            start_time_unix_nano=pick(TIMES),
            end_time_unix_nano=pick(TIMES),
            attributes=self._attributes(),
            dropped_attributes_count=pick([0, 0, 0, 7, 2**32 - 1]),
            events=[
                Span.Event(name=pick(EVENT_NAMES), time_unix_nano=pick(TIMES), attributes=self._attributes())
                for _ in range(pick([0, 0, 1, 3]))
            ],
            status=Status(code=self._random.randint(0, 2), message=pick(WORDS)),  # type: ignore[arg-type]
        )

    def _log(self) -> LogRecord:
        pick = self._random.choice
        return LogRecord(
            trace_id=pick(TRACES) if self._random.random() < 0.8 else pick(WRONG),
            span_id=pick(SPANS) if self._random.random() < 0.8 else pick(WRONG),
            time_unix_nano=pick(TIMES),
            observed_time_unix_nano=pick(TIMES),
            event_name=pick(EVENT_NAMES),
            body=any_value(self._value()),
            attributes=self._attributes(),
            dropped_attributes_count=pick([0, 0, 3]),
        )

    def _attributes(self) -> list[KeyValue]:
        pick = self._random.choice
        given = []
        if self._random.random() < 0.8:
            kind = pick(list(KINDS))
            given.append(KeyValue(key=kind, value=any_value(pick(list(KINDS[kind])))))
        for _ in range(self._random.randint(0, 14)):
            key = pick(KEYS) if self._random.random() < 0.7 else pick([*FAMILY_KEYS, *WORDS])
            given.append(KeyValue(key=key, value=any_value(self._value())))
        return given

    def _value(self, depth: int = 0) -> Any:
        pick, chance = self._random.choice, self._random.random()
        if chance < 0.55:
            return pick(WORDS)
        if chance < 0.7:
            return pick(NUMBERS)
        if chance < 0.8 or depth > 4:
            return pick([None, True, False, b"\xff\x00", b""])
        if chance < 0.9:
            return [self._value(depth + 1) for _ in range(self._random.randint(0, 3))]
        made = {pick(WORDS): self._value(depth + 1) for _ in range(self._random.randint(0, 3))}
        return made if self._random.random() < 0.5 else json.dumps(made, default=str)
