"""The capture policy in force at a gateway: loaded at the start, taken anew whenever its file changes.

    start    the file must hold a policy, or the gateway does not start
    change   a new file is read, checked and registered; its Change event is published; then it governs
    mistake  a file that is not a policy, or says something else under a version that was in force, changes nothing:
             the policy at hand goes on, the log and the metrics say that the file was not taken

A Change stands in `_org`, with the file as the artifact's text. All gateways of a ledger publish it under one event id,
so it is sealed once; what one of them could not publish another does. The first policy of a starting gateway governs at
once, and its Change follows as soon as the event log takes it: a gateway must not stay away because its log does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from ledger.client.ids import derived_event_id
from ledger.errors import LedgerError, Misconfigured, Unavailable
from ledger.gateway.faults import report_fault
from ledger.gateway.metrics import GatewayMetrics
from ledger.policy import Policy
from ledger.policy.file import PolicyFile
from ledger.policy.register import InForce, PolicyRegister
from ledger.v1 import event_pb2 as pb
from ledger.watched_file import FileStamp

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0

PublishOwn = Callable[[pb.Event], Awaitable[None]]
"""Publishes an event of the ledger's own into `_org`; returns once it is durable, else raises `Unavailable`."""


class Governing:
    """The policy of one gateway. `load` first; `current` is then what governs; `run` keeps it up to date."""

    def __init__(self, path: Path, register: PolicyRegister, metrics: GatewayMetrics) -> None:
        self._file = PolicyFile(path)
        self._register = register
        self._metrics = metrics
        self._stamp: FileStamp | None = None
        self._in_force: InForce | None = None

    @property
    def current(self) -> Policy:
        """What governs now."""
        if self._in_force is None:
            raise RuntimeError("a policy is asked for before one was loaded")
        return self._in_force.policy

    def load(self) -> None:
        """Reads, checks and registers the file; `Misconfigured` when it is not a policy. Blocks."""
        self._stamp = self._file.stamp()
        self._in_force = self._enter()
        self._metrics.policy_taken(self.current.identity, taken=True)

    async def run(self, publish: PublishOwn) -> None:
        """Publishes what is not recorded, and takes each change of the file, for ever."""
        while True:
            try:
                await self._look(publish)
            except Exception as error:
                report_fault(error, "looking at the capture policy")
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self, publish: PublishOwn) -> None:
        await self._record(publish)
        stamp = self._file.stamp()
        if stamp == self._stamp:
            return
        try:
            entered = await asyncio.to_thread(self._enter)
        except Unavailable as error:
            log.warning("the capture policy could not be registered and is tried again: %s", error)
            return
        except Misconfigured as error:
            self._stamp = stamp
            log.error("the capture policy was not taken, %s goes on: %s", self.current.identity, error)
            self._metrics.policy_taken(self.current.identity, taken=False)
            return
        if await self._record(publish):
            if self._in_force is None or entered.number != self._in_force.number:
                log.info("the capture policy is %s now, it was %s", entered.policy.identity, self.current.identity)
            self._in_force, self._stamp = entered, stamp
            self._metrics.policy_taken(self.current.identity, taken=True)

    async def _record(self, publish: PublishOwn) -> bool:
        """Publishes the Changes that are not known to be durable; whether all are now."""
        try:
            for entered in await asyncio.to_thread(self._register.unrecorded):
                await publish(change_event(entered))
                await asyncio.to_thread(self._register.recorded, entered)
        except LedgerError as error:
            log.warning("a change of the capture policy is not recorded yet: %s", error)
            return False
        return True

    def _enter(self) -> InForce:
        return self._register.enter(self._file.read, str(self._file.path))


def change_event(entered: InForce) -> pb.Event:
    """The Change that says since when this policy is in force. The same for every gateway of a ledger."""
    policy = entered.policy
    event_id = derived_event_id(entered.at_ms, "capture-policy", policy.identity, str(entered.number))
    event = pb.Event(event_id=event_id, phase=pb.PHASE_SINGLE, classification=pb.CLASSIFICATION_INTERNAL)
    event.occurred_at.FromMilliseconds(entered.at_ms)
    event.producer.service = "audit-ledger-gateway"
    event.story.correlation_id = "capture-policy"
    change = event.change
    change.artifact_kind = pb.ARTIFACT_KIND_POLICY
    change.artifact_id = "capture-policy"
    change.to_revision = policy.identity
    change.from_revision = entered.before or ""
    change.artifact_sha256 = policy.sha256
    change.action = pb.CHANGE_ACTION_ROLL_BACK if entered.is_return else pb.CHANGE_ACTION_DEPLOY
    change.effective_at.FromMilliseconds(entered.at_ms)
    change.artifact_text.media_type = "application/toml"
    change.artifact_text.text = entered.data.decode("utf-8")
    return event
