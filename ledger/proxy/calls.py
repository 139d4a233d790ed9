"""One call through the proxy, as far as its record needs to know it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Literal

from ledger.proxy.callers import Said, Who
from ledger.proxy.deciding import Decision
from ledger.proxy.upstreams import Upstream
from ledger.vendors import Answered, Route

EndKind = Literal["answered", "refused", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was let in and decided on. `began_ms`: by the wall clock, `began_s`: by the monotonic one.

    `body`: what leaves. `has_start`: its beginning is an event of its own, and so the end is one of its operation.
    """

    event_id: bytes
    began_ms: int
    began_s: float
    upstream: Upstream
    route: Route
    said: Said
    who: Who
    decision: Decision
    has_start: bool

    @property
    def body(self) -> bytes:
        """What leaves for the vendor."""
        return self.decision.body

    def __reduce__(self) -> tuple[Any, ...]:
        """Flat, which is written ten times as fast; without tokens and paths, which no recorder needs."""
        parts = (_UPSTREAM(self.upstream), _ROUTE(self.route), _SAID(self.said), _WHO(self.who))
        return _remade, (self.event_id, self.began_ms, self.began_s, *parts, _DECISION(self.decision), self.has_start)


_KEPT_BACK = {Said: ("token", "user_token"), Upstream: ("ca", "profile")}


def _getter(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    return attrgetter(*_names(kind))


def _names(kind: type[Any]) -> list[str]:
    return [each.name for each in fields(kind) if each.name not in _KEPT_BACK.get(kind, ())]


_UPSTREAM, _ROUTE, _SAID, _WHO, _DECISION = map(_getter, (Upstream, Route, Said, Who, Decision))
_SAID_NAMES, _UPSTREAM_NAMES = _names(Said), _names(Upstream)


def _remade(
    event_id: bytes,
    began_ms: int,
    began_s: float,
    upstream: tuple[Any, ...],
    route: tuple[Any, ...],
    said: tuple[Any, ...],
    who: tuple[Any, ...],
    decision: tuple[Any, ...],
    has_start: bool,
) -> Call:
    return Call(
        event_id,
        began_ms,
        began_s,
        Upstream(**dict(zip(_UPSTREAM_NAMES, upstream, strict=True)), ca=None, profile=""),
        Route(*route),
        Said(**dict(zip(_SAID_NAMES, said, strict=True))),
        Who(*who),
        Decision(*decision),
        has_start,
    )


@dataclass(frozen=True, slots=True)
class End:
    """How a call ended.

    - `answered`: the vendor's answer was passed on to its end, whatever its status
    - `refused`: it never left
    - `failed`: no answer came, or it broke off
    - `cancelled`: the caller went away, or the proxy was stopped

    `error_class` and `error_text` are the proxy's own; what the vendor says stands in `answered`.
    """

    kind: EndKind
    at_s: float
    answered: Answered | None = None
    first_token_at_s: float | None = None
    error_class: str = ""
    error_text: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        """Flat, as a call."""
        return End, (
            self.kind,
            self.at_s,
            self.answered,
            self.first_token_at_s,
            self.error_class,
            self.error_text,
        )
