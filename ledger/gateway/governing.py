"""The capture policy in force at a gateway: loaded at the start, taken anew whenever its file changes.

    start    the file must hold a policy, or the gateway does not start
    change   a new file is read, checked and registered; its Change event is published; then it governs
    mistake  a file that is not a policy, or says something else under a version that was in force, changes nothing:
             the policy at hand goes on, the log and the metrics say that the file was not taken

The Change stands in `_org`, with the file as the artifact's text. All gateways of a ledger publish it under one event
id, so it is sealed once. The first policy of a starting gateway governs at once, and its Change follows as soon as the
event log takes it: a gateway must not stay away because its log does.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from ledger.client.ids import derived_event_id
from ledger.errors import LedgerError, Misconfigured, Unavailable
from ledger.gateway.metrics import GatewayMetrics
from ledger.policy import Policy, parse_policy
from ledger.policy.document import FILE_BYTES_MAX
from ledger.policy.register import InForce, PolicyRegister
from ledger.v1 import event_pb2 as pb

log = logging.getLogger(__name__)

LOOK_EVERY_S = 2.0
RETRY_S = 1.0

PublishOwn = Callable[[pb.Event], Awaitable[None]]
"""Publishes an event of the ledger's own into `_org`; returns once it is durable, else raises `Unavailable`."""


@dataclass(frozen=True, slots=True)
class _Taken:
    """A policy in force and the bytes of its file."""

    entered: InForce
    data: bytes


class Governing:
    """The policy of one gateway. `load` first; `current` is then what governs; `run` keeps it up to date."""

    def __init__(self, path: Path, register: PolicyRegister, metrics: GatewayMetrics) -> None:
        self._path = path
        self._register = register
        self._metrics = metrics
        self._stamp: tuple[int, int, int] | None = None
        self._taken: _Taken | None = None

    @property
    def current(self) -> Policy:
        """What governs now."""
        if self._taken is None:
            raise RuntimeError("a policy is asked for before one was loaded")
        return self._taken.entered.policy

    def load(self) -> None:
        """Reads, checks and registers the file; `Misconfigured` when it is not a policy. Blocks."""
        self._stamp = self._stamp_now()
        self._taken = self._take()
        self._metrics.policy_taken(self.current.identity, taken=True)

    async def run(self, publish: PublishOwn) -> None:
        """Publishes what is in force, then takes each change of the file, for ever."""
        if self._taken is not None:
            await self._announce(publish, self._taken)
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            await self._look(publish)

    async def _look(self, publish: PublishOwn) -> None:
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        try:
            taken = await asyncio.to_thread(self._take)
        except Unavailable as error:
            log.warning("the capture policy could not be registered and is tried again: %s", error)
            return
        except Misconfigured as error:
            self._stamp = stamp
            log.error("the capture policy was not taken, %s goes on: %s", self.current.identity, error)
            self._metrics.policy_taken(self.current.identity, taken=False)
            return
        if self._taken is None or taken.entered.number != self._taken.entered.number:
            await self._announce(publish, taken)
            log.info("the capture policy is %s now, it was %s", taken.entered.policy.identity, self.current.identity)
        self._taken, self._stamp = taken, stamp
        self._metrics.policy_taken(self.current.identity, taken=True)

    async def _announce(self, publish: PublishOwn, taken: _Taken) -> None:
        """Returns once the Change is durable."""
        recorded = taken.entered.is_recorded
        while not recorded:
            try:
                await publish(change_event(taken.entered, taken.data))
                await asyncio.to_thread(self._register.recorded, taken.entered)
                recorded = True
            except LedgerError as error:
                log.warning("the change to policy %s is not recorded yet: %s", taken.entered.policy.identity, error)
                await asyncio.sleep(RETRY_S)

    def _take(self) -> _Taken:
        data = self._read()
        return _Taken(self._register.enter(parse_policy(data, str(self._path))), data)

    def _read(self) -> bytes:
        try:
            with open(self._path, "rb") as file:
                return file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            raise Misconfigured(f"{self._path}: cannot read the capture policy: {error.strerror}") from None

    def _stamp_now(self) -> tuple[int, int, int] | None:
        try:
            status = os.stat(self._path)
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino


def change_event(entered: InForce, data: bytes) -> pb.Event:
    """The Change that says since when this policy is in force. The same for every gateway of a ledger."""
    policy = entered.policy
    event_id = derived_event_id(entered.at_ms, "capture-policy", policy.identity, str(entered.number))
    event = pb.Event(event_id=event_id, phase=pb.PHASE_SINGLE, classification=pb.CLASSIFICATION_INTERNAL)
    event.occurred_at.FromMilliseconds(entered.at_ms)
    event.producer.service = "audit-ledger-gateway"
    event.story.correlation_id = f"capture-policy:{policy.name}"
    change = event.change
    change.artifact_kind = pb.ARTIFACT_KIND_POLICY
    change.artifact_id = f"capture-policy:{policy.name}"
    change.to_revision = policy.version
    if entered.before is not None:
        change.from_revision = entered.before.rpartition("/")[2]
    change.artifact_sha256 = policy.sha256
    change.action = pb.CHANGE_ACTION_ROLL_BACK if entered.is_return else pb.CHANGE_ACTION_DEPLOY
    change.effective_at.FromMilliseconds(entered.at_ms)
    change.artifact_text.media_type = "application/toml"
    change.artifact_text.text = data.decode("utf-8")
    return event
