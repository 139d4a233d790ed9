"""The roles file: TOML, every key known.

    format = 1
    version = "2026-11-21"                  # of the file's content: another one for every change

    revoked = "revoked.txt"                 # optional, see `ledger.identity.revocation`

    [issuers.company]                       # who makes tokens; "company" is its name in this ledger
    issuer = "https://login.example.org"    # what a token's `iss` must be
    audience = "audit-ledger"               # what its `aud` must hold
    keys = "jwks.json"                      # its public keys: a file, or an https address
    keys_ca = "company-ca.pem"              # optional: the CA of that address; the system's where none is named
    algorithms = ["ES256", "EdDSA"]         # of RS256, ES256, EdDSA
    groups_claim = "groups"                 # optional: the claim with the groups that grants may name
    leeway_s = 30                           # optional, by which clocks may differ
    lifetime_max_s = 86400                  # optional: a token that is valid for longer is refused

    [[grants]]
    role = "producer"
    certificate = "uri:spiffe://example.org/support"    # or "dns:support.example.org", "subject:CN=support"
    tenants = ["acme"]
    kinds = ["request", "tool_call", "decision"]        # producers only, and always

    [[grants]]
    role = "investigator"
    issuer = "company"
    subject = "mia@example.org"             # or group = "incident-response"
    tenants = ["acme"]

    [[grants]]
    role = "auditor"
    issuer = "company"
    group = "audit"
    tenants = ["acme", "_org"]
    sample = ["01990c6e-5a3c-7d60-8a43-6f1b2c3d4e5f"]   # auditors only: events whose contents they may open

Certificates stand for services only: every role but `producer` needs a token. Relative paths are relative to the file.
What is wrong is one `Misconfigured` that names the place, what was expected and what was found.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from ledger.errors import Misconfigured
from ledger.identity.rights import ACROSS, EVERY_TENANT, ROLES, Role
from ledger.record.payload import KINDS
from ledger.strict_toml import StrictReader, load_toml
from ledger.tenants import ORG, SYSTEM, check_tenant_name

FORMAT = 1
FILE_BYTES_MAX = 4 * 1024 * 1024
GRANTS_MAX = 10_000
ALGORITHMS = ("RS256", "ES256", "EdDSA")
LEEWAY_S, LEEWAY_S_MAX = 30, 300
LIFETIME_S, LIFETIME_S_MAX = 86_400, 31 * 86_400

RESERVED_KINDS = ("access", "erasure", "legal_hold", "expiry")
"""Only the ledger itself writes them (`ledger.gateway.reserved`); nobody can be granted them."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_CERTIFICATE = re.compile(r"(uri|dns|subject):\S(.*\S)?")


@dataclass(frozen=True, slots=True)
class Issuer:
    """Somebody who makes tokens. `keys`: an absolute path, or an https address.

    `keys_ca`: the CA of that address; None for those that the system trusts.
    """

    name: str
    issuer: str
    audience: str
    keys: str
    algorithms: tuple[str, ...]
    groups_claim: str | None
    leeway_s: int
    lifetime_max_s: int
    keys_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """One role for some tenants, for whoever is named: a certificate, or a subject or a group of an issuer."""

    role: Role
    tenants: frozenset[str]
    certificate: str | None = None
    issuer: str | None = None
    subject: str | None = None
    group: str | None = None
    kinds: frozenset[str] = frozenset()
    sample: frozenset[bytes] = frozenset()

    def covers(self, tenant: str) -> bool:
        """Whether it is for this tenant, existing or not."""
        return tenant in self.tenants or (EVERY_TENANT in self.tenants and tenant != SYSTEM)


@dataclass(frozen=True, slots=True)
class Roles:
    """A roles file. `sha256` is of its bytes."""

    version: str
    issuers: dict[str, Issuer]
    grants: tuple[Grant, ...]
    revoked: Path | None
    sha256: bytes


def read_roles(path: Path) -> Roles:
    """The roles file at `path`. `Misconfigured` when there is none, or it is not one."""
    try:
        with path.open("rb") as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Misconfigured(f"{path}: cannot read the roles: {error.strerror}") from None
    return parse_roles(data, path.absolute().parent, str(path))


def parse_roles(data: bytes, folder: Path, where: str = "roles") -> Roles:
    """The roles in a file's bytes; relative paths are taken from `folder`."""
    tree = load_toml(data, where, FILE_BYTES_MAX)
    return _Reader(where, folder).roles(tree, sha256(data).digest())


