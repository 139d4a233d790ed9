"""A call and how it ended, as events. Pure.

| the call                                  | events                                                             |
| ----------------------------------------- | ------------------------------------------------------------------ |
| was answered, or refused                  | one, phase single                                                  |
| failed, or was cancelled                  | two, of one operation: started, and failed or cancelled            |
| has a beginning on record (`has_start`)   | that one, before; then completed, failed or cancelled              |

The first event has the id that the caller reads in `x-ledger-event`. What the request holds stands in the first event,
what the answer holds in the last; what both need to be found by (vendor, model asked for, times) in each. Results of
tools that the request carries, and tools that the vendor ran, are events of their own (`ledger.vendors.tools_ran`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ledger.client.builders import request
from ledger.client.ids import event_id
from ledger.proxy.callers import circumstances
from ledger.proxy.calls import Call, End
from ledger.v1 import event_pb2 as pb
from ledger.vendors import Answered, Asked, answered_fields, asked_fields, results_to_key, runs_at_vendor
from ledger.vendors.fields import Fields, name_of
from ledger.vendors.json_values import dump

REDACTION = "audit-ledger-redaction"
CONTENTS = ("system_instructions", "input", "variables", "tool_definitions")
_PHASES = {"answered": "completed", "refused": "failed", "failed": "failed", "cancelled": "cancelled"}
_LASTING = (
    "actor_service",
    "agent",
    "agent_version",
    "user",
    "identity_source",
    "identity_attribute",
    "subjects",
    "ai_system_id",
    "use_case_id",
    "purpose",
    "classification",
    "session_id",
)
"""What of a call's circumstances is the same when it is sent again."""

_ARN = re.compile(r"arn:aws[a-z-]*:bedrock:([a-z0-9-]*):([0-9]*):")


@dataclass(frozen=True, slots=True)
class Recorded:
    """The events of a call: `numbered` ones, made once; and `seen` ones, made alike by whoever sees the same, under ids
    that are to be keyed before they leave (`ledger.vendors.tools_ran`)."""

    numbered: tuple[pb.Event, ...]
    seen: tuple[pb.Event, ...] = ()


def beginning(call: Call, asked: Asked) -> Recorded:
    """What is on record before the request leaves."""
    known = _known(call, asked)
    return Recorded((_first(call, {**known, **_said(asked), **_guarded(call)}),), tuple(_seen(call, asked, known)))


def ending(call: Call, asked: Asked, end: End) -> Recorded:
    """What is on record at the end; all of it, where no beginning is."""
    known, said = _known(call, asked), _said(asked)
    outcome = {**_outcome(call, end), **_guarded(call, end.answered)}
    seen: tuple[pb.Event, ...] = ()
    if call.has_start:
        said = {key: value for key, value in said.items() if key not in CONTENTS}
        events = [_last(call, end, {**known, **said, **outcome})]
    elif end.kind in ("answered", "refused"):
        fields = {**known, **said, **outcome, "event_id": call.event_id, "occurred_at": None}
        event = request(**fields, phase="single")
        event.occurred_at.FromMilliseconds(call.began_ms)
        events = [event]
    else:
        brief = {key: value for key, value in said.items() if key not in CONTENTS}
        events = [_first(call, {**known, **said, **_guarded(call)}), _last(call, end, {**known, **brief, **outcome})]
    if not call.has_start and end.kind != "refused":
        seen = tuple(_seen(call, asked, known))
    if end.answered is not None and end.answered.tools_ran:
        events += runs_at_vendor(end.answered.tools_ran, call.upstream.vendor, _story(call, known), events[0])
    return Recorded(tuple(events), seen)


def _said(asked: Asked) -> Fields:
    """What the request says, but for its prompts, which are told with those that header fields name."""
    return {key: value for key, value in asked_fields(asked).items() if key != "prompts"}


def _first(call: Call, fields: Fields) -> pb.Event:
    event = request(**fields, event_id=call.event_id, occurred_at=None, phase="started", operation_id=call.event_id)
    event.occurred_at.FromMilliseconds(call.began_ms)
    return event


def _last(call: Call, end: End, fields: Fields) -> pb.Event:
    event = request(**fields, event_id=event_id(), phase=_PHASES[end.kind], operation_id=call.event_id)
    event.occurred_at.FromMilliseconds(call.began_ms + _since(call, end.at_s))
    return event


