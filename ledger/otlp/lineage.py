"""What the spans of one export tell about each other: ancestors, the same call seen twice, tools and who asked for
them.

Only what is in the same export is known; an export that is retried is the same export, so its events are the same.

- **Inherited**: user, session, subjects, agent, purpose and the like that a span does not carry are those of its
  nearest ancestor that does, whatever that is: often only the root knows for whom all this happens. The event marks
  them as derived.
- **Parent**: the nearest ancestor that is an event itself. Of a parent that is not in the export nobody knows whether
  it will be an event, so none is named.
- **Seen twice**: a model's call inside a model's call, or a tool's run inside a run of the same tool, is the same thing
  seen by a second instrumentation (a framework's and a client's, say). So is an answer with the same id of the same
  vendor whose span's time lies inside another's, though the two are of different traces. Its event amends the outer
  one, so that both are one step; this is marked as derived.
- **Asked for**: a run of a tool names the request whose answer asked for it, found by the call's id. A run without id
  is paired with an answer of its parent, or of an earlier child of the same parent, by the tool's name and in order:
  then call id and request are marked as derived (`asked_tools` has the forms of answers). What was asked for and never
  ran is no event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ledger.otlp.asked_tools import Asked, asked_tools
from ledger.otlp.record import Found, Record
from ledger.v1 import event_pb2 as pb

SpanKey = tuple[bytes, bytes]
"""Trace id and span id."""

ANCESTORS_MAX = 256
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
    asked: list[Asked] = field(default_factory=list)


class Lineage:
    """The spans of one export. `find` gives the span of these ids, None where it is not in the export."""

    def __init__(self, events: Sequence[Node], find: Callable[[SpanKey], Node | None]) -> None:
        self._events = events
        self._find = find

    def connect(self) -> None:
        """Adds to each span that becomes an event what the others tell of it."""
        for node in self._events:
            self._inherit(node)
            self._place(node)
        self._join_answers()
        self._pair()

    def ancestors(self, node: Node) -> Iterator[Node]:
        """The span's parent, its parent, ... as far as they are here."""
        seen = {node.key}
        while node.parent and len(seen) <= ANCESTORS_MAX:
            parent = self._find((node.key[0], node.parent))
            if parent is None or parent.key in seen:
                return
            seen.add(parent.key)
            yield parent
            node = parent

    def _inherit(self, node: Node) -> None:
        for ancestor in self.ancestors(node):
            for path in INHERITED:
                value = ancestor.found.values.get(path)
                if value is not None and path not in ancestor.found.derived:
                    node.found.give(path, value, ancestor.found.sources.get(path, ""), derived=True)

    def _place(self, node: Node) -> None:
        for ancestor in self.ancestors(node):
            if ancestor.event_id is not None:
                node.parent_event = ancestor.event_id
                if _same_call(node, ancestor):
                    node.amends = ancestor.event_id
                    node.found.derived.add("amends_event_id")
                return

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
                if outer.record.start_ns > 0 and node.record.end_ns <= outer.record.end_ns:
                    node.amends = outer.event_id
                    node.found.derived.add("amends_event_id")
                else:
                    outer = node

    def _pair(self) -> None:
        runs = [node for node in self._events if node.found.kind == "tool_call" and node.amends is None]
        if not runs:
            return
        asking = (node for node in self._events if node.found.kind == "request" and node.amends is None)
        requests = sorted(asking, key=lambda node: node.record.start_ns)
        for node in requests:
            node.asked = asked_tools(node.found.values.get("request.output"))
        by_id = {
            (node.key[0], each.call_id): node for node in reversed(requests) for each in node.asked if each.call_id
        }
        taken: set[tuple[SpanKey, int]] = set()
        for run in sorted(runs, key=lambda node: node.record.start_ns):
            call_id = run.found.values.get("tool_call.call_id")
            if call_id is None:
                self._pair_by_name(run, requests, taken)
                continue
            request = by_id.get((run.key[0], call_id))
            if request is not None:
                run.found.give("tool_call.requested_by_event_id", request.event_id)
                taken |= {(request.key, at) for at, each in enumerate(request.asked) if each.call_id == call_id}

    def _pair_by_name(self, run: Node, requests: Sequence[Node], taken: set[tuple[SpanKey, int]]) -> None:
        tool = run.found.values.get("tool_call.tool")
        above = {node.key for node in self.ancestors(run)}
        for request in reversed(requests):
            near = request.key in above or (
                request.key[0] == run.key[0]
                and request.parent == run.parent
                and bool(run.parent)
                and request.record.start_ns <= run.record.start_ns
            )
            if not near:
                continue
            for at, each in enumerate(request.asked):
                if each.tool == tool and (request.key, at) not in taken:
                    taken.add((request.key, at))
                    run.found.give("tool_call.requested_by_event_id", request.event_id, derived=True)
                    run.found.give("tool_call.call_id", each.call_id, derived=True)
                    return


def _same_call(inner: Node, outer: Node) -> bool:
    if inner.found.kind != outer.found.kind:
        return False
    mine, other = inner.found.values, outer.found.values
    if inner.found.kind == "tool_call":
        return bool(mine.get("tool_call.tool") == other.get("tool_call.tool"))
    return _never_nested(mine) and _never_nested(other) and _agree(mine, other, "request.provider_request_id")


def _never_nested(values: Mapping[str, object]) -> bool:
    operation = values.get("request.operation")
    return operation is None or operation in NEVER_NESTED


def _agree(mine: Mapping[str, object], other: Mapping[str, object], path: str) -> bool:
    """Whether two records don't contradict each other in a field."""
    return mine.get(path) is None or other.get(path) is None or mine[path] == other[path]
