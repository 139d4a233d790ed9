"""From AWS Bedrock's model-invocation logs to events."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Rejected
from ledger.importers.bedrock import bedrock
from ledger.importers.records import Place, Record
from ledger.v1 import event_pb2 as pb
from tests.ledger.importers.reading import events_of, written, wrong_in

ROLE = "arn:aws:sts::123456789012:assumed-role/support-bot/i-0abc"
CONVERSE: dict[str, Any] = {
    "schemaType": "ModelInvocationLog",
    "schemaVersion": "1.0",
    "timestamp": "2024-05-15T15:00:00Z",
    "accountId": "123456789012",
    "identity": {"arn": ROLE},
    "region": "us-east-1",
    "inferenceRegion": "us-west-2",
    "requestId": "915a6a04-3f83-4c70-a277-7fbf7ea546b3",
    "operation": "Converse",
    "modelId": "us.anthropic.claude-3-5-haiku-20241022-v1:0",
    "requestMetadata": {"user_id": "mia", "sessionId": "chat-17", "traceId": "trace-1", "team": "support"},
    "input": {
        "inputContentType": "application/json",
        "inputBodyJson": {
            "system": [{"text": "You help."}],
            "messages": [
                {"role": "user", "content": [{"text": "When?"}]},
                {
                    "role": "assistant",
                    "content": [{"toolUse": {"toolUseId": "t1", "name": "get_flight", "input": {"no": "X1"}}}],
                },
                {
                    "role": "user",
                    "content": [
                        {"toolResult": {"toolUseId": "t1", "content": [{"text": "09:10"}], "status": "success"}}
                    ],
                },
            ],
            "inferenceConfig": {"maxTokens": 512, "temperature": 0.5},
        },
        "inputTokenCount": 35,
        "cacheReadInputTokenCount": 5,
        "cacheWriteInputTokenCount": 0,
    },
    "output": {
        "outputContentType": "application/json",
        "outputBodyJson": {
            "output": {"message": {"role": "assistant", "content": [{"text": "At ten past."}]}},
            "stopReason": "end_turn",
            "metrics": {"latencyMs": 364},
            "usage": {"inputTokens": 35, "outputTokens": 7, "totalTokens": 47, "cacheReadInputTokens": 5},
        },
        "outputTokenCount": 7,
    },
}
CHUNKS = [
    {
        "type": "message_start",
        "message": {"model": "claude-3-5-haiku-20241022", "usage": {"input_tokens": 9, "output_tokens": 1}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "At ten "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "past."}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
    {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 9, "invocationLatency": 512}},
]
INVOKE: dict[str, Any] = {
    **CONVERSE,
    "operation": "InvokeModelWithResponseStream",
    "modelId": "anthropic.claude-3-5-haiku-20241022-v1:0",
    "requestMetadata": None,
    "input": {
        "inputContentType": "application/json",
        "inputBodyJson": {
            "anthropic_version": "bedrock-2023-05-31",
            "max_tokens": 100,
            "messages": [{"role": "user", "content": "When?"}],
            "metadata": {"user_id": "mia"},
        },
        "inputTokenCount": 9,
    },
    "output": {"outputContentType": "application/json", "outputBodyJson": CHUNKS, "outputTokenCount": 7},
}


def _events(tmp_path: Path, *logs: dict[str, Any]) -> list[pb.Event]:
    return events_of(bedrock(), written(tmp_path / "log.json", *logs))


def test_an_invocation_says_who_asked_which_model_what(tmp_path: Path) -> None:
    """Every field stands where the record has it; the region is where the model ran."""
    tool, event = _events(tmp_path, CONVERSE)
    body = event.request
    assert (body.vendor, body.model_requested) == ("aws.bedrock", CONVERSE["modelId"])
    assert (body.region, body.region_source, body.vendor_account) == ("us-west-2", "invocation-log", "123456789012")
    assert (body.provider_request_id, body.latency_ms, body.streamed) == (CONVERSE["requestId"], 364, False)
    assert (body.tokens_in, body.tokens_out, body.tokens_cached) == (40, 7, 5)
    assert (body.finish_reason_raw, body.finish_reason) == ("end_turn", pb.FINISH_REASON_STOP)
    assert (body.system_instructions.text, body.output.text) == ("You help.", "At ten past.")
    assert (body.tokens_max, body.temperature) == (512, 0.5)
    assert (event.actor.user.identifier, event.actor.identity_attribute) == ("mia", "user_id")
    assert event.actor.identity_source == pb.IDENTITY_SOURCE_CLAIMED
    assert event.actor.credential_id == "arn:aws:sts::123456789012:assumed-role/support-bot"
    assert event.actor.service == "i-0abc"
    assert (event.story.session_id, event.story.correlation_id) == ("chat-17", "trace-1")
    assert event.occurred_at.ToSeconds() == 1_715_785_200
    assert (tool.tool_call.tool, tool.tool_call.call_id, tool.tool_call.outcome) == ("get_flight", "t1", 1)


def test_a_streamed_answer_is_put_together(tmp_path: Path) -> None:
    """A stream's list of events becomes the answer, for the model's own format and for Converse's events."""
    (event,) = _events(tmp_path, INVOKE)
    body = event.request
    assert (body.output.text, body.streamed, body.latency_ms) == ("At ten past.", True, 512)
    assert (body.model_answered, body.finish_reason) == ("claude-3-5-haiku-20241022", pb.FINISH_REASON_STOP)
    assert (body.tokens_in, body.tokens_out) == (9, 7)
    assert (event.actor.user.identifier, event.actor.identity_attribute) == ("mia", "metadata.user_id")
    stream = [
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "At ten"}}},
        {"messageStop": {"stopReason": "max_tokens"}},
        {"metadata": {"usage": {"inputTokens": 3, "outputTokens": 2}, "metrics": {"latencyMs": 9}}},
    ]
    log = {**CONVERSE, "operation": "ConverseStream", "output": {"outputBodyJson": stream}}
    (_, event) = _events(tmp_path, log)
    assert (event.request.output.text, event.request.latency_ms) == ("At ten", 9)
    assert (event.request.finish_reason, event.request.streamed) == (pb.FINISH_REASON_LENGTH, True)


