"""Small values of any length, sealed by a tenant's key: requests with their reasons.

Sealed as rows are (`ledger.keys.sealing`), under the newest tenant key; its generation is kept beside.
"""

from __future__ import annotations

from ledger.errors import IntegrityError
from ledger.keys.hierarchy import TenantRing
from ledger.keys.sealing import NONCE_BYTES, TAG_BYTES, open_sealed, seal

OVERHEAD_BYTES = 1 + NONCE_BYTES + TAG_BYTES


def seal_by_tenant(ring: TenantRing, plaintext: bytes, identity: bytes) -> tuple[int, bytes]:
    """The generation of the tenant key, and what it sealed."""
    return ring.current, seal(ring.keys[ring.current], plaintext, identity)


def open_by_tenant(ring: TenantRing, generation: int, sealed: bytes, identity: bytes, where: str) -> bytes:
    """What was sealed in this place; `IntegrityError` when it does not open."""
    if generation not in ring.keys:
        raise IntegrityError(f"{where}: sealed under tenant key {generation}, which the store does not have")
    return open_sealed(ring.keys[generation], sealed, identity, where, max(0, len(sealed) - OVERHEAD_BYTES))
