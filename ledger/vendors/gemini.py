"""Google's generateContent, at the Gemini API and on Vertex AI.

    POST .../models/{model}:generateContent          {"contents", "systemInstruction", "tools", "generationConfig"}
    POST .../models/{model}:streamGenerateContent    the answer in pieces: with ?alt=sse as events, else one JSON array
    answer            {"candidates": [{"content": {"parts"}, "finishReason"}], "modelVersion", "responseId",
                       "usageMetadata", "promptFeedback"}

Shapes: the types of google-genai. The model stands in the path. A streamed answer's pieces are answers of their own;
put together, parts that are texts of the same kind become one. `candidatesTokenCount` leaves out thoughts, and
`promptTokenCount` what tools put into the prompt: tokens in and out are the sums.

A part `functionResponse` is a tool that the service ran. The Gemini API gives calls an id; on Vertex a call may have
none, and is told from others by its name and its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ledger.vendors.assembling import BLOCKS_MAX
from ledger.vendors.exchange import Answered, Asked, Finish, Outcome, ToolRan, finish_of, newest
from ledger.vendors.json_values import Json, number, signed, table, tables, text, total, whole
from ledger.vendors.openai_chat import numbers_of
from ledger.vendors.pieces import Pieces, Room

FINISHES: dict[str, Finish] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        (
            "SAFETY",
            "RECITATION",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "MODEL_ARMOR",
        ),
        "content_filter",
    ),
    "MALFORMED_FUNCTION_CALL": "error",
    "MALFORMED_RESPONSE": "error",
}
_NUMBERS = ("topK", "candidateCount", "presencePenalty", "frequencyPenalty", "logprobs")


def asked(body: Json) -> Asked:
    """What the body of a request says."""
    body = table(body)
    # The wire's JSON takes either spelling of a field.
    config = table(_either(body, "generationConfig", "generation_config"))
    contents = tables(body.get("contents"))
    parameters = numbers_of(config, _NUMBERS)
    budget = number(table(config.get("thinkingConfig")).get("thinkingBudget"))
    if budget is not None:
        parameters["thinking_budget_tokens"] = budget
    return Asked(
        operation="chat",
        system=_system(_either(body, "systemInstruction", "system_instruction")),
        input=contents or None,
        tools=body.get("tools") or None,
        temperature=number(config.get("temperature")),
        top_p=number(_either(config, "topP", "top_p")),
        tokens_max=whole(_either(config, "maxOutputTokens", "max_output_tokens")),
        seed=signed(config.get("seed")),
        parameters=parameters,
        tools_ran=tuple(_tools_ran(contents)),
    )


def answered(body: Json) -> Answered:
    """What the body of an answer says. Of several candidates the finish reason is the first one's."""
    body = table(body)
    candidates = tables(body.get("candidates"))
    parts = [tables(table(each.get("content")).get("parts")) for each in candidates]
    usage = table(_either(body, "usageMetadata", "usage_metadata"))
    raw = next((text(each.get("finishReason")) for each in candidates), "")
    finish = finish_of(raw, FINISHES)
    blocked = text(table(body.get("promptFeedback")).get("blockReason"))
    if blocked and not raw:
        raw, finish = blocked, "content_filter"
    if finish == "stop" and any("functionCall" in part for each in parts for part in each):
        finish = "tool_calls"
    thoughts = whole(usage.get("thoughtsTokenCount"))
    return Answered(
        model=text(body.get("modelVersion")),
        response_id=text(body.get("responseId")),
        output=_output(parts),
        reasoning="\n".join(text(part.get("text")) for each in parts for part in each if part.get("thought") is True),
        finish_raw=raw,
        finish=finish,
        tokens_in=total(whole(usage.get("promptTokenCount")), whole(usage.get("toolUsePromptTokenCount"))),
        tokens_out=total(whole(usage.get("candidatesTokenCount")), thoughts),
        tokens_cached=whole(usage.get("cachedContentTokenCount")),
        tokens_reasoning=thoughts,
        tier=text(usage.get("trafficType")),
    )


def embedding_asked(body: Json) -> Asked:
    """What the body of a request for embeddings says: one, several, or a prediction of Vertex."""
    body = table(body)
    given = body.get("content") or body.get("requests") or body.get("instances")
    return Asked(operation="embedding", streamed=False, input=given)


def embedding_answered(body: Json) -> Answered:
    """Of embeddings nothing is kept: vectors are derived from the input, and large."""
    return Answered(tokens_in=whole(table(table(body).get("usageMetadata")).get("promptTokenCount")))


