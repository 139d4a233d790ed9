"""From LiteLLM's spend logs to events."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections import Counter
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Rejected
from ledger.importers.litellm import litellm
from ledger.importers.records import Place, Record, Wrong
from ledger.importers.run import import_files
from ledger.v1 import event_pb2 as pb
from tests.ledger.importers.reading import events_of, written, wrong_in

METADATA: dict[str, Any] = {
    "user_api_key_alias": "support-prod",
    "status": "success",
    "usage_object": {
        "prompt_tokens_details": {"cached_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 1},
    },
    "guardrail_information": [{"guardrail_name": "pii", "guardrail_status": "guardrail_intervened"}],
    "vector_store_request_metadata": [
        {
            "vector_store_id": "kb-1",
            "vector_store_search_response": {
                "data": [{"score": 0.5, "file_id": "f1", "content": [{"type": "text", "text": "the rule"}]}]
            },
        }
    ],
}
REQUEST: dict[str, Any] = {
    "model": "support-model",
    "temperature": 0.2,
    "messages": [
        {"role": "system", "content": "You help."},
        {"role": "user", "content": "When does it fly? äöü"},
        {
            "role": "assistant",
            "tool_calls": [{"id": "c1", "function": {"name": "get_flight", "arguments": '{"no": "X1"}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": '{"at": "09:10"}'},
    ],
}
RESPONSE: dict[str, Any] = {
    "id": "chatcmpl-1",
    "model": "gpt-4o-2024-08-06",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "At ten past."}}],
    "usage": {"prompt_tokens": 30, "completion_tokens": 7},
}
ROW: dict[str, Any] = {
    "request_id": "chatcmpl-1",
    "call_type": "acompletion",
    "api_key": "88dc28d0f030c55ed4ab77ed8faf098196cb1c05df778539800c9f1243fe6b4b",
    "spend": 0.00012345,
    "total_tokens": 37,
    "prompt_tokens": 30,
    "completion_tokens": 7,
    "startTime": "2024-05-15T15:00:00.123Z",
    "endTime": "2024-05-15T15:00:01.623Z",
    "completionStartTime": "2024-05-15T15:00:00.423Z",
    "model": "gpt-4o",
    "model_id": "4c5b",
    "model_group": "support-model",
    "custom_llm_provider": "azure",
    "api_base": "https://eastus.api.cognitive.microsoft.com/openai",
    "user": "owner-7",
    "end_user": "mia",
    "team_id": "team-a",
    "metadata": METADATA,
    "cache_hit": "False",
    "cache_key": "Cache OFF",
    "request_tags": ["User-Agent: x"],
    "requester_ip_address": "10.1.2.3",
    "messages": {},
    "response": RESPONSE,
    "proxy_server_request": REQUEST,
    "session_id": "chat-17",
    "request_duration_ms": 1500,
    "status": "success",
    "litellm_call_id": "aa-bb",
}


def _events(tmp_path: Path, *rows: dict[str, Any]) -> list[pb.Event]:
    return events_of(litellm(), written(tmp_path / "spend.jsonl", *rows))


def test_a_row_says_who_asked_which_model_what(tmp_path: Path) -> None:
    """Every column stands where the record has it; what is inferred is marked; nothing else is claimed."""
    tool, event = _events(tmp_path, ROW)
    body = event.request
    assert (body.vendor, body.model_requested, body.model_answered) == (
        "azure.ai.openai",
        "gpt-4o",
        "gpt-4o-2024-08-06",
    )
    assert (body.deployment, body.region, body.region_source) == ("support-model", "eastus", "endpoint")
    assert (body.tokens_in, body.tokens_out, body.tokens_cached, body.tokens_reasoning) == (30, 7, 2, 1)
    assert (body.cost_nanos, body.currency, body.latency_ms, body.time_to_first_token_ms) == (123450, "USD", 1500, 300)
    assert (body.streamed, body.temperature, body.finish_reason) == (True, 0.2, pb.FINISH_REASON_STOP)
    assert body.provider_request_id == "chatcmpl-1"
    assert body.system_instructions.text == "You help."
    assert json.loads(body.input.text)[0] == REQUEST["messages"][1]
    assert body.output.text == "At ten past."
    assert [(each.name, each.verdict) for each in body.guardrails] == [("pii", pb.VERDICT_REFUSE)]
    assert [(each.index_id, each.rank, each.text.text) for each in body.retrieved] == [("kb-1", 1, "the rule")]
    assert event.actor.user.identifier == "mia"
    assert (event.actor.identity_source, event.actor.identity_attribute) == (pb.IDENTITY_SOURCE_CLAIMED, "end_user")
    assert [(each.identifier, each.relation) for each in event.subjects] == [("owner-7", "key owner")]
    assert (event.actor.service, event.actor.credential_id) == ("support-prod", ROW["api_key"])
    assert (event.story.session_id, event.story.correlation_id) == ("chat-17", "chat-17")
    assert sorted(event.derived_fields) == ["request.region", "request.streamed"]
    assert event.occurred_at.ToMilliseconds() == 1_715_785_200_123
    assert event.event_id[6] >> 4 == 8
    assert event.producer.capture_path == pb.CAPTURE_PATH_IMPORTER
    assert (tool.tool_call.tool, tool.tool_call.call_id) == ("get_flight", "c1")
    assert tool.tool_call.result.text == '{"at": "09:10"}'
    assert tool.story.session_id == "chat-17"


@pytest.mark.parametrize(
    ("changed", "answered"),
    [
        ({"custom_llm_provider": "openai", "response": {**RESPONSE, "model": "gpt-4o"}}, ""),
        ({"custom_llm_provider": "openai", "endTime": ROW["completionStartTime"]}, "gpt-4o-2024-08-06"),
        ({"custom_llm_provider": "openai", "response": {**RESPONSE, "model": "support-model"}}, ""),
        ({"response": {**RESPONSE, "model": "gpt-4o"}}, "gpt-4o"),
        (
            {
                "custom_llm_provider": "bedrock",
                "model": "bedrock/eu.anthropic.claude-v1:0",
                "endTime": ROW["completionStartTime"],
                "response": {**RESPONSE, "model": "eu.anthropic.claude-v1:0"},
            },
            "",
        ),
        (
            {
                "custom_llm_provider": "openai",
                "endTime": ROW["completionStartTime"],
                "response": {**RESPONSE, "model": "gpt-4o"},
            },
            "gpt-4o",
        ),
    ],
)
def test_a_model_that_only_echoes_the_one_asked_for_did_not_answer(
    tmp_path: Path, changed: dict[str, Any], answered: str
) -> None:
    """LiteLLM puts the model asked for into streams, and into answers that name none: that is no answer. What it
    hands on of the provider's own is."""
    *_, event = _events(tmp_path, {**ROW, **changed})
    assert event.request.model_answered == answered


