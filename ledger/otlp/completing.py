"""What follows from what was found, and what has to be said of what was not.

- The finish reason in the ledger's words; the raw one from the answer's own messages where no attribute has it.
- A call of a model had an input, and one that did not fail an output: where they are not here, they are declared
  absent.
- A tool without a name of its own is called as its span is (derived).
- A record of no known session belongs to its trace: the trace id stands as session id, derived. So erasing a person
  reaches everything of a trace in which she was named, whichever span named her.
- Attributes of generative AI that nothing here takes are kept as they came, in the content `attributes`; those of other
  kinds when context is to be kept.
"""

from __future__ import annotations

from ledger.otlp.finish import normalized, reason_in
from ledger.otlp.kinds import KINDS, About
from ledger.otlp.record import Found, Record
from ledger.v1 import event_pb2 as pb

INPUT, OUTPUT = "request.input", "request.output"
PROMPT = "request.prompt."
ABSENT = "absent:"
"""In front of the path of a content that there was, and that is not here."""

CALLS = frozenset(
    {
        pb.AI_OPERATION_CHAT,
        pb.AI_OPERATION_COMPLETION,
        pb.AI_OPERATION_EMBEDDING,
        pb.AI_OPERATION_TRANSCRIPTION,
        pb.AI_OPERATION_IMAGE,
        pb.AI_OPERATION_RERANK,
        pb.AI_OPERATION_SPEECH,
        pb.AI_OPERATION_MODERATION,
    }
)
"""Operations that have an input and, unless they fail, an output."""

KEPT_HEADS = frozenset(
    {
        *("gen_ai", "openai", "anthropic", "azure", "az", "aws", "gcp", "mcp", "jsonrpc", "llm", "langfuse"),
        *("traceloop", "openinference", "embedding", "reranker", "retrieval", "tool", "agent", "metadata", "tag"),
        *("prompt", "graph", "ledger", "enduser", "user", "session", "input", "output", "decision", "evaluation"),
    }
)
"""First parts of the keys of attributes about generative AI."""

KEPT = frozenset({"server.address", "server.port"})
NOT_KEPT = frozenset(
    {
        *("gen_ai.headers", "llm.headers"),  # may hold credentials
        *("gen_ai.usage.total_tokens", "llm.usage.total_tokens", "llm.token_count.total"),  # sums of what is here
        *("langfuse.environment", "langfuse.release", "ledger.tenant"),
        *("input.mime_type", "output.mime_type", "gen_ai.system"),
    }
)
_NOT_KEPT_UNDER = ("langfuse.internal.", "llm.cost.", "gen_ai.headers.", "llm.headers.")
SPAN_NAME = "otel.span.name"
_TOOL_AFFIXES = (("execute_tool ", ""), ("tools/call ", ""), ("", ".tool"))


def complete(record: Record, found: Found, about: About, *, keep_context: bool) -> None:
    """Adds all that to what was found on a span."""
    if found.kind == "request":
        add_finish(found)
        _declare_absent(found)
        give_up_nameless_prompt(found)
    elif found.kind == "tool_call":
        found.give("tool_call.tool", _tool_name(record.name), "span name", derived=True)
    keep_rest(record, found, about, keep_context=keep_context)


def add_finish(found: Found) -> None:
    """Adds the finish reason, raw and normalized."""
    found.give("request.finish_reason_raw", reason_in(found.values.get(OUTPUT)), OUTPUT)
    raw = found.values.get("request.finish_reason_raw")
    if isinstance(raw, str):
        found.give("request.finish_reason", normalized(raw))


def give_up_nameless_prompt(found: Found) -> None:
    """Without an id, a prompt's revision and template name nothing: they are kept as the attributes that they are."""
    if found.says(f"{PROMPT}id"):
        return
    for path in [path for path in found.values if path.startswith(PROMPT)]:
        del found.values[path]
        found.used.discard(found.sources.pop(path, ""))


def keep_rest(record: Record, found: Found, about: About, *, keep_context: bool) -> None:
    """Keeps what nothing took."""
    for key, value in record.attributes.items():
        if key in NOT_KEPT or key.startswith(_NOT_KEPT_UNDER) or found.was_used(key):
            continue
        if key in KINDS and about.operation != pb.AI_OPERATION_OTHER:
            continue
        if keep_context or key in KEPT or key.partition(".")[0] in KEPT_HEADS:
            found.misfits.setdefault(key, value)
    if about.operation == pb.AI_OPERATION_OTHER and record.name:
        found.misfits.setdefault(SPAN_NAME, record.name)


def _declare_absent(found: Found) -> None:
    if found.values.get("request.operation") not in CALLS:
        return
    for path in (INPUT,) if found.says("request.error_class") else (INPUT, OUTPUT):
        if not found.says(path) and not found.says(f"reference:{path}"):
            found.give(ABSENT + path, True)


def _tool_name(name: str) -> str | None:
    for prefix, suffix in _TOOL_AFFIXES:
        if name.startswith(prefix) and name.endswith(suffix) and len(name) > len(prefix) + len(suffix):
            cut = name[len(prefix) : len(name) - len(suffix)]
            if cut != name:
                return cut
    return name or None
