"""`Ledger`: what a service uses to be on record.

    from ledger.client import Client, Ledger

    ledger = Ledger(Client("127.0.0.1:7443", tenant="acme", service="support-bot"), classification="confidential")

    @ledger.tool(side_effect="money", durable_start_s=5)
    def refund(order: int, amount: float) -> str: ...

    with ledger.session("chat-17"), ledger.acting_for(user="mia", role="customer"), ledger.agent("helper", version="3"):
        with ledger.request(vendor="openai", model="gpt-4o", input=messages) as asked:
            answer = call_the_model(messages)
            asked.answered(model=answer.model, output=answer.text, tool_calls=answer.tool_calls)
        refund(4711, 12.5)

Everything inside a block knows who acts, in which session, for which correlation id, and what it is a part of. See
`ledger.client.capture` for what it never does to the application.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields as fields_of
from typing import Any, Self, TypeVar, Unpack, overload

from ledger.client.asyncio_client import AsyncClient, emit_durable_async
from ledger.client.capture.around import Addition, Ambience
from ledger.client.capture.changes import checked_change
from ledger.client.capture.describe import Json, class_name
from ledger.client.capture.requests import Request, RequestPlan
from ledger.client.capture.scope import Plan, Run, Surroundings, SurroundingsPlan
from ledger.client.capture.tools import ToolPlan, ToolRunHandle
from ledger.client.fields import Body, ChangeFields, Envelope, RequestFields, ToolCallFields
from ledger.client.items import Acknowledgement
from ledger.client.stats import ClientStats
from ledger.client.sync import CLOSE_TIMEOUT_S, DURABLE_TIMEOUT_S, FLUSH_TIMEOUT_S, Client
from ledger.errors import LedgerError
from ledger.v1 import event_pb2 as pb

CONTENT_BYTES_MAX = 256 * 1024
"""A gateway's own default."""
ORG = "_org"
Function = TypeVar("Function", bound=Callable[..., Any])