def _as_csv(path: Path, *rows: dict[str, Any], opened: Any = open) -> Path:
    """As PostgreSQL's COPY writes the table: JSON as text, times without a zone, null as nothing."""
    with opened(path, "wt", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(ROW)
        for row in rows:
            values = []
            for name, value in row.items():
                if name.endswith("Time"):
                    values.append(value.replace("T", " ").removesuffix("Z").rstrip("0"))
                elif isinstance(value, dict | list):
                    values.append(json.dumps(value, separators=(", ", ": ")))
                else:
                    values.append("" if value is None else value)
            writer.writerow(values)
    return path


def test_the_same_row_is_the_same_event_in_every_shape(tmp_path: Path) -> None:
    """JSON Lines, the proxy's list, a page of v2, texts of JSON, CSV: the same to the last byte; a second import of
    any of them adds nothing."""
    other = {**ROW, "request_id": "chatcmpl-2", "end_user": None, "spend": 1.5e-05, "status": "failure"}
    expected = [event.SerializeToString(deterministic=True) for event in _events(tmp_path, ROW, other)]
    texts = ("metadata", "response", "proxy_server_request", "messages", "request_tags")
    as_texts = [{**row, **{name: json.dumps(row[name]) for name in texts}} for row in (ROW, other)]
    (tmp_path / "list.json").write_text(json.dumps([ROW, other], indent=2))
    (tmp_path / "page.json").write_text(json.dumps({"data": [ROW, other], "total": 2, "page": 1, "page_size": 50}))
    files = [
        tmp_path / "list.json",
        tmp_path / "page.json",
        written(tmp_path / "texts.jsonl", *as_texts),
        _as_csv(tmp_path / "spend.csv", ROW, other),
        _as_csv(tmp_path / "spend.csv.gz", ROW, other, opened=gzip.open),
    ]
    for file in files:
        found = [event.SerializeToString(deterministic=True) for event in events_of(litellm(), file)]
        assert found == expected, file.name
    assert len({event[2:18] for event in expected}) == len(expected) - 1  # the tool that both requests carry is one


def test_contents_that_were_not_stored_are_said_not_to_be(tmp_path: Path) -> None:
    """By default LiteLLM stores none: there was an input and an output, and nobody has them."""
    (event,) = _events(tmp_path, {**ROW, "proxy_server_request": {}, "response": "{}", "messages": "{}"})
    assert event.request.input.absent
    assert event.request.output.absent
    assert not event.request.model_answered
    cut = {**RESPONSE, "choices": [{"message": {"content": "long... (litellm_truncated 9 chars)"}}]}
    (_, event) = _events(tmp_path, {**ROW, "response": cut})
    assert event.request.output.media_type == "text/plain;truncated=yes"


def test_a_failure_says_what_went_wrong(tmp_path: Path) -> None:
    """The class in clear, the text as a content; no output is claimed to have been there."""
    error = {"error_class": "RateLimitError", "error_message": "mia is over her limit", "traceback": "..."}
    row = {**ROW, "status": "failure", "response": {}, "metadata": {"error_information": error}}
    (_, event) = _events(tmp_path, row)
    assert (event.request.error_class, event.request.error_text.text) == ("RateLimitError", "mia is over her limit")
    assert not event.request.HasField("output")


def test_a_cache_hit_is_no_call_of_the_vendor(tmp_path: Path) -> None:
    """It says so, and LiteLLM's own id is not taken for the vendor's."""
    (_, event) = _events(tmp_path, {**ROW, "cache_hit": "True", "request_id": "chatcmpl-1_cache_hit171.5"})
    assert [(each.name, each.value) for each in event.request.parameters] == [("cache_hit", 1.0)]
    assert not event.request.provider_request_id


def test_a_tool_of_an_mcp_server_is_a_tool_call(tmp_path: Path) -> None:
    """Arguments and result as LiteLLM logged them."""
    mcp = {"name": "search", "arguments": {"q": "x"}, "result": {"n": 1}, "mcp_server_name": "wiki"}
    row = {**ROW, "call_type": "call_mcp_tool", "metadata": {"mcp_tool_call_metadata": mcp}, "response": {}}
    (event,) = _events(tmp_path, row)
    body = event.tool_call
    assert (body.tool, body.destination, body.outcome) == ("search", "wiki", pb.TOOL_OUTCOME_OK)
    assert (body.parameters.text, body.result.text, body.latency_ms) == ('{"q":"x"}', '{"n":1}', 1500)


@pytest.mark.parametrize(
    ("call_type", "request_body", "response", "output"),
    [
        (
            "anthropic_messages",
            {"system": "You help.", "messages": [{"role": "user", "content": "hi"}]},
            {"type": "message", "content": [{"type": "text", "text": "yes"}], "stop_reason": "end_turn"},
            "yes",
        ),
        (
            "aresponses",
            {"instructions": "You help.", "input": "hi"},
            {
                "object": "response",
                "status": "completed",
                "output": [{"type": "message", "content": [{"type": "output_text", "text": "yes"}]}],
            },
            "yes",
        ),
        ("aembedding", {"input": "hi"}, {"data": [{"embedding": [0.1]}], "model": "m"}, None),
        ("text_completion", {"prompt": "hi"}, {"choices": [{"text": "yes", "finish_reason": "stop"}]}, "yes"),
        ("pass_through_endpoint", {"contents": [{"parts": [{"text": "hi"}]}]}, {"candidates": []}, None),
    ],
)
def test_calls_of_other_kinds_are_read_in_their_own_shape(
    tmp_path: Path, call_type: str, request_body: Any, response: Any, output: str | None
) -> None:
    """Anthropic's messages, responses, embeddings, completions, calls passed through."""
    row = {**ROW, "call_type": call_type, "proxy_server_request": request_body, "response": response}
    *_, event = _events(tmp_path, row)
    assert event.request.HasField("input")
    assert output is None or event.request.output.text == output


def test_what_is_wrong_is_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    """A row without id or time, a summary by day instead of rows: line and column."""
    summary = {"startTime": "2024-05-15T00:00:00Z", "request_id": "x", "users": {}, "models": {}}
    rows = [{**ROW, "request_id": None}, ROW, {**ROW, "startTime": "yesterday"}, summary]
    wrong = wrong_in(litellm(), written(tmp_path / "spend.jsonl", *rows))
    assert [(each.place.line, each.field) for each in wrong] == [(1, "request_id"), (3, "startTime"), (4, "call_type")]


def test_names_that_hold_addresses_stay_out_of_the_payload(tmp_path: Path) -> None:
    """A key's alias, a session or a model that is an e-mail address or a token is left out, not refused."""
    alias = {**METADATA, "user_api_key_alias": "key of mia@example.com"}
    row = {**ROW, "metadata": alias, "session_id": "mia@example.com", "api_key": "mia@example.com"}
    *_, event = _events(tmp_path, row)
    assert (event.actor.service, event.story.session_id, event.actor.credential_id) == ("", "", "")


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(sorted({*ROW, *METADATA})), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted(ROW)), _ANY))
def test_whatever_a_row_holds_it_is_taken_or_told(changed: dict[str, Any]) -> None:
    """No value of any column makes the importer fail."""
    with suppress(Rejected):
        list(litellm().importer(Record(Place("f", 1), {**ROW, **changed})))


