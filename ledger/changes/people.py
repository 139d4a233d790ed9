"""Which e-mail addresses and logins are one person, so that nobody reviews what they wrote under another name.

A *key* is how a source names somebody: `email:mia@example.org`, `github:mia-l`, both in lower case. GitHub's own
no-reply addresses (`12345+mia-l@users.noreply.github.com`) are the login that they hold.

What joins two keys: the `[[people]]` of the declaration, the repository's `.mailmap`, and the platform where it says
which login an address of a commit belongs to. Joining only ever makes more keys one person, so a mapping that lies can
keep a review from counting and can never make one count.

A login and an address that nothing joins may or may not be the same person (`may_be`), and the gate fails. Of a
declared person everything is declared: who has no login there has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ledger.changes.document import DeclaredPerson
from ledger.changes.github import LinkedCommit

EMAIL, GITHUB = "email:", "github:"
PLATFORM_ADDRESSES = frozenset({"noreply@github.com"})
"""Committers that are no persons: what the platform's web pages commit as."""

MAILMAP_BYTES_MAX = 1024 * 1024
_NO_REPLY = re.compile(r"(?:[0-9]+\+)?(?P<login>[a-z0-9-]+(?:\[bot\])?)@users\.noreply\.github\.com")
_MAILMAP = re.compile(r"(?P<name>[^<#]*)<(?P<proper>[^<>]+)>(?:[^<#]*<(?P<commit>[^<>]+)>)?\s*(?:#.*)?")


def email_key(address: str) -> str:
    """The key of an e-mail address."""
    folded = address.strip().lower()
    found = _NO_REPLY.fullmatch(folded)
    return GITHUB + found["login"] if found else EMAIL + folded


def login_key(login: str) -> str:
    """The key of a GitHub login."""
    return GITHUB + login.strip().lower()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody by all keys known of them; `name` is what the ledger says. `is_declared`: there are no other keys."""

    name: str
    keys: frozenset[str]
    is_declared: bool = False

    def is_same(self, other: Person) -> bool:
        """Whether both are known to be one person."""
        return not self.keys.isdisjoint(other.keys)

    def may_be(self, other: Person) -> bool:
        """Whether nothing tells them apart: each is known only by a kind of key that the other is not known by."""
        if self.is_declared or other.is_declared or self.is_same(other):
            return False
        return _kinds(self.keys).isdisjoint(_kinds(other.keys))


def _kinds(keys: Iterable[str]) -> set[str]:
    return {each.partition(":")[0] for each in keys}


class People:
    """Everybody that is known, joined as the sources say. Add first, ask then."""

    def __init__(self) -> None:
        self._group: dict[str, set[str]] = {}
        self._names: dict[str, str] = {}

    def join(self, keys: Iterable[str], name: str | None = None) -> None:
        """These keys are one person, of whom `name`, where it is given, declares all."""
        joined: set[str] = set()
        for key in keys:
            joined |= self._group.get(key, {key})
        for key in joined:
            self._group[key] = joined
            if name is not None:
                self._names.setdefault(key, name)

    def of(self, key: str) -> Person:
        """The person with this key."""
        keys = self._group.get(key, {key})
        named = sorted({self._names[each] for each in keys if each in self._names})
        if named:
            return Person(named[0], frozenset(keys), is_declared=True)
        addresses = sorted(each.removeprefix(EMAIL) for each in keys if each.startswith(EMAIL))
        return Person(addresses[0] if addresses else min(keys), frozenset(keys))

    def read_all(
        self, declared: Iterable[DeclaredPerson], mailmap: bytes | None, linked: Iterable[LinkedCommit]
    ) -> None:
        """Everything that the sources join."""
        for person in declared:
            self.join([*map(email_key, person.emails), *map(login_key, person.github)], person.name)
        if mailmap is not None:
            self.read_mailmap(mailmap)
        for each in linked:
            if each.address.lower() not in PLATFORM_ADDRESSES:
                self.join((email_key(each.address), login_key(each.login)))

    def read_mailmap(self, data: bytes) -> None:
        """Joins what a `.mailmap` joins; lines in another form are none."""
        for line in data[:MAILMAP_BYTES_MAX].decode("utf-8", "replace").splitlines():
            found = _MAILMAP.fullmatch(line.strip())
            if found is not None and found["commit"]:
                self.join((email_key(found["proper"]), email_key(found["commit"])))
