"""OpenAI's older completions, and embeddings.

    POST .../completions   {"model", "prompt", ...}   {"id", "model", "choices": [{"text", "finish_reason"}], "usage"}
    POST .../embeddings    {"model", "input"}         {"model", "data": [{"embedding"}], "usage"}

Of an embedding nothing is kept as output: the vectors are derived from the input, and large.
"""

from __future__ import annotations

from ledger.vendors.assembling import kept_at
from ledger.vendors.exchange import Answered, Asked, finish_of
from ledger.vendors.json_values import Json, flag, number, signed, table, tables, text, whole
from ledger.vendors.openai_chat import FINISHES, numbers_of, tokens_of, user_of
from ledger.vendors.pieces import Pieces, Room

_NUMBERS = ("frequency_penalty", "presence_penalty", "n", "best_of", "logprobs", "top_k", "min_p")


def asked(body: Json) -> Asked:
    """What the body of a request for a completion says."""
    body = table(body)
    return Asked(
        operation="completion",
        model=text(body.get("model")),
        streamed=flag(body.get("stream")) or False,
        input=body.get("prompt"),
        temperature=number(body.get("temperature")),
        top_p=number(body.get("top_p")),
        tokens_max=whole(body.get("max_tokens")),
        seed=signed(body.get("seed")),
        parameters=numbers_of(body, _NUMBERS),
        **user_of(body),
    )


def answered(body: Json) -> Answered:
    """What the body of a completion says."""
    body = table(body)
    choices = tables(body.get("choices"))
    texts = [text(each.get("text")) for each in choices]
    finish = next((text(each.get("finish_reason")) for each in choices), "")
    return Answered(
        model=text(body.get("model")),
        response_id=text(body.get("id")),
        output=texts[0] if len(texts) == 1 else texts or None,
        finish_raw=finish,
        finish=finish_of(finish, FINISHES),
        **tokens_of(table(body.get("usage"))),
    )


def embedding_asked(body: Json) -> Asked:
    """What the body of a request for embeddings says."""
    body = table(body)
    return Asked(
        operation="embedding",
        model=text(body.get("model")),
        streamed=False,
        input=body.get("input"),
        parameters=numbers_of(body, ("dimensions",)),
        **user_of(body),
    )


def embedding_answered(body: Json) -> Answered:
    """What the body of an answer with embeddings says."""
    body = table(body)
    return Answered(model=text(body.get("model")), **tokens_of(table(body.get("usage"))))


class CompletionAssembler:
    """A streamed completion."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._head: dict[str, Json] = {}
        self._texts: dict[int, Pieces] = {}
        self._finishes: dict[int, Json] = {}
        self.first_output = False
        self.is_done = False

    def take(self, event: str, value: Json) -> None:
        """One chunk."""
        chunk = table(value)
        for key in ("id", "model", "usage", "error"):
            if chunk.get(key) not in (None, ""):
                self._head[key] = chunk[key]
        for given in tables(chunk.get("choices")):
            at = whole(given.get("index")) or 0
            pieces = kept_at(self._texts, at, Pieces(self._room), self._room)
            if pieces is None:
                continue
            pieces.add(text(given.get("text")))
            self.first_output = self.first_output or not pieces.is_empty
            if given.get("finish_reason") is not None:
                self._finishes[at] = given["finish_reason"]
                self.is_done = True

    def body(self) -> Json:
        """The completion so far."""
        choices = [
            {"index": at, "text": self._texts[at].text(), "finish_reason": self._finishes.get(at)}
            for at in sorted(self._texts)
        ]
        return {**self._head, "choices": choices}
