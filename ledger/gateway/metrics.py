"""What a gateway counts and measures, for Prometheus. No label names a tenant, a person or anything submitted.

Names begin with `audit_ledger_gateway_`. Each gateway has a registry of its own, so that several can live in one
process.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ledger.gateway.batches import Batch
from ledger.gateway.verdicts import CONFLICT, UNDETERMINED, Failed, Prepared, Refused, Taken
from ledger.v1 import ingest_pb2 as pb

AppendOutcome = Literal["durable", "unavailable", "unknown", "integrity", "fault", "not_begun"]

_PREFIX = "audit_ledger_gateway"
_LATENCIES_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_EVENTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000)
_BYTES = tuple(4**power for power in range(5, 14))
_STATUS = {
    pb.EVENT_STATUS_ACCEPTED: "accepted",
    pb.EVENT_STATUS_REPEAT: "repeat",
    pb.EVENT_STATUS_REJECTED: "rejected",
    pb.EVENT_STATUS_RETRY: "retry",
}


class GatewayMetrics:
    """One gateway's. `calls` and `bytes_` tell what is in work now."""

    def __init__(self, calls: Callable[[], float], bytes_: Callable[[], float]) -> None:
        self.registry = CollectorRegistry()
        self._events = self._counter("events", "Events answered, by status.", "status")
        self._records = self._counter(
            "otlp_records", "Spans and log records by signal, and what became of them.", "signal", "outcome"
        )
        self._rejects = self._counter("rejects", "Events refused, by the check that refused them.", "stage")
        self._conflicts = self._counter("conflicts", "Events whose id came before with another body.", "kind")
        self._calls = self._counter("calls", "Calls ended, by method and status code.", "method", "code")
        self._faults = self._counter("faults", "Faults of the gateway itself: each stands in the log under its id.")
        self._spooled = self._counter("spool_frames", "Spooled frames, by whether they could be opened.", "result")
        self._appends = self._counter("appends", "Batches given to the event log, by outcome.", "outcome")
        self._call_s = self._histogram("call_seconds", "Time from a call to its answer.", _LATENCIES_S, "method")
        self._append_s = self._histogram("append_seconds", "Time of an append that succeeded.", _LATENCIES_S)
        self._call_events = self._histogram("call_events", "Events of a call.", _EVENTS)
        self._call_bytes = self._histogram("call_bytes", "Bytes of a call's request.", _BYTES)
        self._batch_events = self._histogram("batch_events", "Events of an atomic batch.", _EVENTS)
        self._healthy = Gauge(f"{_PREFIX}_event_log_up", "1 when the event log works.", registry=self.registry)
        self._keys_up = Gauge(f"{_PREFIX}_key_store_up", "1 when the key store works.", registry=self.registry)
        self._policy = Gauge(f"{_PREFIX}_policy_info", "The capture policy.", ["policy"], registry=self.registry)
        self._policy_refused = Gauge(
            f"{_PREFIX}_policy_file_refused", "1: the policy's file was changed and not taken.", registry=self.registry
        )
        self._failures = Gauge(
            f"{_PREFIX}_append_failures_in_a_row", "Appends that failed since the last success.", registry=self.registry
        )
        in_flight = Gauge(f"{_PREFIX}_calls_in_flight", "Publish calls in work.", registry=self.registry)
        in_flight.set_function(calls)
        in_flight_bytes = Gauge(f"{_PREFIX}_bytes_in_flight", "Bytes of those calls.", registry=self.registry)
        in_flight_bytes.set_function(bytes_)

    def policy_taken(self, identity: str, *, taken: bool) -> None:
        """This policy is in force; `taken`: as its file says, False when the file was refused."""
        self._policy.clear()
        self._policy.labels(identity).set(1)
        self._policy_refused.set(not taken)

    def prepared(self, prepared: Prepared) -> None:
        """A call has been through intake."""
        self._call_events.observe(len(prepared.verdicts))
        self._faults.inc(sum(isinstance(each, Failed) for each in prepared.verdicts))
        for stage, count in Tally(each.stage for each in prepared.verdicts if isinstance(each, Refused)).items():
            self._rejects.labels(stage).inc(count)
        if not any(isinstance(each, Taken) and each.reason for each in prepared.verdicts):
            return
        for reason, kind in ((CONFLICT, "conflict"), (UNDETERMINED, "undetermined")):
            count = sum(isinstance(each, Taken) and each.reason == reason for each in prepared.verdicts)
            self._conflicts.labels(kind).inc(count)

    def appended(self, outcome: AppendOutcome, seconds: float, batch: Batch) -> None:
        """An append ended."""
        self._appends.labels(outcome).inc()
        if outcome == "durable":
            self._append_s.observe(seconds)
            self._batch_events.observe(len(batch.events))

    def answered(self, response: pb.PublishResponse) -> None:
        """A call's events have their answer."""
        for status, count in Tally(result.status for result in response.results).items():
            self._events.labels(_STATUS[status]).inc(count)

    def exported(self, signal: str, recorded: int, ignored: int, refused: int) -> None:
        """An Export ended well. `ignored`: records that are not about generative AI, and were not kept."""
        for outcome, count in (("recorded", recorded), ("ignored", ignored), ("refused", refused)):
            self._records.labels(signal, outcome).inc(count)

    def called(self, method: str, code: str, seconds: float, size_bytes: int) -> None:
        """A call ended."""
        self._calls.labels(method, code).inc()
        self._call_s.labels(method).observe(seconds)
        self._call_bytes.observe(size_bytes)

    def fault(self) -> None:
        """A fault of ours was reported."""
        self._faults.inc()

    def spooled(self, opened: bool) -> None:
        """A spooled frame was opened, or can't be."""
        self._spooled.labels("opened" if opened else "lost").inc()

    def event_log_up(self, up: bool) -> None:
        """How the event log is."""
        self._healthy.set(1 if up else 0)

    def key_store_up(self, up: bool) -> None:
        """How the key store is."""
        self._keys_up.set(1 if up else 0)

    def append_failures(self, in_a_row: int) -> None:
        """How many appends have failed since the last that succeeded."""
        self._failures.set(in_a_row)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"{_PREFIX}_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"{_PREFIX}_{name}", text, labels, buckets=buckets, registry=self.registry)
