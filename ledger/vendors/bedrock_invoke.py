"""AWS Bedrock's InvokeModel: a body in the format of the model's own vendor.

    POST /model/{modelId}/invoke                          answer: a body in that format
    POST /model/{modelId}/invoke-with-response-stream     answer: an event stream of `chunk` events, each
                                                          {"bytes": base64 of one streamed value in that format}

| model ids that hold | format                                                                                        |
| ------------------- | --------------------------------------------------------------------------------------------- |
| anthropic           | Anthropic's messages                                                                          |
| amazon.nova         | Converse, its events wrapped in their name                                                    |
| openai, mistral, …  | whose body has `messages` and choices: chat completions                                       |
| meta, amazon.titan, | one prompt, one text: `prompt` or `inputText`; `generation`, `outputText`, `outputs[].text`   |
| mistral, cohere     | or `text`                                                                                     |

What is in none of these is kept whole, as JSON, with what can be told of it. The last chunk brings token counts in
`amazon-bedrock-invocationMetrics`; without streaming they stand in headers (`ledger.vendors.formats`).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import replace

from ledger.vendors import anthropic_messages, bedrock_converse, openai_chat
from ledger.vendors.assembling import BLOCKS_MAX, Assembler
from ledger.vendors.exchange import Answered, Asked, finish_of
from ledger.vendors.json_values import Json, dump, load, number, table, tables, text, whole
from ledger.vendors.pieces import Pieces, Room

METRICS = "amazon-bedrock-invocationMetrics"
_PROMPTS = ("prompt", "inputText", "message", "input_text", "texts")
_FINISHES = {
    **openai_chat.FINISHES,
    **bedrock_converse.FINISHES,
    "FINISH": "stop",
    "COMPLETE": "stop",
    "LENGTH": "length",
    "MAX_TOKENS": "length",
    "CONTENT_FILTERED": "content_filter",
}


def asked(body: Json, model: str) -> Asked:
    """What the body of a request says to this model."""
    given = table(body)
    if "anthropic" in model:
        return anthropic_messages.asked(given)
    if "amazon.nova" in model and "messages" in given:
        return bedrock_converse.asked(given)
    if "messages" in given:
        return openai_chat.asked(given)
    config = table(given.get("textGenerationConfig")) or given
    prompt = next((given[key] for key in _PROMPTS if given.get(key)), None)
    return Asked(
        operation="embedding" if "embed" in model else "completion",
        streamed=False,
        input=prompt if prompt is not None else given or None,
        temperature=number(config.get("temperature")),
        top_p=number(config.get("top_p")) or number(config.get("topP")),
        tokens_max=next(
            (whole(config[key]) for key in ("max_tokens", "max_gen_len", "maxTokenCount") if key in config), None
        ),
    )


def answered(body: Json, model: str) -> Answered:
    """What the body of this model's answer says."""
    given = table(body)
    found = _answered(given, model)
    metrics = table(given.get(METRICS))
    if metrics and found.tokens_in is None and found.tokens_out is None:
        found = replace(
            found,
            tokens_in=whole(metrics.get("inputTokenCount")),
            tokens_out=whole(metrics.get("outputTokenCount")),
            tokens_cached=whole(metrics.get("cacheReadInputTokenCount")),
        )
    return found


def _answered(given: dict[str, Json], model: str) -> Answered:
    if "anthropic" in model:
        return anthropic_messages.answered(given)
    if "amazon.nova" in model and "output" in given:
        return bedrock_converse.answered(given)
    if any("message" in each for each in tables(given.get("choices"))):
        return openai_chat.answered(given)
    said, raw = _plain(given)
    if "embedding" in given or "embeddings" in given:
        return Answered(tokens_in=whole(given.get("inputTextTokenCount")))
    return Answered(
        output=said if said else {key: each for key, each in given.items() if key != METRICS} or None,
        finish_raw=raw,
        finish=finish_of(raw, _FINISHES),
        tokens_in=whole(given.get("prompt_token_count")) or whole(given.get("inputTextTokenCount")),
        tokens_out=whole(given.get("generation_token_count")),
    )


