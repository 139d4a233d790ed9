"""JWT: what a token must be to hold. Anything else is `Unauthenticated`; why, only the record says.

1. It is a compact JWS of at most `TOKEN_BYTES_MAX` bytes, without critical header extensions.
2. Its `iss` is an issuer of the roles file; that issuer's rules are those below.
3. Its header's `alg` is one that the issuer may use (RS256, ES256, EdDSA; so never `none`, never an HMAC), and the one
   that the key of its `kid` is for.
4. The signature holds under that key.
5. `aud` holds the ledger's audience; `exp` is to come, `nbf` and `iat` are not, give or take the leeway; from `iat` to
   `exp` it is no longer than the issuer's `lifetime_max_s`.
6. `sub` is a name; `jti`, where there is one, and the subject are not revoked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt

from ledger.errors import Rejected
from ledger.identity.document import Issuer
from ledger.identity.errors import Unauthenticated
from ledger.identity.key_sets import IssuerKey
from ledger.identity.revocation import Revoked
from ledger.record.names import required

TOKEN_BYTES_MAX = 8 * 1024
GROUPS_MAX = 1_000
_REQUIRED = ["iss", "sub", "aud", "exp", "iat"]


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token that holds says. `issuer`: its name in the roles file."""

    issuer: str
    subject: str
    groups: frozenset[str]

    @property
    def name(self) -> str:
        """As it stands in events."""
        return f"{self.issuer}:{self.subject}"


class TokenChecker:
    """Checks tokens of the issuers of one roles file. `key_of(issuer, key id)` may block, and may be `Unavailable`."""

    def __init__(self, issuers: dict[str, Issuer], key_of: Callable[[Issuer, str], IssuerKey | None]) -> None:
        self._by_claim = {each.issuer: each for each in issuers.values()}
        self._key_of = key_of

    def check(self, token: str, revoked: Revoked) -> Claims:
        """The claims of a token that holds."""
        if len(token) > TOKEN_BYTES_MAX:
            raise _refused("a token too long")
        header, issuer = self._unverified(token)
        key = self._key(issuer, header)
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm],
                audience=issuer.audience,
                issuer=issuer.issuer,
                leeway=issuer.leeway_s,
                options={"require": _REQUIRED},
            )
        except jwt.PyJWTError as error:
            raise _refused(_WHY.get(type(error), "a token that does not hold")) from None
        if claims["exp"] - claims["iat"] > issuer.lifetime_max_s:
            raise _refused("a token valid for too long")
        found = Claims(issuer.name, claims["sub"], _groups(claims, issuer))
        _check_name(found)
        token_id = claims.get("jti")
        if (found.issuer, found.subject) in revoked.subjects or token_id in revoked.token_ids:
            raise _refused("a revoked token")
        return found

    def _unverified(self, token: str) -> tuple[dict[str, Any], Issuer]:
        """The header and the issuer that a token claims: enough to know by which rules to check it."""
        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError):
            raise _refused("a malformed token") from None
        claimed = claims.get("iss")
        issuer = self._by_claim.get(claimed) if isinstance(claimed, str) else None
        if issuer is None:
            raise _refused("a token of an unknown issuer")
        return header, issuer

    def _key(self, issuer: Issuer, header: dict[str, Any]) -> IssuerKey:
        if header.get("alg") not in issuer.algorithms:
            raise _refused("a token with an algorithm that is not allowed")
        if "crit" in header:
            raise _refused("a token with critical extensions")
        key_id = header.get("kid", "")
        key = self._key_of(issuer, key_id) if isinstance(key_id, str) else None
        if key is None:
            raise _refused("a token under an unknown key")
        if key.algorithm != header["alg"]:
            raise _refused("a token with an algorithm that is not its key's")
        return key


_WHY: dict[type[Exception], str] = {
    jwt.ExpiredSignatureError: "an expired token",
    jwt.ImmatureSignatureError: "a token not yet valid",
    jwt.InvalidAudienceError: "a token for another audience",
    jwt.InvalidIssuerError: "a token of another issuer",
    jwt.InvalidSignatureError: "a token with a wrong signature",
    jwt.MissingRequiredClaimError: "a token without a claim it needs",
}


def _groups(claims: dict[str, Any], issuer: Issuer) -> frozenset[str]:
    if issuer.groups_claim is None:
        return frozenset()
    groups = claims.get(issuer.groups_claim, [])
    if not isinstance(groups, list) or len(groups) > GROUPS_MAX or not all(isinstance(each, str) for each in groups):
        raise _refused("a token whose groups are no list of names")
    return frozenset(groups)


def _check_name(claims: Claims) -> None:
    try:
        required(claims.name, "sub")
        required(claims.subject, "sub")
    except Rejected:
        raise _refused("a token whose subject is no name") from None


def _refused(why: str) -> Unauthenticated:
    return Unauthenticated(why=why)
