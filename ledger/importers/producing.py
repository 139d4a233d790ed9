"""What every imported event says of where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ledger.importers.values import content_of
from ledger.v1 import event_pb2 as pb
from ledger.vendors.exchange import Answered, Asked
from ledger.vendors.fields import answered_fields, asked_fields

CONTENTS = frozenset({"system_instructions", "input", "variables", "tool_definitions", "output", "reasoning"})


def imported(events: Iterable[pb.Event], service: str) -> Iterator[pb.Event]:
    """The events, with their producer: an importer, which numbers nothing: the source is complete by itself, or not."""
    for event in events:
        event.producer.Clear()
        event.producer.service = service
        event.producer.instance = "import"
        event.producer.capture_path = pb.CAPTURE_PATH_IMPORTER
        if event.classification == pb.CLASSIFICATION_UNSPECIFIED:
            event.classification = pb.CLASSIFICATION_CONFIDENTIAL
        yield event


def exchange_fields(asked: Asked, answered: Answered, *, truncated: bool = False) -> dict[str, Any]:
    """Arguments of `ledger.client.request` of a vendor's bodies, contents in one form for equal values."""
    fields: dict[str, Any] = {**asked_fields(asked), **answered_fields(answered)}
    return {**fields, **contents(fields, truncated=truncated)}


def contents(fields: Mapping[str, Any], *, truncated: bool = False) -> dict[str, pb.Content | None]:
    """The contents among the fields."""
    return {name: content_of(fields[name], truncated=truncated) for name in CONTENTS & fields.keys()}
