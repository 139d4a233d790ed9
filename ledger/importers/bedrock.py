"""AWS Bedrock's model-invocation logs to requests, and to the tools that their bodies tell of.

A record is one invocation, a JSON object with `"schemaType": "ModelInvocationLog"` and `"schemaVersion": "1.0"`:

- objects that Bedrock delivers to S3, `AWSLogs/<account>/BedrockModelInvocationLogs/<region>/.../*.json.gz`: JSON
  Lines, gzipped. A folder copied from the bucket is taken whole; the bodies below `data/` are not records;
- what `aws logs filter-log-events` gives of a log group, `{"events": [{"message": "<the same object>"}]}`.

| field                                  | becomes                                                                     |
| -------------------------------------- | --------------------------------------------------------------------------- |
| `accountId`, `region`, `requestId`     | the event's id (derived, with the time); account, provider's request id     |
| `timestamp`                            | when it occurred                                                            |
| `operation`                            | the wire format: `Converse` and `InvokeModel`, each streamed or not         |
| `modelId`                              | model asked for; of an ARN the whole of it is the deployment                |
| `inferenceRegion`, else `region`       | region                                                                      |
| `input.inputBodyJson`                  | what was asked: input, instructions, tools, parameters, tools that ran      |
| `output.outputBodyJson`                | output, finish reason, tokens; of a stream its list of events               |
| `…S3Path` instead of a body            | a content by reference: it stays in the bucket                              |
| token counts                           | tokens, the cached ones among those in                                      |
| `identity.arn`                         | a role is the credential, its session the acting service, or a person where |
|                                        | it is an e-mail address; an IAM user is a person; claims, since AWS knew    |
|                                        | them and nothing shows that the file is as AWS wrote it                     |
| `requestMetadata`                      | user, session, correlation under the names below, as the caller claims      |
| `errorCode`, `status`                  | error class                                                                 |

A body that is neither there nor referred to was not captured (its kind of data is not delivered, as configured).

`requestMetadata` is the caller's. Of its keys are read, the first that is there:

    user         ledger.user, user.id, user_id, userId
    session      ledger.session, session.id, session_id, sessionId, gen_ai.conversation.id
    correlation  ledger.correlation, correlation_id, correlationId, trace_id, traceId
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from ledger.client.builders import request
from ledger.client.ids import derived_event_id
from ledger.errors import Rejected
from ledger.importers.producing import exchange_fields, imported
from ledger.importers.records import text_of
from ledger.importers.run import Source
from ledger.importers.values import clear_name, count, json_of, known, moment, ms_of, not_captured, text
from ledger.v1 import event_pb2 as pb
from ledger.vendors.exchange import Answered, Asked
from ledger.vendors.fields import name_of
from ledger.vendors.formats import FORMATS
from ledger.vendors.json_values import Json, dump, table, tables, total
from ledger.vendors.pieces import Room
from ledger.vendors.routes import FormatName
from ledger.vendors.tools_ran import results_seen, runs_at_vendor

SERVICE = "import-bedrock"
VENDOR = "aws.bedrock"
SCHEMA, VERSIONS = "ModelInvocationLog", ("1.0",)
LEFT_OUT = frozenset({"data", "amazon-bedrock-logs-permission-check"})
_ID = "bedrock-invocation-log/v1"
_OTHER: tuple[FormatName, bool | None] = ("json", None)
_OPERATIONS: dict[str, tuple[FormatName, bool | None]] = {
    "Converse": ("bedrock.converse", False),
    "ConverseStream": ("bedrock.converse", True),
    "InvokeModel": ("bedrock.invoke", False),
    "InvokeModelWithResponseStream": ("bedrock.invoke", True),
}
_USER = ("ledger.user", "user.id", "user_id", "userId")
_SESSION = ("ledger.session", "session.id", "session_id", "sessionId", "gen_ai.conversation.id")
_CORRELATION = ("ledger.correlation", "correlation_id", "correlationId", "trace_id", "traceId")
_PRINCIPAL = re.compile(r"(arn:[a-z0-9-]+:(?:iam|sts)::\d*:)(assumed-role|user|federated-user)/(.+)")


def bedrock() -> Source:
    """The kind of file that this module reads."""
    return Source(
        "invocations", lambda record: imported(_invocation(record.value), SERVICE), pages="events", left_out=LEFT_OUT
    )


def _invocation(record: dict[str, Json]) -> Iterator[pb.Event]:
    log = _opened(record)
    at = moment(log.get("timestamp"), "timestamp")
    request_id, model = text_of(log, "requestId"), text_of(log, "modelId")
    given, made = table(log.get("input")), table(log.get("output"))
    name, streamed = _OPERATIONS.get(text(log.get("operation")), _OTHER)
    body, answer = json_of(given.get("inputBodyJson")), json_of(made.get("outputBodyJson"))
    asked, answered = _read(name, model, body, answer)
    asked = replace(asked, model=model, streamed=asked.streamed if streamed is None else streamed)
    said = exchange_fields(asked, _counted(answered, given, made))
    said |= _elsewhere(given, body, "inputBodyS3Path", "input") | _elsewhere(made, answer, "outputBodyS3Path", "output")
    if text(log.get("errorCode")) or text(log.get("status")) not in ("", "success", "Success", "200"):
        said["error_class"] = clear_name(log.get("errorCode")) or clear_name(log.get("status")) or "error"
        if said.get("output") is not None and said["output"].absent:
            del said["output"]
    story = _story(table(log.get("requestMetadata")))
    account, region = text(log.get("accountId")), text(log.get("region"))
    event = request(
        **{
            **said,
            **story,
            **_who(log, asked),
            **known(
                vendor=VENDOR,
                model_requested=name_of(model),
                deployment=name_of(model) if model.startswith("arn:") else None,
                vendor_account=clear_name(account),
                provider_request_id=clear_name(request_id),
                region=clear_name(log.get("inferenceRegion")) or clear_name(region),
                region_source="invocation-log",
                latency_ms=_latency(answer),
            ),
        },
        occurred_at=at,
        event_id=derived_event_id(ms_of(at), _ID, account, region, request_id),
    )
    yield from results_seen(asked.tools_ran, VENDOR, story, event.event_id)
    yield event
    yield from runs_at_vendor(answered.tools_ran, VENDOR, story, event)


def _opened(record: dict[str, Json]) -> dict[str, Json]:
    """The log record itself, out of a log group's event too."""
    log = record
    if "schemaType" not in record and "message" in record:
        log = table(json_of(record["message"]))
    if log.get("schemaType") != SCHEMA:
        raise Rejected("schemaType", f"expected {SCHEMA}")
    if log.get("schemaVersion") not in VERSIONS:
        raise Rejected("schemaVersion", f"expected {' or '.join(VERSIONS)}")
    return log


