"""The policy in force at a proxy: read at the start, taken anew whenever its file changes.

A file that is no policy, or that says something else under a version that this proxy had in force, changes nothing: the
policy at hand goes on, and the log and the metrics say so. A proxy only reads the file; that a policy came into force
is recorded by the gateways, whose file it is or a copy of it. Every event says by which version it was decided.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

from ledger.errors import Misconfigured
from ledger.policy import parse_policy
from ledger.policy.file import PolicyFile
from ledger.proxy.deciding import Decider
from ledger.watched_file import FileStamp

log = logging.getLogger(__name__)


class Governing:
    """`load` first; `current` is then what governs, and `look` takes a changed file. `taken(identity, ok)` is told."""

    def __init__(self, path: Path, taken: Callable[[str, bool], None]) -> None:
        self._file = PolicyFile(path)
        self._taken = taken
        self._stamp: FileStamp | None = None
        self._decider: Decider | None = None
        self._known: dict[str, bytes] = {}

    @property
    def current(self) -> Decider:
        """What decides now."""
        if self._decider is None:
            raise RuntimeError("a policy is asked for before one was loaded")
        return self._decider

    def load(self) -> None:
        """Reads the file; `Misconfigured` when it is no policy. Blocks."""
        stamp = self._file.stamp()
        policy = parse_policy(self._file.read(), str(self._file.path))
        if self._known.setdefault(policy.identity, policy.sha256) != policy.sha256:
            raise Misconfigured(
                f"{self._file.path}: version {policy.identity} was in force with another text: give the changed policy "
                "another version"
            )
        self._decider, self._stamp = Decider(policy), stamp
        self._taken(policy.identity, True)

    async def look(self) -> None:
        """Takes the file if it was changed."""
        stamp = self._file.stamp()
        if stamp == self._stamp:
            return
        before = self.current.policy.identity
        try:
            await asyncio.to_thread(self.load)
        except Misconfigured as error:
            self._stamp = stamp
            log.error("the policy was not taken, %s goes on: %s", before, error)
            self._taken(before, False)
            return
        log.info("the policy is %s now, it was %s", self.current.policy.identity, before)
