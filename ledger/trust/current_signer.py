"""Which of a role's signing keys signs: the newest generation that the trust file holds good at the time signed.

    at            the time that the signed thing states: a receipt's latest received time, a round's sealing time
    candidates    the generations of (role, name) in the key store that are in the trust file under that role and whose
                  range holds `at`
    taken         the newest of them

A verifier asks the same question of the same file, so what is signed is always found good, on both sides of the instant
at which one key follows another. Nothing is restarted: the file is looked at before each signature and read when it was
replaced. A key that no verifier was told of does not sign, though it be the newest.

No candidate: `IntegrityError`, and the writer stops. A receipt that nobody believes could never be taken back.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

from ledger.errors import IntegrityError, Misconfigured, Unavailable
from ledger.keys.signing import Role
from ledger.keys.store import KeyStore
from ledger.tlog.note import NoteSigner
from ledger.trust.document import TrustedKey, TrustedKeys

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Signers = Callable[[int], NoteSigner]
"""The signer for what states this time, in microseconds since 1970 UTC."""


class CurrentSigner:
    """The signers of one role and name. Safe for threads."""

    def __init__(self, keys: KeyStore, role: Role, name: str, trust: Callable[[], TrustedKeys]) -> None:
        self._keys = keys
        self._role: Role = role
        self._name = name
        self._trust = trust
        self._lock = Lock()
        self._seen: TrustedKeys | None = None
        self._candidates: list[tuple[TrustedKey, int]] = []
        self._signers: dict[int, NoteSigner] = {}

    def __call__(self, at_us: int) -> NoteSigner:
        """The signer for what states this time; `IntegrityError` when no trusted key is good then."""
        at = _EPOCH + timedelta(microseconds=at_us)
        with self._lock:
            trust = self._look()
            if trust is not self._seen:
                self._candidates = self._read(trust)
                self._seen = trust
            for key, generation in self._candidates:
                if key.good_at(at):
                    return self._signer(generation)
        raise IntegrityError(
            f"{self._role} key {self._name}: the trust file holds none of its {len(self._candidates)} generations good "
            f"at {at.isoformat()}; `audit-ledger keys list` shows their ranges"
        )

    def _look(self) -> TrustedKeys:
        try:
            return self._trust()
        except Misconfigured as error:
            if self._seen is None:
                raise
            # It was there before, so somebody is at it; what the last one allowed may be what the next one ends.
            raise Unavailable(f"{error}; nothing is signed until it can be read") from None

    def _read(self, trust: TrustedKeys) -> list[tuple[TrustedKey, int]]:
        trusted = {key.public_key: key for key in trust.for_role(self._role)}
        stored = [each for each in self._keys.signing_keys() if (each.role, each.name) == (self._role, self._name)]
        if not stored:
            raise Misconfigured(
                f"signing key {self._role}/{self._name}: the key store has none; expected one made before"
            )
        return [
            (trusted[each.public_key], each.generation)
            for each in sorted(stored, key=lambda each: each.generation, reverse=True)
            if each.public_key in trusted and not each.is_destroyed
        ]

    def _signer(self, generation: int) -> NoteSigner:
        signer = self._signers.get(generation)
        if signer is None:
            signer = self._keys.signing_key(self._role, self._name, generation).signer(self._name)
            self._signers[generation] = signer
        return signer


def always(signer: NoteSigner) -> Signers:
    """One signer for every time: where there is but one key."""
    return lambda at_us: signer
