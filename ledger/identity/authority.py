"""From the credential of a call to what its caller may do.

    authorization: Bearer <token>     a person or a service, by JWT (`ledger.identity.tokens`)
    a client certificate              a service, by a name in it (`ledger.identity.certificates`)

A token goes before a certificate; one that does not hold is refused whatever the certificate says. Two values of
`authorization` are none. A caller whom no grant names is known, and may do nothing.

Roles, keys and revocations are read again when their files change. A roles file that is wrong changes nothing: the one
before stays in force, and the log says so; a service does not start with one. Revocations that can't be read refuse
everybody for now.

Whoever has several roles for a tenant acts in the weakest that allows the call, unless the call states another.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from ledger.errors import Misconfigured, Rejected, Unavailable
from ledger.identity.certificates import Certificate, peer_certificate
from ledger.identity.document import Grant, Issuer, Roles, read_roles
from ledger.identity.errors import Denied, Unauthenticated
from ledger.identity.key_sets import IssuerKey, KeySet
from ledger.identity.revocation import Revoked, read_revoked
from ledger.identity.rights import ROLES, TENANTLESS, Call, Right, Role, right
from ledger.identity.tokens import Claims, TokenChecker
from ledger.record.names import required
from ledger.watched_file import Watched

log = logging.getLogger(__name__)

AUTHORIZATION = "authorization"
SCHEME = "bearer"
_STRENGTH: tuple[Right, ...] = ("metadata", "sample", "case", "yes")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls. `name` as it stands in events: a certificate's name, or `issuer:subject`."""

    name: str
    method: Literal["mtls", "jwt"]
    grants: tuple[Grant, ...] = field(repr=False)

    def owns(self, tenant: str) -> bool:
        """Whether any grant of his names this tenant."""
        return any(grant.covers(tenant) for grant in self.grants)


@dataclass(frozen=True, slots=True)
class Permit:
    """What a caller may do with one call. `kinds` of event he may publish; `sample`: events he may open."""

    role: Role
    right: Right
    kinds: frozenset[str]
    sample: frozenset[bytes]


@dataclass(frozen=True, slots=True)
class _InForce:
    """A roles file, ready for use."""

    roles: Roles
    checker: TokenChecker
    revoked: Watched[Revoked] | None
    by_certificate: Mapping[str, tuple[Grant, ...]]


