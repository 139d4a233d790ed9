"""Conversations with personal data in them: the real ones where they are at hand, else some of the tests' own."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass
from pathlib import Path

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "airline-conversations.jsonl.gz"
CONVERSATIONS_MAX = 30

_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_BIRTH = re.compile(r'"dob\\*": \\*"(\d{4}-\d\d-\d\d)')
_STREET = re.compile(r'"address1\\*": \\*"([^"\\]+)')


@dataclass(frozen=True, slots=True)
class Conversations:
    """JSON Lines in OpenAI chat format, and the personal data that stands in them."""

    lines: bytes
    users: frozenset[str]
    emails: frozenset[str]
    births: frozenset[str]
    streets: frozenset[str]

    @property
    def needles(self) -> frozenset[str]:
        """All of it."""
        return self.users | self.emails | self.births | self.streets


def conversations() -> Conversations:
    """Up to `CONVERSATIONS_MAX` of the real ones, or six of our own."""
    if REAL.exists():
        lines = gzip.decompress(REAL.read_bytes()).splitlines(keepends=True)[:CONVERSATIONS_MAX]
    else:
        lines = [json.dumps(_made(number)).encode() + b"\n" for number in range(6)]
    text = b"".join(lines).decode()
    users = frozenset(json.loads(line)["user_id"] for line in lines)
    found = (frozenset(pattern.findall(text)) for pattern in (_EMAIL, _BIRTH, _STREET))
    return Conversations(b"".join(lines), users, *found)


def _made(number: int) -> dict[str, object]:
    name = ("mia", "noah", "zoë", "liam", "yara", "ivan")[number]
    profile = {
        "email": f"{name.encode('ascii', 'ignore').decode()}.{number}42@example.com",
        "dob": f"198{number}-0{number + 1}-1{number}",
        "address": {"address1": f"{number + 1}21 Maple Street", "city": "Denver", "zip": f"8020{number}"},
    }
    call = {"id": f"call_{number}", "type": "function", "function": {"name": "get_user", "arguments": '{"id": 1}'}}
    return {
        "conversation_id": f"talk-{number}",
        "user_id": f"{name}_user_{number}77",
        "vendor": "openai",
        "model": "gpt-4o",
        "messages": [
            {"role": "system", "content": "You are an agent."},
            {"role": "user", "content": f"My email is {profile['email']}."},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"call_{number}", "name": "get_user", "content": json.dumps(profile)},
            {"role": "assistant", "content": f"I see {profile['email']}."},
        ],
    }
