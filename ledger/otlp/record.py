"""A span or log record as its mapping sees it, and what was found in it: the one form between all conventions.

`Record` is what came: attributes as plain values, times, status, events. `Found` is what it says in the ledger's own
words: values under the paths of the event's fields (`request.vendor`, `actor.agent`, `story.session_id`; `user` and
`subjects` for persons), each once. Who comes first decides: conventions are asked in the order of their precedence, and
a path that is taken stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    heads: frozenset[str]
    name: str = ""
    is_client: bool = False
    start_ns: int = 0
    end_ns: int = 0
    failed: bool = False
    ok: bool = False
    status_message: str = ""
    events: tuple[SpanEvent, ...] = ()
    too_deep: tuple[str, ...] = ()
    dropped: int = 0

    def under(self, prefix: str) -> Iterator[tuple[str, Value]]:
        """Attributes whose key begins with this, the prefix taken off."""
        for key, value in self.attributes.items():
            if key.startswith(prefix):
                yield key[len(prefix) :], value


@dataclass(slots=True)
class Found:
    """What a record says. `derived`: the paths that were inferred. `misfits`: what could not stand where it belongs, by
    attribute; `partial`: contents of which the exporter may have dropped parts. `used`: attributes that were taken, or
    say what was taken already; `used_under`: all of those that begin so."""

    kind: Kind
    values: dict[str, Value] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    derived: set[str] = field(default_factory=set)
    partial: set[str] = field(default_factory=set)
    misfits: dict[str, Value] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    used_under: set[str] = field(default_factory=set)

    def give(self, path: str, value: Value, source: str = "", *, derived: bool = False) -> bool:
        """Notes a value, unless there is one. True when it was taken, or there was the same."""
        if value is None:
            return False
        if path in self.values:
            return bool(self.values[path] == value)
        self.values[path] = value
        if source:
            self.sources[path] = source
        if derived:
            self.derived.add(path)
        return True

    def says(self, path: str) -> bool:
        """Whether there is a value."""
        return path in self.values

    def was_used(self, attribute: str) -> bool:
        """Whether what an attribute says stands in the event."""
        return attribute in self.used or attribute.startswith(tuple(self.used_under))