def _since(call: Call, at_s: float) -> int:
    return max(0, round((at_s - call.began_s) * 1_000))


def _known(call: Call, asked: Asked) -> Fields:
    """What is known of a call without its bodies."""
    upstream, route = call.upstream, call.route
    fields, derived = circumstances(call.said, call.who, asked.user, asked.user_attribute)
    if "session_id" not in fields and name_of(asked.conversation):
        fields["session_id"] = asked.conversation
        derived.append("story.session_id")
    region, source = _region(call, asked)
    arn = _ARN.match(asked.model)
    fields |= {
        "vendor": upstream.vendor,
        "deployment": name_of(route.deployment) or (name_of(asked.model) if upstream.kind == "azure" else None),
        "vendor_project": name_of(route.project),
        "vendor_account": arn[2] or None if arn else None,
        "region": region,
        "region_source": source,
        "prompts": [each for each in (*call.said.prompts, *_kept_by_vendor(asked)) if name_of(each["prompt_id"])],
        "policy_decision": {
            "verdict": call.decision.verdict,
            "policy_id": call.decision.policy_id,
            "policy_revision": call.decision.policy_revision,
            "rule": call.decision.rule,
        },
        "derived_fields": derived,
    }
    return {key: value for key, value in fields.items() if value not in (None, [])}


def _kept_by_vendor(asked: Asked) -> list[Fields]:
    """Prompts that the request names, and the vendor keeps."""
    return [{"prompt_id": each.prompt_id, "revision": each.revision or None} for each in asked.prompts]


def _region(call: Call, asked: Asked) -> tuple[str | None, str | None]:
    """The region as far as it is known before an answer says it."""
    arn = _ARN.match(asked.model)
    for region, source in (
        (call.route.region if call.route.region != "global" else "", "endpoint"),
        (call.upstream.region_of_host, "endpoint"),
        (arn[1] if arn else "", "model"),
        (call.upstream.region, "configuration"),
    ):
        if name_of(region):
            return region, source
    return None, None


def _outcome(call: Call, end: End) -> Fields:
    """What the end says."""
    fields: Fields = {"latency_ms": _since(call, end.at_s)}
    if end.answered is not None:
        fields |= _said_by(end.answered)
    if end.error_class and "error_class" not in fields:
        fields["error_class"] = end.error_class
        if end.error_text:
            fields["error_text"] = end.error_text
    if end.first_token_at_s is not None:
        fields["time_to_first_token_ms"] = _since(call, end.first_token_at_s)
    if end.kind == "refused":
        fields["output_delivered"] = "withheld"
        fields.pop("latency_ms")
    elif end.kind == "answered" and "output" in fields:
        fields["output_delivered"] = "as_is"
    return fields


def _said_by(answered: Answered) -> Fields:
    """What an answer says, and what of it could not be kept."""
    fields = answered_fields(answered)
    if answered.unreadable:
        fields["output"] = pb.Content(absent=True)
    elif answered.cut and "output" in fields:
        output = fields["output"]
        kind = "text/plain" if isinstance(output, str) else "application/json"
        text = (output if isinstance(output, str) else dump(output)).encode("utf-8", "replace").decode("utf-8")
        fields["output"] = pb.Content(text=text, media_type=f"{kind};cut")
    return fields


def _guarded(call: Call, answered: Answered | None = None) -> Fields:
    """The guardrails that ran: the proxy's own redaction, where it took something out, and the vendor's."""
    found = [] if answered is None else answered_fields(answered).get("guardrails", [])
    if call.decision.verdict == "redact":
        found = [{"name": REDACTION, "version": call.decision.pack, "verdict": "redact"}, *found]
    return {"guardrails": found} if found else {}


def _story(call: Call, known: Fields) -> Fields:
    """The circumstances of a call's tools: those that are the same whenever it is sent."""
    kept = {key: known[key] for key in _LASTING if key in known}
    if "session_id" not in kept and call.said.correlation:
        kept["correlation_id"] = call.said.correlation
    return kept


def _seen(call: Call, asked: Asked, known: Fields) -> Iterator[pb.Event]:
    if asked.tools_ran:
        yield from results_to_key(asked.tools_ran, call.upstream.vendor, _story(call, known))
