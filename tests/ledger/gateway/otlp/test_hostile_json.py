"""Malformed, deeply nested and hostile exports in JSON."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict

from ledger.gateway.otlp.signals import TRACES
from tests.ledger.gateway.otlp.hostile_spans import SECRET
from tests.ledger.gateway.otlp.sending import JSON, chat_span, export, posted
from tests.ledger.gateway.running import Running


def json_spans(*bad: Any) -> bytes:
    """An export in JSON: two good spans, and bad ones between them."""
    tree = MessageToDict(export(chat_span(0), chat_span(1)))
    spans = tree["resourceSpans"][0]["scopeSpans"][0]["spans"]
    for number, span in enumerate(spans):
        span["traceId"], span["spanId"] = chat_span(number).trace_id.hex(), chat_span(number).span_id.hex()
    spans[1:1] = bad
    return json.dumps(tree).encode()


def deep_value(depth: int) -> Any:
    """A value inside lists, in JSON."""
    value: Any = {"stringValue": "deep"}
    for _ in range(depth):
        value = {"arrayValue": {"values": [value]}}
    return value


BAD_JSON: dict[str, Any] = {
    "a text": SECRET,
    "null": None,
    "a list": [1, 2],
    "ids that are no hex": {"traceId": SECRET, "spanId": "x"},
    "ids that are base64": {"traceId": base64.b64encode(bytes(15) + b"\1").decode(), "spanId": "AAAAAAAAAAE="},
    "ids that are numbers": {"traceId": 1, "spanId": 2},
    "a time that is a text": {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "startTimeUnixNano": SECRET},
    "attributes that are no list": {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "attributes": SECRET},
    "nested 150 deep": {
        "traceId": "0" * 31 + "1",
        "spanId": "0" * 15 + "1",
        "attributes": [{"key": "x", "value": deep_value(150)}],
    },
    "half a surrogate": {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "name": "\ud800"},
    "links that are numbers": {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "1", "links": [1]},
}


@pytest.mark.parametrize("bad", BAD_JSON)
async def test_a_bad_span_in_json_costs_itself_alone(gateway: Running, bad: str) -> None:
    """As in protobuf."""
    status, body = await posted(gateway, TRACES.path, json_spans(BAD_JSON[bad]), {"Content-Type": JSON})
    answer = json.loads(body)
    assert (status, answer["partialSuccess"]["rejectedSpans"]) == (200, "1")
    assert "spans[1]: " in answer["partialSuccess"]["errorMessage"]
    assert SECRET not in body.decode()
    assert len(await gateway.stored()) == 2


WRONG_JSON = {
    "cut off": json_spans()[:-9],
    "nested 100,000 deep": b"[" * 100_000,
    "not UTF-8": json_spans().replace(b"shop", b"sh\xffp"),
    "UTF-16": json_spans().decode().encode("utf-16"),
    "a list": b"[]",
    "resources that are no list": b'{"resourceSpans": {"x": 1}}',
    "a number of a million digits": b'{"resourceSpans": ' + b"9" * 1_000_000 + b"}",
}


@pytest.mark.parametrize("wrong", WRONG_JSON)
async def test_json_that_is_none(gateway: Running, wrong: str) -> None:
    """What can't be read at all is refused for good, as JSON."""
    status, body = await posted(gateway, TRACES.path, WRONG_JSON[wrong], {"Content-Type": JSON})
    assert status == 400
    assert json.loads(body)["code"] == 3


async def test_damaged_json_is_always_answered(gateway: Running) -> None:
    """Whichever bytes of an export in JSON are changed, it is never a fault."""
    dice = random.Random(13)
    good = json_spans()
    for _ in range(200):
        damaged = bytearray(good)
        for _ in range(dice.randint(1, 4)):
            damaged[dice.randrange(len(damaged))] = dice.choice(b'{}[]",:0123456789\\nulabc')
        status, body = await posted(gateway, TRACES.path, bytes(damaged), {"Content-Type": JSON})
        assert status in (200, 400), body
