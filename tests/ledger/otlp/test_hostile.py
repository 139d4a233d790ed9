"""Whatever a request holds: it is mapped, always to the same, within limits, and to events that the ledger takes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.otlp import Mapped, MappingOptions, map_logs, map_traces
from ledger.record.submission import parse_submission
from ledger.record.translate import translate
from tests.ledger.otlp.hostile import Maker

SMALL = MappingOptions(content_bytes_max=64, event_bytes_max=70_000, attributes_max=6, depth_max=2, keep_context=True)
OPTIONS = pytest.mark.parametrize("options", [MappingOptions(), SMALL], ids=["default", "small"])
SEEDS = st.integers(0, 2**64 - 1)


def _holds(mapped: Mapped, records: int, options: MappingOptions) -> None:
    became = {each.ordinal for each in mapped.events} | {other for each in mapped.events for other in each.others}
    refused = {each.ordinal for each in mapped.refused}
    assert became.isdisjoint(refused)
    assert len(refused) + mapped.ignored <= records <= len(became | refused) + mapped.ignored
    assert max(became | refused, default=-1) < records
    for each in mapped.events:
        submission = translate(parse_submission(each.event.SerializeToString(deterministic=True))[0])
        for content in submission.contents:
            identity = content.slot == "actor.user" or content.slot.startswith("subjects.")
            assert identity or len(content.data or b"") <= options.content_bytes_max
        assert each.event.ByteSize() <= options.event_bytes_max


def _encoded(mapped: Mapped) -> list[bytes]:
    return [each.event.SerializeToString(deterministic=True) for each in mapped.events]


@OPTIONS
@settings(max_examples=400, deadline=None)
@given(seed=SEEDS)
def test_any_export_of_spans_is_mapped(options: MappingOptions, seed: int) -> None:
    """No export of spans raises; each event of it is one that the gateway takes, the same every time."""
    request = Maker(seed).traces()
    mapped = map_traces(request, "acme", options)
    _holds(mapped, sum(len(scope.spans) for one in request.resource_spans for scope in one.scope_spans), options)
    assert _encoded(mapped) == _encoded(map_traces(request, "acme", options))


@OPTIONS
@settings(max_examples=400, deadline=None)
@given(seed=SEEDS)
def test_any_export_of_log_records_is_mapped(options: MappingOptions, seed: int) -> None:
    """No export of log records raises; each event of it is one that the gateway takes, the same every time."""
    request = Maker(seed).logs()
    mapped = map_logs(request, "acme", options)
    _holds(mapped, sum(len(scope.log_records) for one in request.resource_logs for scope in one.scope_logs), options)
    assert _encoded(mapped) == _encoded(map_logs(request, "acme", options))
