"""The calls that answers asked for, until a tool runs.

Each story (a session, an agent, whoever acts) has a book of its own that its blocks inside share, because call ids are
unique only as far as a vendor makes them so. A tool is joined to the request that asked for it

- by the call id it is run under (`Ledger.answering`, or the argument `call_id`): observed;
- else, if exactly one call of its name has been asked for and not been taken up yet: inferred, and said to be.

Outside of any story a request leaves its calls to what runs after it in the same context: a book that is replaced, not
changed, so that tasks beside each other never find each other's.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

CALLS_MAX = 256
"""A book keeps so many; the oldest are forgotten first."""


@dataclass(slots=True, eq=False)
class AskedCall:
    """A call that the answer to the request `event_id` asked for. `said`: the text beside it. `taken`: it ran."""

    event_id: bytes
    call_id: str
    tool: str
    said: str | None = None
    taken: bool = False


@dataclass(slots=True, eq=False)
class Book:
    """The calls asked for in one story; looks into the book of the story around it too."""

    outer: Book | None = None
    _calls: OrderedDict[tuple[str, str], AskedCall] = field(default_factory=OrderedDict)

    def note(self, call: AskedCall) -> None:
        """An answer asked for this."""
        calls = self._calls
        calls[call.call_id, call.tool] = call
        calls.move_to_end((call.call_id, call.tool))
        while len(calls) > CALLS_MAX:
            try:
                calls.popitem(last=False)
            except KeyError:
                # Another thread was quicker.
                break

    def by_id(self, call_id: str) -> AskedCall | None:
        """The newest call of this id."""
        for call in reversed(self._now()):
            if call.call_id == call_id:
                return call
        return self.outer.by_id(call_id) if self.outer is not None else None

    def by_tool(self, tool: str) -> AskedCall | None:
        """The only call of this tool that was asked for and is not taken up; None when there are none or several."""
        found = [call for call in self._now() if call.tool == tool and not call.taken]
        if not found and self.outer is not None:
            return self.outer.by_tool(tool)
        return found[0] if len(found) == 1 else None

    def with_(self, calls: list[AskedCall]) -> Book:
        """Another book, with these besides."""
        book = Book(self.outer, OrderedDict(((each.call_id, each.tool), each) for each in self._now()))
        for call in calls:
            book.note(call)
        return book

    def _now(self) -> list[AskedCall]:
        # One C call: threads may note meanwhile.
        return list(self._calls.values())
