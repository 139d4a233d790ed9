"""What an auditor asks of an event, need by need: where the answer stands, and what supplies it.

A need is asked of a *step*: the events of one operation, and those that amend it. It is answered when any of them holds
it. Conditions are SQL over `step_rows` of `query.coverage`: the columns of `ledger_rows`, and

    slots            slots of the contents that are there, by reference too
    partial_slots    of those, the slots that are not whole: cut, kept as a digest, or elsewhere

`applies` says of which steps it is asked: a request that failed has no output to show.

The needs that are *core* are those without which the first question has no answer: for this user, which model version,
prompt revision and input produced which output, which tools ran, and who had allowed that.
"""

from __future__ import annotations

from dataclasses import dataclass

REQUEST, TOOL_CALL, DECISION, CHANGE = "request", "tool_call", "decision", "change"
KINDS = (REQUEST, TOOL_CALL, DECISION, CHANGE)
"""The kinds of event that producers send and auditors ask about."""


@dataclass(frozen=True, slots=True)
class Need:
    """One need. `derived`: the names under which it stands in an event's `derived_fields`, by their beginnings."""

    name: str
    label: str
    kinds: tuple[str, ...]
    has: str
    advice: str
    is_core: bool = False
    applies: str = "true"
    partial: str = "false"
    derived: tuple[str, ...] = ()


def _given(column: str) -> str:
    return f"{column} IS NOT NULL"


def _stated(column: str) -> str:
    return f"coalesce({column}, 'unspecified') <> 'unspecified'"


def _content(kind: str, slot: str, label: str, advice: str, *, is_core: bool = False, applies: str = "true") -> Need:
    return Need(
        f"{kind}.{slot}",
        label,
        (kind,),
        f"list_contains(slots, '{slot}')",
        advice,
        is_core,
        applies,
        partial=f"list_contains(partial_slots, '{slot}')",
        derived=(f"{kind}.{slot}",),
    )


_MODEL = "coalesce(request.operation, 'chat') <> 'other'"
"""A call of a model, and not of an agent or a workflow around it."""

_ANSWERED = f"{_MODEL} AND request.error_class IS NULL"
_PROMPTED = f"{_MODEL} AND request.operation NOT IN ('embedding', 'rerank', 'moderation', 'transcription')"
_GENERATED = "request.error_class IS NULL AND request.operation NOT IN ('embedding', 'rerank', 'moderation')"
_RAN = "coalesce(tool_call.outcome, 'ok') = 'ok'"
_ACTING = (REQUEST, TOOL_CALL, DECISION)

