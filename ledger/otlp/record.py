"""A span or log record as its mapping sees it, and what was found in it: the one form between all conventions.

`Record` is what came: attributes as plain values, times, status, events. `Found` is what it says in the ledger's own
words: values under the paths of the event's fields (`request.vendor`, `actor.agent`, `story.session_id`; `user` and
`subjects` for persons), each once. Who comes first decides: conventions are asked in the order of their precedence, and
a path that is taken stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from ledger.otlp.values import Value

Kind = Literal["request", "tool_call", "context"]
"""What a record is about: a call of a model (or of an agent), a run of a tool, or something around those."""


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """A timed note on a span, or a log record of a span: both carry the same kinds of event."""

    name: str
    time_ns: int
    attributes: Mapping[str, Value]
    body: Value = None


@dataclass(frozen=True, slots=True)
class Record:
    """What came. `heads` are the first parts of its attributes' keys: `gen_ai` of `gen_ai.request.model`.

    `start_ns`, `end_ns`: Unix nanoseconds, 0 where unknown. `failed`: its status is an error. `too_deep`: keys of
    attributes that were not read. `dropped`: attributes that its exporter says it dropped, or that were too many here.
    """

    attributes: Mapping[str, Value]
    name: str = ""
    is_client: bool = False
    start_ns: int = 0
    end_ns: int = 0
    failed: bool = False
    status_message: str = ""
    events: tuple[SpanEvent, ...] = ()
    too_deep: tuple[str, ...] = ()
    dropped: int = 0
    heads: frozenset[str] = field(default=frozenset())

    def under(self, prefix: str) -> Iterator[tuple[str, Value]]:
        """Attributes whose key begins with this, the prefix taken off."""
        for key, value in self.attributes.items():
            if key.startswith(prefix):
                yield key[len(prefix) :], value


@dataclass(slots=True)
class Found:
    """What a record says. `derived`: the paths that were inferred. `misfits`: what could not stand where it belongs, by
    attribute; `partial`: contents of which the exporter dropped parts."""

    kind: Kind
    values: dict[str, Value] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    derived: set[str] = field(default_factory=set)
    partial: set[str] = field(default_factory=set)
    misfits: dict[str, Value] = field(default_factory=dict)

    def give(self, path: str, value: Value, source: str = "", *, derived: bool = False) -> None:
        """Notes a value, unless there is one."""
        if value is None or path in self.values:
            return
        self.values[path] = value
        if source:
            self.sources[path] = source
        if derived:
            self.derived.add(path)

    def give_all(self, values: Iterable[tuple[str, Value]], source: str = "") -> None:
        """Notes each of these."""
        for path, value in values:
            self.give(path, value, source)
