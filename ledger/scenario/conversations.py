"""What the scenario's agent did: the requests and tool calls of one conversation after another."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from ledger.client.builders import request, tool_call
from ledger.scenario.governance import AGENT, AGENT_VERSION, POLICY, POLICY_REVISION
from ledger.scenario.prompts import PROMPT, digest
from ledger.v1 import event_pb2 as pb

GRANT, SCOPE = "grant-aria-support", "orders:read refunds:write mail:send"
_STEP = timedelta(seconds=4)
_MILLIS = timedelta(milliseconds=1)


class Conversation:
    """One session of a customer with the agent. Each call takes the story some seconds further."""

    def __init__(
        self, session: str, customer: str, vendor: str, model: str, revision: str, region: str, began: datetime
    ) -> None:
        self.events: list[pb.Event] = []
        self._vendor = vendor
        self._model = model
        self._revision = revision
        self._region = region
        self._now = began
        self._calls = 0
        self._envelope: dict[str, Any] = {
            "user": (customer, "customer"),
            "agent": AGENT,
            "agent_version": AGENT_VERSION,
            "role": "support-agent",
            "actor_grant_id": GRANT,
            "actor_grant_scope": SCOPE,
            "identity_source": "verified",
            "session_id": session,
            "correlation_id": f"case-{session}",
            "ai_system_id": "support-desk",
            "use_case_id": "customer-support",
            "purpose": "customer-support",
            "classification": "confidential",
        }

    def ask(
        self, said: Any, answer: Any, *, stopped: bool = True, retrieved: Sequence[dict[str, Any]] = ()
    ) -> pb.Event:
        """The customer says something (or a tool has answered), and the model answers."""
        event = request(
            **self._next(),
            operation="chat",
            vendor=self._vendor,
            model_requested=self._model,
            model_answered=self._model,
            region=self._region,
            region_source="endpoint",
            provider_request_id=f"req-{len(self.events) + 1:04}-{self._now:%H%M%S}",
            prompts=[
                {
                    "prompt_id": PROMPT,
                    "revision": self._revision,
                    "role": "system",
                    "template_sha256": digest(self._revision),
                }
            ],
            temperature=0.2,
            tokens_max=800,
            tokens_in=180 + 3 * len(str(said)),
            tokens_out=20 + len(str(answer)) // 4,
            latency_ms=640 + 7 * len(str(said)),
            finish_reason="stop" if stopped else "tool_calls",
            output_delivered="as_is" if stopped else "unspecified",
            retrieved=list(retrieved),
            input=said,
            output=answer,
        )
        self.events.append(event)
        return event

    def call(
        self, asked_by: pb.Event, tool: str, parameters: dict[str, Any], result: Any, **more: Any
    ) -> list[pb.Event]:
        """The agent runs a tool. Tools with side effects say so before they begin; `result` None: nothing ever says
        that it ended."""
        self._calls += 1
        common = {
            "tool": tool,
            "version": "2",
            "provider": "internal",
            "call_id": f"call_{self._calls}",
            "requested_by_event_id": asked_by.event_id,
            "parent_event_id": asked_by.event_id,
            "grant_id": GRANT,
            **more,
        }
        if common.get("side_effect") == "read":
            ended = tool_call(
                **self._next(), **common, outcome="ok", parameters=parameters, result=result, latency_ms=38
            )
            self.events.append(ended)
            return [ended]
        effect_id = common.pop("external_effect_id", None)
        started = tool_call(**self._next(), **common, phase="started", parameters=parameters)
        self.events.append(started)
        if result is None:
            return [started]
        common.pop("intent", None)
        ended = tool_call(
            **self._next(),
            **common,
            phase="completed",
            operation_id=started.operation_id,
            outcome="ok",
            result=result,
            external_effect_id=effect_id,
            latency_ms=420,
        )
        self.events.append(ended)
        return [started, ended]

    def refused(self, asked_by: pb.Event, tool: str, parameters: dict[str, Any], rule: str, **more: Any) -> pb.Event:
        """The agent wants to run a tool, and the policy says no."""
        self._calls += 1
        event = tool_call(
            **self._next(),
            tool=tool,
            version="2",
            provider="internal",
            call_id=f"call_{self._calls}",
            requested_by_event_id=asked_by.event_id,
            parent_event_id=asked_by.event_id,
            grant_id=GRANT,
            outcome="denied",
            parameters=parameters,
            error_class="policy_refused",
            policy_decision={
                "verdict": "refuse",
                "policy_id": POLICY,
                "policy_revision": POLICY_REVISION,
                "rule": rule,
            },
            **more,
        )
        self.events.append(event)
        return event

    def wants(self, tool: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """A model's answer that asks for one tool, in the form of OpenAI's chat format."""
        return {
            "tool_calls": [
                {
                    "id": f"call_{self._calls + 1}",
                    "type": "function",
                    "function": {"name": tool, "arguments": parameters},
                }
            ]
        }

    def _next(self) -> dict[str, Any]:
        self._now += _STEP + 137 * _MILLIS
        return {**self._envelope, "occurred_at": self._now, "session_ordinal": len(self.events) + 1}