class Ledger:
    """See the module. Safe for threads, tasks and forks, as its client is."""

    def __init__(
        self,
        client: Client | AsyncClient,
        *,
        content_bytes_max: int = CONTENT_BYTES_MAX,
        **defaults: Unpack[Envelope],
    ) -> None:
        """`defaults`: envelope fields of every event, such as `classification`, `ai_system_id`, `purpose`.

        `content_bytes_max`: what the gateway takes in one content (its setting of that name); larger ones are cut.
        """
        _check_envelope(defaults)
        self.client = client.client if isinstance(client, AsyncClient) else client
        self.content_bytes_max = content_bytes_max
        self.defaults: Mapping[str, Any] = defaults
        self.ambience = Ambience()
        self._others: dict[str, Client] = {}

    # --- who, where, why ------------------------------------------------------------------------------------------

    def session(self, session_id: str, /, **fields: Unpack[Envelope]) -> Plan[None]:
        """Everything inside belongs to this session."""
        return self._around({"session_id": session_id, **fields}, story=True)

    def acting_for(self, **fields: Unpack[Envelope]) -> Plan[None]:
        """Who acts (`user`, `role`, ...) and whom it is about besides; `subjects` add to those of the blocks around."""
        return self._around(dict(fields), story=True)

    def agent(
        self, name: str, /, *, version: str | None = None, grant: str | None = None, **fields: Unpack[Envelope]
    ) -> Plan[None]:
        """An agent acts inside, under a grant. What it does has one correlation id, unless there is one around."""
        own = {"agent": name, "agent_version": version, "actor_grant_id": grant}
        return self._around({**own, **fields}, work=True, story=True)

    def within(self, **fields: Unpack[Envelope]) -> Plan[None]:
        """Any field of the envelope for everything inside: `correlation_id`, `purpose`, `classification`, ..."""
        return self._around(dict(fields))

    def answering(self, call_id: str) -> Plan[None]:
        """The tool that runs inside is the one a model asked for by this id."""
        return _AnsweringPlan(self, call_id)

    def _around(self, fields: Mapping[str, Any], *, work: bool = False, story: bool = False) -> Plan[None]:
        _check_envelope(fields)
        return SurroundingsPlan(self, fields, work=work, story=story)

    # --- what happens -----------------------------------------------------------------------------------------------

    def request(
        self,
        *,
        model: str | None = None,
        prompt: Any = None,
        started: bool = False,
        **fields: Unpack[RequestFields],
    ) -> Plan[Request]:
        """A call of a model: see `ledger.client.capture.requests`. `operation` is chat unless given.

        `model`: as asked for. `prompt`: the template used, as (id, revision) or `PromptUse`'s fields, or a list of
        these; its rendered text is `input`. `started`: say already when it begins.
        """
        own: dict[str, Any] = {"operation": "chat", "model_requested": model}
        if prompt is not None:
            own["prompts"] = [_prompt(each) for each in (prompt if isinstance(prompt, list) else [prompt])]
        return RequestPlan(self, {**own, **fields}, started=started)

    @overload
    def tool(self, function: Function, /) -> Function: ...

    @overload
    def tool(
        self,
        name: str | None = None,
        /,
        *,
        started: bool = True,
        durable_start_s: float | None = None,
        leave_out: Iterable[str] = (),
        show_arguments: Callable[[dict[str, Json]], Body] | None = None,
        show_result: Callable[[Any], Body] | None = None,
        **fields: Unpack[ToolCallFields],
    ) -> Plan[ToolRunHandle]: ...

    def tool(
        self,
        name: Any = None,
        /,
        *,
        started: bool = True,
        durable_start_s: float | None = None,
        leave_out: Iterable[str] = (),
        show_arguments: Callable[[dict[str, Json]], Body] | None = None,
        show_result: Callable[[Any], Body] | None = None,
        **fields: Unpack[ToolCallFields],
    ) -> Any:
        """A run of a tool, as a decorator or with `with`: see `ledger.client.capture.tools`.

        `name`: the tool's; a function's own by default. `durable_start_s`: how long to wait until its start is durable;
        without that it does not run. `leave_out`: arguments told by type only. `show_arguments`, `show_result`: make
        the content of the described arguments, of the result; by default `describe`.
        """
        # A class method is not callable by itself.
        function = name if callable(name) or isinstance(name, classmethod) else None
        own: dict[str, Any] = {"provider": "internal", **fields}
        if isinstance(name, str):
            own["tool"] = name
        plan = ToolPlan(
            self,
            own,
            started=started,
            durable_start_s=durable_start_s,
            leave_out=tuple(leave_out),
            show_arguments=show_arguments,
            show_result=show_result,
        )
        return plan if function is None else plan.decorate(function)

    def running_request(self) -> Request | None:
        """The innermost request that runs here."""
        found: Request | None = self._running(Request)
        return found

    def running_tool(self) -> ToolRunHandle | None:
        """The innermost tool that runs here."""
        found: ToolRunHandle | None = self._running(ToolRunHandle)
        return found

    def _running(self, kind: type[Any]) -> Any:
        around = self.ambience.now()
        while around is not None:
            if isinstance(around.running, kind):
                return around.running
            around = around.outer
        return None

    def record_change(
        self, *, tenant: str = ORG, wait_s: float | None = DURABLE_TIMEOUT_S, **fields: Unpack[ChangeFields]
    ) -> bytes:
        """Publishes a Change, checked: see `ledger.client.capture.changes`. Returns the event's id.

        It goes to the company-wide tenant unless another is named. Waits until it is durable (`wait_s`; None: does not
        wait), and raises `Unavailable` or `Rejected` when it is not; ValueError or TypeError for what is wrong in it.
        """
        around = self.ambience.now()
        story = {name: around.fields.get(name) for name in ("correlation_id", "session_id")} if around else {}
        event = checked_change({**self.defaults, **story, **fields})
        client = self._client_of(tenant)
        if wait_s is None:
            client.emit(event)
        else:
            client.emit_durable(event, wait_s)
        return event.event_id

    # --- the client ---------------------------------------------------------------------------------------------------

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Waits until everything emitted before is answered. False: time ran out."""
        flushed = [client.flush(timeout_s) for client in self._clients()]
        return all(flushed)

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Closes the client; blocks and decorated functions go on, and only count."""
        closed = [client.close(timeout_s) for client in self._clients()]
        return all(closed)

    def stats(self) -> ClientStats:
        """The client's counters; `faults` counts what this object could not record."""
        return self.client.stats()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _clients(self) -> list[Client]:
        return [self.client, *list(self._others.values())]

    def _client_of(self, tenant: str) -> Client:
        if tenant == self.client.options.tenant:
            return self.client
        if tenant not in self._others:
            options = self.client.options
            own = {each.name: getattr(options, each.name) for each in fields_of(options)}
            self._others[tenant] = Client(**{**own, "tenant": tenant})
        return self._others[tenant]

    # --- for runs -----------------------------------------------------------------------------------------------------

    def guard(self, action: Callable[[], object], *, raises: bool = False) -> None:
        """Does it; what goes wrong is counted and told, not raised. `raises`: a `LedgerError` is for the caller."""
        try:
            action()
        except Exception as error:
            if self.client.options.strict or (raises and isinstance(error, LedgerError)):
                raise
            self.fault(error)

    def fault(self, error: Exception) -> None:
        """Something could not be recorded."""
        self.client.fault(f"an event could not be recorded whole: {class_name(type(error))}")

    def faulty(self, what: str) -> None:
        """A field could not be recorded."""
        if self.client.options.strict:
            raise TypeError(what)
        self.client.fault(f"left out of an event: {what}")

    def emit(self, event: pb.Event) -> None:
        """Sends an event on its way."""
        self.client.emit(event)

    def emit_durable(self, event: pb.Event, timeout_s: float) -> Acknowledgement:
        """Sends it and waits."""
        return self.client.emit_durable(event, timeout_s)

    async def emit_durable_async(self, event: pb.Event, timeout_s: float) -> Acknowledgement:
        """Sends it and waits without holding up the loop."""
        return await emit_durable_async(self.client, event, timeout_s)


class _AnsweringPlan(Plan[None]):
    """`Ledger.answering`."""

    def __init__(self, ledger: Ledger, call_id: str) -> None:
        super().__init__(ledger)
        self._call_id = call_id

    def run(self) -> Run:
        return Surroundings(self._ledger, Addition(call_id=self._call_id))

    def handle(self, run: Run) -> None:
        return None

    def run_of(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Run:
        return self.run()


def _check_envelope(given: Mapping[str, Any]) -> None:
    for name in given:
        if name not in Envelope.__annotations__:
            raise TypeError(f"got an unexpected keyword argument {name!r}")


def _prompt(given: Any) -> Any:
    if isinstance(given, tuple) and len(given) == 2:
        return {"prompt_id": given[0], "revision": given[1]}
    return given
