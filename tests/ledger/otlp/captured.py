"""What real instrumentation exported (fixtures/), and what the mapping makes of it (expected/).

python -m tests.ledger.otlp.captured    write expected/ anew; read the difference before it is committed
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict

from ledger.otlp import Mapped, event_id_of, map_logs, map_traces
from ledger.otlp.json_form import LOGS, SPANS, logs_from_json, traces_from_json
from ledger.v1 import event_pb2 as pb

FOLDER = Path(__file__).parent / "fixtures"
EXPECTED = Path(__file__).parent / "expected"
NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))
TENANT = "acme"


def mapped(name: str) -> list[Mapped]:
    """What becomes of each export of a fixture."""
    found = []
    for line in (FOLDER / f"{name}.jsonl").read_text("utf-8").splitlines():
        value = json.loads(line)
        if SPANS in value:
            found.append(map_traces(traces_from_json(value), TENANT))
        if LOGS in value:
            found.append(map_logs(logs_from_json(value), TENANT))
    return found


def events(name: str) -> list[pb.Event]:
    """The events of a fixture, in order."""
    return [each.event for one in mapped(name) for each in one.events]


def requests(name: str) -> list[pb.Event]:
    """The requests of a fixture that amend nothing, in the order in which they began."""
    found = [event for event in events(name) if event.HasField("request") and not event.amends_event_id]
    return sorted(found, key=lambda event: event.occurred_at.ToNanoseconds())


def told(name: str) -> str:
    """The events of a fixture, one a line; ids are numbered in the order in which they come."""
    numbers: dict[bytes, str] = {}
    for event in events(name):
        for story in (event.event_id, event_id_of(TENANT, event.story.trace_id, event.story.span_id)):
            numbers.setdefault(story, f"event {len(numbers) + 1}")
    lines = []
    for event in events(name):
        value = MessageToDict(event, preserving_proto_field_name=True)
        for path in (("event_id",), ("amends_event_id",), ("story", "parent_event_id")):
            _number(value, path, event, numbers)
        _number(value, ("tool_call", "requested_by_event_id"), event, numbers)
        for name_ in ("trace_id", "span_id", "correlation_id"):
            value["story"].pop(name_, None)
        if "story.session_id" in event.derived_fields:
            value["story"].pop("session_id")
        lines.append(json.dumps(value, ensure_ascii=False, sort_keys=True))
    return "\n".join(lines) + "\n"


def _number(value: dict[str, Any], path: tuple[str, ...], event: pb.Event, numbers: dict[bytes, str]) -> None:
    message: Any = event
    for name in path[:-1]:
        message, value = getattr(message, name), value.get(name, {})
    if path[-1] in value:
        value[path[-1]] = numbers[getattr(message, path[-1])]


if __name__ == "__main__":
    EXPECTED.mkdir(exist_ok=True)
    for each in NAMES:
        (EXPECTED / f"{each}.jsonl").write_text(told(each), "utf-8")
