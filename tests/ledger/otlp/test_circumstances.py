"""Times, errors, sampling, producers, tenants: what every span says."""

from __future__ import annotations

import pytest

from ledger.otlp import MappingOptions, map_traces, resource_service
from ledger.otlp.envelope import sampling_of
from ledger.record.translate import translate
from ledger.v1 import event_pb2 as pb
from tests.ledger.otlp.mapping import CHAT, TOOL, event_of, kept
from tests.ledger.otlp.spans import START_NS, TRACE_ID, export, key_values, span, span_event


def test_a_span_occurred_when_it_began_and_took_as_long_as_it_took() -> None:
    """The start is the time, to the nanosecond; the latency is from start to end."""
    event = event_of(CHAT, start_ns=START_NS + 7, end_ns=START_NS + 2_500_000_007)
    assert (event.occurred_at.ToNanoseconds(), event.request.latency_ms) == (START_NS + 7, 2_500)


@pytest.mark.parametrize(("start", "end"), [(0, START_NS), (START_NS, START_NS - 1), (START_NS, 0), (0, 0)])
def test_times_that_cannot_be_are_unknown(start: int, end: int) -> None:
    """Without a start there is no time; an end before the start is no latency."""
    event = event_of(CHAT, start_ns=start, end_ns=end)
    assert event.HasField("occurred_at") == bool(start)
    assert not event.request.HasField("latency_ms")


def test_a_time_far_ahead_is_still_taken() -> None:
    """The gateway flags a clock that is ahead; the span is not lost for it."""
    event = event_of(CHAT, start_ns=2**64 - 2, end_ns=2**64 - 1)
    assert event.occurred_at.seconds == (2**64 - 2) // 10**9


def test_errors_come_from_the_attribute_the_exception_or_the_status() -> None:
    """The error's class is the first that is there; a status alone is a failure of unknown class, marked as derived."""
    exception = span_event("exception", {"exception.type": "app.Timeout", "exception.message": "too slow"})
    named = event_of({**CHAT, "error.type": "timeout"}, error="no answer", events=[exception])
    assert (named.request.error_class, named.request.error_text.text) == ("timeout", "no answer")
    raised = event_of(CHAT, error="", events=[exception])
    assert (raised.request.error_class, raised.request.error_text.text) == ("app.Timeout", "too slow")
    bare = event_of(CHAT, error="")
    assert bare.request.error_class == "error"
    assert "request.error_class" in bare.derived_fields
    assert not event_of(CHAT, events=[exception]).request.error_class


def test_a_tools_outcome_is_observed_where_its_status_says_so() -> None:
    """A failed run is an error; one of unset status went well as far as anybody said, marked as derived."""
    assert event_of(TOOL, error="x").tool_call.outcome == pb.TOOL_OUTCOME_ERROR
    unset = event_of(TOOL)
    assert (unset.tool_call.outcome, "tool_call.outcome" in unset.derived_fields) == (pb.TOOL_OUTCOME_OK, True)
    request = export(span(TOOL))
    request.resource_spans[0].scope_spans[0].spans[0].status.code = 1
    stated = map_traces(request, "acme").events[0].event
    assert (stated.tool_call.outcome, "tool_call.outcome" in stated.derived_fields) == (pb.TOOL_OUTCOME_OK, False)
    denied = event_of({**TOOL, "ledger.outcome": "denied"})
    assert denied.tool_call.outcome == pb.TOOL_OUTCOME_DENIED


@pytest.mark.parametrize(
    ("state", "fraction"),
    [
        ("ot=th:8", 0.5),
        ("vendor=x,ot=th:c;rv:01234567890123", 0.25),
        ("ot=th:0", 1.0),
        ("ot=p:3;r:5", 0.125),
        ("ot=p:63", None),
        ("ot=th:xyz", None),
        ("th:8", None),
        ("", None),
        ("ot=th:8," + "x" * 9_000, None),
    ],
)
def test_a_trace_state_tells_how_much_was_sampled(state: str, fraction: float | None) -> None:
    """The sampling threshold of OpenTelemetry's samplers, of today and before, as a fraction."""
    assert sampling_of(state) == fraction
    event = event_of(CHAT, trace_state=state)
    assert event.producer.declared_sampling == (fraction or 0)


