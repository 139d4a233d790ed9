"""The views themselves: `events`, and one for each kind that auditors ask about."""

from __future__ import annotations

from dataclasses import dataclass

from query.sql_columns import ENVELOPE, PLACE, STORY, Column, digest, identity, moment, of_body

ROWS = "ledger_rows"
"""The tenant's rows as they are stored; the views stand over it."""


@dataclass(frozen=True, slots=True)
class View:
    """A view over the rows of one kind, or of all."""

    name: str
    kind: str | None
    meaning: str
    columns: tuple[Column, ...]

    def create(self) -> str:
        """The statement that makes it."""
        columns = ",\n  ".join(f'{column.sql} AS "{column.name}"' for column in self.columns)
        where = "" if self.kind is None else f"\nWHERE kind = '{self.kind}'"
        return f"CREATE VIEW {self.name} AS SELECT\n  {columns}\nFROM {ROWS}{where}"


_REQUEST = (
    *of_body(
        "request",
        ("operation", "chat, completion, embedding, transcription, image, rerank, speech, moderation or other."),
        ("vendor", "Vendor, as OpenTelemetry spells it."),
        ("model_requested", "Model asked for."),
        ("model_answered", "Pinned version that answered."),
        ("region", "Region."),
        ("region_source", "Where the region is known from."),
        ("endpoint_tier", "Tier of the endpoint."),
        ("deployment", "Deployment."),
        ("vendor_account", "Account at the vendor."),
        ("vendor_project", "Project at the vendor."),
        ("provider_request_id", "The vendor's id of the request."),
        ("store_requested", "The vendor was asked to keep the data."),
        ("prompts", "Prompts that took part: id, revision, role, SHA-256 of the template."),
        ("temperature", "Temperature."),
        ("top_p", "Top p."),
        ("tokens_max", "Most tokens to answer with."),
        ("seed", "Seed."),
        ("parameters", "Further numeric parameters by name."),
        ("retrieved", "Documents in the context: index, revision, owner, rank, score, access verdict, commitment."),
        ("finish_reason_raw", "Why it ended, in the vendor's words."),
        ("finish_reason", "stop, length, tool_calls, content_filter, error or other."),
        ("tokens_in", "Tokens in."),
        ("tokens_out", "Tokens out."),
        ("tokens_cached", "Tokens from a cache."),
        ("tokens_reasoning", "Tokens of reasoning."),
        ("latency_ms", "Latency in milliseconds."),
        ("time_to_first_token_ms", "Time to the first token in milliseconds."),
        ("cost_nanos", "Cost in billionths of the currency's unit."),
        ("currency", "ISO 4217."),
        ("streamed", "The answer was streamed."),
        ("error_class", "Class of the error."),
        ("guardrails", "Guardrails that ran: name, version, verdict."),
        ("output_delivered", "as_is, altered or withheld."),
    ),
)

_TOOL_CALL = (
    *of_body(
        "tool_call",
        ("tool", "Tool."),
        ("version", "Its version."),
        ("provider", "internal, or the vendor's name."),
        ("destination", "Where data went."),
        ("region", "Region."),
        ("call_id", "Id by which the model asked for it."),
    ),
    *identity("requested_by_event_id", "The request whose answer asked for it.", '"tool_call"."requested_by_event_id"'),
    *of_body(
        "tool_call",
        ("side_effect", "none, read, write, external or money."),
        ("outcome", "ok, error, denied or timed_out."),
        ("grant_id", "The grant that allowed it."),
        ("approver", "Who approved it."),
        ("approval_verdict", "approved or rejected."),
    ),
    *moment("approved_at", "When.", '"tool_call"."approved_at"'),
    *of_body("tool_call", ("data_classes_sent", "Classes of the data sent.")),
    *digest(
        "external_effect_commitment",
        "Salted commitment of the id that the outside world gave to the effect.",
        '"tool_call"."external_effect_commitment"',
    ),
    *of_body("tool_call", ("latency_ms", "Latency in milliseconds."), ("error_class", "Class of the error.")),
)

