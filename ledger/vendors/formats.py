"""The wire formats by name: reading a request's body, reading an answer's.

    asked = read_request(route, body)
    reader = AnswerReader(route, status, headers)
    for piece, at in pieces: reader.feed(piece, at)      # bytes as they came, and when, in seconds
    answered = reader.end(whole=True)

How an answer is framed its content type says: server-sent events, AWS's event stream, else one body (of Gemini's
streaming without server-sent events, a JSON array that is taken apart as it comes). A streamed answer is put together
as it comes, so that what is held is the answer and not its frames; `first_token_at` is the time of the piece that
brought its first token.

An answer may be compressed (gzip, deflate); another encoding is not read, and the answer says so (`unreadable`).
Nothing here raises on what an answer holds. What is held is bounded: `body_bytes_max` of one body, `stream_bytes_max`
of all of a stream, `characters_max` of the texts put together; what comes behind is left out, and the answer says that
it was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from ledger.vendors import anthropic_messages, bedrock_converse, bedrock_invoke, gemini, openai_chat
from ledger.vendors import openai_completions as completions
from ledger.vendors import openai_responses as responses
from ledger.vendors.assembling import Assembler
from ledger.vendors.decompressing import Broken, decompressor
from ledger.vendors.errors import VendorError, read_error
from ledger.vendors.event_stream import BrokenStream, EventStreamReader
from ledger.vendors.exchange import Answered, Asked
from ledger.vendors.json_array import ArrayReader
from ledger.vendors.json_values import Json, load, table, text, whole
from ledger.vendors.pieces import CHARACTERS_MAX, Room
from ledger.vendors.routes import FormatName, Route
from ledger.vendors.sse import SseReader

BODY_BYTES_MAX = 32 * 1024 * 1024
STREAM_BYTES_MAX = 128 * 1024 * 1024
SSE = "text/event-stream"
EVENT_STREAM = "application/vnd.amazon.eventstream"
Frame = tuple[str, bytes]
"""The type of a streamed value, and its bytes."""


@dataclass(frozen=True, slots=True)
class Format:
    """What reads one wire format. Those of Bedrock's InvokeModel need to know the model."""

    asked: Callable[[Json, str], Asked]
    answered: Callable[[Json, str], Answered]
    assembler: Callable[[Room, str], Assembler] | None = None


def _of(
    asked: Callable[[Json], Asked],
    answered: Callable[[Json], Answered],
    assembler: Callable[[Room], Assembler] | None = None,
) -> Format:
    return Format(
        lambda body, _: asked(body),
        lambda body, _: answered(body),
        None if assembler is None else lambda room, _: assembler(room),
    )


FORMATS: dict[FormatName, Format] = {
    "openai.chat": _of(openai_chat.asked, openai_chat.answered, openai_chat.ChatAssembler),
    "openai.completions": _of(completions.asked, completions.answered, completions.CompletionAssembler),
    "openai.embeddings": _of(completions.embedding_asked, completions.embedding_answered),
    "openai.responses": _of(responses.asked, responses.answered, responses.ResponseAssembler),
    "anthropic.messages": _of(
        anthropic_messages.asked, anthropic_messages.answered, anthropic_messages.MessageAssembler
    ),
    "gemini.generate": _of(gemini.asked, gemini.answered, gemini.ContentAssembler),
    "gemini.embed": _of(gemini.embedding_asked, gemini.embedding_answered),
    "bedrock.converse": _of(bedrock_converse.asked, bedrock_converse.answered, bedrock_converse.ConverseAssembler),
    "bedrock.invoke": Format(bedrock_invoke.asked, bedrock_invoke.answered, bedrock_invoke.InvokeAssembler),
    "json": _of(
        lambda body: Asked("other", text(table(body).get("model")), input=body or None),
        lambda body: Answered(model=text(table(body).get("model")), output=body or None),
    ),
}


def read_request(route: Route, body: bytes) -> Asked:
    """What a request says. A body that is no JSON is kept as the text it is, where it is one."""
    value = load(body)
    asked = FORMATS[route.format].asked(value, route.model)
    if value is None and body:
        asked = replace(asked, input=body.decode("utf-8", "replace"))
    operation = route.operation if asked.operation in ("other", "chat") else asked.operation
    streamed = asked.streamed if route.streamed is None else route.streamed
    return replace(asked, operation=operation, model=asked.model or route.model, streamed=streamed)


class _Frames(Protocol):
    def __call__(self, piece: bytes) -> Iterator[Frame]: ...


