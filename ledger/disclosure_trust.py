"""A disclosure against a trust file: whose log it is, and whether its key signs for that ledger.

On top of what `ledger.disclosure` checks: the log is one that the trust file knows, the payload names that log's
tenant, and the checkpoint's signature is by a ledger key of the file under the log's origin. A checkpoint states no
time, so a key's range cannot be held against it: one that is retired counts as well.
"""

from __future__ import annotations

from dataclasses import replace

from ledger.disclosure import BadDisclosure, Disclosed, check_disclosure
from ledger.tlog.note import VerifierKey
from ledger.trust import TrustedKeys


def check_trusted_disclosure(data: bytes, trust: TrustedKeys) -> Disclosed:
    """What the file proves, pinned to `trust`; `BadDisclosure` when it does not, or nobody trusted vouches for it."""
    found = check_disclosure(data)
    log = next((each for each in trust.logs if each.origin == found.origin), None)
    if log is None:
        raise BadDisclosure(f"disclosure: log {found.origin} is none of the logs that {trust.ledger} is trusted for")
    if log.tenant != found.tenant:
        raise BadDisclosure(f"disclosure: its payload is of tenant {found.tenant}, log {log.origin} of {log.tenant}")
    known = [VerifierKey(log.origin, each.public_key) for each in trust.for_role("ledger")]
    if found.verifier_key not in known:
        ids = ", ".join(each.key_id.hex() for each in known) or "none"
        raise BadDisclosure(
            f"disclosure: its checkpoint is signed by key {found.verifier_key.key_id.hex()}, trusted here: {ids}"
        )
    return replace(found, pinned=True)
