"""Coverage: what services send, what it lacks, by steps; computed from metadata alone, and recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.client.builders import change, decision, request, tool_call
from ledger.gateway.capturing import RULE_PREFIX
from ledger.v1 import event_pb2 as pb
from query import coverage as covering
from query import render_coverage
from query.coverage import Asked as AskedNeed
from query.coverage import Coverage, ServiceCoverage
from query.coverage_needs import KINDS, NEEDS, table
from query.sandbox import SqlLimits
from tests.query.ledgers import READER, Asked, IntoTheLog

SHOP: dict[str, str] = {"service": "shop", "version": "1.4.2"}


def sent(event: pb.Event, **producer: Any) -> pb.Event:
    """The event, of this producer."""
    for name, value in {**SHOP, **producer}.items():
        setattr(event.producer, name, value)
    return event


def covered(
    asked: Asked, since: datetime | None = None, until: datetime | None = None, tenant: str = "acme"
) -> Coverage:
    """The coverage of a tenant, from fresh sources."""
    sources = asked.sources()
    return covering.coverage(asked.reading(tenant), sources.files, SqlLimits(), since, until)


def only(found: Coverage) -> ServiceCoverage:
    """The one service there is."""
    (service,) = found.services
    return service


def need(service: ServiceCoverage, name: str, kind: str = "request") -> AskedNeed:
    """One need of a service."""
    (found,) = [each for each in service.needs if each.need.name == name and each.kind == kind]
    return found


def told(found: AskedNeed) -> tuple[int, int, int, int]:
    """Steps, lacking, partial, derived."""
    return found.steps, found.lacking, found.partial, found.derived


def whole_request(**given: Any) -> pb.Event:
    """A request that lacks nothing that is core."""
    fields: dict[str, Any] = {
        "vendor": "openai",
        "operation": "chat",
        "model_requested": "gpt-4o",
        "model_answered": "gpt-4o-2024-08-06",
        "region": "eu-west-1",
        "prompts": [{"prompt_id": "support", "revision": "7"}],
        "user": "mia",
        "actor_grant_id": "grant-1",
        "input": "Where is it?",
        "output": "On its way.",
    }
    return request(**{**fields, **given})


async def test_what_a_service_sends_and_lacks(asked: Asked) -> None:
    """By version, path and kind how much and when; need by need of how many steps it is lacking."""
    at = datetime.now(UTC)
    await asked.small.publish("acme", sent(whole_request(), capture_path=pb.CAPTURE_PATH_OTLP))
    lacking = whole_request(model_answered=None, prompts=None, user=None, output=None)
    await asked.small.publish("acme", sent(lacking, version="1.4.3"))
    await asked.seal("acme", sent(tool_call(tool="search", parameters="{}", outcome="ok")))
    service = only(covered(asked))
    assert (service.service, service.events) == ("shop", 3)
    sends = [(each.kind, each.capture_path, each.version, each.events) for each in service.sends]
    assert sorted(sends) == [
        ("request", "otlp", "1.4.2", 1),
        ("request", "unspecified", "1.4.3", 1),
        ("tool_call", "unspecified", "1.4.2", 1),
    ]
    assert all(at.isoformat() < each.first_received_at <= each.last_received_at for each in service.sends)
    for name in ("request.model_answered", "request.prompts.revision", "actor", "request.output"):
        assert told(need(service, name)) == (2, 1, 0, 0), name
        assert need(service, name).percent == 50
    assert told(need(service, "request.input")) == (2, 0, 0, 0)
    for name, missing in (("parameters", 0), ("result", 1), ("requested_by", 1), ("side_effect", 1)):
        assert told(need(service, f"tool_call.{name}", "tool_call")) == (1, missing, 0, 0), name
    assert told(need(service, "authorization", "tool_call")) == (1, 1, 0, 0)
    assert 0 < (service.percent or 0) < 100


async def test_a_service_that_lacks_nothing(asked: Asked) -> None:
    """All that is core is answered: 100 percent."""
    await asked.seal("acme", sent(whole_request()))
    found = covered(asked)
    assert (found.percent, only(found).percent) == (100, 100)
    assert not any(each.lacking for each in only(found).needs if each.need.is_core)


async def test_phases_and_amendments_are_one_step(asked: Asked) -> None:
    """What a later event of the operation, or one that amends it, brings is not lacking; the step counts once."""
    began = sent(request(vendor="openai", model_requested="gpt-4o", phase="started", input="Where is it?"))
    ended = request(phase="completed", operation_id=began.operation_id, model_answered="gpt-4o-2024-08-06")
    late = request(amends_event_id=ended.event_id, output="On its way.")
    for event in (began, sent(ended), sent(late, service="late-content")):
        await asked.seal("acme", event)
    found = covered(asked)
    shop = found.services[1]
    assert (shop.service, shop.events) == ("shop", 2)
    for name in ("request.vendor", "request.model_answered", "request.input", "request.output"):
        assert told(need(shop, name)) == (1, 0, 0, 0), name
    assert [each.service for each in found.services] == ["late-content", "shop"]
    assert found.services[0].needs == ()


async def test_what_is_inferred_or_not_whole_is_said(asked: Asked) -> None:
    """A derived value and a content by reference are there, and marked; what was declared absent is lacking."""
    inferred = whole_request(derived_fields=["request.region", "actor.user"], session_id="s")
    elsewhere = whole_request(input=pb.Content(reference="bucket/1"), output=pb.Content(absent=True))
    await asked.small.publish("acme", sent(inferred), sent(elsewhere))
    await asked.small.seal()
    service = only(covered(asked))
    assert told(need(service, "request.region")) == (2, 0, 0, 1)
    assert told(need(service, "actor")) == (2, 0, 0, 1)
    assert told(need(service, "request.input")) == (2, 0, 1, 0)
    assert told(need(service, "request.output")) == (2, 1, 0, 0)


async def test_what_does_not_apply_is_not_asked(asked: Asked) -> None:
    """A failed request needs no output, an embedding no prompt, an agent's span no model, a failed tool no result."""
    await asked.small.publish(
        "acme",
        sent(whole_request(error_class="timeout", output=None, model_answered=None)),
        sent(whole_request(operation="embedding", output=None, prompts=None)),
        sent(request(operation="other", user="mia")),
        sent(tool_call(tool="search", outcome="error")),
    )
    await asked.small.seal()
    service = only(covered(asked))
    assert told(need(service, "request.model_answered")) == (1, 0, 0, 0)
    assert told(need(service, "request.prompts.revision")) == (1, 0, 0, 0)
    assert told(need(service, "request.vendor")) == (2, 0, 0, 0)
    assert told(need(service, "request.output")) == (1, 1, 0, 0)
    assert not [each for each in service.needs if each.need.name == "tool_call.result"]