def test_bodies_in_the_bucket_are_contents_by_reference(tmp_path: Path) -> None:
    """What is too large for the log stays where it is, and the record says where; what was not delivered says that."""
    path = "s3://logs/AWSLogs/123456789012/BedrockModelInvocationLogs/us-east-1/2024/05/15/15/data/a_input.json.gz"
    log = {
        **CONVERSE,
        "input": {"inputContentType": "application/json", "inputBodyS3Path": path, "inputTokenCount": 90_000},
        "output": {"outputContentType": "image/png"},
    }
    (event,) = _events(tmp_path, log)
    assert event.request.input.reference == path
    assert event.request.output.absent
    assert event.request.tokens_in == 90_000


def test_an_error_says_its_code(tmp_path: Path) -> None:
    """There was no output, and none is claimed to be missing."""
    log = {**CONVERSE, "errorCode": "ThrottlingException", "output": {"outputContentType": "application/json"}}
    (_, event) = _events(tmp_path, log)
    assert event.request.error_class == "ThrottlingException"
    assert not event.request.HasField("output")


@pytest.mark.parametrize(
    ("arn", "user", "service", "credential"),
    [
        ("arn:aws:iam::123456789012:user/ana", "arn:aws:iam::123456789012:user/ana", "", ""),
        (
            "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Dev_1a/ana@example.com",
            "ana@example.com",
            "",
            "arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Dev_1a",
        ),
        ("arn:aws:iam::123456789012:root", "", "", "arn:aws:iam::123456789012:root"),
        ("", "", "", ""),
    ],
)
def test_who_aws_says_it_was(tmp_path: Path, arn: str, user: str, service: str, credential: str) -> None:
    """A person becomes a pseudonym, a role stays in clear, without the name of whoever took it where that is one; a
    file that nobody signed claims it."""
    (_, event) = _events(tmp_path, {**CONVERSE, "requestMetadata": None, "identity": {"arn": arn}})
    actor = event.actor
    assert (actor.user.identifier, actor.service, actor.credential_id) == (user, service, credential)
    assert (actor.identity_source == pb.IDENTITY_SOURCE_CLAIMED) == bool(user)