def test_the_resource_declares_sampling_before_the_span_and_the_span_before_the_configuration() -> None:
    """Who declares first counts; what is no fraction declares nothing."""
    options = MappingOptions(declared_sampling=0.1)
    given = {"service.name": "desk", "ledger.sampling": "0.2"}
    assert event_of(CHAT, options, trace_state="ot=th:8", resource=given).producer.declared_sampling == 0.2
    assert event_of(CHAT, options, trace_state="ot=th:8").producer.declared_sampling == 0.5
    assert event_of(CHAT, options, resource={"ledger.sampling": 7.0}).producer.declared_sampling == 0.1
    assert not event_of(CHAT).producer.HasField("declared_sampling")


def test_a_resource_names_service_tenant_and_what_its_spans_share() -> None:
    """Service, version, environment, instance; a default name is no name; purpose and class stand for every span."""
    resource = {
        "service.name": "desk",
        "service.version": "7",
        "deployment.environment": "prod",
        "service.instance.id": "pod-3",
        "ledger.tenant": "acme",
        "ledger.purpose": "support",
        "ledger.classification": "Confidential",
    }
    event = event_of(CHAT, resource=resource)
    producer = event.producer
    assert (producer.service, producer.version, producer.environment) == ("desk", "7", "prod")
    assert (producer.instance, producer.capture_path) == ("pod-3", pb.CAPTURE_PATH_OTLP)
    assert (event.purpose.purpose, event.classification) == ("support", pb.CLASSIFICATION_CONFIDENTIAL)
    assert "purpose.purpose" not in event.derived_fields
    found = export(resource=resource).resource_spans[0].resource
    assert resource_service(found).tenant == "acme"
    assert event_of(CHAT, resource={"service.name": "unknown_service:python"}).producer.service == ""


def test_a_service_whose_name_is_none_is_kept() -> None:
    """What can't be a producer's name stands in the content."""
    event = event_of(CHAT, resource={"service.name": "s" * 300})
    assert (event.producer.service, kept(event)["resource:service.name"]) == ("", "s" * 300)


def test_a_span_that_names_another_tenant_is_refused() -> None:
    """What says that it belongs elsewhere is not taken into this tenant's log."""
    request = export(
        span({**CHAT, "ledger.tenant": "other"}), span({**CHAT, "ledger.tenant": "acme"}, span_id=b"\2" * 8)
    )
    mapped = map_traces(request, "acme")
    assert ([each.ordinal for each in mapped.refused], [each.ordinal for each in mapped.events]) == ([0], [1])
    around = export(span({"http.request.method": "GET", "ledger.tenant": "other"}))
    assert map_traces(around, "acme").ignored == 1


def test_the_trace_stands_in_for_a_session_that_nobody_names() -> None:
    """Correlation is the trace; the session too where none is known, and then it is marked as derived."""
    event = event_of(CHAT)
    assert (event.story.session_id, event.story.correlation_id) == (TRACE_ID.hex(), TRACE_ID.hex())
    assert list(event.derived_fields) == ["story.session_id"]
    named = event_of({**CHAT, "session.id": "s-1", "traceloop.correlation.id": "c-1"})
    assert (named.story.session_id, named.story.correlation_id) == ("s-1", "c-1")
    assert list(named.derived_fields) == []


def test_identifiers_of_wrong_length_are_refused_without_their_bytes() -> None:
    """A refusal says what was expected, and nothing of what came."""
    request = export(span(CHAT, trace_id=b"secret"), span(CHAT, span_id=b"\1" * 16), span(CHAT, trace_id=bytes(16)))
    refused = map_traces(request, "acme").refused
    assert [each.reason for each in refused] == [
        "trace_id: expected 16 bytes, got 6",
        "span_id: expected 8 bytes, got 16",
        "trace_id: all zero",
    ]


def test_two_resources_of_one_export_keep_their_services() -> None:
    """Each span has the producer of its own resource; ordinals run through all of them."""
    request = export(span(CHAT))
    other = request.resource_spans.add()
    other.resource.attributes.extend(key_values({"service.name": "mail"}))
    other.scope_spans.add().spans.append(span(CHAT, span_id=b"\2" * 8))
    other.scope_spans.add().spans.append(span(CHAT, span_id=b"\3" * 8))
    mapped = map_traces(request, "acme")
    for each in mapped.events:
        translate(each.event)
    assert [(each.ordinal, each.event.producer.service) for each in mapped.events] == [
        (0, "desk"),
        (1, "mail"),
        (2, "mail"),
    ]


def test_the_same_span_in_two_tenants_has_two_ids() -> None:
    """An id belongs to its tenant."""
    first, second = (map_traces(export(span(CHAT)), tenant).events[0].event for tenant in ("acme", "other"))
    assert first.event_id != second.event_id
