"""Keys for assembling events without a key store: made from the references by a hash, so that tests can repeat them."""

from __future__ import annotations

from hashlib import sha256

from ledger.keys.provider import Grant, Holder, HolderRef, Scope, ScopeRef
from ledger.record.assemble import Needs


def bits(*parts: str) -> bytes:
    """32 bytes that stand for random ones."""
    return sha256("\x00".join(parts).encode()).digest()


def holder(ref: HolderRef) -> Holder:
    """The holder of a reference."""
    return Holder(bits("pseudonym", ref.kind, ref.identifier)[:16], bits("secret", ref.kind, ref.identifier))


def scope(ref: ScopeRef) -> Scope:
    """The scope of a reference."""
    parts = (ref.holder.kind, ref.holder.identifier, ref.retention_class, ref.month)
    return Scope(bits("scope", *parts)[:16], bits("scope key", *parts))


def grant(needs: Needs) -> Grant:
    """Exactly what was needed, nothing more."""
    return Grant({ref: holder(ref) for ref in needs.holders}, {ref: scope(ref) for ref in needs.scopes})