def test_a_folder_of_the_bucket_and_a_log_group_are_the_same_invocations(tmp_path: Path) -> None:
    """Gzipped JSON Lines below the bucket's folders, bodies beside them left out; events of CloudWatch: the same to
    the last byte."""
    expected = [event.SerializeToString(deterministic=True) for event in _events(tmp_path, CONVERSE, INVOKE)]
    folder = tmp_path / "AWSLogs" / "123456789012" / "BedrockModelInvocationLogs"
    hour = folder / "us-east-1" / "2024" / "05" / "15" / "15"
    (hour / "data").mkdir(parents=True)
    (hour / "data" / "a_input.json.gz").write_bytes(gzip.compress(b'{"messages": []}'))
    (folder / "amazon-bedrock-logs-permission-check").write_text("")
    logs = [json.dumps(each).encode() for each in (CONVERSE, INVOKE)]
    (hour / "20240515T150000Z_1.json.gz").write_bytes(gzip.compress(logs[0]))
    (hour / "20240515T150500Z_2.json.gz").write_bytes(gzip.compress(logs[1] + b"\n"))
    assert [
        each.SerializeToString(deterministic=True) for each in events_of(bedrock(), tmp_path / "AWSLogs")
    ] == expected
    group = tmp_path / "group.json"
    events = [{"timestamp": 1, "message": each.decode(), "eventId": "3"} for each in logs]
    group.write_text(json.dumps({"events": events, "searchedLogStreams": []}, indent=1))
    assert [each.SerializeToString(deterministic=True) for each in events_of(bedrock(), group)] == expected


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    """Another kind of log, a newer version of this one, a log without an id or a time."""
    logs = [
        {"eventVersion": "1.08"},
        {**CONVERSE, "schemaVersion": "2.0"},
        {**CONVERSE, "requestId": None},
        {**CONVERSE, "timestamp": 5},
        {**CONVERSE, "modelId": ""},
    ]
    wrong = wrong_in(bedrock(), written(tmp_path / "log.json", *logs))
    assert [(each.place.line, each.field) for each in wrong] == [
        (1, "schemaType"),
        (2, "schemaVersion"),
        (3, "requestId"),
        (4, "timestamp"),
        (5, "modelId"),
    ]


@pytest.mark.parametrize(
    ("model", "asked", "answer", "output"),
    [
        ("amazon.titan-text-v1", {"inputText": "hi"}, {"results": [{"outputText": "yes"}]}, "yes"),
        ("meta.llama3-8b-instruct-v1:0", {"prompt": "hi"}, {"generation": "yes", "stop_reason": "stop"}, "yes"),
        ("unknown.model", {"q": "hi"}, {"a": "yes"}, '{"a":"yes"}'),
        ("unknown.model", "hi", "yes", "yes"),
    ],
)
def test_bodies_of_other_models_are_kept(tmp_path: Path, model: str, asked: Any, answer: Any, output: str) -> None:
    """What is in no known format is kept whole."""
    log = {
        **CONVERSE,
        "operation": "InvokeModel",
        "modelId": model,
        "input": {"inputBodyJson": asked},
        "output": {"outputBodyJson": answer},
    }
    (event,) = _events(tmp_path, log)
    assert event.request.HasField("input")
    assert event.request.output.text == output


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(sorted({*CONVERSE["input"], *CONVERSE["output"], "arn", "user_id"})), inner)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(sorted({*CONVERSE, "message"} - {"schemaType", "schemaVersion"})), _ANY))
def test_whatever_a_log_holds_it_is_taken_or_told(changed: dict[str, Any]) -> None:
    """No value of any field makes the importer fail."""
    with suppress(Rejected):
        list(bedrock().importer(Record(Place("f", 1), {**CONVERSE, **changed})))
