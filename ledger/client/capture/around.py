"""What is known of whoever emits here, in a context variable.

An `Around` is what one block adds to the one around it: envelope fields for every event inside, the event that events
inside have as their parent, the book of calls asked for. It is never changed, so that tasks and threads which took a
copy of the context keep what they began with.

- asyncio: a task gets the context of where it was made. A task that outlives the block it was made in still belongs to
  it.
- threads: `threading.Thread` and executors begin with an empty context. `contextvars.copy_context().run(function, ...)`
  takes it along (`asyncio.to_thread` does so by itself).
- generators share the context of whoever runs them. The decorators put their block around each step only. A `with` in
  a generator's body is seen by its consumer between two steps, and may end in another order than it began; so the end
  of a block never puts back what it found, but the innermost block that has not ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from ledger.client.capture.asked import Book

ADDED = ("subjects",)
"""Fields of lists: a block adds to what the blocks around it say."""


@dataclass(slots=True, eq=False)
class Block:
    """One entering of a block. `ended`: it was left."""

    ended: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """See the module.

    `event_id`: of the innermost event. `running`: what the innermost request or tool hands out. `call_id`: by which a
    model asked for the tool that runs next.
    """

    outer: Around | None
    block: Block
    fields: Mapping[str, Any]
    event_id: bytes | None
    book: Book | None
    running: Any = None
    call_id: str | None = None

    @property
    def open(self) -> Around | None:
        """This, or the innermost around it that has not ended."""
        found: Around | None = self
        while found is not None and found.block.ended:
            found = found.outer
        return found


@dataclass(frozen=True, slots=True)
class Addition:
    """What a block adds. `work`: it is a piece of work, which has a correlation id. `story`: it has its own book."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    event_id: bytes | None = None
    work: bool = False
    story: bool = False
    running: Any = None
    call_id: str | None = None


class Ambience:
    """The context variables of one ledger."""

    def __init__(self) -> None:
        self._now: ContextVar[Around | None] = ContextVar("ledger_around", default=None)
        self._left: ContextVar[Book | None] = ContextVar("ledger_asked", default=None)

    def now(self) -> Around | None:
        """What is around here."""
        return self._now.get()

    def inside(self, addition: Addition) -> Around:
        """What will be around inside a block; nothing is entered yet."""
        outer = self.now()
        fields = dict(outer.fields) if outer is not None else {}
        for name, value in addition.fields.items():
            if value is not None:
                fields[name] = (*fields.get(name, ()), *value) if name in ADDED else value
        if addition.work and fields.get("correlation_id") is None:
            fields["correlation_id"] = str(uuid4())
        around = self._left.get() if outer is None or outer.book is None else outer.book
        book = Book(around) if addition.story else None
        if outer is None:
            return Around(None, Block(), fields, addition.event_id, book, addition.running, addition.call_id)
        # What has an event of its own is what the call id was for: it goes no further in.
        call_id = addition.call_id or (outer.call_id if addition.event_id is None else None)
        return Around(
            outer,
            Block(),
            fields,
            addition.event_id or outer.event_id,
            book or outer.book,
            addition.running or outer.running,
            call_id,
        )

    def enter(self, around: Around) -> None:
        """The block begins."""
        self._now.set(around)

    def swap(self, around: Around | None) -> Around | None:
        """Puts this around instead of what is there, which is returned: for a step of what runs bit by bit."""
        before = self._now.get()
        self._now.set(around)
        return before

    def leave(self, around: Around) -> None:
        """The block ends, in whatever context that is."""
        around.block.ended = True
        if self._now.get() is around:
            self._now.set(around.open)

    def book(self, around: Around | None) -> Book | None:
        """Where to look for calls that were asked for."""
        return around.book if around is not None and around.book is not None else self._left.get()

    def leave_calls(self, book: Book) -> None:
        """Outside of any story: for what runs after this in the same context."""
        self._left.set(book)
