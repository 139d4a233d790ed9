"""Models behind Bedrock's InvokeModel."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from tests.ledger.vendors.wires import EVENTS, packed, read


@pytest.mark.parametrize(
    ("model", "chunks", "output"),
    [
        ("meta.llama3-8b", [{"generation": "Good "}, {"generation": "day", "stop_reason": "stop"}], "Good day"),
        (
            "amazon.titan-text",
            [{"outputText": "Good "}, {"outputText": "day", "completionReason": "FINISH"}],
            "Good day",
        ),
        ("mistral.mistral-7b", [{"outputs": [{"text": "Good day", "stop_reason": "stop"}]}], "Good day"),
        (
            "openai.gpt-oss",
            [
                {"choices": [{"index": 0, "delta": {"content": "Good day"}}]},
                {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
            ],
            "Good day",
        ),
        (
            "amazon.nova-pro",
            [
                {"contentBlockDelta": {"delta": {"text": "Good day"}, "contentBlockIndex": 0}},
                {"messageStop": {"stopReason": "end_turn"}},
            ],
            "Good day",
        ),
    ],
)
def test_models_behind_invoke(model: str, chunks: list[Any], output: str) -> None:
    """Streams of the models behind InvokeModel are put together in each one's own format, tokens from the metrics."""
    chunks[-1]["amazon-bedrock-invocationMetrics"] = {"inputTokenCount": 5, "outputTokenCount": 2}
    data = packed(("chunk", {"bytes": base64.b64encode(json.dumps(each).encode()).decode()}) for each in chunks)
    found = read(f"/model/{model}/invoke-with-response-stream", [data], EVENTS)
    assert (found.output, found.finish, found.tokens_in, found.tokens_out) == (output, "stop", 5, 2)
