"""An exchange as fields of events: keyword arguments of `ledger.client.request` and `ledger.client.tool_call`.

    event = request(vendor="openai", **asked_fields(asked), **answered_fields(answered), user=..., session_id=...)

What is not known is not among them. A word that a vendor says and a name can't hold (too long, of several lines) is
left out: one bad header must not cost the event.
"""

from __future__ import annotations

from typing import Any

from ledger.vendors.exchange import Answered, Asked, ToolRan
from ledger.vendors.json_values import Json

Fields = dict[str, Any]

NAME_CHARACTERS_MAX = 256
NAME_WORDS_MAX = 8
LIST_ITEMS_MAX = 256


def name_of(value: str) -> str | None:
    """The text where it can stand as a name (`ledger.record.names`), else None."""
    if not value or len(value) > NAME_CHARACTERS_MAX or not value.isprintable():
        return None
    if value != value.strip() or "  " in value or value.count(" ") >= NAME_WORDS_MAX:
        return None
    return value


def asked_fields(asked: Asked) -> Fields:
    """What a request says."""
    return _known(
        operation=asked.operation,
        model_requested=name_of(asked.model),
        streamed=asked.streamed,
        system_instructions=asked.system,
        input=asked.input,
        variables=asked.variables,
        tool_definitions=asked.tools,
        prompts=[
            _known(prompt_id=name_of(each.prompt_id), revision=name_of(each.revision))
            for each in asked.prompts
            if name_of(each.prompt_id)
        ],
        temperature=asked.temperature,
        top_p=asked.top_p,
        tokens_max=asked.tokens_max,
        seed=asked.seed,
        parameters=dict(asked.parameters),
        store_requested=asked.store,
        endpoint_tier=name_of(asked.tier),
    )


def answered_fields(answered: Answered) -> Fields:
    """What an answer says."""
    return _known(
        model_answered=name_of(answered.model),
        provider_request_id=name_of(answered.response_id),
        region=name_of(answered.region),
        region_source=answered.region_source or None,
        vendor_account=name_of(answered.account),
        vendor_project=name_of(answered.project),
        output=answered.output,
        reasoning=answered.reasoning or None,
        finish_reason_raw=name_of(answered.finish_raw),
        finish_reason=answered.finish,
        tokens_in=answered.tokens_in,
        tokens_out=answered.tokens_out,
        tokens_cached=answered.tokens_cached,
        tokens_reasoning=answered.tokens_reasoning,
        endpoint_tier=name_of(answered.tier),
        error_class=name_of(answered.error_class),
        error_text=answered.error_text or None,
        guardrails=[
            _known(name=name_of(each.name), version=name_of(each.version), verdict=each.verdict or None)
            for each in answered.guardrails[:LIST_ITEMS_MAX]
            if name_of(each.name)
        ],
    )


def tool_fields(ran: ToolRan, vendor: str) -> Fields:
    """What is known of a run of a tool. Who ran it is said only where the vendor did."""
    return _known(
        tool=name_of(ran.tool) or "unknown",
        call_id=name_of(ran.call_id),
        provider=vendor if ran.at_vendor else None,
        destination=name_of(ran.destination),
        outcome=ran.outcome,
        parameters=ran.arguments,
        result=_result(ran.result),
        error_text=ran.error_text or None,
    )


def _result(value: Json) -> Json:
    """One text where the result is a list with nothing else."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        only = {key: each for key, each in value[0].items() if key != "type"}
        if set(only) == {"text"} and isinstance(only["text"], str):
            return only["text"]
    return value


def _known(**fields: Any) -> Fields:
    return {key: value for key, value in fields.items() if value is not None and value != [] and value != {}}
