"""From a request's parts to one readable request a tenant, and what was refused on the way.

A record's *ordinal* is its position in the request as sent: resources, scopes, records in order, from 0. A resource or
scope that can't be read, or for which there is no tenant, counts with the records that are seen in it, at least as one.

At most `records_max` records are taken, and as many resources and scopes looked into; all beyond are refused.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from ledger.errors import Rejected
from ledger.gateway.otlp.parts import Group, Malformed, Parts
from ledger.gateway.otlp.signals import Signal
from ledger.gateway.otlp.tenancy import Tenancy
from ledger.identity.errors import NOT_ALLOWED, Denied


@dataclass(slots=True)
class ForTenant:
    """What can be read of a request for one tenant. `ordinals`: of its records, in their order here."""

    request: Any
    ordinals: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Refusals:
    """What is refused of a request: by ordinal why, and how many more by reasons that are about groups of records."""

    one: dict[int, str] = field(default_factory=dict)
    groups: list[tuple[int, str]] = field(default_factory=list)

    def group(self, count: int, reason: str) -> None:
        """Refuse `count` records for one reason."""
        self.groups.append((count, reason))

    @property
    def count(self) -> int:
        """How many records are refused."""
        return len(self.one) + sum(count for count, _ in self.groups)


@dataclass(slots=True)
class Read:
    """A request, read."""

    signal: Signal
    by_tenant: dict[str, ForTenant] = field(default_factory=dict)
    refused: Refusals = field(default_factory=Refusals)
    count: int = 0
    _starts: list[int] = field(default_factory=list)
    _places: list[str] = field(default_factory=list)

    def begin(self, place: str) -> None:
        """The records from here on stand in this place."""
        self._starts.append(self.count)
        self._places.append(place)

    def place(self, ordinal: int) -> str:
        """Where a record stands in the request, such as `resource_spans[0].scope_spans[2].spans[17]`."""
        at = bisect_right(self._starts, ordinal) - 1
        return f"{self._places[at]}.{self.signal.records}[{ordinal - self._starts[at]}]"


def read(signal: Signal, parts: Parts, tenancy: Tenancy, records_max: int) -> Read:
    """Read a request. `Malformed` when nothing of it can be told."""
    return _Reader(signal, parts, tenancy, records_max).read()


class _Reader:
    def __init__(self, signal: Signal, parts: Parts, tenancy: Tenancy, records_max: int) -> None:
        self._signal = signal
        self._parts = parts
        self._tenancy = tenancy
        self._records_max = records_max
        self._groups_left = records_max
        self._found = Read(signal)

    def read(self) -> Read:
        resources = self._parts.resources()
        for index, part in enumerate(self._within(resources, self._signal.resources)):
            self._resource(part, f"{self._signal.resources}[{index}]")
        return self._found

    def _within(self, members: Sequence[Any], name: str) -> Sequence[Any]:
        """Those resources or scopes that are still looked into."""
        taken = members[: self._groups_left]
        self._groups_left -= len(taken)
        if len(taken) < len(members):
            beyond = len(members) - len(taken)
            self._refuse_group(beyond, f"{beyond} further {name}: at most {self._records_max} are looked into")
        return taken

    def _resource(self, part: Any, place: str) -> None:
        try:
            group = self._parts.resource(part)
            resource = self._parts.message(Resource, group.head)
        except Malformed as error:
            self._refuse_group(1, f"{place}: {error}")
            return
        try:
            tenant = self._tenancy.tenant_of(resource)
        except (Rejected, Denied) as error:
            reason = NOT_ALLOWED if isinstance(error, Denied) else str(error)
            self._refuse_group(self._size(group), f"{place}: {reason}")
            return
        into = self._found.by_tenant.get(tenant)
        if into is None:
            into = self._found.by_tenant[tenant] = ForTenant(self._signal.request())
        made = getattr(into.request, self._signal.resources).add(resource=resource, schema_url=group.schema_url)
        for index, scope in enumerate(self._within(group.members, f"{self._signal.scopes} of {place}")):
            self._scope(scope, f"{place}.{self._signal.scopes}[{index}]", made, into)

    def _scope(self, part: Any, place: str, resource: Any, into: ForTenant) -> None:
        try:
            group = self._parts.scope(part)
            scope = self._parts.message(InstrumentationScope, group.head)
        except Malformed as error:
            self._refuse_group(1, f"{place}: {error}")
            return
        found = self._found
        found.begin(place)
        made = getattr(resource, self._signal.scopes).add(scope=scope, schema_url=group.schema_url)
        records = getattr(made, self._signal.records)
        taken = group.members[: max(self._records_max - found.count, 0)]
        for part in taken:
            try:
                record = self._parts.message(self._signal.record, part)
            except Malformed as error:
                found.refused.one[found.count] = str(error)
            else:
                records.append(record)
                into.ordinals.append(found.count)
            found.count += 1
        if len(taken) < len(group.members):
            beyond = len(group.members) - len(taken)
            self._refuse_group(beyond, f"{place}: {beyond} beyond the {self._records_max} that are taken of one export")

    def _size(self, group: Group) -> int:
        """How many records a resource has, as far as that can be seen; at least one."""
        count = 0
        for part in group.members[: self._groups_left]:
            self._groups_left -= 1
            try:
                count += len(self._parts.scope(part).members)
            except Malformed:
                count += 1
        return max(count, 1)

    def _refuse_group(self, count: int, reason: str) -> None:
        self._found.refused.group(count, reason)
        self._found.count += count
