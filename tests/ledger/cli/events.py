"""Events as lines for `publish`, and a small file for `import openai-chat`."""

from __future__ import annotations

import json
from typing import Any

from google.protobuf.json_format import MessageToJson

from ledger.client import request
from ledger.v1 import event_pb2 as pb

CONVERSATION: dict[str, Any] = {
    "conversation_id": "talk-1",
    "user_id": "nadia_k",
    "vendor": "openai",
    "model": "gpt-4o",
    "messages": [
        {"role": "system", "content": "You help."},
        {"role": "user", "content": "When does it fly?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "get_flight", "arguments": '{"no": "X1"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "name": "get_flight", "content": '{"at": "09:10"}'},
        {"role": "assistant", "content": "At ten past nine."},
    ],
}


def event(user: str = "mia", text: str = "hello") -> pb.Event:
    """A small request of a user."""
    return request(
        vendor="openai",
        model_requested="gpt-4o",
        user=user,
        session_id="chat-1",
        correlation_id="case-1",
        classification="confidential",
        input=text,
        output=f"answer to {text}",
    )


def line(of: pb.Event) -> str:
    """One line for `publish`."""
    return MessageToJson(of, indent=None) + "\n"


def conversation(**changed: Any) -> str:
    """One line for `import openai-chat`."""
    return json.dumps({**CONVERSATION, **changed}) + "\n"
