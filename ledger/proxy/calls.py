"""One call through the proxy, as far as its record needs to know it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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
