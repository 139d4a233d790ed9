"""What a sealer tells Prometheus. Nothing here names a tenant, a person or an event."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumers.sealer import RoundOutcome

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class SealerMetrics:
    """The metrics of one process, all with a `partition` label."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str) -> Counter:
            return Counter(f"audit_ledger_sealer_{name}", text, ["partition"], registry=registry)

        self._rounds = counter("rounds", "Rounds published.")
        self._events = counter("events", "Events sealed.")
        self._repeats = counter("repeats", "Repeated events dropped.")
        self._conflicts = counter("conflicts", "Events sealed under an id that another body had.")
        self._undetermined = counter("undetermined", "Events sealed whose repetition could not be decided.")
        self._quarantined = counter("quarantined", "Records kept in quarantine.")
        self._placements = counter("placements", "Placements committed.")
        self._bytes = counter("written_bytes", "Bytes of files written.")
        self.retries = counter("retries", "Times a sealer was opened anew after something was unavailable.")
        self.fenced = counter("fenced", "Times another sealer published a round first.")
        self.halted = Gauge(
            "audit_ledger_sealer_halted", "1: a person has to look at it.", ["partition"], registry=registry
        )
        self.lag = Gauge("audit_ledger_sealer_lag_records", "Records not sealed yet.", ["partition"], registry=registry)
        self._newest = Gauge(
            "audit_ledger_sealer_round_number", "Number of the newest round.", ["partition"], registry=registry
        )
        self._seconds = Histogram(
            "audit_ledger_sealer_round_seconds",
            "From the first record read to the published round.",
            ["partition"],
            buckets=_SECONDS,
            registry=registry,
        )

    def took(self, partition: int, outcome: RoundOutcome, seconds: float) -> None:
        """One published round."""
        label = str(partition)
        self._rounds.labels(label).inc()
        for metric, value in (
            (self._events, outcome.events),
            (self._repeats, outcome.repeats),
            (self._conflicts, outcome.conflicts),
            (self._undetermined, outcome.undetermined),
            (self._quarantined, outcome.quarantined),
            (self._placements, outcome.placements),
            (self._bytes, outcome.bytes),
        ):
            metric.labels(label).inc(value)
        self._newest.labels(label).set(outcome.number)
        self._seconds.labels(label).observe(seconds)
