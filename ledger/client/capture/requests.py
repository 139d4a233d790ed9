"""A call of a model: `with ledger.request(vendor=..., model=...) as asked: ... asked.answered(...)`.

One event, emitted when the block ends, that says when it began and how long it took; with `started=True` two, joined by
an operation id, so that a call which never came back is seen. An exception that ends the block is the call's error.

As a decorator of the function that calls the model, the arguments become the input and what is returned the output,
unless `answered` said otherwise inside (`ledger.running_request()`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, Unpack

from ledger.client.capture.around import Addition
from ledger.client.capture.asked import AskedCall, Book
from ledger.client.capture.building import check_names
from ledger.client.capture.describe import describe
from ledger.client.capture.finish import answer_message, calls_of, finish_fields
from ledger.client.capture.lifecycle import EventRun, arguments_of, error_fields
from ledger.client.capture.scope import Plan, Run
from ledger.client.fields import RequestFields

Chunk = TypeVar("Chunk")


class Request:
    """What a request's block is given to say what came of it. Safe to use from several threads of one call."""

    __slots__ = ("_run",)

    def __init__(self, run: RequestRun) -> None:
        self._run = run

    @property
    def event_id(self) -> bytes:
        """The id of the request's event, 16 bytes."""
        return self._run.event_id

    def answered(
        self,
        *,
        model: str | None = None,
        tool_calls: Iterable[Any] = (),
        **fields: Unpack[RequestFields],
    ) -> None:
        """What came back: `output`, `tokens_in`, `tokens_out` and any other field of the request's event.

        `model`: the pinned version that answered. `finish_reason`: as the vendor says it. `tool_calls`: the calls that
        the answer asks for, as the vendor's client gives them; a tool that runs afterwards is joined to them.
        """
        self._run.ledger.guard(lambda: self._run.answered(model, tool_calls, fields))

    def add(self, **fields: Unpack[RequestFields]) -> None:
        """Further fields of the request's event, such as `retrieved`, `guardrails`, `region`."""
        self._run.ledger.guard(lambda: self._run.add(fields))

    def retrieved(self, *documents: Mapping[str, Any]) -> None:
        """Documents put into the context, each as `RetrievedDocument` has it; the text and the id are contents."""
        self._run.ledger.guard(lambda: self._run.retrieve(documents))

    def failed(self, error: BaseException) -> None:
        """The call failed, with an exception that does not leave the block."""
        self._run.ledger.guard(lambda: self._run.add(error_fields(error)))

    def first_token(self) -> None:
        """The first piece of a streamed answer is here."""
        self._run.ledger.guard(self._run.first_token)

    def stream(self, chunks: Iterable[Chunk], text: Callable[[Chunk], str | None] | None = None) -> Iterator[Chunk]:
        """The chunks of a streamed answer, unchanged; notes the time to the first.

        `text` gives a chunk's piece of the output; by default, chunks that are texts are. The output is what was
        streamed, also when the consumer stops early, unless `answered` says another.
        """
        self._run.ledger.guard(self._run.streams)
        for chunk in chunks:
            self._run.take_chunk(chunk, text)
            yield chunk

    async def stream_async(
        self, chunks: AsyncIterable[Chunk], text: Callable[[Chunk], str | None] | None = None
    ) -> AsyncIterator[Chunk]:
        """`stream` for `async for`."""
        self._run.ledger.guard(self._run.streams)
        async for chunk in chunks:
            self._run.take_chunk(chunk, text)
            yield chunk


class RequestRun(EventRun):
    """One call of a model."""

    kind = "request"
    kept = ("operation", "vendor", "model_requested")

    def __init__(self, plan: RequestPlan, function: Callable[..., Any] | None = None, arguments: Any = None) -> None:
        super().__init__(plan.ledger, plan.fields, plan.phases)
        self._function = function
        self._arguments = arguments
        self._streamed: list[str] = []
        self._yielded: list[Any] = []
        self.handle = Request(self)

    def addition(self) -> Addition:
        return Addition(event_id=self.event_id, work=True, running=self.handle)

    def started(self) -> None:
        self.ledger.guard(self._take_arguments)
        super().started()

    def _take_arguments(self) -> None:
        if self._function is not None and "input" not in self.given:
            self.given["input"] = arguments_of(self._function, self._arguments)
        self._arguments = None

    def ended(self, error: BaseException | None) -> None:
        if "output" not in self.given and (self._streamed or self._yielded):
            self.given["output"] = "".join(self._streamed) if self._streamed else describe(self._yielded)
        if error is not None and not (isinstance(error, GeneratorExit)):
            self.add(error_fields(error))
        self.finish(error)

    def returned(self, value: Any) -> None:
        if value is not None and "output" not in self.given:
            self.given["output"] = value if isinstance(value, str) else describe(value)

    def yielded(self, value: Any) -> None:
        self.streams()
        self.take_chunk(value, None)
        if not isinstance(value, str) and len(self._yielded) < 1_000:
            self._yielded.append(value)

    def answered(self, model: str | None, tool_calls: Iterable[Any], fields: Mapping[str, Any]) -> None:
        """See `Request.answered`."""
        calls, output = calls_of(tool_calls), fields.get("output")
        more = {"model_answered": model, "output": answer_message(output, calls)}
        more.update(finish_fields(fields.get("finish_reason")))
        self.add({**fields, **{name: value for name, value in more.items() if value is not None}})
        said = output if isinstance(output, str) else None
        asked = [AskedCall(self.event_id, each.call_id, each.tool, said) for each in calls]
        if asked:
            self._leave_calls(asked)

    def _leave_calls(self, asked: list[AskedCall]) -> None:
        ambience, around = self.ledger.ambience, self.around
        book = around.book if around is not None else None
        if book is not None:
            for each in asked:
                book.note(each)
        else:
            ambience.leave_calls((ambience.book(None) or Book()).with_(asked))

    def retrieve(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """See `Request.retrieved`."""
        self.given["retrieved"] = [*self.given.get("retrieved", ()), *documents]

    def streams(self) -> None:
        """The answer comes in pieces."""
        self.given.setdefault("streamed", True)

    def first_token(self) -> None:
        """See `Request.first_token`."""
        self.given.setdefault("time_to_first_token_ms", round((time.monotonic() - self.began_at) * 1_000))

    def take_chunk(self, chunk: Any, text: Callable[[Any], str | None] | None) -> None:
        """A piece is here. Raises nothing."""

        def take() -> None:
            self.first_token()
            piece = text(chunk) if text is not None else chunk
            if isinstance(piece, str) and self.keeps(len(piece)):
                self._streamed.append(piece)

        self.ledger.guard(take)


class RequestPlan(Plan[Request]):
    """What `Ledger.request` returns."""

    def __init__(self, ledger: Any, fields: Mapping[str, Any], *, started: bool) -> None:
        super().__init__(ledger)
        check_names("request", fields)
        self.ledger = ledger
        self.fields = fields
        self.phases = started

    def run(self) -> RequestRun:
        return RequestRun(self)

    def handle(self, run: Run) -> Request:
        if not isinstance(run, RequestRun):
            raise TypeError("expected a request's run")
        return run.handle

    def run_of(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Run:
        return RequestRun(self, function, (args, kwargs))
