"""Who asks, and what he may be shown.

Without roles whoever reaches the address is believed who he says he is, and may be shown everything. With roles
(`ledger.identity`) the credential says who asks; the message's `name` counts for nothing, its `role` chooses among his.

| right      | contents                                                                              |
| ---------- | ------------------------------------------------------------------------------------- |
| `case`     | open, once the question states a case and a reason, or asks for metadata only         |
| `sample`   | open for the events of the sample, closed for all others                              |
| `metadata` | closed                                                                                |

Every `Denied` and every `Unauthenticated` is sealed (`ledger.identity.refusals`), and so is a question for contents
without case or reason, which the caller may state and ask again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import grpc

from ledger.errors import Rejected
from ledger.identity.authority import Authority, Caller, Permit, permit
from ledger.identity.errors import Denied, Unauthenticated
from ledger.identity.refusals import RefusalLog
from ledger.identity.rights import Call, right
from ledger.record.names import name
from ledger.tenants import SYSTEM
from ledger.v1 import query_pb2
from query.access import Reader

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class Allowed:
    """Who reads, and whose contents he may open: None for all events, else those of these ids."""

    reader: Reader
    openable: frozenset[bytes] | None = None


class Permits:
    """Asks the roles, where there are any."""

    def __init__(self, authority: Authority | None = None, refusals: RefusalLog | None = None) -> None:
        self._authority = authority
        self._refusals = refusals

    @property
    def has_roles(self) -> bool:
        """Whether anybody is asked who he is."""
        return self._authority is not None

    def refused(self, call: str, error: Denied | Unauthenticated) -> None:
        """Have a refusal sealed."""
        if self._refusals is not None:
            self._refusals.refused(call, error)

    async def asked(
        self, context: Context, call: Call, tenant: str, reader: query_pb2.Reader, *, metadata_only: bool = True
    ) -> Allowed:
        """What the caller of `call` may be shown of `tenant`. Raises `Unauthenticated`, `Denied`, `Rejected`.

        `metadata_only`: the question itself asks for no contents.
        """
        caller = await self._caller(context)
        if caller is None:
            return Allowed(Reader(reader.name, reader.role, reader.case_id, reader.reason))
        found = _permit(caller, call, tenant, reader)
        who = Reader(caller.name, found.role, reader.case_id, reader.reason)
        match found.right:
            case "case" if not metadata_only:
                for field in ("case_id", "reason"):
                    if not getattr(reader, field).strip():
                        why = f"contents asked for without a {field.removesuffix('_id')}"
                        given = _case(reader.case_id)
                        self.refused(call, Denied(caller.name, why, tenant, owns=True, role=found.role, case_id=given))
                        raise Rejected(f"reader.{field}", f"is required before an {found.role} is shown contents")
                return Allowed(who)
            case "sample":
                return Allowed(who, found.sample)
            case _:
                return Allowed(who, frozenset())

    async def checkpoints(self, context: Context, tenant: str) -> None:
        """Whether the caller may have the checkpoints of `tenant`, of which no reading is recorded."""
        caller = await self._caller(context)
        if caller is not None:
            permit(caller, "Checkpoint", tenant)

    async def across(
        self,
        context: Context,
        tenants: Sequence[str],
        reader: query_pb2.Reader,
        all_tenants: Callable[[], Awaitable[Sequence[str]]],
    ) -> tuple[Reader, tuple[str, ...]]:
        """Who counts, and in which tenants: those named, else every one that he may."""
        caller = await self._caller(context)
        if caller is None:
            who = Reader(reader.name, reader.role, reader.case_id, reader.reason)
            return who, tuple(tenants or (each for each in await all_tenants() if each != SYSTEM))
        if not any(right(grant.role, "Count") != "denied" for grant in caller.grants):
            # The same words, whether he named tenants or not, and without looking for any.
            permit(caller, "Count", tenants[0] if tenants else "", reader.role)
        wanted = tenants or [
            each
            for each in await all_tenants()
            if any(grant.covers(each) and right(grant.role, "Count") != "denied" for grant in caller.grants)
        ]
        roles = [_permit(caller, "Count", each, reader).role for each in wanted]
        who = Reader(caller.name, roles[0] if roles else "", reader.case_id, reader.reason)
        return who, tuple(dict.fromkeys(wanted))

    async def _caller(self, context: Context) -> Caller | None:
        if self._authority is None:
            return None
        # Keys of an issuer may have to be fetched.
        return await asyncio.to_thread(self._authority.caller, context.invocation_metadata(), context.auth_context())


def _permit(caller: Caller, call: Call, tenant: str, reader: query_pb2.Reader) -> Permit:
    try:
        return permit(caller, call, tenant, reader.role)
    except Denied as error:
        error.case_id = _case(reader.case_id)
        raise


def _case(text: str) -> str:
    """The case as it may stand in the record of a refusal: a name, or nothing."""
    try:
        return name(text, "reader.case_id") or ""
    except Rejected:
        return ""
