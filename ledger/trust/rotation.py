"""Rotation of the keys that sign: another generation, and verifiers told which is good when.

    1  the key store gets the next generation, good from its start
    2  the trust file gets the new key with that start, and the key before it an end: start + overlap

A crash between them leaves a generation that no verifier was told of, and none of the ledger's processes signs with
such a one (`ledger.trust.current_signer`); the next rotation sees it and does step 2 instead of making another.

The **start** may lie ahead, so that copies of the trust file reach verifiers and other machines before the first
signature under the new key does. In the **overlap** both are good: for a process on another machine that has not seen
the new file yet. A key that may be stolen is ended with no overlap. What a key signed inside its range stays good for
ever; what states a time past it is refused.

A day after its end a generation needs its secret no more (what it signed last is written): the next rotation destroys
it, so that a thief of the key store can't sign into the past with it. A token's key is to be destroyed in the token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from ledger.config import LedgerConfig
from ledger.errors import Misconfigured
from ledger.home import Home, OpenKeys
from ledger.keys.signing import Role
from ledger.keys.signing_store import SigningKeyInfo
from ledger.trust.document import TrustedKey, TrustedKeys

_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SigningRotation:
    """`generation` is good from `start`; those before it until `end`. `destroyed`: generations without secret now."""

    role: Role
    name: str
    generation: int
    public_key: bytes
    start: datetime
    end: datetime
    is_resumed: bool
    destroyed: tuple[int, ...]


def rotate_signing_key(
    home: Home,
    config: LedgerConfig,
    keys: OpenKeys,
    role: Role,
    name: str,
    *,
    starts_in_s: int,
    overlap_s: int,
    token_uri: str | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    on_step: Callable[[str], None] = lambda step: None,
) -> SigningRotation:
    """The next generation of a signing key, or the rest of a rotation that was interrupted. Blocks.

    `Misconfigured` when there is no such key, or when the newest one's start still lies ahead.
    """
    now = clock()
    newest = _generations(keys, role, name)[-1]
    trusted = TrustedKeys.load(config.ledger.trust)
    is_resumed = not _is_told(trusted, _generations(keys, role, name))
    if not is_resumed:
        if newest.created_at > now:
            raise Misconfigured(
                f"signing key {role}/{name}: generation {newest.generation} begins at {newest.created_at.isoformat()}; "
                "it can be followed once it has begun"
            )
        start = now + timedelta(seconds=starts_in_s)
        newest = keys.store.signing.rotate(role, name, start, token_uri)
        on_step("made")
    end = newest.created_at + timedelta(seconds=overlap_s)
    trusted = _tell(home, config, keys, role, name, end)
    on_step("told")
    destroyed = _destroy_ended(keys, trusted, role, name, now)
    return SigningRotation(
        role, name, newest.generation, newest.public_key, newest.created_at, end, is_resumed, destroyed
    )


def _generations(keys: OpenKeys, role: Role, name: str) -> list[SigningKeyInfo]:
    found = [each for each in keys.store.signing_keys() if (each.role, each.name) == (role, name)]
    if not found:
        raise Misconfigured(f"signing key {role}/{name}: the key store has none")
    return found


def _is_told(trusted: TrustedKeys, generations: list[SigningKeyInfo]) -> bool:
    """Whether the trust file has the newest generation, and an end for each one before it."""
    known = {key.public_key: key for key in trusted.keys if key.role == generations[0].role}
    ended = all(each.public_key in known and known[each.public_key].not_after is not None for each in generations[:-1])
    return ended and generations[-1].public_key in known


def _tell(home: Home, config: LedgerConfig, keys: OpenKeys, role: Role, name: str, end: datetime) -> TrustedKeys:
    """Write the trust file: every key there is, and this end for those that another one follows now."""
    newest = _generations(keys, role, name)[-1].public_key
    told = home.trust_of(config, keys)
    told = replace(
        told,
        keys=tuple(
            _ended(key, end) if (key.role, key.name) == (role, name) and key.public_key != newest else key
            for key in told.keys
        ),
    )
    told.save(config.ledger.trust)
    return told


def _ended(key: TrustedKey, end: datetime) -> TrustedKey:
    """The key, good until then at most; it keeps an end that it had before, and a range that is not empty."""
    until = end if key.not_after is None else min(end, key.not_after)
    return replace(key, not_after=max(until, key.not_before + timedelta(microseconds=1)))


def _destroy_ended(keys: OpenKeys, trusted: TrustedKeys, role: Role, name: str, now: datetime) -> tuple[int, ...]:
    ends = {key.public_key: key.not_after for key in trusted.for_role(role)}
    over = [
        each.generation
        for each in _generations(keys, role, name)
        if not each.is_destroyed and (end := ends.get(each.public_key)) is not None and end + _KEPT <= now
    ]
    for generation in over:
        keys.store.signing.destroy(role, name, generation)
    return tuple(over)
