"""Who may use the proxy, and for which tenant.

| the call shows                      | the caller is                                                              |
| ----------------------------------- | -------------------------------------------------------------------------- |
| `x-ledger-token` that holds         | the service of that name; it needs the role `producer` for the tenant      |
| a certificate of `tls_client_ca`    | the service of its name, the same way                                      |
| neither, and `callers = "anyone"`   | whoever reaches the address; what it says of itself is a claim             |
| neither, and `callers = "known"`    | nobody: 401                                                                |

A credential that is shown and does not hold is refused, never taken for none. `x-ledger-user-token` says who the person
is for whom the service asks; it needs no role, only an issuer of the roles file.

Keys of vendors pass through and are never kept. An event tells one from another by a keyed hash (`credential_id`), and
only where a secret is configured: a bare digest of a key could be checked against guesses.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from ledger.errors import Misconfigured
from ledger.identity.authority import Authority, Caller, permit
from ledger.identity.certificates import PEM
from ledger.identity.errors import Denied, Unauthenticated
from ledger.proxy.callers import Said, Who, WrongField

SECRET_BYTES_MIN = 32
SECRET_BYTES_MAX = 4096
CREDENTIALS = ("api-key", "x-api-key", "x-goog-api-key", "authorization")
"""Where vendors look for a key, in this order."""

_CREDENTIAL = b"audit-ledger/proxy-credential/v1\0"
_STAND_IN = b"audit-ledger/proxy-stand-in/v1\0"
_NUMBERING = b"audit-ledger/proxy-numbering/v1\0"
HASH_BYTES = 16


@dataclass(frozen=True, slots=True)
class Secret:
    """What keyed hashes of this proxy are made with. `is_kept`: it is a file's, and outlives the process."""

    key: bytes = field(repr=False)
    is_kept: bool

    @classmethod
    def read(cls, path: str) -> Secret:
        """The secret in a file, or a random one without a file."""
        if not path:
            return cls(os.urandom(SECRET_BYTES_MIN), False)
        try:
            with Path(path).open("rb") as opened:
                key = opened.read(SECRET_BYTES_MAX + 1)
        except OSError as error:
            raise Misconfigured(f"proxy.secret: {path}: cannot be read: {error.strerror}") from None
        if not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
            raise Misconfigured(
                f"proxy.secret: {path}: expected {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, got {len(key)}"
            )
        return cls(key, True)

    def credential_id(self, headers: Mapping[str, str]) -> str:
        """What tells the key of a call from others; "" without one, or without a secret that is kept."""
        shown = next((headers[name] for name in CREDENTIALS if headers.get(name)), "")
        if not shown or not self.is_kept or shown.startswith("AWS4-"):
            return ""
        # The same key is the same, whether it comes as a bearer token or in a field of its own.
        return f"key-{self._hash(_CREDENTIAL, shown.removeprefix('Bearer ').strip())}"

    def stand_in(self, text: str) -> str:
        """What stands for a session or correlation id that may not stand in clear."""
        return f"hashed-{self._hash(_STAND_IN, text)}"

    def numbering_key(self, tenant: str) -> bytes:
        """For the numbers of redacted values."""
        return hmac.digest(self.key, _NUMBERING + tenant.encode(), "sha256")

    def _hash(self, what: bytes, text: str) -> str:
        return hmac.digest(self.key, what + text.encode("utf-8", "surrogatepass"), "sha256")[:HASH_BYTES].hex()


class Admission:
    """Lets callers in. `who` may block: keys of issuers may come over the network."""

    def __init__(self, authority: Authority | None, tenants: tuple[str, ...], default: str, *, known: bool) -> None:
        self._authority = authority
        self._tenants = frozenset(tenants)
        self._default = default
        self._known = known

    def is_quick(self, said: Said, certificate: bytes | None) -> bool:
        """Whether `who` asks nobody."""
        return not (said.token or said.user_token or certificate)

    def who(self, said: Said, certificate: bytes | None, credential_id: str) -> Who:
        """Whom the call is from. `certificate`: the caller's, DER.

        `Unauthenticated`, `Denied`, `WrongField`; `Unavailable` when it can't be told now.
        """
        tenant = said.tenant or self._default
        if not tenant:
            raise WrongField("x-ledger-tenant: is missing; this proxy has no tenant for calls that name none")
        caller = self._caller(said, certificate)
        if caller is None and self._known:
            raise Unauthenticated("x-ledger-token: a token or a client certificate is required")
        if tenant not in self._tenants:
            raise Denied(caller.name if caller else "", "a tenant that this proxy does not serve", tenant, owns=False)
        if caller is not None and "request" not in permit(caller, "Publish", tenant).kinds:
            raise Denied(caller.name, "no role that may publish requests", tenant, owns=True)
        return Who(
            tenant=tenant,
            service=caller.name if caller else "",
            service_is_verified=caller is not None,
            person=self._person(said),
            credential_id=credential_id,
        )

    def _caller(self, said: Said, certificate: bytes | None) -> Caller | None:
        if not said.token and certificate is None:
            return None
        authority = self._required()
        given = [("authorization", f"Bearer {said.token}")] if said.token else []
        context = {} if certificate is None else {PEM: [_pem(certificate)]}
        return authority.caller(given, context)

    def _person(self, said: Said) -> str:
        if not said.user_token:
            return ""
        # Named `issuer:subject`; an issuer's name has no colon.
        return self._required().by_token(said.user_token).name.partition(":")[2]

    def _required(self) -> Authority:
        if self._authority is None:
            raise Unauthenticated("x-ledger-token: this proxy has no roles file to check it by")
        return self._authority


def _pem(der: bytes) -> bytes:
    return x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM)
