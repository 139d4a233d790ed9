"""What the record needs of a key store, whatever keeps it: SQLite, PostgreSQL.

- A **holder** is a person or, where an event names none, its session or else the event itself. At first sight it gets
  a random pseudonym, which may stand in leaves for ever, and one *gateway secret*, for submission digests and the
  digests of `metadata` mode.
- A **scope** is (holder, retention class, month received). It has a random id, which stands in content descriptors,
  and a random key, from which content keys are derived (`ledger.keys.derive`). Destroying it makes its contents
  unreadable.
- A **link** joins a session or an event to a person who turned out to be behind it, so that erasing the person finds
  the other's scopes as well.

Everything is durable before it is answered: a key that could be lost after its first use loses what it sealed.

`ScopeKeys` is all that a reader is given; `KeyProvider`, with the secrets of holders, is the gateway's.
No `repr` of these types shows a secret or an identifier. Those of which every event makes or looks up several are named
tuples: as dataclasses with a hash in Python they cost an event 6 µs more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

HolderKind = Literal["person", "session", "event"]

PSEUDONYM_BYTES = 16
SECRET_BYTES = 32
SCOPE_ID_BYTES = 16
SCOPE_KEY_BYTES = 32

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


class HolderRef(NamedTuple):
    """Who holds a content: `identifier` is a person's as it came (the store normalizes it), or an exact id."""

    kind: HolderKind
    identifier: str

    def __repr__(self) -> str:
        return f"HolderRef(kind={self.kind!r})"


class Holder(NamedTuple):
    """`pseudonym`: 16 random bytes, public. `secret`: 32 random bytes, the gateway secret, never given to readers."""

    pseudonym: bytes
    secret: bytes

    def __repr__(self) -> str:
        return f"Holder(pseudonym={self.pseudonym!r})"


class ScopeRef(NamedTuple):
    """One holder's contents of one retention class received in one month, `2026-11` in UTC."""

    holder: HolderRef
    retention_class: str
    month: str


class Scope(NamedTuple):
    """`scope_id`: 16 random bytes, public. `key`: 32 random bytes."""

    scope_id: bytes
    key: bytes

    def __repr__(self) -> str:
        return f"Scope(scope_id={self.scope_id!r})"


@dataclass(frozen=True, slots=True)
class Grant:
    """An answer to `acquire`: every holder, scope and link asked for is durable.

    `suppressed`: those asked for that nobody is given, because they are being erased or were erased a while ago; they,
    their scopes and their links are missing here.
    """

    holders: Mapping[HolderRef, Holder]
    scopes: Mapping[ScopeRef, Scope]
    suppressed: frozenset[HolderRef] = frozenset()


class ScopeKeys(Protocol):
    """The reader's side."""

    def scope_keys(self, tenant: str, scope_ids: Iterable[bytes]) -> dict[bytes, bytes]:
        """The keys of those scopes of this tenant that still exist, by scope id."""

    def destroyed_by(self, tenant: str, scope_ids: Iterable[bytes]) -> dict[bytes, str]:
        """Of those of these scopes that were destroyed, the correlation id of the events that say so."""

    def pseudonym(self, tenant: str, identifier: str) -> bytes | None:
        """The pseudonym of a person if she has one. Never makes one: a question must not leave a trace of a person."""


class KeyProvider(ScopeKeys, Protocol):
    """The gateway's side."""

    def acquire(
        self,
        tenant: str,
        holders: Iterable[HolderRef],
        scopes: Iterable[ScopeRef],
        links: Iterable[tuple[HolderRef, HolderRef]],
    ) -> Grant:
        """Holders and scopes as the store has them, made where absent; links (session or event, person) recorded.

        Durable before it returns: one write transaction when anything is new, none otherwise, no transaction at all
        when all is cached. Callers racing for one holder or scope get the same one. Holders of the scopes are made
        with them, asked for or not. `Unavailable` when the store is away or busy, `Rejected` for an identifier that
        is empty or no text, `IntegrityError` when the store contradicts itself.
        """

    def numbering_key(self, tenant: str) -> bytes:
        """The 32-byte key under which the tenant's redacted values are numbered; the same for ever."""


def check_scope_ref(ref: ScopeRef) -> None:
    """`ValueError` unless the month is one and the retention class has a name."""
    if not _MONTH.fullmatch(ref.month):
        raise ValueError(f"month: expected YYYY-MM, got {ref.month!r}")
    if not ref.retention_class:
        raise ValueError("retention class: expected a name, got none")


def check_link(link: tuple[HolderRef, HolderRef]) -> None:
    """`ValueError` unless the link goes from a session or an event to a person."""
    stand_in, person = link
    if stand_in.kind == "person" or person.kind != "person":
        raise ValueError(f"link: expected a session or event and a person, got {stand_in.kind} and {person.kind}")
