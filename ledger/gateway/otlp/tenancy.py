"""For which tenant the records of a resource are.

1. The tenant that the call names, in its header or metadata `x-ledger-tenant`, for all of its records; else
2. the one that the resource names, in its attribute `ledger.tenant`; else
3. the caller's own, where his grants for this call name just one; else
4. the one of the configuration, `otlp.tenant`.

Whichever it is, a grant of the caller must allow it, so that what names another tenant than the caller's own is refused
and never taken for his own. Where there are no roles, anybody may send to any tenant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from ledger.errors import Rejected
from ledger.gateway.callers import Identified
from ledger.identity.errors import Denied
from ledger.tenants import SYSTEM, Tenant

HEADER = "x-ledger-tenant"
ATTRIBUTE = "ledger.tenant"

NO_TENANT = (
    f"no tenant is named: send the header {HEADER}, set the resource attribute {ATTRIBUTE}, or have the gateway's "
    "operator set otlp.tenant"
)
NO_SUCH_TENANT = "there is no such tenant"
CLOSED = "the tenant is closed: it takes no events any more"


class Tenancy:
    """Tells the tenants of one call's records. Not for several threads at once."""

    def __init__(self, who: Identified, named: str | None, default: str, find: Callable[[str], Tenant | None]) -> None:
        self._who = who
        self._named = named
        self._default = who.sole_tenant("Export") or default
        self._find = find
        self._kinds: dict[str, frozenset[str] | None] = {}
        self.denied: dict[str, Denied] = {}

    def tenant_of(self, resource: Resource) -> str:
        """The tenant of a resource's records; `Rejected` where they are for none, `Denied` where the caller may not."""
        tenant = self._named or _attribute(resource) or self._default
        if not tenant:
            raise Rejected("", NO_TENANT)
        if tenant in self.denied:
            raise self.denied[tenant]
        if tenant not in self._kinds:
            try:
                kinds = self._who.kinds("Export", tenant)
            except Denied as error:
                self.denied[tenant] = error
                raise
            found = None if tenant == SYSTEM else self._find(tenant)
            if found is None:
                raise Rejected("", NO_SUCH_TENANT)
            if found.state != "open":
                raise Rejected("", CLOSED)
            self._kinds[tenant] = kinds
        return tenant

    def kinds(self, tenant: str) -> frozenset[str] | None:
        """The kinds of event that the caller may send to a tenant that `tenant_of` gave; None for all."""
        return self._kinds[tenant]


def named_tenant(values: Iterable[str | bytes]) -> str | None:
    """The tenant that a call's headers name, None where none. `Rejected` when they name several."""
    given = [value for value in values if isinstance(value, str) and value.strip()]
    if len(given) > 1:
        raise Rejected(HEADER, "is given more than once")
    return given[0].strip() if given else None


def _attribute(resource: Resource) -> str:
    """The attribute's text; "" where there is none, or it is no text."""
    for each in resource.attributes:
        if each.key == ATTRIBUTE:
            return each.value.string_value.strip()
    return ""
