"""Why an answer ended, in the ledger's few words. The vendor's own word is kept beside."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.otlp.values import Value, text_of
from ledger.v1 import event_pb2 as pb

REASONS: dict[int, tuple[str, ...]] = {
    pb.FINISH_REASON_STOP: (
        "stop",
        "end_turn",
        "stop_sequence",
        "end_of_turn",
        "eos",
        "complete",
        "completed",
        "finish",
    ),
    pb.FINISH_REASON_LENGTH: ("length", "max_tokens", "max_output_tokens", "max_length", "model_length"),
    pb.FINISH_REASON_TOOL_CALLS: ("tool_calls", "tool_call", "tool_use", "function_call"),
    pb.FINISH_REASON_CONTENT_FILTER: (
        *("content_filter", "content_filtered", "safety", "refusal", "recitation", "blocklist", "prohibited_content"),
        *("spii", "image_safety", "guardrail_intervened", "language"),
    ),
    pb.FINISH_REASON_ERROR: (
        "error",
        "failed",
        "malformed_function_call",
        "unexpected_tool_call",
        "malformed_response",
    ),
}
"""By reason, what vendors call it, in lower case."""

_MEANINGS = {word: reason for reason, words in REASONS.items() for word in words}


def normalized(raw: str) -> int:
    """The reason in the ledger's words; several, joined by commas, only where they mean the same."""
    meanings = {_MEANINGS.get(word.strip().lower(), pb.FINISH_REASON_OTHER) for word in raw.split(",")}
    return meanings.pop() if len(meanings) == 1 else pb.FINISH_REASON_OTHER


def reason_in(output: Value) -> str | None:
    """The reason that the messages of an answer give themselves."""
    messages = output if isinstance(output, list) else [output]
    reasons = dict.fromkeys(
        reason for each in messages if isinstance(each, Mapping) and (reason := text_of(each.get("finish_reason")))
    )
    return ",".join(reasons) or None
