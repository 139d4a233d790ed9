"""One Export, from its request's bytes to its answer.

    a worker thread: parts -> read, by tenant -> mapped -> one request or more a tenant -> the way of every Publish

It succeeds only when every event of it is durable, or refused for good. What is refused is counted and named in the
answer, by its place in the request and without anything of its content; all else of the request is kept. A request of
which nothing can be read for any tenant fails as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ledger.errors import Unavailable
from ledger.gateway.answer import REJECTED, RETRY
from ledger.gateway.callers import Identified
from ledger.gateway.metrics import GatewayMetrics
from ledger.gateway.otlp.mapping import to_events
from ledger.gateway.otlp.parts import Malformed, Parts
from ledger.gateway.otlp.reading import Read, read
from ledger.gateway.otlp.signals import Signal
from ledger.gateway.otlp.tenancy import Tenancy
from ledger.gateway.publisher import InvalidCall, Publisher, Request, UnknownTenant
from ledger.identity.errors import Denied
from ledger.otlp import MappingOptions
from ledger.tenants import Tenant
from ledger.v1 import ingest_pb2 as pb

NAMED_MAX = 10
MESSAGE_CHARACTERS_MAX = 4_000
"""What an answer tells of refused records: so many are named, in so many characters."""

CALL = "Export"


@dataclass(frozen=True, slots=True)
class ExportLimits:
    """See the settings of the same names; `tenant` is that of `otlp.tenant`."""

    tenant: str
    records_max: int
    batch_events_max: int


@dataclass(slots=True)
class _Opened:
    """What became of a request before it is published. `records`: of each request's events, the ordinals."""

    found: Read
    denied: list[Denied]
    requests: list[Request] = field(default_factory=list)
    records: list[list[tuple[int, ...]]] = field(default_factory=list)
    ignored: int = 0


class Exporter:
    """Takes exports for one gateway, on its event loop."""

    def __init__(
        self,
        publisher: Publisher,
        find_tenant: Callable[[str], Tenant | None],
        options: MappingOptions,
        limits: ExportLimits,
        metrics: GatewayMetrics,
        on_refused: Callable[[str, Denied], None],
    ) -> None:
        self._publisher = publisher
        self._find_tenant = find_tenant
        self._options = options
        self._limits = limits
        self._metrics = metrics
        self._on_refused = on_refused

    async def export(
        self,
        signal: Signal,
        size_bytes: int,
        parts: Callable[[], Parts],
        who: Identified,
        named: str | None,
        remaining_s: float | None,
    ) -> Any:
        """The answer, a message of the signal. `parts` is called in a worker thread; `named`: a tenant, by the call.

        Raises what `Publisher.publish` raises; `InvalidCall`, or `Denied`, when nothing of it is for a tenant.
        """
        opened: list[_Opened] = []

        def open_requests() -> Sequence[Request]:
            opened.append(self._open(signal, parts, Tenancy(who, named, self._limits.tenant, self._find_tenant)))
            return opened[0].requests

        try:
            responses = await self._publisher.publish_each(size_bytes, open_requests, who.submitter, remaining_s)
        except UnknownTenant:
            # Closed since it was found; sent again, its records are refused and the others are taken.
            raise Unavailable("a tenant of an export was closed meanwhile") from None
        return self._answer(signal, opened[0], responses)

    def _open(self, signal: Signal, parts: Callable[[], Parts], tenancy: Tenancy) -> _Opened:
        """In a worker thread."""
        try:
            found = read(signal, parts(), tenancy, self._limits.records_max)
        except Malformed as error:
            raise InvalidCall("", f"the request {error}") from None
        denied = list(tenancy.denied.values())
        if found.count and not found.by_tenant:
            # Exporters pass over what a partial success says; who can't send anything at all must hear of it.
            raise denied[0] if denied else InvalidCall("", _message(signal, found))
        opened = _Opened(found, denied)
        most = self._limits.batch_events_max
        for tenant, own in found.by_tenant.items():
            made = to_events(signal, own, tenant, self._options, found.refused)
            opened.ignored += made.ignored
            for at in range(0, len(made.events), most):
                events = tuple(made.events[at : at + most])
                opened.requests.append(Request(tenant, events, tenancy.kinds(tenant)))
                opened.records.append(made.records[at : at + most])
        return opened

    def _answer(self, signal: Signal, opened: _Opened, responses: Sequence[pb.PublishResponse]) -> Any:
        for each in opened.denied:
            self._on_refused(CALL, each)
        found, retry = opened.found, False
        for response, records in zip(responses, opened.records, strict=True):
            self._metrics.answered(response)
            for result, ordinals in zip(response.results, records, strict=True):
                retry = retry or result.status == RETRY
                if result.status == REJECTED:
                    reason = f"{result.field}: {result.reason}" if result.field else result.reason
                    found.refused.one.update((ordinal, reason) for ordinal in ordinals)
        if retry:
            raise Unavailable("some events of an export are not durable")
        refused = found.refused.count
        self._metrics.exported(signal.name, found.count - opened.ignored - refused, opened.ignored, refused)
        answer = signal.response()
        if refused:
            setattr(answer.partial_success, signal.rejected, refused)
            answer.partial_success.error_message = _message(signal, found)
        return answer


def _message(signal: Signal, found: Read) -> str:
    refused = found.refused
    named = [f"{found.place(ordinal)}: {refused.one[ordinal]}" for ordinal in sorted(refused.one)[:NAMED_MAX]]
    named = [reason for _, reason in refused.groups[:NAMED_MAX]] + named
    text = f"{refused.count} of {found.count} {signal.record_name}s were refused: {'; '.join(named[:NAMED_MAX])}"
    if len(refused.one) + len(refused.groups) > NAMED_MAX:
        text += "; and more"
    return text if len(text) <= MESSAGE_CHARACTERS_MAX else f"{text[: MESSAGE_CHARACTERS_MAX - 1]}…"
