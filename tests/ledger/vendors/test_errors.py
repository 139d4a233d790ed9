"""Answers that are errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ledger.vendors.wires import SSE, read
from tests.vendors import anthropic_api
from tests.vendors.serving import named_event_frames
from tests.vendors.turns import PLAIN, Turn


@pytest.mark.parametrize(
    ("path", "status", "headers", "body", "error"),
    [
        (
            "/v1/chat/completions",
            429,
            {},
            {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}},
            ("rate_limit_exceeded", "slow down"),
        ),
        (
            "/v1/messages",
            529,
            {},
            {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}},
            ("overloaded_error", "busy"),
        ),
        (
            "/v1beta/models/x:streamGenerateContent",
            429,
            {},
            [{"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED"}}],
            ("RESOURCE_EXHAUSTED", "quota"),
        ),
        (
            "/model/m/converse",
            429,
            {"x-amzn-errortype": "ThrottlingException:http://internal"},
            {"message": "too many"},
            ("ThrottlingException", "too many"),
        ),
        ("/v1/chat/completions", 502, {}, "<html>bad gateway</html>", ("http_502", "<html>bad gateway</html>")),
    ],
)
def test_errors(path: str, status: int, headers: dict[str, str], body: Any, error: tuple[str, str]) -> None:
    """An error's class is the vendor's own word for it, else its status; it is no output."""
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    found = read(path, [data], "application/json", status, **headers)
    assert (found.error_class, found.error_text) == error
    assert found.output is None


def test_an_error_in_the_middle_of_a_stream() -> None:
    """A stream that says in the middle that it failed keeps what came, and the error."""
    events = list(anthropic_api.events(Turn.PLAIN, "claude"))[:4]
    data = b"".join(named_event_frames(events))
    data += b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n'
    found = read("/v1/messages", [data], SSE)
    assert found.error_class == "overloaded_error"
    assert PLAIN.startswith(str(found.output))
    assert found.output