NEEDS: tuple[Need, ...] = (
    Need(
        "actor",
        "who acted: the user",
        (REQUEST, TOOL_CALL),
        _given("actor_user"),
        "user.id or enduser.id on the span",
        is_core=True,
        derived=("actor.user",),
    ),
    Need(
        "request.vendor",
        "vendor",
        (REQUEST,),
        _given("request.vendor"),
        "gen_ai.provider.name; else ledger.vendor",
        is_core=True,
        derived=("request.vendor",),
        applies=_MODEL,
    ),
    Need(
        "request.model_requested",
        "model asked for",
        (REQUEST,),
        _given("request.model_requested"),
        "gen_ai.request.model",
        derived=("request.model_requested",),
        applies=_MODEL,
    ),
    Need(
        "request.model_answered",
        "pinned model version that answered",
        (REQUEST,),
        _given("request.model_answered"),
        "gen_ai.response.model; else ledger.model_answered",
        is_core=True,
        applies=_ANSWERED,
        derived=("request.model_answered",),
    ),
    Need(
        "request.prompts.revision",
        "prompt and its revision",
        (REQUEST,),
        "len(list_filter(coalesce(request.prompts, []), x -> x.revision IS NOT NULL)) > 0",
        "ledger.prompt.id and ledger.prompt.revision; or gen_ai.prompt.name and gen_ai.prompt.version",
        is_core=True,
        applies=_PROMPTED,
        derived=("request.prompts",),
    ),
    Need(
        "request.prompts.sha256",
        "digest of the prompt's template",
        (REQUEST,),
        "len(list_filter(coalesce(request.prompts, []), x -> x.template_sha256 IS NOT NULL)) > 0",
        "ledger.prompt.sha256: SHA-256 of the template before substitution",
        applies=_PROMPTED,
    ),
    _content(
        REQUEST,
        "input",
        "input",
        "gen_ai.input.messages: switch on the instrumentation's capture of message content",
        is_core=True,
    ),
    _content(
        REQUEST,
        "output",
        "output",
        "gen_ai.output.messages: switch on the instrumentation's capture of message content",
        is_core=True,
        applies=_GENERATED,
    ),
    Need(
        "request.region",
        "region the data went to",
        (REQUEST,),
        _given("request.region"),
        "ledger.region, where the endpoint's address does not tell it",
        is_core=True,
        derived=("request.region",),
        applies=_MODEL,
    ),
    Need(
        "request.finish_reason",
        "why it ended",
        (REQUEST,),
        f"request.finish_reason_raw IS NOT NULL OR {_stated('request.finish_reason')}",
        "gen_ai.response.finish_reasons",
        applies=f"{_MODEL} AND {_GENERATED}",
        derived=("request.finish_reason",),
    ),
    Need(
        "request.tokens",
        "tokens in and out",
        (REQUEST,),
        "request.tokens_in IS NOT NULL AND request.tokens_out IS NOT NULL",
        "gen_ai.usage.input_tokens and gen_ai.usage.output_tokens",
        applies=f"{_MODEL} AND {_GENERATED}",
        derived=("request.tokens",),
    ),
    _content(TOOL_CALL, "parameters", "tool parameters", "gen_ai.tool.call.arguments", is_core=True),
    _content(TOOL_CALL, "result", "tool result", "gen_ai.tool.call.result", is_core=True, applies=_RAN),
    _content(TOOL_CALL, "intent", "why the tool was called", "ledger.intent"),
    Need(
        "tool_call.requested_by",
        "the request that asked for the tool",
        (TOOL_CALL,),
        _given("tool_call.requested_by_event_id"),
        "gen_ai.tool.call.id, and the request's span in the same export",
        is_core=True,
        derived=("tool_call.requested_by_event_id",),
    ),
    Need(
        "tool_call.outcome",
        "outcome",
        (TOOL_CALL,),
        _stated("tool_call.outcome"),
        "the span's status; else ledger.outcome",
        derived=("tool_call.outcome",),
    ),
    Need(
        "tool_call.side_effect",
        "side-effect class",
        (TOOL_CALL,),
        _stated("tool_call.side_effect"),
        "ledger.side_effect: none, read, write, external or money",
        is_core=True,
        derived=("tool_call.side_effect",),
    ),
    Need(
        "tool_call.destination",
        "where the tool's data went",
        (TOOL_CALL,),
        _given("tool_call.destination"),
        "ledger.destination, ledger.region",
        applies="coalesce(tool_call.side_effect, 'unspecified') IN ('external', 'money', 'unspecified')",
        derived=("tool_call.destination",),
    ),
    Need(
        "authorization",
        "authorization in effect",
        _ACTING,
        "grant_id IS NOT NULL OR tool_call.grant_id IS NOT NULL",
        "ledger.grant: the grant or policy that allowed it",
        is_core=True,
        derived=("actor.grant_id", "tool_call.grant_id"),
    ),
    Need(
        "session",
        "session",
        _ACTING,
        _given("session_id"),
        "gen_ai.conversation.id or session.id",
        derived=("story.session_id",),
    ),
    Need(
        "subjects",
        "whom it concerned",
        _ACTING,
        "len(coalesce(subjects, [])) > 0",
        "ledger.subjects, where that is somebody else than the user",
        derived=("subjects",),
    ),
    Need(
        "ai_system",
        "AI system or use case",
        _ACTING,
        "coalesce(ai_system_id, use_case_id, purpose) IS NOT NULL",
        "resource attribute ledger.ai_system, ledger.use_case or ledger.purpose",
        derived=("purpose.",),
    ),
    Need(
        "classification",
        "classification of the data",
        _ACTING,
        _stated("declared_class"),
        "ledger.classification on the span or the resource",
    ),
    Need(
        "decision.requests",
        "the requests it rests on",
        (DECISION,),
        "len(coalesce(decision_made.request_event_ids, [])) > 0",
        "decision.request_event_ids",
        is_core=True,
    ),
    _content(DECISION, "result", "result of the decision", "decision.result", is_core=True),
    Need(
        "decision.human_reviewer",
        "human reviewer",
        (DECISION,),
        _given("decision_made.human_reviewer"),
        "decision.human_reviewer",
        applies="decision_made.materiality IN ('medium', 'high')",
    ),
    Need(
        "change.artifact_sha256",
        "digest of the artifact",
        (CHANGE,),
        _given("change.artifact_sha256"),
        "audit-ledger change, or change.artifact_sha256",
        is_core=True,
    ),
    Need(
        "change.verified",
        "author or reviewer verified",
        (CHANGE,),
        "change.author_standing = 'verified' OR "
        "len(list_filter(coalesce(change.reviewers, []), x -> x.standing = 'verified')) > 0",
        "a platform's review record or a signed commit",
    ),
    Need("service", "service", KINDS, _given("producer_service"), "resource attribute service.name", is_core=True),
    Need(
        "service.version",
        "version of the service",
        KINDS,
        _given("producer_version"),
        "resource attribute service.version",
    ),
    Need(
        "environment",
        "environment",
        KINDS,
        _given("producer_environment"),
        "resource attribute deployment.environment.name",
    ),
    Need("time", "when it happened", KINDS, _given("occurred_at"), "the span's start", derived=("occurred_at",)),
    Need(
        "sender",
        "who sent it, authenticated",
        KINDS,
        "authentication_method IN ('mtls', 'jwt', 'token')",
        "a client certificate or a token for the exporter (docs/ROLES.md)",
    ),
    Need(
        "numbered",
        "numbered by the producer, so that a gap shows",
        _ACTING,
        _given("producer_sequence"),
        "the Python client or the proxy; OTLP has no numbers",
    ),
)


def table() -> str:
    """The needs as docs/COVERAGE.md lists them, rows of Markdown."""
    return "".join(
        f"| {each.label} (`{each.name}`) | {'*' if each.is_core else ''} | {', '.join(each.kinds)} |\n"
        for each in NEEDS
    )
