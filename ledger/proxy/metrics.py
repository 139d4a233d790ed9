"""What a proxy counts and measures, for Prometheus. No label names a tenant, a person, a model or anything submitted.

Names begin with `audit_ledger_proxy_`. Each proxy has a registry of its own, so that several can live in one process.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ledger.policy.rules import IN_FLIGHT, InFlight
from ledger.proxy.recording_frames import STATES, State

Refusal = Literal[
    "policy", "identity", "field", "path", "size", "overload", "ledger", "websocket", "upgrade", "credentials"
]

_PREFIX = "audit_ledger_proxy"
_LATENCIES_S = (0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600)
_OVERHEAD_S = (0.000_1, 0.000_2, 0.000_5, 0.001, 0.002, 0.003, 0.005, 0.01, 0.05, 0.1, 1)


class ProxyMetrics:
    """One proxy's."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = self._counter(
            "calls", "Calls ended, by upstream, how they ended, and status class.", "upstream", "end", "status"
        )
        self._refused = self._counter("refused", "Calls refused here, by why.", "why")
        self._unrecorded = self._counter("unrecorded", "Calls passed on that have no record.", "upstream")
        self._decided = self._counter("decisions", "Decisions of the policy.", "verdict")
        self._states = self._counter("recorded", "Calls by how their record stood when the answer began.", "state")
        self._faults = self._counter("faults", "Faults of the proxy itself: each stands in the log under its id.")
        # Asked for with every call: looked up once.
        self._ended: dict[tuple[str, str, int], Counter] = {}
        self._verdicts = {each: self._decided.labels(each) for each in IN_FLIGHT}
        self._by_state = {each: self._states.labels(each) for each in STATES}
        self._call_s = self._histogram("call_seconds", "Time from a call to its end.", _LATENCIES_S)
        self._before_s = self._histogram("before_seconds", "Time from a whole request to its leaving.", _OVERHEAD_S)
        self._policy = Gauge(f"{_PREFIX}_policy_info", "The policy.", ["policy"], registry=self.registry)
        self._policy_refused = Gauge(
            f"{_PREFIX}_policy_file_refused", "1: the policy's file was changed and not taken.", registry=self.registry
        )

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """A gauge that is asked when it is looked at."""
        Gauge(f"{_PREFIX}_{name}", text, registry=self.registry).set_function(value)

    def policy_taken(self, identity: str, taken: bool) -> None:
        """This policy is in force; `taken`: as its file says, False when the file was refused."""
        self._policy.clear()
        self._policy.labels(identity).set(1)
        self._policy_refused.set(not taken)

    def ended(self, upstream: str, end: str, status: int | None, seconds: float) -> None:
        """A call ended."""
        key = (upstream, end, 0 if status is None else status // 100)
        child = self._ended.get(key)
        if child is None:
            child = self._ended[key] = self._calls.labels(upstream, end, f"{key[2]}xx" if key[2] else "none")
        child.inc()
        self._call_s.observe(seconds)

    def left(self, seconds: float) -> None:
        """A request left so long after it was here."""
        self._before_s.observe(seconds)

    def refused(self, why: Refusal) -> None:
        """A call was refused here."""
        self._refused.labels(why).inc()

    def unrecorded(self, upstream: str) -> None:
        """A call was passed on that has no record."""
        self._unrecorded.labels(upstream).inc()

    def decided(self, verdict: InFlight) -> None:
        """The policy decided."""
        self._verdicts[verdict].inc()

    def recorded(self, state: State) -> None:
        """How the record of a call stood."""
        self._by_state[state].inc()

    def fault(self) -> None:
        """A fault of ours was reported."""
        self._faults.inc()

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"{_PREFIX}_{name}", text, buckets=buckets, registry=self.registry)