def _plain(given: dict[str, Json]) -> tuple[str, str]:
    """The one text of an answer, and why it ended."""
    lists = (tables(given.get(key)) for key in ("results", "outputs", "generations"))
    for entry in (given, *(each for listed in lists for each in listed)):
        for key in ("generation", "outputText", "text", "completion"):
            if text(entry.get(key)):
                raw = next(
                    (
                        text(entry[name])
                        for name in ("stop_reason", "completionReason", "finish_reason")
                        if text(entry.get(name))
                    ),
                    "",
                )
                return text(entry[key]), raw
    return "", ""


class InvokeAssembler:
    """A streamed answer: its chunks, opened and given to the format of the model."""

    def __init__(self, room: Room, model: str) -> None:
        self._inner = _inner(room, model)
        self._metrics: dict[str, Json] = {}
        self._error: dict[str, Json] = {}

    @property
    def first_output(self) -> bool:
        """Whether a token has come."""
        return self._inner.first_output

    @property
    def is_done(self) -> bool:
        """Whether the stream said that it was at its end."""
        return self._inner.is_done

    def take(self, event: str, value: Json) -> None:
        """One event."""
        data = table(value)
        if event.endswith("Exception"):
            self._error = {"type": event[:1].upper() + event[1:], "message": data.get("message")}
            return
        try:
            opened = load(base64.b64decode(text(data.get("bytes")), validate=True))
        except (binascii.Error, ValueError):
            return
        inner = table(opened)
        if METRICS in inner:
            self._metrics = table(inner[METRICS])
        name = next(iter(inner), "")
        # Nova wraps each event in its name.
        if isinstance(self._inner, bedrock_converse.ConverseAssembler):
            self._inner.take(name, inner.get(name))
        else:
            self._inner.take("", inner)

    def body(self) -> Json:
        """The answer so far."""
        body = dict(table(self._inner.body()))
        if self._metrics:
            body[METRICS] = self._metrics
        if self._error:
            body["error"] = self._error
        return body


class _PlainAssembler:
    """Chunks of one text, or of a chat completion; told by what the first one holds."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._chat: openai_chat.ChatAssembler | None = None
        self._text = Pieces(room)
        self._raw = ""
        self._others: list[Json] = []
        self.first_output = False
        self.is_done = False

    def take(self, event: str, value: Json) -> None:
        """One chunk."""
        chunk = table(value)
        if self._chat is None and any("delta" in each for each in tables(chunk.get("choices"))):
            self._chat = openai_chat.ChatAssembler(self._room)
        if self._chat is not None:
            self._chat.take("", chunk)
            self.first_output, self.is_done = self._chat.first_output, self._chat.is_done
            return
        said, raw = _plain(chunk)
        self._raw = raw or self._raw
        self.is_done = self.is_done or bool(raw)
        if said:
            self.first_output = True
            self._text.add(said)
        elif set(chunk) - {METRICS} and len(self._others) < BLOCKS_MAX and self._room.take(dump(chunk)):
            self._others.append(chunk)

    def body(self) -> Json:
        """The answer so far."""
        if self._chat is not None:
            return self._chat.body()
        if not self._text.is_empty:
            return {"text": self._text.text(), "finish_reason": self._raw}
        return {"chunks": self._others} if self._others else {}


def _inner(room: Room, model: str) -> Assembler:
    kinds: tuple[tuple[str, Callable[[Room], Assembler]], ...] = (
        ("anthropic", anthropic_messages.MessageAssembler),
        ("amazon.nova", bedrock_converse.ConverseAssembler),
    )
    return next((make(room) for mark, make in kinds if mark in model), None) or _PlainAssembler(room)
