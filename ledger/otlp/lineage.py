"""What the spans of one export tell about each other: ancestors, the same call seen twice, tools and who asked for
them.

Only what is in the same export is known; an export that is retried is the same export, so its events are the same.

- **Inherited**: user, session, subjects, agent, purpose and the like that a span does not carry are those of its
  nearest ancestor that does, whatever that is: often only the root knows for whom all this happens. The event marks
  them as derived.
- **Parent**: the nearest ancestor that is an event itself. Of a parent that is not in the export nobody knows whether
  it will be an event, so none is named.
- **Seen twice**: a model's call inside a model's call, or a tool's run inside a run of the same tool, is the same thing
  seen by a second instrumentation (a framework's and a client's, say), unless their ids say otherwise. Of several
  inside the same, those that were over before the last began are tries of their own. So is an answer with the same id
  of the same vendor whose span's time lies inside another's, though the two are of different traces. Its event amends
  the outer one, so that both are one step; this is marked as derived.
- **Asked for**: a run of a tool names the request whose answer asked for it, found by the call's id. A run without id
  is paired with an answer of its parent, or of an earlier child of the same parent, by the tool's name and in order:
  then call id and request are marked as derived (`asked_tools` has the forms of answers). What was asked for and never
  ran is no event.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ledger.otlp.asked_tools import Asked, asked_tools
from ledger.otlp.record import Found, Record
from ledger.otlp.values import Value
from ledger.v1 import event_pb2 as pb

SpanKey = tuple[bytes, bytes]
"""Trace id and span id."""

ANCESTORS_MAX = 256
ASKED_MAX = 256
"""Calls of one answer that are paired."""

BESIDE_MAX = 64
"""Requests beside a run that are asked whether it is theirs."""

INHERITED = (
    *("user", "subjects", "story.session_id", "story.correlation_id", "actor.agent", "actor.agent_version"),
    *("actor.role", "actor.grant_id", "actor.grant_scope", "actor.credential_id"),
    *("purpose.ai_system_id", "purpose.use_case_id", "purpose.purpose", "classification"),
)
NEVER_NESTED = frozenset(
    {
        pb.AI_OPERATION_CHAT,
        pb.AI_OPERATION_COMPLETION,
        pb.AI_OPERATION_EMBEDDING,
        pb.AI_OPERATION_RERANK,
        pb.AI_OPERATION_IMAGE,
        pb.AI_OPERATION_SPEECH,
        pb.AI_OPERATION_TRANSCRIPTION,
        pb.AI_OPERATION_MODERATION,
    }
)
"""Operations that hold no other call of a model: one inside is the same call."""


@dataclass(slots=True)
class Node:
    """A span of an export, with what it says by itself. `event_id` is None where it becomes no event."""

    key: SpanKey
    parent: bytes
    record: Record
    found: Found
    event_id: bytes | None = None
    amends: bytes | None = None
    parent_event: bytes | None = None


class Handed(NamedTuple):
    """What a span hands down to those below it: inherited values with their sources, by path; the nearest event."""

    values: Mapping[str, tuple[Value, str]]
    event: Node | None


NOTHING = Handed({}, None)


class Lineage:
    """The spans of one export. `find` gives the span of these ids, None where it is not in the export."""

    def __init__(self, events: Sequence[Node], find: Callable[[SpanKey], Node | None]) -> None:
        self._events = events
        self._find = find
        self._handed: dict[SpanKey, Handed] = {}

    def connect(self) -> None:
        """Adds to each span that becomes an event what the others tell of it."""
        # What is handed down is what spans say themselves: known of all before anything is added to any.
        above = [self.above(node) for node in self._events]
        inside: dict[SpanKey, tuple[Node, list[Node]]] = {}
        for node, handed in zip(self._events, above, strict=True):
            for path, (value, source) in handed.values.items():
                node.found.give(path, value, source, derived=True)
            if handed.event is not None:
                node.parent_event = handed.event.event_id
                if _same_call(node, handed.event):
                    inside.setdefault(handed.event.key, (handed.event, []))[1].append(node)
        for outer, nodes in inside.values():
            for node in _last_try(nodes):
                if outer.amends != node.event_id:
                    node.amends = outer.event_id
                    node.found.derived.add("amends_event_id")
        self._join_answers()
        self._pair()

    def above(self, node: Node) -> Handed:
        """What the spans above this one hand down to it. Each span is walked once, however long the chain."""
        if not node.parent:
            return NOTHING
        chain: list[Node] = []
        key = (node.key[0], node.parent)
        seen: set[SpanKey] = set()
        while key not in self._handed and key not in seen:
            seen.add(key)
            found = self._find(key)
            if found is None:
                break
            chain.append(found)
            key = (key[0], found.parent)
        handed = self._handed.get(key, NOTHING)
        for each in reversed(chain):
            own = {
                path: (each.found.values[path], each.found.sources.get(path, ""))
                for path in INHERITED
                if path in each.found.values
            }
            handed = Handed({**handed.values, **own}, each if each.event_id is not None else handed.event)
            self._handed[each.key] = handed
        if handed.event is not None and handed.event.key == node.key:
            return Handed(handed.values, None)
        return handed

    def ancestors(self, node: Node) -> Iterator[Node]:
        """The span's parent, its parent, ... as far as they are here, and no further than `ANCESTORS_MAX`."""
        seen = {node.key}
        while node.parent and len(seen) <= ANCESTORS_MAX:
            parent = self._find((node.key[0], node.parent))
            if parent is None or parent.key in seen:
                return
            seen.add(parent.key)
            yield parent
            node = parent

    def _join_answers(self) -> None:
        """The same answer of the same vendor, one span's time inside the other's: seen twice, though in two traces."""
        by_answer: dict[tuple[object, object], list[Node]] = {}
        for node in self._events:
            answer = node.found.values.get("request.provider_request_id")
            if answer is not None and node.amends is None and _never_nested(node.found.values):
                by_answer.setdefault((node.found.values.get("request.vendor"), answer), []).append(node)
        for nodes in by_answer.values():
            nodes.sort(key=lambda node: (node.record.start_ns, -node.record.end_ns))
            outer = nodes[0]
            for node in nodes[1:]:
                if node.key == outer.key:  # the same span twice
                    continue
                if outer.record.start_ns > 0 and node.record.end_ns <= outer.record.end_ns:
                    node.amends = outer.event_id
                    node.found.derived.add("amends_event_id")
                else:
                    outer = node

    def _pair(self) -> None:
        runs = [node for node in self._events if node.found.kind == "tool_call" and node.amends is None]
        if not runs:
            return
        asking = [node for node in self._events if node.found.kind == "request" and node.amends is None]
        requests = _Requests(sorted(asking, key=lambda node: node.record.start_ns))
        for run in sorted(runs, key=lambda node: node.record.start_ns):
            call_id = run.found.values.get("tool_call.call_id")
            if call_id is not None:
                request = requests.that_asked(run.key[0], call_id)
                if request is not None:
                    run.found.give("tool_call.requested_by_event_id", request.event_id)
                continue
            tool = run.found.values.get("tool_call.tool")
            for request in requests.near(run, [each.key for each in self.ancestors(run)]):
                asked = requests.next_of(request, tool)
                if asked is not None:
                    run.found.give("tool_call.requested_by_event_id", request.event_id, derived=True)
                    run.found.give("tool_call.call_id", asked.call_id, derived=True)
                    break


