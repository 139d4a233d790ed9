"""LiteLLM's spend logs to requests, and to tool calls where LiteLLM called a tool of an MCP server.

A record is a row of the table `LiteLLM_SpendLogs`, under its columns' names (schema.prisma of the package litellm,
`SpendLogsPayload` in `litellm/proxy/_types.py`; both of 1.106):

- JSON, as the proxy's `GET /spend/logs` gives it (with `start_date` and `end_date` it needs `summarize=false`), and the
  pages `{"data": [...]}` of `/spend/logs/v2`;
- JSON Lines or CSV with a header, as PostgreSQL writes them (`COPY (SELECT ...) TO ... WITH (FORMAT csv, HEADER)`).

The same row gives the same event whichever of these it comes in, unless columns are missing in one: pages of v2 have no
contents. Times without a zone are UTC, as the table has them.

| column                                 | becomes                                                                     |
| -------------------------------------- | --------------------------------------------------------------------------- |
| `request_id`, `startTime`              | the event's id (derived); when it occurred; `request_id` is also the        |
|                                        | provider's, unless LiteLLM made it                                          |
| `call_type`                            | the operation; `call_mcp_tool` is a tool call                               |
| `model`, `model_group`                 | model asked for; the name it is routed under: deployment                    |
| `custom_llm_provider`, `api_base`      | vendor; region, where the address of a vendor's endpoint tells it (derived) |
| `proxy_server_request`, `messages`     | what was asked: input, instructions, tools, parameters, tools that ran      |
| `response`                             | the output, finish reason, model that answered (unless it is LiteLLM's echo |
|                                        | of the one asked for, as in streams)                                        |
| tokens, `spend`, `request_duration_ms` | tokens, cost in USD, latency; `completionStartTime` before the end: time to |
|                                        | first token, and that it was streamed (derived)                             |
| `end_user`, else `user`                | who acted, as the caller claims; with both, `user` is a subject, the owner  |
|                                        | of the key                                                                  |
| `api_key` (a hash), its alias          | credential, acting service                                                  |
| `session_id`                           | session and correlation: where a caller gave none, LiteLLM made it up       |
| `agent_id`                             | the agent                                                                   |
| `status`, `metadata.error_information` | error class and text                                                        |
| `metadata.guardrail_information`       | guardrails with their verdicts                                              |
| `metadata.vector_store_request_...`    | documents put into the context                                              |

Whatever LiteLLM was not told to store (`store_prompts_in_spend_logs`) is a content that was not captured; what it cut
(`litellm_truncated`) says so. Not kept: the caller's IP address, tags, the cost's parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from ledger.client.builders import request, tool_call
from ledger.client.ids import derived_event_id
from ledger.errors import Rejected
from ledger.importers.litellm_calls import OPERATIONS, VENDORS, format_of, without_additions, without_echo
from ledger.importers.producing import exchange_fields, imported
from ledger.importers.records import text_of
from ledger.importers.run import Source
from ledger.importers.values import (
    clear_name,
    content_of,
    count,
    json_of,
    known,
    moment,
    ms_of,
    not_captured,
    number,
    optional_moment,
    text,
)
from ledger.otlp.conventions.endpoint import endpoint_of
from ledger.v1 import event_pb2 as pb
from ledger.vendors.exchange import Answered, Asked
from ledger.vendors.fields import LIST_ITEMS_MAX
from ledger.vendors.formats import FORMATS
from ledger.vendors.json_values import Json, dump, table, tables
from ledger.vendors.tools_ran import results_seen, runs_at_vendor

SERVICE = "import-litellm"
MCP_CALL = "call_mcp_tool"
_ID = "litellm-spend-log/v1"
_VERDICTS = {
    "success": "allow",
    "guardrail_flagged": "allow",
    "guardrail_intervened": "refuse",
    "blocked": "refuse",
}
_OWN_ID_MARKS = ("_cache_hit", "_batch_cost")


def litellm() -> Source:
    """The kind of file that this module reads."""
    return Source("rows", lambda record: imported(_row(record.value), SERVICE), "json or csv", pages="data")


def _row(row: dict[str, Json]) -> Iterator[pb.Event]:
    request_id = text_of(row, "request_id")
    started = moment(row.get("startTime"), "startTime")
    call_type = text(row.get("call_type"))
    if not call_type and "spend" not in row:
        raise Rejected("call_type", "expected a row of LiteLLM_SpendLogs; a summary by day is none")
    metadata = table(json_of(row.get("metadata")))
    fields = {
        **_who(row, metadata),
        **_story(row),
        "occurred_at": started,
        "event_id": derived_event_id(ms_of(started), _ID, request_id),
    }
    mcp = table(metadata.get("mcp_tool_call_metadata"))
    if call_type == MCP_CALL or text(row.get("mcp_namespaced_tool_name")):
        yield tool_call(**fields, **_mcp_call(row, mcp, metadata))
    else:
        yield from _exchange(row, metadata, fields, call_type)


def _exchange(
    row: dict[str, Json], metadata: dict[str, Json], fields: dict[str, Any], call_type: str
) -> Iterator[pb.Event]:
    """The request, and the tools that its bodies tell of."""
    body, response = _asked_body(row), json_of(row.get("response"))
    asked, answered = _read(call_type, body, response)
    observed = _observed(row, metadata, call_type)
    provider, echoes = text(row.get("custom_llm_provider")), [text(row.get(each)) for each in ("model", "model_group")]
    streamed = asked.streamed is True or observed.get("streamed") is True
    answered = without_echo(answered, provider, echoes, streamed=streamed)
    truncated = "litellm_truncated" in dump([body, response])
    story = known(session_id=fields.get("session_id"), correlation_id=fields.get("correlation_id"))
    said = exchange_fields(asked, answered, truncated=truncated)
    if body is None:
        said["input"] = not_captured()
    if response is None and text(row.get("status")) != "failure":
        said["output"] = not_captured()
    if text(row.get("cache_hit")) == "True":
        # The id of another call, whose answer this is.
        said.pop("provider_request_id", None)
    derived = [*observed.pop("derived_fields", ()), *_derived_vendor(row, observed)]
    vendor = observed.get("vendor", "")
    event = request(**{**said, **observed, **fields}, derived_fields=derived)
    yield from results_seen(asked.tools_ran, vendor, story, event.event_id)
    yield event
    yield from runs_at_vendor(answered.tools_ran, vendor, story, event)


def _asked_body(row: dict[str, Json]) -> Json:
    body = json_of(row.get("proxy_server_request"))
    messages = json_of(row.get("messages"))
    return body if body is not None else None if messages is None else {"messages": messages}


def _read(call_type: str, body: Json, response: Json) -> tuple[Asked, Answered]:
    """What the bodies say. LiteLLM gives OpenAI's shapes, but for calls of another vendor's own API."""
    shape = FORMATS[format_of(call_type, response)]
    asked = shape.asked(body, text(table(body).get("model"))) if isinstance(body, dict) else Asked(input=body)
    if asked.input is None and table(body).get("messages") is not None and not tables(table(body)["messages"]):
        asked = replace(asked, input=table(body)["messages"])
    if isinstance(response, dict):
        return asked, shape.answered(without_additions(response), "")
    return asked, Answered(output=response)


def _observed(row: dict[str, Json], metadata: dict[str, Json], call_type: str) -> dict[str, Any]:
    """What the columns say; it counts before what the bodies say."""
    usage = table(metadata.get("usage_object"))
    started, ended = moment(row.get("startTime"), "startTime"), optional_moment(row.get("endTime"))
    first = optional_moment(row.get("completionStartTime"))
    latency = count(row.get("request_duration_ms"))
    if latency is None and ended is not None and ended >= started:
        latency = ms_of(ended) - ms_of(started)
    streamed = first is not None and ended is not None and started <= first < ended
    spend = number(row.get("spend"))
    error = table(metadata.get("error_information"))
    failed = text(row.get("status")) == "failure"
    request_id, call_id = text(row.get("request_id")), text(row.get("litellm_call_id"))
    own_id = any(mark in request_id for mark in _OWN_ID_MARKS) or request_id == call_id
    return known(
        operation=OPERATIONS.get(call_type, "other"),
        vendor=_vendor(row),
        model_requested=clear_name(row.get("model")),
        deployment=clear_name(row.get("model_group")),
        provider_request_id=None if own_id else clear_name(row.get("request_id")),
        tokens_in=count(row.get("prompt_tokens")),
        tokens_out=count(row.get("completion_tokens")),
        tokens_cached=count(table(usage.get("prompt_tokens_details")).get("cached_tokens")),
        tokens_reasoning=count(table(usage.get("completion_tokens_details")).get("reasoning_tokens")),
        latency_ms=latency,
        time_to_first_token_ms=ms_of(first) - ms_of(started) if streamed and first is not None else None,
        streamed=True if streamed else None,
        derived_fields=["request.streamed"] if streamed else None,
        cost_nanos=round(spend * 1e9) if spend is not None and spend >= 0 else None,
        currency="USD" if spend is not None else None,
        parameters={"cache_hit": 1.0} if text(row.get("cache_hit")) == "True" else None,
        error_class=(clear_name(error.get("error_class")) or "error") if failed else None,
        error_text=content_of(text(error.get("error_message")) or None) if failed else None,
        guardrails=[_guardrail(each) for each in tables(metadata.get("guardrail_information"))][:LIST_ITEMS_MAX],
        retrieved=list(_retrieved(metadata))[:LIST_ITEMS_MAX],
    )


def _vendor(row: dict[str, Json]) -> str | None:
    provider = text(row.get("custom_llm_provider"))
    return VENDORS.get(provider) or clear_name(provider)


def _derived_vendor(row: dict[str, Json], observed: dict[str, Any]) -> list[str]:
    """Adds what the address of the endpoint tells; the names of what was derived."""
    try:
        endpoint = endpoint_of(urlsplit(text(row.get("api_base"))).hostname or "")
    except ValueError:
        endpoint = None
    derived = []
    if endpoint is not None and endpoint.region is not None:
        observed |= {"region": endpoint.region, "region_source": "endpoint"}
        derived.append("request.region")
    if endpoint is not None and "vendor" not in observed:
        observed["vendor"] = endpoint.vendor
        derived.append("request.vendor")
    return derived


def _who(row: dict[str, Json], metadata: dict[str, Json]) -> dict[str, Any]:
    end_user, owner = text(row.get("end_user")), text(row.get("user"))
    user, attribute = (end_user, "end_user") if end_user else (owner, "user")
    who = known(
        credential_id=clear_name(row.get("api_key")),
        actor_service=clear_name(metadata.get("user_api_key_alias")),
        agent=clear_name(row.get("agent_id")),
    )
    if user:
        who |= {"user": user, "identity_source": "claimed", "identity_attribute": attribute}
    if end_user and owner and owner != end_user:
        who["subjects"] = [(owner, "key owner")]
    return who


def _story(row: dict[str, Json]) -> dict[str, Any]:
    session = clear_name(row.get("session_id"))
    return known(session_id=session, correlation_id=session)


def _guardrail(given: dict[str, Json]) -> dict[str, Any]:
    return known(
        name=clear_name(given.get("guardrail_name")) or "unnamed",
        verdict=_VERDICTS.get(text(given.get("guardrail_status"))),
    )


def _retrieved(metadata: dict[str, Json]) -> Iterator[dict[str, Any]]:
    for search in tables(metadata.get("vector_store_request_metadata")):
        found = table(search.get("vector_store_search_response"))
        for rank, each in enumerate(tables(found.get("data")), start=1):
            texts = [text(part.get("text")) for part in tables(each.get("content"))]
            yield known(
                index_id=clear_name(search.get("vector_store_id")),
                rank=rank,
                score=number(each.get("score")),
                document_id=content_of(text(each.get("file_id")) or text(each.get("filename")) or None),
                text=content_of("\n".join(filter(None, texts)) or None),
            )


def _mcp_call(row: dict[str, Json], mcp: dict[str, Json], metadata: dict[str, Json]) -> dict[str, Any]:
    """A tool of an MCP server that LiteLLM called for somebody."""
    error = table(metadata.get("error_information"))
    failed = text(row.get("status")) == "failure"
    started, ended = moment(row.get("startTime"), "startTime"), optional_moment(row.get("endTime"))
    latency = count(row.get("request_duration_ms"))
    if latency is None and ended is not None and ended >= started:
        latency = ms_of(ended) - ms_of(started)
    result = json_of(mcp.get("result"))
    if result is None:
        result = json_of(row.get("response"))
    return known(
        tool=clear_name(mcp.get("name")) or clear_name(row.get("mcp_namespaced_tool_name")) or "unknown",
        destination=clear_name(mcp.get("mcp_server_name")),
        outcome="error" if failed else "ok" if text(row.get("status")) == "success" else None,
        parameters=content_of(json_of(mcp.get("arguments"))) or not_captured(),
        result=content_of(result) or (None if failed else not_captured()),
        error_class=(clear_name(error.get("error_class")) or "error") if failed else None,
        error_text=content_of(text(error.get("error_message")) or None) if failed else None,
        latency_ms=latency,
    )
