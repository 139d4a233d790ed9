"""The columns of the views that an auditor's SQL sees: name, expression, meaning. One list, also behind docs/SQL.md.

The expressions stand over `ledger_rows`, the rows of one tenant as they are in its segment files. Conventions:

- ids and digests are BLOB; beside them stand `<name>_uuid` or `<name>_hex` as text;
- times are TIMESTAMP in UTC; where a producer did not know when something happened, `occurred_at` is null and
  `happened_at` is the time of receipt;
- enums are lower-case text; `unspecified` where nothing was said.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a view. `sql`: its expression over `ledger_rows`."""

    name: str
    sql: str
    meaning: str


def plain(name: str, meaning: str, sql: str | None = None) -> tuple[Column, ...]:
    """A column as it is stored."""
    return (Column(name, sql or f'"{name}"', meaning),)


def identity(name: str, meaning: str, sql: str | None = None) -> tuple[Column, ...]:
    """An id of 16 bytes, and as a UUID."""
    stored = sql or f'"{name}"'
    cuts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    text = " || '-' || ".join(f"substr(lower(hex({stored})), {at}, {count})" for at, count in cuts)
    return (Column(name, stored, meaning), Column(f"{name}_uuid", text, f"`{name}` as a UUID."))


def digest(name: str, meaning: str, sql: str | None = None) -> tuple[Column, ...]:
    """Bytes, and in hex."""
    stored = sql or f'"{name}"'
    return (Column(name, stored, meaning), Column(f"{name}_hex", f"lower(hex({stored}))", f"`{name}` in hex."))


def moment(name: str, meaning: str, sql: str | None = None) -> tuple[Column, ...]:
    """A time as TIMESTAMP in UTC."""
    stored = sql or f'"{name}"'
    return (Column(name, f"make_timestamp(epoch_us({stored}))", meaning),)


def of_body(body: str, *columns: tuple[str, str]) -> tuple[Column, ...]:
    """Fields of a body, as they are stored."""
    return tuple(Column(name, f'"{body}"."{name}"', meaning) for name, meaning in columns)


PLACE = (
    *identity("event_id", "The event's id."),
    *moment("happened_at", "When it happened or, unknown, was received.", "coalesce(occurred_at, received_at)"),
    *moment("sealed_at", "When the round that holds it was sealed."),
    *plain("log_shard", "Shard of the tenant's log, from 0.", '"shard"'),
    *plain("log_index", "Place in the log: with `log_shard` the key of an event.", '"index"'),
    *plain("phase", "single, started, completed, failed or cancelled."),
    *identity("operation_id", "Joins the phases of one operation."),
)
"""In front of every view."""

STORY = (
    *digest("actor_user", "Pseudonym of the person who acted."),
    *plain("actor_service", "Service that acted."),
    *plain("actor_agent", "Agent that acted."),
    *plain("actor_agent_version", "Its version."),
    *plain("role", "Role under which it acted."),
    *plain("session_id", "Session."),
    *plain("session_ordinal", "Position inside the session, from 1."),
    *plain("correlation_id", "Correlation id."),
    *plain("producer_service", "Service that emitted the event."),
)
"""In every view of a kind."""

ENVELOPE = (
    *plain("tenant", "The tenant."),
    *plain("kind", "request, tool_call, change, decision, finding, access, erasure, legal_hold, expiry or operation."),
    *digest("log_id", "Id of the log."),
    *plain("round", "Number of the round that sealed it, in its partition."),
    *plain("log_partition", "Partition of the event log it came from.", '"partition"'),
    *plain("log_offset", "Its offset there.", '"offset"'),
    *digest("leaf_hash", "SHA-256(0x00 ‖ payload): its leaf in the Merkle tree."),
    *digest("chain_hash", "SHA-256(previous chain_hash ‖ leaf_hash), from 32 zero bytes."),
    *plain("mark", "conflict or undetermined, where its id was sealed before; else null."),
    *digest("subject", "First person of the event (actor, else first subject), by pseudonym."),
    *plain("payload", "The canonical bytes: Avro single-object encoding. All other columns are decoded from it."),
    *identity("amends_event_id", "The event that this one completes or corrects."),
    *moment("occurred_at", "When it happened, by the producer; null where unknown."),
    *moment("received_at", "When the gateway received it."),
    *plain("clock_skewed", "It claims a time ahead of the gateway's clock."),
    *plain("producer_version", "Version of the service."),
    *plain("producer_environment", "Environment, such as production."),
    *plain("producer_instance", "Instance."),
    *identity("producer_boot_id", "Start of the instance that numbered it."),
    *plain("producer_sequence", "Its number in (instance, boot), from 1."),
    *plain("submitted_by", "The authenticated credential that submitted it."),
    *plain("authentication_method", "none, mtls, jwt, local or token."),
    *plain("capture_path", "stub, otlp, proxy, importer or ci."),
    *plain("gateway_id", "Gateway that took it."),
    *plain("gateway_build", "That gateway's build."),
    *plain("declared_sampling", "Fraction of operations that the producer records; null: all."),
    *plain("dropped_count", "Events that the producer dropped just before; null where it does not count."),
    *plain("derived_fields", "Names of the fields that were inferred, not observed."),
    *plain("actor_user_relation", "How the person who acted is concerned."),
    *plain("grant_id", "Authorization in effect."),
    *plain("grant_scope", "Its scope."),
    *plain("credential_id", "Credential of the actor."),
    *plain("identity_source", "verified or claimed."),
    *plain("identity_attribute", "Which attribute carried a claimed identity."),
    *plain("subjects", "Everyone affected or spoken of: pseudonym and relation of each."),
    *identity("parent_event_id", "The event it belongs under."),
    *digest("trace_id", "W3C trace id."),
    *digest("span_id", "W3C span id."),
    *plain("ai_system_id", "AI system."),
    *plain("use_case_id", "Use case."),
    *plain("purpose", "Purpose."),
    *plain("capture_mode", "full, redacted or metadata."),
    *plain("capture_policy_version", "Capture policy in force."),
    *plain("policy_verdict", "Decision of a policy about this action: allow, redact or refuse.", '"decision"'),
    *plain("decision_policy_id", "That policy."),
    *plain("decision_policy_revision", "Its revision."),
    *plain("decision_rule", "The rule that matched."),
    *plain("declared_class", "Classification that the producer declared."),
    *plain("detected_class", "Classification that was detected."),
    *digest("submission_digest", "Keyed digest of the event as submitted."),
    *digest("submission_key_id", "Id of that key."),
    *plain("contents", "Descriptor of each content: slot, state, sizes, digests, scopes, classes."),
)
