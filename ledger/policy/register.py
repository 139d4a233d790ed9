"""Which policy was in force when: one row, in the key store, for each time that a gateway took another one.

An event says `name/version`; a year later that must still mean one text. A version that was in force once is bound to
the SHA-256 of its file, and a file that says something else under the same version is refused. Going back to an earlier
version is a row of its own. A row's number and time make the event id of its Change, which all gateways of a ledger
therefore share; once one of them knows the Change durable the row says so. The row keeps the file, so that a Change can
be published later, by another gateway, of a policy that is in force no more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ledger.errors import Misconfigured
from ledger.keys.database import KeyDatabase
from ledger.policy.document import parse_policy
from ledger.policy.rules import Policy


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class InForce:
    """A policy in force: the `number`th, since `at_ms` (Unix milliseconds). `data`: its file.

    `before`: the identity of the one before. `is_return`: this version was in force earlier already.
    """

    policy: Policy
    data: bytes
    number: int
    at_ms: int
    before: str | None
    is_return: bool


class PolicyRegister:
    """The register of one ledger. Calls block."""

    def __init__(self, database: KeyDatabase, now_ms: Callable[[], int] = _now_ms) -> None:
        self._database = database
        self._now_ms = now_ms

    def enter(self, read: Callable[[], bytes], where: str = "policy") -> InForce:
        """The policy in the file that `read` gives, in force: since now, or since when it is the newest row already.

        The file is read while nobody else can enter one, so that of two gateways none enters what was replaced
        meanwhile. `Misconfigured`, beginning with `where`, when it is no policy, or its version meant another text.
        """
        with self._database.write() as rows:
            data = read()
            policy = parse_policy(data, where)
            found = rows.execute("SELECT number, identity, sha256, at_ms FROM policies ORDER BY number").fetchall()
            for _, identity, digest, _ in found:
                if identity == policy.identity and digest != policy.sha256:
                    raise Misconfigured(
                        f"{where}: its SHA-256 is {policy.sha256.hex()}, version {identity} was in force with "
                        f"{digest.hex()}: give the changed policy another version"
                    )
            if not found or found[-1][1] != policy.identity:
                row = (len(found), policy.identity, policy.sha256, self._now_ms())
                rows.execute(
                    "INSERT INTO policies (number, identity, sha256, at_ms, text) VALUES (?, ?, ?, ?, ?)", (*row, data)
                )
                found.append(row)
        number, _, _, at_ms = found[-1]
        earlier = [each[1] for each in found[:-1]]
        before = earlier[-1] if earlier else None
        return InForce(policy, data, number, at_ms, before, policy.identity in earlier)

    def newest(self) -> Policy | None:
        """The policy that a gateway took last, whatever the file says now; None before the first."""
        with self._database.read() as rows:
            found = rows.execute("SELECT text FROM policies ORDER BY number DESC LIMIT 1").fetchone()
        return None if found is None else parse_policy(found[0])

    def unrecorded(self) -> list[InForce]:
        """Every row whose Change is not known to be durable, in order."""
        with self._database.read() as rows:
            found = rows.execute(
                "SELECT number, identity, at_ms, text, is_recorded FROM policies ORDER BY number"
            ).fetchall()
        identities = [identity for _, identity, _, _, _ in found]
        return [
            InForce(
                parse_policy(data),
                data,
                number,
                at_ms,
                identities[number - 1] if number else None,
                identity in identities[:number],
            )
            for number, identity, at_ms, data, is_recorded in found
            if not is_recorded
        ]

    def recorded(self, entered: InForce) -> None:
        """Its Change is durable."""
        with self._database.write() as rows:
            rows.execute("UPDATE policies SET is_recorded = 1 WHERE number = ?", (entered.number,))