async def test_gaps_drops_and_sampling(asked: Asked) -> None:
    """Missing numbers are counted by stream, less what was declared as dropped; sampling is the smallest declared."""
    for boot, numbers in ((b"a" * 16, (1, 2, 5)), (b"b" * 16, (1, 9))):
        for number in numbers:
            event = sent(whole_request(), instance="i", boot_id=boot, sequence=number)
            if number == 9:
                event.producer.dropped_count = 3
                event.producer.declared_sampling = 0.25
            await asked.small.publish("acme", event)
    await asked.seal("acme", sent(whole_request(), service="unnumbered"))
    shop, unnumbered = covered(asked).services
    # 3 and 4 of the first; 2 to 8 of the second, of which 3 were dropped.
    assert (shop.numbered, shop.missing, shop.dropped, shop.sampling) == (5, 2 + 7 - 3, 3, 0.25)
    assert (unnumbered.numbered, unnumbered.missing, unnumbered.dropped, unnumbered.sampling) == (0, 0, 0, None)


async def test_decisions_and_changes(asked: Asked) -> None:
    """Decisions and changes are asked what concerns them."""
    rests = decision(decision_kind="credit", request_event_ids=[bytes(15) + b"\1"], materiality="high")
    deploy = change(artifact_kind="model", artifact_id="m", action="deploy", author_standing="verified", author="dana")
    await asked.small.publish("acme", sent(rests), sent(deploy))
    await asked.small.seal()
    service = only(covered(asked))
    assert told(need(service, "decision.requests", "decision")) == (1, 0, 0, 0)
    assert told(need(service, "decision.result", "decision")) == (1, 1, 0, 0)
    assert told(need(service, "decision.human_reviewer", "decision")) == (1, 1, 0, 0)
    assert told(need(service, "change.verified", "change")) == (1, 0, 0, 0)
    assert told(need(service, "change.artifact_sha256", "change")) == (1, 1, 0, 0)