class _Reader(StrictReader):
    """Reads one file."""

    def __init__(self, where: str, folder: Path) -> None:
        super().__init__(where)
        self._folder = folder

    def roles(self, tree: dict[str, Any], digest: bytes) -> Roles:
        self.keys(tree, {"format", "version"}, {"revoked", "issuers", "grants"}, "")
        self.format(tree["format"], FORMAT)
        issuers = {
            self.match(name, f"issuers.{name}", _NAME): self._issuer(name, table)
            for name, table in self.table(tree.get("issuers", {}), "issuers").items()
        }
        by_claim = [each.issuer for each in issuers.values()]
        if len(set(by_claim)) != len(by_claim):
            raise self.wrong("issuers", "every `issuer` once", sorted(by_claim))
        grants = tree.get("grants", [])
        if not isinstance(grants, list) or len(grants) > GRANTS_MAX:
            raise self.wrong("grants", f"at most {GRANTS_MAX} tables [[grants]]", type(grants).__name__)
        return Roles(
            version=self.match(tree["version"], "version", _VERSION),
            issuers=issuers,
            grants=tuple(self._grant(each, f"grants[{index}]", issuers) for index, each in enumerate(grants)),
            revoked=None if "revoked" not in tree else self._path(tree["revoked"], "revoked"),
            sha256=digest,
        )

    def _issuer(self, name: str, value: Any) -> Issuer:
        at = f"issuers.{name}"
        table = self.table(value, at)
        optional = {"groups_claim", "leeway_s", "lifetime_max_s", "keys_ca"}
        self.keys(table, {"issuer", "audience", "keys", "algorithms"}, optional, at)
        keys = self.text(table["keys"], f"{at}.keys")
        if "://" in keys and not keys.startswith("https://"):
            raise self.wrong(f"{at}.keys", "a file or an https address", keys)
        if "keys_ca" in table and "://" not in keys:
            raise self.wrong(f"{at}.keys_ca", "no such key where `keys` is a file", table["keys_ca"])
        groups = table.get("groups_claim")
        return Issuer(
            name=name,
            issuer=self.text(table["issuer"], f"{at}.issuer"),
            audience=self.text(table["audience"], f"{at}.audience"),
            keys=keys if "://" in keys else str(self._folder / keys),
            algorithms=self._some(table["algorithms"], f"{at}.algorithms", ALGORITHMS),
            groups_claim=None if groups is None else self.text(groups, f"{at}.groups_claim"),
            leeway_s=self.number(table.get("leeway_s", LEEWAY_S), f"{at}.leeway_s", 0, LEEWAY_S_MAX),
            lifetime_max_s=self.number(
                table.get("lifetime_max_s", LIFETIME_S), f"{at}.lifetime_max_s", 60, LIFETIME_S_MAX
            ),
            keys_ca=None if "keys_ca" not in table else self._path(table["keys_ca"], f"{at}.keys_ca"),
        )

    def _grant(self, value: Any, at: str, issuers: dict[str, Issuer]) -> Grant:
        table = self.table(value, at)
        who = {"certificate", "issuer", "subject", "group"}
        self.keys(table, {"role", "tenants"}, who | {"kinds", "sample"}, at)
        role = self._role(table["role"], f"{at}.role")
        for key, owner in (("kinds", "producer"), ("sample", "auditor")):
            if key in table and role != owner:
                raise self.wrong(f"{at}.{key}", f"no such key for the role {role}, only for {owner}", table[key])
        if role == "producer" and "kinds" not in table:
            raise Misconfigured(f"{self.where}: {at}.kinds: is missing; a producer is granted kinds of event by name")
        grantable = tuple(kind for kind in KINDS if kind not in RESERVED_KINDS)
        return Grant(
            role=role,
            tenants=self._tenants(table["tenants"], f"{at}.tenants", role),
            kinds=frozenset(self._some(table["kinds"], f"{at}.kinds", grantable) if "kinds" in table else ()),
            sample=self._sample(table.get("sample", []), f"{at}.sample"),
            **self._who({key: table[key] for key in who & table.keys()}, at, role, issuers),
        )

    def _who(self, given: dict[str, Any], at: str, role: Role, issuers: dict[str, Issuer]) -> dict[str, str]:
        """Whom a grant is for."""
        if given.keys() not in ({"certificate"}, {"issuer", "subject"}, {"issuer", "group"}):
            raise self.wrong(at, "a certificate, or an issuer with a subject or a group", sorted(given))
        if "certificate" in given:
            if role != "producer":
                raise self.wrong(f"{at}.certificate", f"a token for the role {role}", "a certificate")
            named = self.match(given["certificate"], f"{at}.certificate", _CERTIFICATE)
            # Host names have no case; `ledger.identity.certificates` has them in small letters.
            return {"certificate": named.lower() if named.startswith("dns:") else named}
        found = {key: self.text(value, f"{at}.{key}") for key, value in given.items()}
        issuer = issuers.get(found["issuer"])
        if issuer is None:
            raise self.wrong(f"{at}.issuer", f"one of {', '.join(issuers) or 'no issuers'}", found["issuer"])
        if "group" in found and issuer.groups_claim is None:
            raise Misconfigured(f"{self.where}: {at}.group: issuers.{issuer.name} names no groups_claim")
        return found

    def _tenants(self, value: Any, at: str, role: Role) -> frozenset[str]:
        if not isinstance(value, list) or not value:
            raise self.wrong(at, "a list of tenants, at least one", value)
        for tenant in value:
            if tenant == EVERY_TENANT:
                if role not in ACROSS:
                    raise self.wrong(at, f"tenants by name for the role {role}", EVERY_TENANT)
            elif not isinstance(tenant, str):
                raise self.wrong(at, "names of tenants", tenant)
            elif tenant not in (ORG, SYSTEM):
                try:
                    check_tenant_name(tenant)
                except Misconfigured as error:
                    raise Misconfigured(f"{self.where}: {at}: {error}") from None
        return frozenset(value)

    def _sample(self, value: Any, at: str) -> frozenset[bytes]:
        if not isinstance(value, list):
            raise self.wrong(at, "a list of event ids", value)
        try:
            return frozenset(UUID(each).bytes for each in value)
        except (ValueError, AttributeError, TypeError):
            raise Misconfigured(f"{self.where}: {at}: expected event ids (UUIDs)") from None

    def _role(self, value: Any, at: str) -> Role:
        for role in ROLES:
            if value == role:
                return role
        raise self.wrong(at, f"one of {', '.join(ROLES)}", value)

    def _some(self, value: Any, at: str, known: tuple[str, ...]) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            raise self.wrong(at, f"a list of {', '.join(known)}", value)
        for each in value:
            if each not in known:
                raise self.wrong(at, f"of {', '.join(known)}", each)
        return tuple(dict.fromkeys(value))

    def _path(self, value: Any, at: str) -> Path:
        return self._folder / self.text(value, at)
