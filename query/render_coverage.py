"""Coverage as text for a terminal: service by service, what it sends, what it lacks, and what supplies that."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from query.coverage import Asked, Coverage, Sent, ServiceCoverage
from query.layout import RULE, printable, table, table_width, wrap

MARK_CORE = "*"
MINUTES = len("2026-11-21T18:00")
INDENT = "      "
_HEADS = ("lacking", "of", "partial", "derived", "what")
_ADVICE = "supply it by"


def page(found: Coverage, width: int) -> str:
    """The whole answer."""
    return "\n".join(_lines(found, width)) + "\n"


def _lines(found: Coverage, width: int) -> Iterator[str]:
    if not found.services:
        yield "no service has sent anything"
        return
    for service in found.services:
        yield from _service(service, width)
        yield ""
    yield from wrap(
        f"{_percent(found.percent)} of what is core ({MARK_CORE}) is answered, by {found.events:,} events of "
        f"{len(found.services)} services. Partial: cut, kept as a digest, or elsewhere. Derived: inferred, not "
        "observed. →: what supplies it.",
        width,
    )


def _service(service: ServiceCoverage, width: int) -> Iterator[str]:
    yield printable(f"{service.service}: {service.events:,} events, {_percent(service.percent)} answered")
    yield RULE * width
    yield table(("kind", "by", "version", "events", "first received", "last"), map(_sent, service.sends), width)
    yield from wrap("; ".join(_stream(service)), width)
    told = [each for each in service.needs if each.lacking or each.partial or each.derived]
    if not told:
        yield ""
        yield "nothing is lacking"
    for kind, asked in groupby(told, key=lambda each: each.kind):
        yield ""
        yield f"{kind}:"
        yield from _needs(sorted(asked, key=lambda each: not each.need.is_core), width)


def _needs(asked: Sequence[Asked], width: int) -> Iterator[str]:
    """A table with the advice as a column; where that is too wide, below each line of it."""
    rows = [_row(each) for each in asked]
    whole = [(*row, each.need.advice if each.lacking else "") for row, each in zip(rows, asked, strict=True)]
    if table_width((*_HEADS, _ADVICE), whole) <= width:
        yield table((*_HEADS, _ADVICE), whole, width)
        return
    head, rule, *lines = table(_HEADS, rows, width).split("\n")
    yield from (head, rule)
    for line, each in zip(lines, asked, strict=True):
        yield line
        if each.lacking:
            yield from (f"{INDENT}{part}" for part in wrap(f"→ {each.need.advice}", width - len(INDENT)))


def _row(asked: Asked) -> tuple[str | int, ...]:
    label = f"{asked.need.label} {MARK_CORE}" if asked.need.is_core else asked.need.label
    return asked.lacking or "", asked.steps, asked.partial or "", asked.derived or "", label


def _sent(sent: Sent) -> tuple[str | int, ...]:
    first, last = (each[:MINUTES].replace("T", " ") for each in (sent.first_received_at, sent.last_received_at))
    return sent.kind, sent.capture_path, sent.version or "", sent.events, first, last


def _stream(service: ServiceCoverage) -> Iterator[str]:
    if service.numbered:
        yield f"{service.numbered:,} events are numbered, {service.missing:,} numbers are missing"
    else:
        yield "events are not numbered: what was lost before it got here does not show"
    if service.dropped:
        yield f"{service.dropped:,} were dropped by the service, as it says"
    if service.sampling is not None and service.sampling < 1:
        yield f"SAMPLED: as little as {service.sampling:.3g} of its operations are recorded, as it says"


def _percent(value: float | None) -> str:
    return "nothing" if value is None else f"{value:g}%"