async def test_only_the_tenant_the_period_and_producers(asked: Asked) -> None:
    """Nothing of another tenant, of another time, or of the ledger itself is counted; a service without a name is."""
    await asked.small.publish("beta", sent(whole_request(), service="other"))
    finding = sent(pb.Event(event_id=whole_request().event_id, phase=pb.PHASE_SINGLE), service="audit-ledger-gateway")
    finding.finding.rule, finding.finding.severity = f"{RULE_PREFIX}vendor", pb.SEVERITY_HIGH
    await asked.small.publish("acme", finding)
    await asked.seal("acme", whole_request())
    now = datetime.now(UTC)
    assert [each.service for each in covered(asked).services] == ["(no name)"]
    assert only(covered(asked, since=now - timedelta(hours=1), until=now + timedelta(hours=1))).events == 1
    assert covered(asked, since=now + timedelta(hours=1)).services == ()
    assert covered(asked, until=now - timedelta(hours=1)).services == ()


async def test_a_tenant_without_events(asked: Asked) -> None:
    """There is nothing, and that is said."""
    found = covered(asked)
    assert (found.services, found.events, found.percent) == ((), 0, None)
    assert render_coverage.page(found, 80) == "no service has sent anything\n"


async def test_it_is_recorded_and_opens_nothing(asked: Asked) -> None:
    """The reading is an Access of its own, of as many events as were counted, with no content opened."""
    await asked.seal("acme", sent(whole_request()), sent(tool_call(tool="search")))
    publisher = IntoTheLog(asked.small)
    queries = asked.queries(publisher)
    since = datetime(2026, 11, 1, tzinfo=UTC)
    found = await queries.coverage("acme", READER, since)
    await queries.close()
    ((tenant, event),) = publisher.published
    assert (tenant, found.events) == ("acme", 2)
    access = event.access
    assert (access.reader, access.events_touched, access.contents_decrypted) == (READER.name, 2, 0)
    assert access.query_kind == pb.QUERY_KIND_FIND
    assert '"coverage": {"since": "2026-11-01T00:00:00' in access.query.text


@pytest.mark.parametrize("width", [80, 100, 200])
async def test_the_page_fits_and_names_what_supplies_what_is_lacking(asked: Asked, width: int) -> None:
    """No line is too wide, and no advice is cut off."""
    await asked.seal("acme", sent(whole_request(model_answered=None)), sent(tool_call(tool="t")))
    page = render_coverage.page(covered(asked), width)
    assert max(map(len, page.splitlines())) <= width
    assert "gen_ai.response.model" in page
    assert "ledger.side_effect" in page
    assert "…" not in page
    assert "shop: 2 events" in page


async def test_json_says_all_of_it(asked: Asked) -> None:
    """For programs: every number and its advice."""
    await asked.seal("acme", sent(whole_request(model_answered=None)))
    answer = covered(asked).to_json()
    (service,) = answer["services"]
    (found,) = [each for each in service["needs"] if each["need"] == "request.model_answered"]
    assert found == {
        "kind": "request",
        "need": "request.model_answered",
        "label": "pinned model version that answered",
        "core": True,
        "steps": 1,
        "lacking": 1,
        "partial": 0,
        "derived": 0,
        "answered_percent": 0.0,
        "advice": "gen_ai.response.model; else ledger.model_answered",
    }
    assert answer["answered_percent"] == service["answered_percent"] < 100


def test_every_need_has_a_name_of_its_own() -> None:
    """Names are keys; each need is of a kind there is and says what supplies it."""
    assert len({each.name for each in NEEDS}) == len(NEEDS)
    for each in NEEDS:
        assert each.advice
        assert set(each.kinds) <= set(KINDS)


def test_the_document_lists_every_need() -> None:
    """docs/COVERAGE.md has the needs of the code."""
    assert table() in (Path(__file__).resolve().parents[2] / "docs" / "COVERAGE.md").read_text("utf-8")