class AnswerReader:
    """Reads one answer; see the module. Names of headers in small letters."""

    def __init__(
        self,
        route: Route,
        status: int,
        headers: Mapping[str, str],
        *,
        body_bytes_max: int = BODY_BYTES_MAX,
        stream_bytes_max: int = STREAM_BYTES_MAX,
        characters_max: int = CHARACTERS_MAX,
    ) -> None:
        self._route = route
        self._format = FORMATS[route.format]
        self._status = status
        self._headers = headers
        self._room = Room(characters_max)
        self._open = decompressor(headers.get("content-encoding", ""))
        self._body = bytearray()
        self._cut = self._broken = False
        self._assembler: Assembler | None = None
        self._frames: _Frames | None = None
        self._bytes_left = body_bytes_max
        self.first_token_at: float | None = None
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        make = self._format.assembler
        frames = _frames_of(kind, route)
        if make is not None and frames is not None and status < 400:
            self._assembler, self._frames = make(self._room, route.model), frames
            self._bytes_left = stream_bytes_max

    @property
    def unreadable(self) -> bool:
        """Whether its encoding is one that can't be read here."""
        return self._open is None

    def feed(self, piece: bytes, at: float) -> None:
        """The next bytes, which came at this time."""
        if self._open is None or self._cut or self._broken:
            return
        try:
            opened = self._open(piece, self._bytes_left + 1)
        except Broken:
            self._broken = True
            return
        if len(opened) > self._bytes_left:
            opened, self._cut = opened[: self._bytes_left], True
        self._bytes_left -= len(opened)
        if self._assembler is None or self._frames is None:
            self._body += opened
            return
        had_output = self._assembler.first_output
        try:
            for event, data in self._frames(opened):
                if data != b"[DONE]":
                    self._assembler.take(event, load(data))
        except BrokenStream:
            self._broken = True
        if self._assembler.first_output and not had_output:
            self.first_token_at = at

    def end(self, whole_body: bool) -> Answered:
        """What the answer says, of which all came, or not."""
        if self._open is None:
            return Answered(unreadable=True, partial=not whole_body)
        body = load(bytes(self._body)) if self._assembler is None else self._assembler.body()
        answered = self._format.answered(body, self._route.model)
        error = read_error(self._status, self._headers, body)
        if error is not None and not answered.error_class:
            answered = replace(
                answered,
                error_class=error.error_class,
                error_text=error.message or ("" if body is not None else self._body.decode("utf-8", "replace")),
                output=None if self._status >= 400 else answered.output,
            )
        elif body is None and self._body and answered.output is None:
            # No JSON: what came is still what came; of sound or images, that it came.
            said = _text_of(self._body)
            answered = replace(answered, unreadable=True) if said is None else replace(answered, output=said)
        done = self._assembler is None or self._assembler.is_done or answered.error_class != ""
        return replace(
            _with_headers(answered, self._headers),
            cut=self._cut or self._room.cut,
            partial=not whole_body or self._broken or not done,
        )


def _text_of(body: bytearray) -> str | None:
    """The text in UTF-8, without a character cut at the end; None where it is none."""
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        return body[: error.start].decode("utf-8") if error.start >= len(body) - 3 and error.start else None


def _frames_of(kind: str, route: Route) -> _Frames | None:
    if kind == SSE:
        sse = SseReader()
        return lambda piece: ((each.event, each.data) for each in sse.feed(piece))
    if kind == EVENT_STREAM:
        stream = EventStreamReader()
        return lambda piece: (
            (each.headers.get(":event-type") or each.headers.get(":exception-type", ""), each.payload)
            for each in stream.feed(piece)
        )
    if kind == "application/json" and route.format == "gemini.generate" and route.streamed:
        array = ArrayReader()
        return lambda piece: (("", each) for each in array.feed(piece))
    return None


_REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "x-goog-request-id")
_TOKENS = "x-amzn-bedrock-{}-token-count"


def _with_headers(answered: Answered, headers: Mapping[str, str]) -> Answered:
    """With what only headers tell: an id where the body has none, Azure's region, accounts, Bedrock's tokens."""

    def count(name: str) -> int | None:
        value = headers.get(_TOKENS.format(name), "")
        return whole(int(value)) if value.isascii() and value.isdigit() and len(value) < 19 else None

    region = headers.get("x-ms-region", "")
    request_id = next((headers[name] for name in _REQUEST_IDS if headers.get(name)), "")
    return replace(
        answered,
        response_id=answered.response_id or request_id,
        region=answered.region or region,
        region_source=answered.region_source or ("response-header" if region else ""),
        account=headers.get("openai-organization", "") or headers.get("anthropic-organization-id", ""),
        project=headers.get("openai-project", ""),
        tokens_in=count("input") if answered.tokens_in is None else answered.tokens_in,
        tokens_out=count("output") if answered.tokens_out is None else answered.tokens_out,
    )


__all__ = ["FORMATS", "AnswerReader", "Format", "VendorError", "read_request"]
