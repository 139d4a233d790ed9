"""What each convention writes finds its field; of several, the first in the documented order counts."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ledger.otlp.conventions.identity import USER
from ledger.otlp.finish import normalized
from ledger.otlp.kinds import KINDS
from ledger.otlp.vendors import vendor_of
from ledger.v1 import event_pb2 as pb
from tests.ledger.otlp.mapping import CHAT, LLM, TOOL, event_of, kept
from tests.ledger.otlp.spans import START_NS


@pytest.mark.parametrize("attribute", USER)
def test_every_users_attribute_is_taken_and_named(attribute: str) -> None:
    """Each attribute that names a user makes the actor, as a claim of that attribute."""
    event = event_of({**CHAT, attribute: "mia"})
    assert (event.actor.user.identifier, event.actor.identity_attribute) == ("mia", attribute)
    assert event.actor.identity_source == pb.IDENTITY_SOURCE_CLAIMED


def test_users_have_an_order_of_precedence() -> None:
    """Of all that name a user, the first in the order counts; the others are kept beside."""
    order = ("enduser.id", "user.id", "langfuse.user.id", "traceloop.association.properties.user_id", "gen_ai.user")
    assert order == USER[:5]
    for at, attribute in enumerate(order):
        event = event_of({**CHAT, **{each: f"user-{place}" for place, each in enumerate(order) if place >= at}})
        assert event.actor.user.identifier == f"user-{at}"
        assert event.actor.identity_attribute == attribute
    parameters = {**LLM, "llm.invocation_parameters": '{"user": "last"}'}
    assert event_of(parameters).actor.identity_attribute == "llm.invocation_parameters:user"
    assert event_of({**parameters, "gen_ai.user": "first"}).actor.user.identifier == "first"
    assert kept(event_of({**CHAT, "enduser.id": "mia", "user.id": "other"}))["user.id"] == "other"


def test_openinference_documents_are_context_retrieved() -> None:
    """A retriever's documents become retrieved documents with id, text, score and rank; what else they say is kept."""
    event = event_of(
        {
            "openinference.span.kind": "RETRIEVER",
            "input.value": "Where is it?",
            "retrieval.documents.0.document.id": "doc-1",
            "retrieval.documents.0.document.content": "Orders ship in a day.",
            "retrieval.documents.0.document.score": 0.9,
            "retrieval.documents.0.document.metadata": '{"source": "faq"}',
            "retrieval.documents.1.document.content": "Refunds take two.",
        }
    )
    first, second = event.request.retrieved
    assert event.request.operation == pb.AI_OPERATION_OTHER
    assert (first.document_id.text, first.text.text, first.score, first.rank) == (
        "doc-1",
        "Orders ship in a day.",
        0.9,
        1,
    )
    assert (second.text.text, second.rank, second.HasField("score")) == ("Refunds take two.", 2, False)
    assert event.request.input.text == "Where is it?"
    assert {"metadata": {"source": "faq"}} in kept(event).values()


def test_opentelemetrys_retrieval_and_openinferences_reranker() -> None:
    """Documents by OpenTelemetry's attribute; a reranker's question with what it chose from."""
    found = event_of(
        {
            "gen_ai.operation.name": "retrieval",
            "gen_ai.retrieval.query.text": "refund",
            "gen_ai.retrieval.documents": '[{"id": "d", "content": "text", "score": "0.5"}]',
        }
    )
    assert (found.request.retrieved[0].text.text, found.request.retrieved[0].score) == ("text", 0.5)
    assert found.request.input.text == "refund"
    ranked = event_of(
        {
            "openinference.span.kind": "RERANKER",
            "reranker.query": "refund",
            "reranker.model_name": "rerank-3",
            "reranker.input_documents.0.document.content": "a",
            "reranker.output_documents.0.document.content": "b",
        }
    )
    assert ranked.request.operation == pb.AI_OPERATION_RERANK
    assert json.loads(ranked.request.input.text) == {"query": "refund", "documents": [{"content": "a"}]}
    assert (ranked.request.retrieved[0].text.text, ranked.request.model_requested) == ("b", "rerank-3")


def test_openinference_tools_and_agents() -> None:
    """A tool's input and output are its parameters and result; an agent's invocation is a request of its own kind."""
    tool = event_of(
        {
            "openinference.span.kind": "TOOL",
            "tool.name": "find_order",
            "tool.id": "call_1",
            "input.value": '{"order": 7}',
            "input.mime_type": "application/json",
            "output.value": "sent",
            "agent.name": "aria",
        }
    )
    body = tool.tool_call
    assert (body.tool, body.call_id, body.parameters.text, body.result.text) == (
        "find_order",
        "call_1",
        '{"order":7}',
        "sent",
    )
    assert (tool.actor.agent, body.HasField("attributes")) == ("aria", False)
    agent = event_of({"openinference.span.kind": "AGENT", "input.value": "Help", "output.value": "Done"}, name="aria")
    assert (agent.request.operation, agent.request.input.text, agent.request.output.text) == (
        pb.AI_OPERATION_OTHER,
        "Help",
        "Done",
    )
    assert kept(agent) == {"openinference.span.kind": "AGENT", "otel.span.name": "aria"}


