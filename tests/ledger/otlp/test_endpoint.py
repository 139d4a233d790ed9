"""What an endpoint's address and a vendor's own attributes say of a call."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.otlp import map_traces
from ledger.otlp.conventions.endpoint import Endpoint, endpoint_of
from ledger.v1 import event_pb2 as pb
from tests.ledger.otlp.spans import export, span

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"}


def mapped(attributes: dict[str, Any]) -> pb.Event:
    """The event of a chat span with these attributes."""
    (one,) = map_traces(export(span({**CHAT, **attributes})), "acme").events
    return one.event


@pytest.mark.parametrize(
    ("address", "vendor", "region"),
    [
        ("api.openai.com", "openai", None),
        ("eu.api.openai.com", "openai", "eu"),
        ("Acme-Support.openai.azure.com.", "azure.ai.openai", None),
        ("acme.cognitiveservices.azure.com", "azure.ai.openai", None),
        ("swedencentral.api.cognitive.microsoft.com", "azure.ai.openai", "swedencentral"),
        ("api.anthropic.com", "anthropic", None),
        ("europe-west4-aiplatform.googleapis.com", "gcp.vertex_ai", "europe-west4"),
        ("aiplatform.eu.rep.googleapis.com", "gcp.vertex_ai", "eu"),
        ("aiplatform.googleapis.com", "gcp.vertex_ai", "global"),
        ("generativelanguage.googleapis.com", "gcp.gemini", None),
        ("bedrock-runtime.eu-central-1.amazonaws.com", "aws.bedrock", "eu-central-1"),
        ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com", "aws.bedrock", "us-gov-west-1"),
    ],
)
def test_a_vendors_address_names_vendor_and_region(address: str, vendor: str, region: str | None) -> None:
    """The vendors' own addresses tell whose they are and, where it stands in them, the region."""
    assert endpoint_of(address) == Endpoint(vendor, region)


@pytest.mark.parametrize(
    "address", ["", "127.0.0.1", "proxy.acme.example", "api.openai.com.evil.example", "openai.com"]
)
def test_any_other_address_tells_nothing(address: str) -> None:
    """A proxy's or a look-alike's address is no vendor's."""
    assert endpoint_of(address) is None


def test_openai_at_an_address_of_azure_is_azure() -> None:
    """Instrumentation names OpenAI's client; who had the data is told by the address, and marked as derived."""
    event = mapped({"gen_ai.provider.name": "openai", "server.address": "acme.openai.azure.com"})
    assert (event.request.vendor, event.request.deployment) == ("azure.ai.openai", "m")
    assert {"request.vendor", "request.deployment"} <= set(event.derived_fields)


def test_a_named_vendor_is_not_overruled() -> None:
    """Whatever else a span names as its vendor stands, and is not derived."""
    event = mapped({"gen_ai.provider.name": "x_ai", "server.address": "api.openai.com"})
    assert event.request.vendor == "x_ai"
    assert "request.vendor" not in event.derived_fields


def test_a_region_in_the_address_is_derived_and_says_so() -> None:
    """A region from the address names the address as its source."""
    event = mapped({"server.address": "europe-west4-aiplatform.googleapis.com"})
    assert (event.request.region, event.request.region_source) == ("europe-west4", "endpoint")
    assert "request.region" in event.derived_fields


def test_a_configured_region_counts_before_the_address() -> None:
    """The region that the client was configured with is a fact, not derived."""
    event = mapped({"cloud.region": "eu-central-1", "server.address": "bedrock-runtime.us-east-1.amazonaws.com"})
    assert (event.request.region, event.request.region_source) == ("eu-central-1", "configuration")
    assert "request.region" not in event.derived_fields


def test_a_tools_span_says_nothing_of_the_endpoint() -> None:
    """An address beside a run of a tool is not that of a model's vendor."""
    event = mapped(
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t", "server.address": "api.openai.com"}
    )
    assert event.WhichOneof("body") == "tool_call"


def test_anthropics_own_attributes_are_read() -> None:
    """Why the model stopped, the account and the service tier stand under Anthropic's own names."""
    event = mapped(
        {
            "anthropic.message.stop_reason": "tool_use",
            "anthropic.organization.id": "org-1",
            "anthropic.request.id": "req_1",
            "anthropic.response.service_tier": "standard",
        }
    )
    body = event.request
    assert (body.finish_reason_raw, body.vendor_account, body.provider_request_id, body.endpoint_tier) == (
        "tool_use",
        "org-1",
        "req_1",
        "standard",
    )


def test_the_answers_own_id_counts_before_the_requests() -> None:
    """The id that the conventions ask for is that of the answer."""
    event = mapped({"gen_ai.response.id": "msg_1", "aws.request_id": "req_1"})
    assert event.request.provider_request_id == "msg_1"
