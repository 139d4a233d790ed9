"""What a gateway records of the ledger itself: operations that commands entered, and its own files when they change.

Looked after every `LOOK_EVERY_S`. A configuration that is another one than this gateway last started with, or a roles
file than it last took, is entered as an operation, with its SHA-256; whatever is entered and over is published
(`ledger.operations`). The first roles file is a change, from none; the configuration that a new ledger begins with is
not. A configuration file that changes while a gateway runs changes nothing before it starts again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from ledger.errors import LedgerError, Misconfigured, Rejected
from ledger.gateway.faults import report_fault
from ledger.identity.document import read_roles
from ledger.operations import Action, Operations, Outcome
from ledger.tenants import ORG
from ledger.v1 import event_pb2 as pb
from ledger.watched_file import FileStamp

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0

PublishInto = Callable[[str, pb.Event], Awaitable[None]]
"""Publishes an event of the ledger's own into a tenant; returns once it is durable, else raises `Unavailable`."""


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """The files of one gateway that say what it does. `roles`: None where there are none."""

    gateway_id: str
    config: Path | None
    roles: Path | None


class OwnRecords:
    """Records for one gateway; `run` it."""

    def __init__(self, operations: Operations, files: OwnFiles) -> None:
        self._operations = operations
        self._files = files
        self._stamps: dict[Path, FileStamp] = {}
        self._has_started = False

    async def run(self, publish: PublishInto) -> None:
        """For ever."""
        while True:
            try:
                await asyncio.to_thread(self._look)
                await self.publish_all(publish)
            except LedgerError as error:
                log.warning("what was done to the ledger is not recorded yet: %s", error)
            except Exception as error:
                report_fault(error, "recording what was done to the ledger")
            await asyncio.sleep(LOOK_EVERY_S)

    async def publish_all(self, publish: PublishInto) -> None:
        """Everything that is entered and over."""
        for operation in await asyncio.to_thread(self._operations.unrecorded):
            try:
                await publish(operation.tenant, operation.event())
            except Rejected:
                # The tenant was deleted since. What was done to its keys is the company's matter still.
                await publish(ORG, operation.event())
            await asyncio.to_thread(self._operations.recorded, operation)

    def _look(self) -> None:
        if self._files.config is not None and not self._has_started:
            self._look_at(self._files.config, "configuration", self._configured)
        if self._files.roles is not None:
            self._look_at(self._files.roles, "role_grant", self._granted)
        self._has_started = True

    def _look_at(self, path: Path, action: Action, told: Callable[[bytes], Outcome]) -> None:
        stamp = FileStamp.if_there(path)
        if stamp is None or self._stamps.get(path) == stamp:
            return
        try:
            data = path.read_bytes()
            how = told(data)
        except (OSError, Misconfigured):
            return  # half written, or wrong: then it is not in force either
        who = f"gateway {self._files.gateway_id}"
        digest, first = sha256(data).digest(), action == "role_grant"
        self._operations.note_file(self._files.gateway_id, path.name, digest, action, who, how, first=first)
        self._stamps[path] = stamp

    def _configured(self, data: bytes) -> Outcome:
        return Outcome(f"configuration of gateway {self._files.gateway_id}, sha256:{sha256(data).hexdigest()}")

    def _granted(self, data: bytes) -> Outcome:
        if self._files.roles is None:
            raise Misconfigured("roles: none are configured")
        roles = read_roles(self._files.roles)
        return Outcome(f"roles version {roles.version}, sha256:{sha256(data).hexdigest()}", len(roles.grants))