def test_openinference_prompts_and_completions() -> None:
    """Of a prompt with an id: id, revision, the digest of its template; texts without messages; costs in dollars."""
    event = event_of(
        {
            **LLM,
            "prompt.id": "greeting",
            "llm.prompt_template.version": "7",
            "llm.prompt_template.template": "Greet {name}.",
            "llm.prompts.0.prompt.text": "Greet Mia.",
            "llm.choices.0.completion.text": "Hello.",
            "llm.cost.total": 0.0021,
            "llm.invocation_parameters": '{"temperature": 0.5, "top_k": 4, "stream": true, "store": false, "n": [1]}',
        }
    )
    (prompt,) = event.request.prompts
    assert (prompt.prompt_id, prompt.revision, len(prompt.template_sha256)) == ("greeting", "7", 32)
    assert (event.request.input.text, event.request.output.text) == ('[{"text":"Greet Mia."}]', '[{"text":"Hello."}]')
    assert (event.request.cost_nanos, event.request.currency) == (2_100_000, "USD")
    assert (event.request.temperature, event.request.streamed, event.request.store_requested) == (0.5, True, False)
    assert {each.name: each.value for each in event.request.parameters} == {"top_k": 4.0}


def test_langfuse_prompts_tokens_and_first_token() -> None:
    """Langfuse's prompt, usage and completion start, as JSON or with quotes, find their fields."""
    event = event_of(
        {
            "langfuse.observation.type": "generation",
            "langfuse.observation.prompt.name": "greeting",
            "langfuse.observation.prompt.version": 3,
            "langfuse.observation.usage_details": '{"input": 9, "output": 4, "input_cached_tokens": 2}',
            "langfuse.observation.completion_start_time": '"2026-11-18T11:06:40.250Z"',
        },
        start_ns=1_795_000_000_000_000_000,
    )
    assert [(each.prompt_id, each.revision) for each in event.request.prompts] == [("greeting", "3")]
    assert (event.request.tokens_in, event.request.tokens_out, event.request.tokens_cached) == (9, 4, 2)
    assert event.request.time_to_first_token_ms == 250
    assert START_NS == 1_795_000_000_000_000_000


def test_mcp_tools_by_opentelemetrys_convention() -> None:
    """`tools/call` is a tool call with its destination; `isError` in its result is an error; ids are kept."""
    event = event_of(
        {
            "mcp.method.name": "tools/call",
            "mcp.session.id": "m-1",
            "jsonrpc.request.id": "17",
            "gen_ai.tool.name": "find_order",
            "gen_ai.tool.call.arguments": {"order": 7},
            "gen_ai.tool.call.result": '{"isError": true, "content": []}',
            "server.address": "tools.example.org",
        }
    )
    body = event.tool_call
    assert (body.tool, body.destination, body.outcome) == ("find_order", "tools.example.org", pb.TOOL_OUTCOME_ERROR)
    assert body.parameters.text == '{"order":7}'
    assert (kept(event)["mcp.session.id"], kept(event)["jsonrpc.request.id"]) == ("m-1", "17")


def test_contents_kept_elsewhere_are_by_reference() -> None:
    """What an instrumentation uploads is a content by reference; the content itself counts before it."""
    where = "s3://bucket/inputs/1.json"
    event = event_of({**CHAT, "gen_ai.input.messages_ref": where, "gen_ai.output.messages": "said"})
    assert (event.request.input.reference, event.request.output.text) == (where, "said")
    both = event_of({**CHAT, "gen_ai.input.messages_ref": where, "gen_ai.input.messages": "asked"})
    assert (both.request.input.text, kept(both)["gen_ai.input.messages_ref"]) == ("asked", where)
    long = event_of({**CHAT, "gen_ai.input.messages_ref": "s3://" + "x" * 300})
    assert long.request.input.absent
    assert kept(long)["gen_ai.input.messages_ref"].startswith("s3://x")


def test_the_ledgers_own_attributes_fill_what_no_convention_has() -> None:
    """`ledger.*` of a request: prompts, case, purpose, region, guardrails, a policy's decision."""
    event = event_of(
        {
            **CHAT,
            "ledger.prompt.id": "greeting",
            "ledger.prompt.revision": "7",
            "ledger.prompt.sha256": "AB" * 32,
            "ledger.prompt.role": "system",
            "ledger.case": "case-7",
            "ledger.session_id": "s-1",
            "ledger.ai_system": "desk",
            "ledger.use_case": "refunds",
            "ledger.subject": "tom",
            "ledger.role": "support",
            "ledger.grant": "g-1",
            "ledger.region": "eu-north-1",
            "ledger.deployment": "chat-eu",
            "ledger.output_delivered": "altered",
            "ledger.guardrails": [{"name": "pii", "verdict": "redact"}],
            "ledger.decision": "allow",
            "ledger.decision.rule": "r-1",
            "cloud.region": "us-east-1",
        }
    )
    (prompt,) = event.request.prompts
    assert (prompt.prompt_id, prompt.revision, prompt.role) == ("greeting", "7", "system")
    assert prompt.template_sha256 == bytes.fromhex("ab" * 32)
    assert (event.story.correlation_id, event.story.session_id) == ("case-7", "s-1")
    assert (event.purpose.ai_system_id, event.purpose.use_case_id) == ("desk", "refunds")
    assert (event.subjects[0].identifier, event.actor.role, event.actor.grant_id) == ("tom", "support", "g-1")
    assert (event.request.region, event.request.region_source, event.request.deployment) == (
        "eu-north-1",
        "",
        "chat-eu",
    )
    assert event.request.output_delivered == pb.DELIVERY_ALTERED
    assert event.request.guardrails[0].verdict == pb.VERDICT_REDACT
    assert (event.policy_decision.verdict, event.policy_decision.rule) == (pb.VERDICT_ALLOW, "r-1")


