"""One exchange with a model, whatever the vendor: what was asked, what was answered, which tools had run.

Every wire format reads into these records, and `ledger.vendors.events` makes events of them. A field that the wire does
not hold is None (or empty); nothing is guessed.

- Contents (`system`, `input`, `tools`, `output`) stay in the vendor's own shape, as JSON or, where it is nothing but
  one text, as that text: what was sent and what came back must be readable to the letter.
- `tokens_in` counts all input, cached or not, and `tokens_out` all output, reasoning among it, whatever the vendor's
  own fields leave out; `tokens_cached` and `tokens_reasoning` are parts of them.
- A finish reason is kept as it came and in the ledger's words: stop, length, tool_calls, content_filter, error, other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ledger.vendors.json_values import Json

Operation = Literal[
    "chat", "completion", "embedding", "transcription", "image", "speech", "moderation", "rerank", "other"
]
Finish = Literal["stop", "length", "tool_calls", "content_filter", "error", "other"]
Outcome = Literal["ok", "error"]


@dataclass(frozen=True, slots=True)
class ToolRan:
    """A run of a tool, as a request's history or a vendor's answer tells it.

    `call_id`: "" where the format has none. `arguments`: those that the model asked with, where they stand beside it.
    `outcome`: only what is said; None: nobody said. `at_vendor`: the vendor itself ran it. `is_new`: the model had not
    spoken since; every later request of a conversation tells it again, as history.
    """

    call_id: str
    tool: str
    arguments: Json = None
    result: Json = None
    outcome: Outcome | None = None
    error_text: str = ""
    at_vendor: bool = False
    destination: str = ""
    is_new: bool = True


def newest(who_spoke: Iterable[bool]) -> int:
    """The place behind the last entry of a history that is the model's; `who_spoke`: whether it is, entry by entry."""
    return max((at + 1 for at, model_spoke in enumerate(who_spoke) if model_spoke), default=0)


@dataclass(frozen=True, slots=True)
class PromptSent:
    """A prompt that the vendor keeps, named in the request."""

    prompt_id: str
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says.

    `user`: whom the call itself names, in `user_attribute`. `conversation`: the vendor's own id of it.
    `tools_ran`: results that the request carries, in order.
    """

    operation: Operation = "chat"
    model: str = ""
    streamed: bool | None = None
    system: Json = None
    input: Json = None
    variables: Json = None
    tools: Json = None
    prompts: tuple[PromptSent, ...] = ()
    temperature: float | None = None
    top_p: float | None = None
    tokens_max: int | None = None
    seed: int | None = None
    parameters: Mapping[str, float] = field(default_factory=dict)
    store: bool | None = None
    user: str = ""
    user_attribute: str = ""
    conversation: str = ""
    tier: str = ""
    tools_ran: tuple[ToolRan, ...] = ()


@dataclass(frozen=True, slots=True)
class Guardrail:
    """A guardrail of the vendor that ran. `verdict`: allow, redact or refuse; "" where nobody said."""

    name: str
    version: str = ""
    verdict: Literal["", "allow", "redact", "refuse"] = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """What an answer says. `error_class`: the vendor's own word for what went wrong.

    `region_source`: where it says the region, "response" or "response-header". `account`, `project`: of the vendor.
    `cut`: the answer was longer than its reader keeps. `partial`: it ended before its end.
    `unreadable`: it came in an encoding that can't be read here, or is no text.
    """

    model: str = ""
    response_id: str = ""
    output: Json = None
    reasoning: str = ""
    finish_raw: str = ""
    finish: Finish | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cached: int | None = None
    tokens_reasoning: int | None = None
    tier: str = ""
    error_class: str = ""
    error_text: str = ""
    guardrails: tuple[Guardrail, ...] = ()
    tools_ran: tuple[ToolRan, ...] = ()
    conversation: str = ""
    region: str = ""
    region_source: str = ""
    account: str = ""
    project: str = ""
    cut: bool = False
    partial: bool = False
    unreadable: bool = False


def finish_of(raw: str, known: Mapping[str, Finish]) -> Finish | None:
    """The ledger's word for a finish reason: `other` for one that is not known, None where there is none."""
    return known.get(raw, "other") if raw else None
