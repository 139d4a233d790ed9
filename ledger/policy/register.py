"""Which policy was in force when: one row, in the key store, for each time that a gateway took another one.

An event says `name/version`; a year later that must still mean one text. A version that was in force once is bound to
the SHA-256 of its file, and a file that says something else under the same version is refused. Going back to an earlier
version is a row of its own. A row's number and time make the event id of its Change, which all gateways of a ledger
therefore share; once one of them knows the Change durable the row says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ledger.errors import Misconfigured
from ledger.keys.database import KeyDatabase
from ledger.policy.rules import Policy


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class InForce:
    """A policy in force: the `number`th, since `at_ms` (Unix milliseconds). `before`: the identity of the one before.

    `is_return`: this version was in force earlier already. `is_recorded`: its Change is durable.
    """

    policy: Policy
    number: int
    at_ms: int
    before: str | None
    is_return: bool
    is_recorded: bool = False


class PolicyRegister:
    """The register of one ledger. Calls block."""

    def __init__(self, database: KeyDatabase, now_ms: Callable[[], int] = _now_ms) -> None:
        self._database = database
        self._now_ms = now_ms

    def enter(self, policy: Policy) -> InForce:
        """This policy in force: since now, or since when it is the newest row already.

        `Misconfigured` when its version meant another text before.
        """
        with self._database.write() as rows:
            found = rows.execute(
                "SELECT number, identity, sha256, at_ms, is_recorded FROM policies ORDER BY number"
            ).fetchall()
            for _, identity, digest, _, _ in found:
                if identity == policy.identity and digest != policy.sha256:
                    raise Misconfigured(
                        f"policy {identity}: the file's SHA-256 is {policy.sha256.hex()}, this version was in force "
                        f"with {digest.hex()}: give the changed policy another version"
                    )
            if not found or found[-1][1] != policy.identity:
                row = (len(found), policy.identity, policy.sha256, self._now_ms(), 0)
                rows.execute("INSERT INTO policies VALUES (?, ?, ?, ?, ?)", row)
                found.append(row)
        number, _, _, at_ms, is_recorded = found[-1]
        earlier = [each[1] for each in found[:-1]]
        before = earlier[-1] if earlier else None
        return InForce(policy, number, at_ms, before, policy.identity in earlier, bool(is_recorded))

    def recorded(self, entered: InForce) -> None:
        """Its Change is durable."""
        with self._database.write() as rows:
            rows.execute("UPDATE policies SET is_recorded = 1 WHERE number = ?", (entered.number,))