_CHANGE = (
    *of_body(
        "change",
        ("artifact_kind", "prompt, model, tool, agent, grant, guardrail, policy, vendor, ..."),
        ("artifact_id", "The artifact."),
        ("from_revision", "Revision before."),
        ("to_revision", "Revision after."),
    ),
    *digest("artifact_sha256", "SHA-256 of the artifact.", '"change"."artifact_sha256"'),
    *of_body(
        "change",
        ("action", "propose, review, approve, deploy, roll_back or retire."),
        ("author", "Author."),
        ("author_standing", "verified or asserted."),
        ("author_source", "Where the authorship is recorded."),
        ("reviewers", "Reviewers: name, standing, source."),
        ("ticket", "Ticket."),
        ("evaluations", "Evaluations: suite, dataset, artifact, run, metric, score, threshold, verdict."),
        ("input_sha256", "SHA-256 of what the artifact was made from."),
        ("consent_reference", "Reference to a consent."),
        ("owner", "Owner."),
    ),
    *moment("effective_at", "When it takes effect, as claimed: compare with `sealed_at`.", '"change"."effective_at"'),
    *of_body("change", ("tenants", "Tenants it applies to; empty: all.")),
)

_DECISION = (
    *of_body(
        "decision_made",
        ("decision_kind", "credit, hire, moderation, ..."),
        ("materiality", "low, medium or high."),
        ("request_event_ids", "The requests it rests on."),
        ("human_reviewer", "Human reviewer."),
        ("overridden", "The reviewer decided otherwise."),
    ),
    *moment("effective_at", "When it takes effect, as claimed.", '"decision_made"."effective_at"'),
)

_FINDING = (
    *of_body(
        "finding",
        ("rule", "Rule that was broken."),
        ("rule_version", "Its version."),
        ("severity", "info, low, medium, high or critical."),
        ("evidence_event_ids", "The events that show it."),
        ("status", "open, accepted or resolved."),
        ("owner", "Who looks after it."),
    ),
    *moment("resolved_at", "When it was resolved.", '"finding"."resolved_at"'),
)

_ACCESS = (
    *of_body(
        "access",
        ("reader", "Who read."),
    ),
    Column("reader_role", '"access"."role"', "In which role."),
    *of_body(
        "access",
        ("case_id", "For what: purpose or case."),
        ("query_kind", "reconstruct, replay, find, sql, prove, disclose or export."),
    ),
    *digest("query_commitment", "Salted commitment of the query's text.", '"access"."query_commitment"'),
    *of_body(
        "access",
        ("events_touched", "Events shown."),
        ("contents_decrypted", "Contents opened."),
        ("result", "answered, refused or failed."),
    ),
)


def _of_kind(name: str, kind: str, meaning: str, body: tuple[Column, ...]) -> View:
    own = {column.name for column in body}
    return View(name, kind, meaning, (*PLACE, *(each for each in STORY if each.name not in own), *body))


VIEWS = (
    View("events", None, "Every event of the tenant: envelope, place and proof material.", (*PLACE, *STORY, *ENVELOPE)),
    _of_kind("requests", "request", "Calls of models.", _REQUEST),
    _of_kind("tool_calls", "tool_call", "Runs of tools, one row a phase.", _TOOL_CALL),
    _of_kind("changes", "change", "Changes of prompts, models, policies and other artifacts.", _CHANGE),
    _of_kind("decisions", "decision", "Decisions that rest on requests.", _DECISION),
    _of_kind("findings", "finding", "Findings.", _FINDING),
    _of_kind("access", "access", "Who read what.", _ACCESS),
)
"""All views, in the order of the manual."""


def setup() -> tuple[str, ...]:
    """The statements that make all views over `ledger_rows`."""
    return tuple(view.create() for view in VIEWS)
