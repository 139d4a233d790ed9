"""Asking the query service of a ledger (`--ask HOST:PORT`) instead of opening its home: no keys, no files.

Who may ask what is decided there, with roles by the token shown (`--token-file`): the answer is what that role gets.
It is given for programs and, at the width of this terminal, for people: what is printed is the same as where the home
is opened. Nothing of the answer is checked here; `prove` and `checkpoint` give what can be.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click
import grpc

from ledger.cli.options import EXIT_FINDING, Command
from ledger.cli.output import print_json, width
from ledger.errors import Rejected
from ledger.v1 import query_pb2, query_pb2_grpc
from query.cli.answering import Asked
from query.find import Filters
from query.reconstruct import event_id_of
from query.server import MESSAGE_BYTES_MAX
from query.servicer import DEADLINE_S
from query.story import Selector, Window
from query.wire import PAGE_WIDTH_MAX, PAGE_WIDTH_MIN

OPTIONS = [("grpc.max_receive_message_length", MESSAGE_BYTES_MAX)]


class NotThere(Rejected):
    """The ledger knows no such tenant, or no such event in it."""

    exit_code = EXIT_FINDING


def ask_option(command: Command) -> Command:
    """`--ask`, passed as `ask: str | None`."""
    return click.option(
        "--ask",
        metavar="HOST:PORT",
        help="Ask the query service there; no home is opened. With --ca and --token-file where it has roles.",
    )(command)


def ask(asked: Asked, address: str, method: str, request: Any) -> Any:
    """The answer of a method of QueryService to a request; its tenant and reader are set here."""
    if asked.to is not None:
        raise click.UsageError("--to: the query service that is asked records the access itself")
    request.tenant = asked.tenant
    if "reader" in request.DESCRIPTOR.fields_by_name:
        who = asked.who()
        request.reader.CopyFrom(query_pb2.Reader(name=who.name, role=who.role, case_id=who.case_id, reason=who.reason))
    connection = asked.connection.to(address, None)
    with connection.channel(address, OPTIONS) as channel:
        stub = query_pb2_grpc.QueryServiceStub(channel)  # type: ignore[no-untyped-call]
        try:
            return getattr(stub, method)(request, timeout=DEADLINE_S, metadata=connection.metadata())
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                raise NotThere("", f"{address}: {error.details()}") from None
            raise connection.failed(error, address) from None


def told(
    message: Any,
    selector: Selector,
    window: Window,
    as_json: bool,
    **moments: datetime | None,
) -> Any:
    """A request for a story: `message` with what it is looked up by, its bounds, its moments, and the page wanted."""
    field = {"user": "user", "session": "session_id", "correlation": "correlation_id"}.get(selector.kind)
    if field is None:
        message.selector.event_id = event_id_of(selector.value)
    else:
        setattr(message.selector, field, selector.value)
    return bounded(message, window, as_json, **moments)


def found(filters: Filters, limit: int, as_json: bool, known_at: datetime | None) -> query_pb2.FindRequest:
    """A request for events by their metadata."""
    message = query_pb2.FindRequest(
        kinds=filters.kinds,
        vendor=filters.vendor or "",
        model=filters.model or "",
        tool=filters.tool or "",
        policy_version=filters.policy_version or "",
        limit=limit,
    )
    return bounded(message, filters.window, as_json, known_at=known_at)  # type: ignore[no-any-return]


def bounded(message: Any, window: Window, as_json: bool, **moments: datetime | None) -> Any:
    """`message` with its bounds, its moments, and the page wanted."""
    for field, at in {"from": window.start, "to": window.end, **moments}.items():
        if at is not None:
            getattr(message, field).FromDatetime(at)
    message.page_width = 0 if as_json else min(max(width(), PAGE_WIDTH_MIN), PAGE_WIDTH_MAX)
    return message


def show(answer: Any, as_json: bool, *, proven: bool = True) -> None:
    """Print an answer that has `json` and `page`. Exit code 1 unless it is proven."""
    if as_json:
        print_json(json.loads(answer.json))
    else:
        click.echo(answer.page, nl=False)
    if not proven:
        raise click.exceptions.Exit(EXIT_FINDING)
