"""Who calls: from the metadata of a call to the submitter that stands in its events.

| `authorization`               | submitter                                                        |
| ----------------------------- | ---------------------------------------------------------------- |
| `AuditLedger-Process <proof>` | `audit-ledger`, method `local`: one of the ledger's own processes |
| ... with a wrong proof        | none: UNAUTHENTICATED, the call ends                             |
| anything else, or nothing     | whoever reaches the address: `local`, method `none`              |

One call has one credential. Certificates and tokens of producers will stand beside these rows; a presented credential
that does not hold is always refused, never taken as none.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.errors import LedgerError
from ledger.gateway.intake import Submitter
from ledger.keys.process import AUTHORIZATION, SCHEME, ProcessKey

ANYBODY = Submitter("local", "none")
LEDGER = Submitter("audit-ledger", "local", is_ledger=True)


class Unauthenticated(LedgerError):
    """The credential of a call does not hold."""


def credential_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> str | None:
    """The credential by which a process of the ledger wants to be known, None where the call has none."""
    for name, value in metadata or ():
        if name == AUTHORIZATION and isinstance(value, str) and value.split(" ", 1)[0].lower() == SCHEME.lower():
            return value
    return None


class Callers:
    """Tells a gateway's callers apart."""

    def __init__(self, process_key: ProcessKey) -> None:
        self._process_key = process_key

    def submitter(self, credential: str, method: str, request: bytes) -> Submitter:
        """Who presents this credential; `Unauthenticated` when it does not hold. Reads the whole request."""
        if not self._process_key.proves(credential, method, request):
            raise Unauthenticated("authorization: is no proof for this call under this ledger's key")
        return LEDGER
