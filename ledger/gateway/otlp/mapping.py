"""From one tenant's readable request to events, by `ledger.otlp`; a fault of the mapping costs one record, not all.

Records are mapped together, since they tell of each other (a tool's run and the request that asked for it). Only when
that raises what it never should are they mapped one by one, to find the record that does it: that one is refused with
the fault's id, the others are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ledger.gateway.faults import report_fault
from ledger.gateway.otlp.reading import ForTenant, Refusals
from ledger.gateway.otlp.signals import Signal
from ledger.otlp import Mapped, MappingOptions


@dataclass(slots=True)
class Events:
    """Events as bytes, and of which records each is, by their ordinals; how many records were about something else."""

    events: list[bytes] = field(default_factory=list)
    records: list[tuple[int, ...]] = field(default_factory=list)
    ignored: int = 0


def to_events(signal: Signal, own: ForTenant, tenant: str, options: MappingOptions, refused: Refusals) -> Events:
    """The events of a tenant's records; what is refused of them is added to `refused`."""
    made = Events()
    try:
        _take(signal.map(own.request, tenant, options), own.ordinals, made, refused)
    except Exception as error:
        report_fault(error, f"mapping {len(own.ordinals)} records of {signal.name}; they are mapped one by one")
        made = Events()
        for ordinal, alone in zip(own.ordinals, _one_by_one(signal, own.request), strict=True):
            try:
                _take(signal.map(alone, tenant, options), [ordinal], made, refused)
            except Exception as fault:
                refused.one[ordinal] = f"internal error {report_fault(fault, f'mapping a record of {signal.name}')}"
    return made


def _take(mapped: Mapped, ordinals: list[int], made: Events, refused: Refusals) -> None:
    events = [each.event.SerializeToString() for each in mapped.events]
    records = [tuple(ordinals[ordinal] for ordinal in (each.ordinal, *each.others)) for each in mapped.events]
    made.events += events
    made.records += records
    made.ignored += mapped.ignored
    for each in mapped.refused:
        refused.one[ordinals[each.ordinal]] = each.reason


def _one_by_one(signal: Signal, request: Any) -> Iterator[Any]:
    """A request for each record, in their order."""
    for resource in getattr(request, signal.resources):
        for scope in getattr(resource, signal.scopes):
            for record in getattr(scope, signal.records):
                alone = signal.request()
                under = getattr(alone, signal.resources).add(resource=resource.resource, schema_url=resource.schema_url)
                within = getattr(under, signal.scopes).add(scope=scope.scope, schema_url=scope.schema_url)
                getattr(within, signal.records).append(record)
                yield alone
