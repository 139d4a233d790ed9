"""Which artifacts an event used, and whether what governed them was in order. Pure functions.

`uses_of` reads from an event which prompt revisions, which model, tool, agent, guardrails, policy and grant took part.
`judge` compares one use with the Changes about that artifact and says what put it into production, on what evidence,
and what is wrong (flags: `query.flags`). Prompts and models are always judged; of the others only those that any Change
is about, since not everybody registers their tools.

Judged is as of the use's own time, unless another moment is asked for (`effective_at`): then the use is judged as if it
had been made at that moment, and `effect_differs` says where something else was in effect at its own time.

A model may be registered under its vendor and name or its name alone, by the version that answered or by the name that
was asked for; the Changes under all of these are taken together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from query.artifacts import Act, InEffect, about, acts_of, in_effect, leading_to
from query.evidence import SealedEvent
from query.flags import Flag
from query.order import merged

ALWAYS = frozenset({"prompt", "model"})
"""Kinds of artifact that need an approval, whether or not any Change is about them."""


@dataclass(frozen=True, slots=True)
class Use:
    """An artifact that took part in a step. `ids`: names it may be registered under, the most exact first.

    `revisions`: spellings of the revision used, the first as the event states it; empty where it does not.
    """

    kind: str
    ids: tuple[str, ...]
    revisions: tuple[str, ...]
    role: str | None = None
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Governed:
    """One use, judged: the Changes about the revision in order of sealing, its approved text, what is wrong.

    `revision` is what was used; where the event does not say, what was in effect. `put_in_effect` is the act that put
    the revision in effect at that time into production.
    """

    kind: str
    artifact_id: str
    revision: str | None
    role: str | None
    used_digest: bytes | None
    approved_digest: bytes | None
    in_effect: str | None
    put_in_effect: Act | None
    approvals: tuple[Act, ...]
    changes: tuple[Act, ...]
    text: str | None
    text_unavailable: str | None
    flags: tuple[Flag, ...]


def uses_of(events: Sequence[SealedEvent]) -> list[Use]:
    """The artifacts that the phases of one operation used, each once."""
    values = events[-1].values
    kind = events[0].kind
    found: list[Use] = []
    if kind == "request":
        found += [
            Use("prompt", (each["prompt_id"],), _stated(each["revision"]), each["role"], each["template_sha256"])
            for each in merged(events, "prompts") or []
        ]
        found += _model(merged(events, "vendor"), merged(events, "model_requested"), merged(events, "model_answered"))
        found += [
            Use("guardrail", (each["name"],), _stated(each["version"])) for each in merged(events, "guardrails") or []
        ]
    elif kind == "tool_call":
        found.append(Use("tool", (merged(events, "tool"),), _stated(merged(events, "version"))))
    grants = (merged(events, "grant_id"), values["grant_id"]) if kind == "tool_call" else (values["grant_id"],)
    found += [Use("grant", (each,), ()) for each in dict.fromkeys(grants) if each]
    if values["actor_agent"]:
        found.append(Use("agent", (values["actor_agent"],), _stated(values["actor_agent_version"])))
    if values["decision_policy_id"]:
        found.append(Use("policy", (values["decision_policy_id"],), _stated(values["decision_policy_revision"])))
    return list(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class _Moment:
    """What a use is judged as of: `at`, and how the flags name that."""

    at: datetime
    named: str


def judge(
    use: Use,
    changes: Sequence[SealedEvent],
    used_at: datetime,
    tolerance: timedelta,
    effective_at: datetime | None = None,
) -> Governed:
    """One use, judged by all Changes under its ids, their `artifact_text` opened where it can be.

    By what was in force at `effective_at`, by default at `used_at`.
    """
    acts = acts_of(changes, tolerance)
    moment = _Moment(used_at, f"used {used_at.isoformat()}")
    if effective_at is not None:
        moment = _Moment(effective_at, f"judged as of {effective_at.isoformat()}")
    state = in_effect(acts, moment.at)
    artifact_id = next((each for each in use.ids if any(each == act.artifact_id for act in acts)), use.ids[0])
    revisions = _spellings(use, artifact_id, state.revision)
    flags: list[Flag] = []
    if not revisions and state.revision is not None:
        flags.append(Flag("revision_unknown", f"taken for {state.revision}, which was in effect"))
        revisions = (state.revision,)
    elif not revisions and use.kind in ALWAYS:
        flags.append(Flag("revision_unknown", "and none is known to have been in effect"))
    own = about(acts, revisions)
    subject = leading_to(acts, revisions)
    approvals = [act for act in subject if act.approves]
    flags += _approval_flags(approvals, moment)
    when_used = state if effective_at is None else in_effect(acts, used_at)
    flags += _effect_flags(subject, state.withdrawal(revisions), state.revision, revisions, moment)
    flags += _differing_effect(when_used.revision, state.revision, moment)
    counting = [act for act in approvals if act.solid_at <= moment.at] or approvals
    digest = next((act.digest for act in reversed(counting or subject) if act.digest is not None), None)
    flags += _digest_flags(use, subject, digest)
    # What was done about a revision after that moment is no evidence for it, unless there is nothing else.
    evidence = [act for act in subject if act.claimed_at <= moment.at] or subject
    if evidence:
        flags += _review_flags(evidence)
        flags += _evaluation_flags(evidence, digest)
    flags += _backdated(own)
    flags += _backdated_effect(own, (state, when_used))
    text, unavailable, text_flags = _approved_text(evidence, digest)
    by_sealing = sorted(own, key=lambda act: (act.event.sealed_at, act.event.log.tenant, act.event.index))
    return Governed(
        kind=use.kind,
        artifact_id=artifact_id,
        revision=revisions[0] if revisions else None,
        role=use.role,
        used_digest=use.digest,
        approved_digest=digest,
        in_effect=state.revision,
        put_in_effect=state.since,
        approvals=tuple(approvals),
        changes=tuple(by_sealing),
        text=text,
        text_unavailable=unavailable,
        flags=tuple(dict.fromkeys((*flags, *text_flags))),
    )


def _differing_effect(when_used: str | None, then: str | None, moment: _Moment) -> list[Flag]:
    if when_used == then:
        return []
    words = f"{when_used or 'no revision'} was in effect when it was used, {then or 'none'} at {moment.at.isoformat()}"
    return [Flag("effect_differs", words)]


def _backdated(acts: Sequence[Act]) -> list[Flag]:
    return [
        Flag(
            "change_backdated",
            f"{act.action} claims {act.claimed_at.isoformat()}, sealed {act.event.sealed_at.isoformat()}",
        )
        for act in acts
        if act.backdated
    ]


def _backdated_effect(own: Sequence[Act], states: Sequence[InEffect]) -> list[Flag]:
    """What is said to have been in effect may itself rest on a claim made long after, of another revision."""
    flags = []
    for state in states:
        if state.since is not None and not any(state.since is act for act in own):
            told = f"by which {state.revision or 'another revision'} was in effect"
            flags += [Flag(flag.code, f"{flag.detail}, {told}") for flag in _backdated([state.since])]
    return flags


def _stated(revision: str | None) -> tuple[str, ...]:
    return () if revision is None else (revision,)


def _model(vendor: str | None, requested: str | None, answered: str | None) -> list[Use]:
    models = [each for each in (answered, requested) if each]
    if not models:
        return []
    ids = [name for each in models for name in ((f"{vendor}/{each}", each) if vendor else (each,))]
    # A name that was only asked for may be an alias: the version behind it is not known.
    return [Use("model", tuple(dict.fromkeys(ids)), _stated(answered))]


def _spellings(use: Use, artifact_id: str, current: str | None) -> tuple[str, ...]:
    """The names of the used revision that a Change of this artifact may use."""
    if use.kind != "model":
        return use.revisions
    found = list(use.revisions)
    name = artifact_id.rpartition("/")[2]
    for each in use.revisions:
        if each.startswith(f"{name}-"):
            found.append(each.removeprefix(f"{name}-"))
        if each == name and current is not None:
            # The version itself is the artifact; its revisions only count how often it was registered.
            found.append(current)
    return tuple(dict.fromkeys(found))


def _approval_flags(approvals: Sequence[Act], moment: _Moment) -> list[Flag]:
    if not approvals:
        return [Flag("never_approved", "no approval of this revision is sealed")]
    if any(act.solid_at <= moment.at for act in approvals):
        return []
    first = min(approvals, key=lambda act: act.solid_at)
    detail = f"{moment.named}, approved {first.claimed_at.isoformat()}"
    if first.backdated and first.claimed_at <= moment.at:
        detail += f" by a claim that was sealed only {first.event.sealed_at.isoformat()}"
    return [Flag("approved_later", detail)]


def _effect_flags(
    subject: Sequence[Act], withdrawal: Act | None, current: str | None, revisions: Sequence[str], moment: _Moment
) -> list[Flag]:
    flags = []
    deployed = [act for act in subject if act.action == "deploy" and act.claimed_at <= moment.at]
    if withdrawal is not None:
        verb = "retired" if withdrawal.action == "retire" else "rolled back"
        flags.append(Flag("rolled_back", f"{verb} {withdrawal.claimed_at.isoformat()}, {moment.named}"))
    elif not deployed and subject and current not in revisions:
        flags.append(Flag("not_deployed", "no deployment of this revision up to its use is sealed"))
    if current is not None and revisions and current not in revisions:
        flags.append(Flag("other_in_effect", f"{current} was in effect"))
    return flags


def _digest_flags(use: Use, subject: Sequence[Act], approved: bytes | None) -> list[Flag]:
    flags = []
    if use.digest is not None and approved is not None and use.digest != approved:
        flags.append(Flag("template_differs", f"used {use.digest.hex()}, approved {approved.hex()}"))
    named = {act.digest for act in subject if act.digest is not None}
    if len(named) > 1:
        flags.append(Flag("artifact_differs", ", ".join(sorted(each.hex() for each in named))))
    return flags


def _review_flags(subject: Sequence[Act]) -> list[Flag]:
    # Several authors stand in one name, separated by commas.
    named = [act.event.body["author"] for act in subject if act.event.body["author"]]
    authors = {each.casefold() for name in named for each in (name, *name.split(", "))}
    reviews = [each for act in subject for each in act.reviewers]
    reviewers = {each["name"].casefold() for each in reviews}
    if not reviewers:
        return [Flag("no_reviewer", "no Change of this revision names a reviewer")]
    flags = []
    verified = {each["name"].casefold() for each in reviews if each["standing"] == "verified"}
    if reviewers <= authors or (verified and verified <= authors):
        flags.append(Flag("author_only_reviewer", ", ".join(sorted(verified or reviewers))))
    if all(each["standing"] != "verified" for each in reviews):
        flags.append(Flag("reviewers_asserted", ", ".join(sorted({each["name"] for each in reviews}))))
    return flags


def _evaluation_flags(subject: Sequence[Act], approved: bytes | None) -> list[Flag]:
    flags = []
    evaluations = [(act, each) for act in subject for each in act.event.body["evaluations"]]
    if not evaluations:
        return [Flag("no_evaluation", "no Change of this revision names an evaluation")]
    for act, each in evaluations:
        named = f"{each['suite']}, {each['metric']}"
        if each["verdict"] == "failed":
            flags.append(Flag("evaluation_failed", f"{named}: {each['score']} against {each['threshold']}"))
        expected = act.digest or approved
        if None not in (each["artifact_sha256"], expected) and each["artifact_sha256"] != expected:
            flags.append(Flag("evaluation_of_other", f"{named}: of {each['artifact_sha256'].hex()}"))
    return flags


def _approved_text(subject: Sequence[Act], approved: bytes | None) -> tuple[str | None, str | None, list[Flag]]:
    """The text of the approved artifact, else why there is none."""
    unavailable = None
    flags: list[Flag] = []
    for act in reversed(subject):
        kept = act.event.content("artifact_text")
        if kept is None or (approved is not None and act.digest not in (None, approved)):
            continue
        if kept.data is None:
            unavailable = unavailable or kept.unavailable
            continue
        expected = approved or act.digest
        if expected is not None and kept.state == "full" and sha256(kept.data).digest() != expected:
            flags.append(Flag("text_differs", f"SHA-256 of the text kept with {act.action} is not {expected.hex()}"))
            continue
        return kept.text, None if kept.text is not None else "it is not text", flags
    return None, unavailable or "no Change of this revision keeps its text", flags