def _read(name: FormatName, model: str, body: Json, answer: Json) -> tuple[Asked, Answered]:
    """What the bodies say."""
    shape = FORMATS[name]
    asked = shape.asked(body, model) if isinstance(body, dict) else Asked(operation="other", input=body)
    if isinstance(answer, list):
        answer = _assembled(name, model, answer)
    if isinstance(answer, dict):
        return asked, shape.answered(answer, model)
    return asked, Answered(output=answer)


def _assembled(name: FormatName, model: str, events: list[Json]) -> Json:
    """The answer that a stream's events make; of a list that is none of a stream, the list."""
    make = FORMATS[name].assembler
    if make is None or not tables(events):
        return {"output": events}
    assembler = make(Room(), model)
    for each in tables(events):
        if name == "bedrock.invoke":
            assembler.take("chunk", {"bytes": base64.b64encode(dump(each).encode("utf-8", "replace")).decode()})
        else:
            kind = next(iter(each), "")
            assembler.take(kind, each.get(kind))
    return assembler.body()


def _counted(answered: Answered, given: dict[str, Json], made: dict[str, Json]) -> Answered:
    """With the counts of the log where the answer has none."""
    cached = count(given.get("cacheReadInputTokenCount"))
    tokens_in = total(count(given.get("inputTokenCount")), count(given.get("cacheWriteInputTokenCount")), cached)
    return replace(
        answered,
        tokens_in=tokens_in if answered.tokens_in is None else answered.tokens_in,
        tokens_out=count(made.get("outputTokenCount")) if answered.tokens_out is None else answered.tokens_out,
        tokens_cached=cached if answered.tokens_cached is None else answered.tokens_cached,
    )


def _elsewhere(part: dict[str, Json], body: Json, path: str, slot: str) -> dict[str, pb.Content]:
    """The content of a body that is not in the log."""
    if body is not None:
        return {}
    reference = name_of(text(part.get(path)))
    return {slot: not_captured() if reference is None else pb.Content(reference=reference)}


def _latency(answer: Json) -> int | None:
    """Of Converse, and of a stream of InvokeModel, as AWS measured it."""
    for each in [answer, *tables(answer)]:
        metrics = table(table(each).get("metrics")) or table(table(table(each).get("metadata")).get("metrics"))
        latency = count(metrics.get("latencyMs"))
        if latency is None:
            latency = count(table(table(each).get("amazon-bedrock-invocationMetrics")).get("invocationLatency"))
        if latency is not None:
            return latency
    return None


def _story(metadata: dict[str, Json]) -> dict[str, Any]:
    return known(
        session_id=_first(metadata, _SESSION)[1] or None, correlation_id=_first(metadata, _CORRELATION)[1] or None
    )


def _first(metadata: dict[str, Json], names: tuple[str, ...]) -> tuple[str, str | None]:
    return next(((name, found) for name in names if (found := clear_name(metadata.get(name)))), ("", None))


def _who(log: dict[str, Json], asked: Asked) -> dict[str, Any]:
    """Whom the caller names before whom AWS knows."""
    metadata = table(log.get("requestMetadata"))
    named = next(((name, found) for name in _USER if (found := text(metadata.get(name)))), None)
    if named is None and asked.user:
        named = (asked.user_attribute or "body", asked.user)
    who = _principal(text(table(log.get("identity")).get("arn")))
    if named is not None:
        who |= {"user": named[1], "identity_source": "claimed", "identity_attribute": f"{named[0]}"}
    return who


def _principal(arn: str) -> dict[str, Any]:
    """Who AWS says signed the call."""
    found = _PRINCIPAL.fullmatch(arn)
    if found is None:
        return known(credential_id=clear_name(arn))
    account, kind, name = found.groups()
    role, _, session = name.partition("/")
    source = {"identity_source": "claimed", "identity_attribute": "identity.arn"}
    if kind != "assumed-role":
        return {"user": arn, **source}
    who = known(credential_id=clear_name(f"{account}{kind}/{role}"))
    if "@" in session:
        return {**who, "user": session, **source}
    return {**who, **known(actor_service=clear_name(session)), **source}
