"""Who calls: from the metadata and the connection of a call to the submitter that stands in its events.

Without a roles file:

| `authorization`               | submitter                                                        |
| ----------------------------- | ---------------------------------------------------------------- |
| `AuditLedger-Process <proof>` | `audit-ledger`, method `local`: one of the ledger's own processes |
| ... with a wrong proof        | none: UNAUTHENTICATED, the call ends                             |
| anything else, or nothing     | whoever reaches the address: `local`, method `none`              |

With one (`ledger.identity`), the first two rows stand for a Publish, and else:

| credential                    | submitter                                                        |
| ----------------------------- | ---------------------------------------------------------------- |
| `Bearer <token>`              | `issuer:subject`, method `jwt`                                   |
| a client certificate          | its name, such as `uri:spiffe://example.org/support`, method `mtls` |
| anything else, or nothing     | none: UNAUTHENTICATED                                            |

One call has one credential. A presented credential that does not hold is always refused, never taken as none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ledger.gateway.intake import Submitter
from ledger.identity.authority import Authority, Caller, permit, tenants_of
from ledger.identity.errors import Unauthenticated
from ledger.identity.rights import Call
from ledger.keys.process import AUTHORIZATION, SCHEME, ProcessKey

LEDGER = Submitter("audit-ledger", "local", is_ledger=True)

Metadata = Iterable[tuple[str, str | bytes]] | None


def credential_of(metadata: Metadata) -> str | None:
    """The credential by which a process of the ledger wants to be known, None where the call has none."""
    for name, value in metadata or ():
        if name == AUTHORIZATION and isinstance(value, str) and value.split(" ", 1)[0].lower() == SCHEME.lower():
            return value
    return None


@dataclass(frozen=True, slots=True)
class Identified:
    """Who calls. `caller` is None for the ledger's own processes, and for everybody where there are no roles."""

    submitter: Submitter
    caller: Caller | None = None

    def kinds(self, call: Call, tenant: str) -> frozenset[str] | None:
        """The kinds of event he may publish to this tenant, None for all; `Denied` when he may not call this."""
        return None if self.caller is None else permit(self.caller, call, tenant).kinds

    def sole_tenant(self, call: Call) -> str | None:
        """The tenant of his, where his grants for this call name just one."""
        tenants = set() if self.caller is None else tenants_of(self.caller, call)
        return tenants.pop() if len(tenants) == 1 else None


ANYBODY = Identified(Submitter("local", "none"))


class Callers:
    """Tells a gateway's callers apart."""

    def __init__(self, process_key: ProcessKey, authority: Authority | None = None) -> None:
        self._process_key = process_key
        self._authority = authority

    @property
    def has_roles(self) -> bool:
        """Whether callers must say who they are."""
        return self._authority is not None

    def process(self, metadata: Metadata, method: str, request: bytes) -> Identified:
        """A process of the ledger; `Unauthenticated` when its proof does not hold. Reads the whole request."""
        if not self._process_key.proves(credential_of(metadata) or "", method, request):
            raise Unauthenticated("authorization: is no proof for this call under this ledger's key", "a wrong proof")
        return Identified(LEDGER)

    def caller(self, metadata: Metadata, auth_context: Mapping[str, Iterable[bytes]]) -> Identified:
        """Anybody else; `Unauthenticated` when his credential does not hold, or he has none and needs one."""
        if self._authority is None:
            return ANYBODY
        found = self._authority.caller(metadata, auth_context)
        return Identified(Submitter(found.name, found.method), found)