class Authority:
    """Knows callers and their rights. Safe for threads; `caller` may block."""

    def __init__(
        self,
        path: Path,
        fetch: Callable[[str], bytes] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path = path
        self._fetch = fetch
        self._now = now
        self._key_sets: dict[tuple[str, Path | None], KeySet] = {}
        self._in_force = Watched((path,), self._load, keep=True)
        in_force = self._in_force.get()
        if in_force.revoked is not None:
            in_force.revoked.get()

    @property
    def roles(self) -> Roles:
        """The roles in force."""
        return self._in_force.get().roles

    def caller(
        self, metadata: Iterable[tuple[str, str | bytes]] | None, auth_context: Mapping[str, Iterable[bytes]]
    ) -> Caller:
        """Who calls. `Unauthenticated` without a credential that holds, `Unavailable` when that can't be told now."""
        in_force = self._in_force.get()
        revoked = _revoked(in_force)
        given = [value for name, value in metadata or () if name == AUTHORIZATION]
        if len(given) > 1:
            raise Unauthenticated(why="several credentials")
        if given:
            return _by_token(in_force, _bearer(given[0]), revoked)
        certificate = peer_certificate(auth_context)
        if certificate is None:
            raise Unauthenticated
        return self._by_certificate(in_force, certificate, revoked)

    def by_token(self, token: str) -> Caller:
        """Whose token this is; raises as `caller` does."""
        in_force = self._in_force.get()
        return _by_token(in_force, token, _revoked(in_force))

    def _by_certificate(self, in_force: _InForce, certificate: Certificate, revoked: Revoked) -> Caller:
        if not certificate.holds(self._now()):
            raise Unauthenticated(why="a certificate that is over, or not yet valid")
        if certificate.sha256 in revoked.certificates:
            raise Unauthenticated(why="a revoked certificate")
        named = [name for name in certificate.names if name in in_force.by_certificate]
        name = (named or list(certificate.names) or [""])[0]
        try:
            required(name, "certificate")
        except Rejected:
            raise Unauthenticated(why="a certificate without a usable name") from None
        grants = (grant for each in named for grant in in_force.by_certificate[each])
        return Caller(name, "mtls", tuple(dict.fromkeys(grants)))

    def _load(self) -> _InForce:
        roles = read_roles(self._path)
        revoked = roles.revoked
        by_certificate: dict[str, tuple[Grant, ...]] = {}
        for grant in roles.grants:
            if grant.certificate is not None:
                by_certificate[grant.certificate] = (*by_certificate.get(grant.certificate, ()), grant)
        return _InForce(
            roles,
            TokenChecker(roles.issuers, self._key),
            None if revoked is None else Watched((revoked,), lambda: read_revoked(revoked)),
            by_certificate,
        )

    def _key(self, issuer: Issuer, key_id: str) -> IssuerKey | None:
        of = (issuer.keys, issuer.keys_ca)
        found = self._key_sets.get(of)
        if found is None:
            found = self._key_sets.setdefault(of, KeySet(issuer.keys, self._fetch, ca=issuer.keys_ca))
        return found.find(key_id)


def permit(caller: Caller, call: Call, tenant: str, role: str = "") -> Permit:
    """What `caller` may do with `call` for `tenant`, in the role he states, or the weakest. Raises `Denied`.

    Nothing is looked up: a tenant of somebody else and one that is not there are the same.
    """
    stated = f" as {role}" if role in ROLES else ""
    allowed = [
        grant
        for grant in caller.grants
        if right(grant.role, call) != "denied" and (call in TENANTLESS or grant.covers(tenant))
    ]
    if role:
        allowed = [grant for grant in allowed if grant.role == role]
    if not allowed:
        why = "no role for this tenant" if not caller.owns(tenant) else f"no role that allows the call{stated}"
        raise Denied(caller.name, why, tenant, owns=caller.owns(tenant), role=role if role in ROLES else "")
    chosen = min(allowed, key=lambda grant: (_STRENGTH.index(right(grant.role, call)), ROLES.index(grant.role))).role
    own = [grant for grant in allowed if grant.role == chosen]
    return Permit(
        chosen,
        right(chosen, call),
        frozenset().union(*(grant.kinds for grant in own)),
        frozenset().union(*(grant.sample for grant in own)),
    )


def tenants_of(caller: Caller, call: Call) -> set[str]:
    """The tenants that grants name by which `caller` may call this; "*" among them where one says so."""
    return {tenant for grant in caller.grants if right(grant.role, call) != "denied" for tenant in grant.tenants}


def _revoked(in_force: _InForce) -> Revoked:
    if in_force.revoked is None:
        return Revoked()
    try:
        return in_force.revoked.get()
    except Misconfigured as error:
        log.error("nobody is let in: %s", error)
        raise Unavailable("who calls can't be told now") from None


def _bearer(value: str | bytes) -> str:
    scheme, _, token = value.partition(" ") if isinstance(value, str) else ("", "", "")
    if scheme.lower() != SCHEME or not token:
        raise Unauthenticated(why="a credential of an unknown kind")
    return token


def _by_token(in_force: _InForce, token: str, revoked: Revoked) -> Caller:
    claims = in_force.checker.check(token, revoked)
    grants = tuple(grant for grant in in_force.roles.grants if _is_for(grant, claims))
    return Caller(claims.name, "jwt", grants)


def _is_for(grant: Grant, claims: Claims) -> bool:
    if grant.issuer != claims.issuer:
        return False
    return grant.subject == claims.subject if grant.group is None else grant.group in claims.groups
