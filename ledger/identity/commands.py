"""Commands on the ledger's own machine that a role is needed for: erasure and legal holds.

Whoever runs them can read the home, keys and all: roles do not protect it against him, the system's permissions do.
They make the command say who orders it, by a token that holds: `erase` and holds are a privacy officer's, and his name
stands in the event. Without a roles file nobody is asked.
"""

from __future__ import annotations

from pathlib import Path

from ledger.client.tls import read_token
from ledger.config import LedgerConfig
from ledger.identity.authority import Authority, permit
from ledger.identity.errors import Unauthenticated
from ledger.identity.rights import Call


def ordered_by(config: LedgerConfig, call: Call, tenant: str, token_file: Path | None) -> tuple[str, str] | None:
    """Who orders the command, by name, and in which role; None where no roles are configured.

    `Unauthenticated` without a token that holds, `Denied` for one whose roles do not allow it for this tenant.
    """
    if config.ledger.roles_file is None:
        return None
    authority = Authority(config.ledger.roles_file)
    if token_file is None:
        raise Unauthenticated("--token-file: roles are configured, so this command needs a token")
    caller = authority.by_token(read_token(token_file))
    return caller.name, permit(caller, call, tenant).role