def _either(body: dict[str, Json], camel: str, snake: str) -> Json:
    return body[camel] if camel in body else body.get(snake)


def _system(value: Json) -> Json:
    """One text where the instruction is nothing else."""
    parts = tables(table(value).get("parts"))
    if len(parts) == 1 and set(parts[0]) == {"text"}:
        return text(parts[0]["text"])
    return value or None


def _output(candidates: list[list[dict[str, Json]]]) -> Json:
    """One text where the answer is nothing else; the parts where it is more; a list of them for several candidates."""
    shown = [[part for part in parts if part.get("thought") is not True] for parts in candidates]
    if len(shown) != 1:
        return shown or None
    parts = shown[0]
    if parts and all(set(part) <= {"text", "thoughtSignature"} and text(part.get("text")) for part in parts):
        return "".join(part["text"] for part in parts)
    return parts or None


def _tools_ran(contents: list[dict[str, Json]]) -> Iterator[ToolRan]:
    """Calls without an id are answered in the order in which they were made."""
    by_id: dict[str, tuple[str, Json]] = {}
    waiting: list[tuple[str, Json]] = []
    new_from = newest(each.get("role") == "model" for each in contents)
    for at, content in enumerate(contents):
        for part in tables(content.get("parts")):
            call = table(part.get("functionCall") or part.get("function_call"))
            ran = table(part.get("functionResponse") or part.get("function_response"))
            if call:
                made = (text(call.get("name")), call.get("args"))
                by_id[text(call.get("id"))] = made
                waiting.append(made)
            if ran:
                name, call_id = text(ran.get("name")), text(ran.get("id"))
                made = by_id.get(call_id, ("", None)) if call_id else _first(waiting, name)
                response = ran.get("response")
                failed = isinstance(response, dict) and set(response) == {"error"}
                outcome: Outcome | None = "error" if failed else None
                yield ToolRan(call_id, name or made[0], made[1], response, outcome, is_new=at >= new_from)


def _first(waiting: list[tuple[str, Json]], name: str) -> tuple[str, Json]:
    for at, call in enumerate(waiting):
        if call[0] == name:
            return waiting.pop(at)
    return name, None


class _Candidate:
    def __init__(self) -> None:
        self.head: dict[str, Json] = {}
        self.role: Json = "model"
        self.parts: list[tuple[dict[str, Json], Pieces | None]] = []


class ContentAssembler:
    """A streamed answer."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._head: dict[str, Json] = {}
        self._candidates: dict[int, _Candidate] = {}
        self.first_output = False
        self.is_done = False

    def take(self, event: str, value: Json) -> None:
        """One piece."""
        piece = table(value)
        self._head |= {key: each for key, each in piece.items() if key != "candidates" and each is not None}
        for given in tables(piece.get("candidates")):
            at = whole(given.get("index")) or 0
            if at not in self._candidates and len(self._candidates) >= BLOCKS_MAX:
                self._room.cut = True
                continue
            candidate = self._candidates.setdefault(at, _Candidate())
            candidate.head |= {key: each for key, each in given.items() if key != "content"}
            content = table(given.get("content"))
            candidate.role = content.get("role", candidate.role)
            for part in tables(content.get("parts")):
                self._take_part(candidate, part)
            self.is_done = self.is_done or bool(text(given.get("finishReason")))

    def _take_part(self, candidate: _Candidate, part: dict[str, Json]) -> None:
        self.first_output = self.first_output or bool(text(part.get("text")) or len(part) > 1 or "text" not in part)
        rest = {key: each for key, each in part.items() if key not in ("text", "thoughtSignature")}
        if "text" in part and candidate.parts:
            last, pieces = candidate.parts[-1]
            if pieces is not None and {key: last[key] for key in last if key != "thoughtSignature"} == rest:
                pieces.add(text(part["text"]))
                if "thoughtSignature" in part:
                    last["thoughtSignature"] = part["thoughtSignature"]
                return
        if len(candidate.parts) >= BLOCKS_MAX:
            self._room.cut = True
            return
        new = None
        if "text" in part:
            new = Pieces(self._room)
            new.add(text(part["text"]))
        candidate.parts.append(({key: each for key, each in part.items() if key != "text"}, new))

    def body(self) -> Json:
        """The answer so far."""
        candidates = []
        for at in sorted(self._candidates):
            candidate = self._candidates[at]
            parts: list[dict[str, Any]] = [
                head if pieces is None else {"text": pieces.text(), **head} for head, pieces in candidate.parts
            ]
            candidates.append({**candidate.head, "content": {"parts": parts, "role": candidate.role}})
        return {**self._head, "candidates": candidates}