def test_the_ledgers_own_attributes_of_a_tool() -> None:
    """`ledger.*` of a tool call: side effect, intent, grant, approval, what went out and what came of it."""
    event = event_of(
        {
            **TOOL,
            "ledger.side_effect": "money",
            "ledger.intent": "Pay her back.",
            "ledger.grant": "g-1",
            "ledger.tool.version": "2",
            "ledger.external_effect_id": "refund-9",
            "ledger.data_classes_sent": ["internal", "restricted"],
            "ledger.approval.approver": "dana",
            "ledger.approval.verdict": "approved",
            "ledger.approval.decided_at": "2026-11-21T12:00:00Z",
        }
    )
    body = event.tool_call
    assert (body.side_effect, body.intent.text, body.grant_id) == (pb.SIDE_EFFECT_MONEY, "Pay her back.", "g-1")
    assert (body.version, body.external_effect_id.text) == ("2", "refund-9")
    assert list(body.data_classes_sent) == [pb.CLASSIFICATION_INTERNAL, pb.CLASSIFICATION_RESTRICTED]
    assert (body.approval.approver, body.approval.verdict) == ("dana", pb.APPROVAL_VERDICT_APPROVED)
    assert body.approval.decided_at.ToJsonString() == "2026-11-21T12:00:00Z"


def test_what_an_attribute_of_ours_can_not_mean_is_kept() -> None:
    """A side effect, class or digest that is none is not guessed at: its field stays unknown, the value is kept."""
    given: dict[str, Any] = {
        **TOOL,
        "ledger.side_effect": "quite some",
        "ledger.classification": "secret",
        "ledger.approval.decided_at": "soon",
        "ledger.data_classes_sent": ["internal", "odd"],
    }
    event = event_of(given)
    assert (event.tool_call.side_effect, event.classification) == (0, 0)
    assert set(kept(event)) >= {each for each in given if each.startswith("ledger.")}


def test_what_a_newer_convention_adds_is_kept() -> None:
    """Attributes about generative AI that nothing here knows are not lost; others are, unless context is kept."""
    event = event_of({**CHAT, "gen_ai.of.tomorrow": [1], "http.request.method": "POST", "gen_ai.headers": "Bearer x"})
    assert kept(event) == {"gen_ai.of.tomorrow": [1]}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("stop", "STOP"),
        ("END_TURN", "STOP"),
        ("max_tokens", "LENGTH"),
        ("tool_use", "TOOL_CALLS"),
        ("SAFETY", "CONTENT_FILTER"),
        ("refusal", "CONTENT_FILTER"),
        ("MALFORMED_FUNCTION_CALL", "ERROR"),
        ("something new", "OTHER"),
        ("stop,end_turn", "STOP"),
        ("stop,length", "OTHER"),
    ],
)
def test_finish_reasons_are_kept_raw_and_normalized(raw: str, reason: str) -> None:
    """The vendor's word stays; beside it stands the ledger's, which several words share."""
    assert pb.FinishReason.Name(normalized(raw)) == f"FINISH_REASON_{reason}"  # type: ignore[arg-type]
    event = event_of({**CHAT, "gen_ai.response.finish_reasons": raw.split(",")})
    assert event.request.finish_reason_raw == raw


def test_vendors_are_spelled_one_way() -> None:
    """Whatever a convention calls a vendor, the ledger calls it as OpenTelemetry does."""
    assert [vendor_of(each) for each in ("AWS", "Azure", "OpenAI", "az.ai.openai", "mistralai", "own-model")] == [
        *("aws.bedrock", "azure.ai.openai", "openai", "azure.ai.openai", "mistral_ai", "own-model"),
    ]


@pytest.mark.parametrize(("attribute", "value"), [(key, value) for key, values in KINDS.items() for value in values])
def test_every_kind_that_is_documented_maps(attribute: str, value: str) -> None:
    """Each value that names a kind makes a request, a tool call, or nothing."""
    from ledger.otlp import map_traces
    from tests.ledger.otlp.spans import export, span

    mapped = map_traces(export(span({attribute: value})), "acme")
    expected = KINDS[attribute][value].kind
    assert [each.event.WhichOneof("body") for each in mapped.events] == ([] if expected == "context" else [expected])
