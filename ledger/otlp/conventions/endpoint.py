"""What the address of an endpoint tells: whose it is, and in which region.

Vendors' own addresses are facts about who had the data, so vendor and region may be inferred from them; both are marked
derived. Instrumentation of OpenAI's client names `openai` whatever the client is pointed at: at an address of Azure the
vendor is Azure, and the model asked for is the name of a deployment. Otherwise what the span names itself counts.

| address                                                                   | vendor            | region     |
| ------------------------------------------------------------------------- | ----------------- | ---------- |
| `api.openai.com`                                                          | `openai`          | unknown    |
| `<region>.api.openai.com`                                                 | `openai`          | `<region>` |
| `*.openai.azure.com`, `*.services.ai.azure.com`, `*.cognitiveservices.azure.com` | `azure.ai.openai` | unknown |
| `<region>.api.cognitive.microsoft.com`                                    | `azure.ai.openai` | `<region>` |
| `api.anthropic.com`                                                       | `anthropic`       | unknown    |
| `<region>-aiplatform.googleapis.com`, `aiplatform.<region>.rep.googleapis.com` | `gcp.vertex_ai` | `<region>` |
| `aiplatform.googleapis.com`                                               | `gcp.vertex_ai`   | `global`   |
| `generativelanguage.googleapis.com`                                       | `gcp.gemini`      | unknown    |
| `bedrock-runtime.<region>.amazonaws.com`, also `-fips` and `.cn`          | `aws.bedrock`     | `<region>` |
| `api.mistral.ai`, `api.groq.com`, `api.x.ai`, `api.deepseek.com`, `api.cohere.com`, `api.perplexity.ai` | theirs | - |

Any other address (a proxy, a gateway, one's own server) tells nothing. A region that the client was configured with,
`cloud.region`, counts before that of the address. The address itself is kept in the content `attributes`; it is the
destination of a tool's run.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import urlsplit

from ledger.otlp.reading import Convention, Family, Row
from ledger.otlp.record import Found, Record
from ledger.otlp.values import text_of

OPENAI, AZURE = "openai", "azure.ai.openai"
BY_ADDRESS, BY_CONFIGURATION = "endpoint", "configuration"
_ADDRESSES = (
    (OPENAI, r"(?:(?P<region>[a-z]{2})\.)?api\.openai\.com"),
    (AZURE, r"(?P<region>[a-z0-9]+)\.api\.cognitive\.microsoft\.com"),
    (AZURE, r"[a-z0-9-]+\.(?:openai|services\.ai|cognitiveservices)\.azure\.(?:com|us|cn)"),
    ("anthropic", r"api\.anthropic\.com"),
    ("gcp.vertex_ai", r"(?P<region>[a-z]+-[a-z]+\d+)-aiplatform\.googleapis\.com"),
    ("gcp.vertex_ai", r"aiplatform\.(?P<region>[a-z0-9-]+)\.rep\.googleapis\.com"),
    ("gcp.vertex_ai", r"aiplatform\.googleapis\.com"),
    ("gcp.gemini", r"generativelanguage\.googleapis\.com"),
    ("mistral_ai", r"api\.mistral\.ai"),
    ("groq", r"api\.groq\.com"),
    ("x_ai", r"api\.x\.ai"),
    ("deepseek", r"api\.deepseek\.com"),
    ("cohere", r"api\.cohere\.(?:com|ai)"),
    ("perplexity", r"api\.perplexity\.ai"),
    ("aws.bedrock", r"bedrock-runtime(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?"),
)
_KNOWN = tuple((vendor, re.compile(pattern)) for vendor, pattern in _ADDRESSES)
_GLOBAL = "aiplatform.googleapis.com"


class Endpoint(NamedTuple):
    """Whose endpoint an address is; the region where the address names one."""

    vendor: str
    region: str | None


def endpoint_of(address: str) -> Endpoint | None:
    """What a host's name tells; None where it is no vendor's."""
    host = address.lower().rstrip(".")
    for vendor, pattern in _KNOWN:
        if match := pattern.fullmatch(host):
            region = match.groupdict().get("region")
            return Endpoint(vendor, "global" if host == _GLOBAL else region)
    return None


def _more(record: Record, found: Found) -> None:
    if found.kind != "request":
        return
    region = found.values.get("request.region") or text_of(record.attributes.get("cloud.region"))
    if not found.says("request.region") and found.give("request.region", region, "cloud.region"):
        found.give("request.region_source", BY_CONFIGURATION)
        found.used.add("cloud.region")
    attribute, address = _address(record)
    endpoint = endpoint_of(address)
    if endpoint is None:
        return
    if endpoint.region is not None and region is None:
        found.give("request.region", endpoint.region, attribute, derived=True)
        found.give("request.region_source", BY_ADDRESS, derived=True)
    named = text_of(record.attributes.get("gen_ai.provider.name")) or text_of(record.attributes.get("gen_ai.system"))
    if named is None or (named == OPENAI and endpoint.vendor == AZURE):
        found.give("request.vendor", endpoint.vendor, attribute, derived=True)
    if endpoint.vendor == AZURE:
        deployment = text_of(record.attributes.get("gen_ai.request.model"))
        found.give("request.deployment", deployment, "gen_ai.request.model", derived=True)


def _address(record: Record) -> tuple[str, str]:
    """The attribute that names the endpoint, and its host."""
    host = text_of(record.attributes.get("server.address"))
    if host is not None:
        return "server.address", host
    for attribute in ("gen_ai.openai.api_base", "url.full"):
        url = record.attributes.get(attribute)
        if isinstance(url, str):
            return attribute, _host_of(url)
    return "", ""


def _host_of(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


ENDPOINT = Convention(
    "the endpoint's address",
    frozenset({"server", "cloud", "url", "gen_ai"}),
    (Row("tool_call.destination", "server.address", text_of),),
    _more,
    (
        Family("request.region, region_source `configuration`", "cloud.region"),
        Family("request.region, region_source `endpoint` (derived)", "the host in server.address, else in a URL"),
        Family("request.vendor (derived)", "the host, where the span names none, or `openai` at an address of Azure"),
        Family("request.deployment (derived)", "gen_ai.request.model at an address of Azure"),
        Family("(the host in a URL)", "gen_ai.openai.api_base, url.full"),
    ),
)