def test_the_columns_are_those_of_litellm_itself() -> None:
    """The row of these tests has the columns of the schema that the package litellm ships, and the importer reads no
    other."""
    package = find_spec("litellm")
    if package is None or package.origin is None:
        pytest.skip("litellm is not installed")
    schema = (Path(package.origin).parent / "proxy" / "schema.prisma").read_text("utf-8")
    (table,) = re.findall(r"model LiteLLM_SpendLogs \{(.*?)\n\}", schema, re.S)
    columns = set(re.findall(r"^\s+(\w+)\s+\w+\??", table, re.M))
    assert set(ROW) <= columns
    source = Path(find_spec("ledger.importers.litellm").origin or "").read_text("utf-8")  # type: ignore[union-attr]
    assert set(re.findall(r"row(?:\.get\(|, )\"(\w+)\"", source)) <= columns


def test_counts_are_of_rows_and_kinds(tmp_path: Path) -> None:
    """What a run reports: files, rows, requests, tool calls."""
    counts: Counter[str] = Counter()
    found = list(import_files(litellm(), [written(tmp_path / "spend.jsonl", ROW, ROW, {})], counts))
    assert counts == {"files": 1, "rows": 3, "requests": 2, "tool_calls": 2}
    assert [isinstance(each, Wrong) for each in found] == [False] * 4 + [True]
