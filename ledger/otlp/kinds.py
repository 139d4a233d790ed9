"""What a record is about: a call of a model, a run of a tool, something around those, or nothing to do with AI.

Asked in this order; the first answer counts: the attributes that name the kind, then those that only a record of that
kind carries. An agent's invocation is a request too (operation `other`): of whoever was called from outside, its
messages may be all there is. Workflows, chains, tasks, guardrails and evaluators are *context*: what they did stands in
spans of their own.
"""

from __future__ import annotations

from typing import NamedTuple

from ledger.otlp.conventions.openllmetry import mcp_call
from ledger.otlp.record import Kind, Record
from ledger.v1 import event_pb2 as pb


class About(NamedTuple):
    """A kind, and the operation of a request where it is known."""

    kind: Kind
    operation: int = pb.AI_OPERATION_UNSPECIFIED


CHAT = About("request", pb.AI_OPERATION_CHAT)
COMPLETION = About("request", pb.AI_OPERATION_COMPLETION)
EMBEDDING = About("request", pb.AI_OPERATION_EMBEDDING)
RERANK = About("request", pb.AI_OPERATION_RERANK)
IMAGE = About("request", pb.AI_OPERATION_IMAGE)
SPEECH = About("request", pb.AI_OPERATION_SPEECH)
TRANSCRIPTION = About("request", pb.AI_OPERATION_TRANSCRIPTION)
MODERATION = About("request", pb.AI_OPERATION_MODERATION)
OTHER = About("request", pb.AI_OPERATION_OTHER)
REQUEST = About("request")
TOOL = About("tool_call")
CONTEXT = About("context")

KINDS: dict[str, dict[str, About]] = {
    "mcp.method.name": {"tools/call": TOOL},
    "gen_ai.operation.name": {
        "chat": CHAT,
        "generate_content": CHAT,
        "text_completion": COMPLETION,
        "completion": COMPLETION,
        "embeddings": EMBEDDING,
        "execute_tool": TOOL,
        "invoke_agent": OTHER,
        "create_agent": CONTEXT,
        "invoke_workflow": CONTEXT,
        "retrieval": OTHER,
        "rerank": RERANK,
        "image_generation": IMAGE,
        "speech": SPEECH,
        "text_to_speech": SPEECH,
        "transcription": TRANSCRIPTION,
        "speech_to_text": TRANSCRIPTION,
        "moderation": MODERATION,
    },
    "openinference.span.kind": {
        "LLM": REQUEST,
        "EMBEDDING": EMBEDDING,
        "RERANKER": RERANK,
        "RETRIEVER": OTHER,
        "TOOL": TOOL,
        "AGENT": OTHER,
        "DECISION": OTHER,
        "CHAIN": CONTEXT,
        "GUARDRAIL": CONTEXT,
        "EVALUATOR": CONTEXT,
        "PROMPT": CONTEXT,
        "UNKNOWN": CONTEXT,
    },
    "llm.request.type": {"chat": CHAT, "completion": COMPLETION, "embedding": EMBEDDING, "rerank": RERANK},
    "traceloop.span.kind": {"tool": TOOL, "agent": OTHER, "workflow": CONTEXT, "task": CONTEXT},
    "langfuse.observation.type": {
        "generation": REQUEST,
        "embedding": EMBEDDING,
        "tool": TOOL,
        "agent": OTHER,
        "retriever": OTHER,
        "chain": CONTEXT,
        "evaluator": CONTEXT,
        "guardrail": CONTEXT,
        "span": CONTEXT,
        "event": CONTEXT,
    },
}
"""By attribute, in order, what its values mean. Values are compared as they are, then in lower case."""

CARRIED: tuple[tuple[str, About], ...] = (
    ("gen_ai.tool.call.id", TOOL),
    ("gen_ai.tool.name", TOOL),
    ("gen_ai.request.model", REQUEST),
    ("gen_ai.response.model", REQUEST),
    ("gen_ai.input.messages", REQUEST),
    ("gen_ai.output.messages", REQUEST),
    ("gen_ai.prompt.0.content", REQUEST),
    ("gen_ai.completion.0.content", REQUEST),
    ("llm.model_name", REQUEST),
    ("llm.request.model_name", REQUEST),
    ("llm.response.model_name", REQUEST),
    ("embedding.model_name", EMBEDDING),
)
"""What only records of that kind carry, where nothing names it."""

HEADS = frozenset({"gen_ai", "llm", "openinference", "traceloop", "langfuse", "mcp", "embedding"})
"""First parts of keys without one of which a record is none of ours."""


def about(record: Record) -> About | None:
    """What a record is about; None where it has nothing to do with generative AI."""
    if HEADS.isdisjoint(record.heads):
        return None
    attributes, named = record.attributes, False
    for attribute, meanings in KINDS.items():
        value = attributes.get(attribute)
        if isinstance(value, str):
            found = meanings.get(value) or meanings.get(value.lower()) or meanings.get(value.upper())
            if found is not None:
                return found
            named = True
    for attribute, found in CARRIED:
        if attribute in attributes:
            return OTHER if named and found is REQUEST else found
    return TOOL if mcp_call(record) is not None else CONTEXT
