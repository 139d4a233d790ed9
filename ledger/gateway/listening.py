"""The addresses a gateway listens on, and how they are protected.

    listen         TLS where `tls_certificate` is given; callers are known by their tokens
    mtls_listen    TLS, and a client certificate is required: producers are known by it

Two addresses, since gRPC's servers either require a client certificate of everybody or look at none. In clear it
listens on loopback only, unless `insecure_plaintext` says otherwise; it says so in its log either way.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import grpc

from ledger.config import GatewayConfig
from ledger.config.address import Address, parse_address
from ledger.errors import Misconfigured
from ledger.identity.tls import ServerTls, server_credentials

log = logging.getLogger(__name__)

PRIVATE: dict[str, Any] = {
    "gateway.listen": "127.0.0.1:0",
    "gateway.metrics_listen": "127.0.0.1:0",
    "gateway.reflection": False,
    "gateway.tls_certificate": "",
    "gateway.tls_key": "",
    "gateway.mtls_listen": "",
    "gateway.tls_client_ca": "",
    "gateway.insecure_plaintext": True,
    "otlp.http_listen": "",
}
"""Flags of a gateway that a command runs for itself: on a free port of the loopback interface, in clear, for as long as
the command takes."""


def listen(server: grpc.aio.Server, config: GatewayConfig) -> tuple[Address, Address | None]:
    """Make the server listen; the addresses with their ports. `Misconfigured` when one can't be had."""
    tls = None
    if config.tls_certificate:
        tls = ServerTls(Path(config.tls_certificate), Path(config.tls_key))
    address = bind(server, config.address, tls, "gateway.listen", warn=not config.insecure_plaintext)
    if tls is None or not config.mtls_listen:
        return address, None
    mutual = ServerTls(tls.certificate, tls.key, Path(config.tls_client_ca))
    setting = "gateway.mtls_listen"
    return address, bind(server, parse_address(config.mtls_listen, setting), mutual, setting)


def bind(
    server: grpc.aio.Server, address: Address, tls: ServerTls | None, setting: str, *, warn: bool = True
) -> Address:
    """Make the server listen on one address. Without TLS it says so in the log; `warn`: on loopback as well."""
    if tls is None and not address.is_loopback:
        log.warning(
            "%s is %s IN CLEAR (insecure_plaintext): nothing protects the connection, whoever is on the way reads it",
            setting,
            address,
        )
    elif tls is None and warn:
        log.warning("%s is %s IN CLEAR, without TLS: only for callers on this machine", setting, address)
    try:
        if tls is None:
            port = server.add_insecure_port(str(address))
        else:
            port = server.add_secure_port(str(address), server_credentials(tls))
    except RuntimeError:
        raise Misconfigured(f"{setting}: cannot listen on {address}; something else may do so already") from None
    return address.with_port(port)