class _Requests:
    """The requests of an export, in the order in which they began, and the calls in their answers not yet run."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._by_key: dict[SpanKey, Node] = {}
        self._under: dict[SpanKey, list[Node]] = {}
        self._by_call: dict[tuple[bytes, str], Node] = {}
        self._waiting: dict[tuple[SpanKey, str], deque[Asked]] = {}
        self._ran: set[tuple[SpanKey, str]] = set()
        for node in nodes:
            self._by_key.setdefault(node.key, node)
            if node.parent:
                self._under.setdefault((node.key[0], node.parent), []).append(node)
            for asked in asked_tools(node.found.values.get("request.output"))[:ASKED_MAX]:
                if asked.call_id:
                    self._by_call.setdefault((node.key[0], asked.call_id), node)
                if asked.tool:
                    self._waiting.setdefault((node.key, asked.tool), deque()).append(asked)

    def that_asked(self, trace_id: bytes, call_id: str) -> Node | None:
        """The first request of the trace whose answer has this call, which has run now."""
        node = self._by_call.get((trace_id, call_id))
        if node is not None:
            self._ran.add((node.key, call_id))
        return node

    def near(self, run: Node, above: Sequence[SpanKey]) -> Iterator[Node]:
        """The requests above a run, then those beside it that began before it, the latest first."""
        for key in above:
            if key in self._by_key:
                yield self._by_key[key]
        beside = self._under.get((run.key[0], run.parent), []) if run.parent else []
        earlier = bisect_right(beside, run.record.start_ns, key=lambda node: node.record.start_ns)
        yield from reversed(beside[max(earlier - BESIDE_MAX, 0) : earlier])

    def next_of(self, request: Node, tool: str | None) -> Asked | None:
        """The first call of the tool in the request's answer that has not run yet; it has now."""
        waiting = self._waiting.get((request.key, tool or ""))
        while waiting:
            asked = waiting.popleft()
            if asked.call_id is None or (request.key, asked.call_id) not in self._ran:
                return asked
        return None


def _last_try(nodes: Sequence[Node]) -> Iterator[Node]:
    """Without those that were over when the last of them began."""
    last = max(nodes, key=lambda node: node.record.start_ns)
    for node in nodes:
        if node is last or not 0 < node.record.end_ns <= last.record.start_ns:
            yield node


def _same_call(inner: Node, outer: Node) -> bool:
    if inner.found.kind != outer.found.kind:
        return False
    mine, other = inner.found.values, outer.found.values
    if inner.found.kind == "tool_call":
        same_tool = bool(mine.get("tool_call.tool") == other.get("tool_call.tool"))
        return same_tool and _agree(mine, other, "tool_call.call_id")
    return _never_nested(mine) and _never_nested(other) and _agree(mine, other, "request.provider_request_id")


def _never_nested(values: Mapping[str, object]) -> bool:
    operation = values.get("request.operation")
    return operation is None or operation in NEVER_NESTED


def _agree(mine: Mapping[str, object], other: Mapping[str, object], path: str) -> bool:
    """Whether two records don't contradict each other in a field."""
    return mine.get(path) is None or other.get(path) is None or mine[path] == other[path]
