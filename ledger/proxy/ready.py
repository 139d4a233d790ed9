"""The proxy's settings, completed by the ledger's where it runs in a ledger's home."""

from __future__ import annotations

from dataclasses import replace

from ledger.config import LedgerConfig, ProxyConfig


def completed(config: LedgerConfig) -> ProxyConfig:
    """The proxy's settings; what they leave out is the ledger's: its policy, roles, gateway and the gateway's CA."""
    own, gateway = config.proxy, config.gateway
    is_own = not own.to or own.to in (gateway.listen, gateway.mtls_listen)
    return replace(
        own,
        to=own.to or gateway.listen,
        ca=own.ca or (gateway.tls_ca or gateway.tls_certificate if is_own else ""),
        capture_policy=own.capture_policy or str(config.ledger.capture_policy),
        roles=own.roles or config.ledger.roles,
    )
