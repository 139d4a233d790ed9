"""Parts of an event that are lists: prompts, numeric parameters, retrieved documents, guardrails, subjects.

Each function takes what was found and puts items into the event; what does not fit it hands back by path, for the
content `attributes`. A list has at most `LIST_ITEMS_MAX` items.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from ledger.otlp.contents import content_of
from ledger.otlp.names import fits, is_identifier
from ledger.otlp.values import Value, count_of, number_of, text_of
from ledger.record.names import LIST_ITEMS_MAX
from ledger.v1 import event_pb2 as pb

LeftOver = Iterator[tuple[str, Value]]

SHA256_BYTES = 32
VERDICTS = {"allow": pb.VERDICT_ALLOW, "redact": pb.VERDICT_REDACT, "refuse": pb.VERDICT_REFUSE}


def put_prompts(event: pb.Event, prompts: list[dict[str, Value]]) -> LeftOver:
    """Prompts by `id`, `revision`, `role`, `sha256` (32 bytes in hex)."""
    for at, each in enumerate(prompts):
        prompt_id = text_of(each.get("id"))
        if prompt_id is None or not fits(prompt_id) or at >= LIST_ITEMS_MAX:
            yield "request.prompts", each
            continue
        use = event.request.prompts.add(prompt_id=prompt_id)
        for name in ("revision", "role"):
            text = text_of(each.get(name))
            if text is not None and fits(text):
                setattr(use, name, text)
            elif text is not None:
                yield f"request.prompts.{name}", text
        if each.get("sha256") is not None:
            digest = digest_of(each["sha256"])
            if digest is None:
                yield "request.prompts.sha256", each["sha256"]
            else:
                use.template_sha256 = digest


def digest_of(value: Value) -> bytes | None:
    """A SHA-256, given in hex or as its bytes."""
    if isinstance(value, str):
        try:
            value = bytes.fromhex(value)
        except ValueError:
            return None
    return value if isinstance(value, bytes) and len(value) == SHA256_BYTES else None


def put_parameter(event: pb.Event, name: str, value: float) -> LeftOver:
    """A number by its name."""
    parameters = event.request.parameters
    if math.isfinite(value) and fits(name) and len(parameters) < LIST_ITEMS_MAX:
        parameters.add(name=name, value=value)
    else:
        yield f"request.parameters.{name}", value


def put_retrieved(event: pb.Event, documents: list[dict[str, Value]]) -> LeftOver:
    """Documents by `id`, `text`, `score`, `rank`, `index`, `index_revision`, `namespace`, `owner_tenant`; what else one
    says is left over."""
    for at, each in enumerate(documents):
        if at >= LIST_ITEMS_MAX:
            yield "request.retrieved", documents[at:]
            return
        document = event.request.retrieved.add()
        rest = dict(each)
        for name, field in _DOCUMENT_NAMES.items():
            text = text_of(rest.get(name))
            if text is not None and fits(text):
                setattr(document, field, text)
                del rest[name]
        rank, score = count_of(rest.get("rank")), number_of(rest.get("score"))
        if rank is not None and rank < 2**63:
            document.rank = rank
            del rest["rank"]
        if score is not None:
            document.score = score
            del rest["score"]
        for name, content in (("id", document.document_id), ("text", document.text)):
            if rest.get(name) not in (None, ""):
                content.CopyFrom(content_of(rest.pop(name)))
        rest = {name: value for name, value in rest.items() if value is not None}
        if rest:
            yield f"request.retrieved.{at}", rest


_DOCUMENT_NAMES = {
    "index": "index_id",
    "index_revision": "index_revision",
    "namespace": "namespace",
    "owner_tenant": "document_owner_tenant",
}


def put_guardrails(event: pb.Event, guardrails: list[dict[str, Value]]) -> LeftOver:
    """Guardrails by `name`, `version`, `verdict` (allow, redact, refuse)."""
    for at, each in enumerate(guardrails):
        name, version = text_of(each.get("name")), text_of(each.get("version"))
        verdict = VERDICTS.get(str(each.get("verdict", "")).lower())
        if name is None or not fits(name) or at >= LIST_ITEMS_MAX:
            yield "request.guardrails", each
            continue
        result = event.request.guardrails.add(name=name)
        if version is not None and fits(version):
            result.version = version
        elif version is not None:
            yield "request.guardrails.version", version
        if verdict is not None:
            result.verdict = verdict
        elif each.get("verdict") is not None:
            yield "request.guardrails.verdict", each["verdict"]


def put_subjects(event: pb.Event, subjects: list[Any]) -> LeftOver:
    """Persons: identifiers, or objects with `id` and `relation`."""
    for each in subjects:
        given = each if isinstance(each, dict) else {"id": each}
        who, relation = text_of(given.get("id")), text_of(given.get("relation"))
        if who is None or not is_identifier(who) or len(event.subjects) >= LIST_ITEMS_MAX:
            yield "subjects", each
            continue
        person = event.subjects.add(identifier=who)
        if relation is not None and fits(relation):
            person.relation = relation
        elif relation is not None:
            yield "subjects.relation", relation


def put_classes(event: pb.Event, classes: list[int]) -> LeftOver:
    """Classifications of the data that a tool was given."""
    event.tool_call.data_classes_sent.extend(classes[:LIST_ITEMS_MAX])  # type: ignore[arg-type]
    if len(classes) > LIST_ITEMS_MAX:
        yield "tool_call.data_classes_sent", classes[LIST_ITEMS_MAX:]
