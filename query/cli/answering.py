"""Asking one question on the command line: open the home, let `query.service` find the answer and record the access.

The access is recorded through the gateway at `--to`. Without it the command runs a gateway of its own, on a free port
of the loopback interface and only for this one event: so the access lands in this home's event log whatever runs, or
does not run, on this machine. It is sealed like every event, once a sealer runs.

A home that this user can't write (a read-only mount, a snapshot) can't take the access. There, without `--to`, an
answer that opened a content is refused (`Unavailable`, exit code 3); metadata and proofs are given, and a line on
standard error says that this was not recorded: whoever can read these files can read as much without asking. Derived
files are then kept in memory or in a temporary folder. With `--to` everything is as ever.
"""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit

import click

from ledger.cli.connecting import IN_CLEAR, Connection, connection_options
from ledger.cli.options import Command, home_option, json_option, open_home, tenant_option
from ledger.cli.running import run
from ledger.errors import Unavailable
from ledger.gateway.private import gateway_at
from ledger.home import Home, OpenKeys
from ledger.keys.process import ProcessKey
from ledger.keys.read_only import is_writable
from ledger.v1 import event_pb2 as pb
from query.access import GatewayPublisher, Reader
from query.opening import sources
from query.service import Queries, QueryLimits

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Asked:
    """One question's circumstances."""

    home: Path
    tenant: str
    to: str | None
    reader: str | None
    role: str
    case_id: str
    reason: str = ""
    connection: Connection = IN_CLEAR

    def who(self) -> Reader:
        """Who reads: as said, else whoever runs the command."""
        return Reader(self.reader or getpass.getuser(), self.role, self.case_id, self.reason)


def answer(asked: Asked, question: Callable[[Queries, Reader], Awaitable[T]]) -> T:
    """The answer, its Access durable. `Unavailable` when that can't be."""
    return run(_answer(asked, question))


async def _answer(asked: Asked, question: Callable[[Queries, Reader], Awaitable[T]]) -> T:
    who = asked.who()
    home = open_home(asked.home)
    config = home.config()
    with home.keys(config) as keys:
        queries = Queries(
            sources(config, keys),
            _Publisher(home, keys, asked.to, asked.connection),
            QueryLimits.of(config.query),
            workers=1,
        )
        try:
            return await question(queries, who)
        finally:
            await queries.close()


class _Publisher:
    """Publishes to the gateway that was named, else to one of its own; for a home that can't be written, see above."""

    def __init__(self, home: Home, keys: OpenKeys, to: str | None, connection: Connection) -> None:
        self._home = home
        self._keys = keys
        self._to = to
        self._connection = connection

    async def publish(self, tenant: str, event: pb.Event) -> None:
        """See `query.access.AccessPublisher`."""
        if self._to is None and not _can_record(self._home, self._keys):
            if event.access.contents_decrypted:
                raise Unavailable(
                    f"{self._home.path} can't be written, so the access could not be recorded and the contents are not "
                    "shown: name a running gateway with --to, or ask for metadata only"
                )
            click.echo("note: this home can't be written; the reading of its metadata was not recorded", err=True)
            return
        # Only now: a store that can't be written may have no process key yet, and above none is needed.
        process_key = await asyncio.to_thread(ProcessKey.of, self._keys.database, self._keys.master)
        async with gateway_at(self._home, self._to) as address:
            tls = None if self._to is None else self._connection.to(address, self._home.config().gateway).tls
            publisher = GatewayPublisher(address, process_key, tls=tls)
            try:
                await publisher.publish(tenant, event)
            finally:
                await publisher.close()


def _can_record(home: Home, keys: OpenKeys) -> bool:
    """Whether a gateway of our own could record anything: the key store and an embedded event log can be written."""
    ledger = home.config().ledger
    url = urlsplit(ledger.event_log)
    if url.scheme == "sqlite" and not is_writable(home.path / unquote(url.path)):
        return False
    return not keys.database.is_read_only


def question_options(command: Command) -> Command:
    """`--home`, `--tenant`, `--to` and how to reach it, `--reader`, `--role`, `--case`, `--reason`, `--json`.

    Passed as `asked: Asked, as_json`.
    """

    def with_asked(
        home: Path,
        tenant: str,
        to: str | None,
        connection: Connection,
        reader: str | None,
        role: str,
        case_id: str,
        reason: str,
        **rest: Any,
    ) -> Any:
        return command(asked=Asked(home, tenant, to, reader, role, case_id, reason, connection), **rest)

    with_asked.__name__, with_asked.__doc__ = command.__name__, command.__doc__
    with_asked.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    decorated: Any = connection_options(with_asked)
    for option in (
        json_option,
        click.option("--reason", default="", help="Why, recorded encrypted."),
        click.option("--case", "case_id", default="", metavar="ID", help="The case or purpose, recorded."),
        click.option("--role", default="", help="In which role, recorded."),
        click.option("--reader", help="Who reads, recorded. Default: your user name."),
        click.option(
            "--to",
            metavar="HOST:PORT",
            help="Record the access through this gateway. Default: one of its own; contents of a home that can't be "
            "written are shown with --to only.",
        ),
        tenant_option,
        home_option,
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]


class Moment(click.ParamType[datetime]):
    """A time in RFC 3339; UTC where it names no zone."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            at = datetime.fromisoformat(value)
        except ValueError:
            self.fail("expected a time such as 2026-05-15T15:00:00Z", param, ctx)
        return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


MOMENT = Moment()
