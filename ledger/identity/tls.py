"""TLS of servers and clients. Certificates of servers are read again when their files change.

A server asks for its certificate with every new connection: a rotated one is used from the next on, without a restart;
connections that stand go on. Certificate and key must belong together before either is used; until both files are
replaced, the pair before stays in use, and so it does when they are wrong. Files that are wrong at the start are
`Misconfigured`.

Where a `client_ca` is given, a client of a gRPC server must show a certificate of it: those servers can only require
one or not look. A client of an HTTP server may show one, or must, as the server asks.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ledger.client.tls import read_pem, tls
from ledger.config import GatewayConfig
from ledger.errors import Misconfigured
from ledger.watched_file import Watched

Option = tuple[str, str | int]


@dataclass(frozen=True, slots=True)
class ServerTls:
    """The files of a server's TLS, PEM. `certificate` may hold the chain up to the CA."""

    certificate: Path
    key: Path
    client_ca: Path | None = None


@dataclass(frozen=True, slots=True)
class ClientTls:
    """The files of a client's TLS, PEM. Without `ca` the system's are trusted. `name`: what to find in the certificate
    where that is not the address."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    name: str = ""

    def __post_init__(self) -> None:
        if (self.certificate is None) != (self.key is None):
            raise Misconfigured("TLS: expected a certificate together with its key, got one of them")

    def credentials(self) -> grpc.ChannelCredentials:
        """For a channel."""
        return tls(self.ca, self.certificate, self.key)

    def options(self) -> Sequence[Option]:
        """Further options of that channel."""
        return (("grpc.ssl_target_name_override", self.name),) if self.name else ()


def server_credentials(files: ServerTls) -> grpc.ServerCredentials:
    """For a server's port."""
    watched = Watched(_paths(files), lambda: _configuration(files), keep=True)
    # gRPC takes None for "as before"; an object made anew each time would be taken for a change.
    used = [watched.get()]

    def newest() -> grpc.ServerCertificateConfiguration | None:
        found = watched.get()
        if found is used[0]:
            return None
        used[0] = found
        return found

    # The stubs do not know that None stands for "as before".
    fetch = cast(Callable[[], grpc.ServerCertificateConfiguration], newest)
    return grpc.dynamic_ssl_server_credentials(used[0], fetch, files.client_ca is not None)


def ssl_context(files: ServerTls, *, require_client: bool = False) -> ssl.SSLContext:
    """For a server that is not gRPC's, one loop's. `require_client`: no connection without a client's certificate."""
    watched = Watched(_paths(files), lambda: _context(files, require_client), keep=True)

    def newest(connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, used: ssl.SSLContext) -> None:
        found = watched.get()
        if found is not used:
            connection.context = found

    first = watched.get()
    # Called with every handshake, whether the client names a server or not.
    first.sni_callback = newest
    return first


def _context(files: ServerTls, require_client: bool) -> ssl.SSLContext:
    _configuration(files)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.certificate, files.key)
        if files.client_ca is not None:
            context.load_verify_locations(files.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED if require_client else ssl.CERT_OPTIONAL
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"{files.certificate}, {files.key}: cannot be used for TLS: {error.strerror}") from None
    return context


def _paths(files: ServerTls) -> tuple[Path, ...]:
    return (files.certificate, files.key, *((files.client_ca,) if files.client_ca is not None else ()))


def _configuration(files: ServerTls) -> grpc.ServerCertificateConfiguration:
    """Certificate and key, checked to belong together."""
    chain = read_pem(files.certificate, "CERTIFICATE")
    key = read_pem(files.key, "PRIVATE KEY")
    try:
        belongs = x509.load_pem_x509_certificate(chain).public_key() == load_pem_private_key(key, None).public_key()
    except (ValueError, TypeError):
        raise Misconfigured(
            f"{files.certificate}, {files.key}: expected a certificate and an unencrypted key"
        ) from None
    if not belongs:
        raise Misconfigured(f"{files.key}: is not the key of the certificate in {files.certificate}")
    client_ca = None if files.client_ca is None else read_pem(files.client_ca, "CERTIFICATE")
    return grpc.ssl_server_certificate_configuration([(key, chain)], client_ca)


def own_tls(config: GatewayConfig) -> ClientTls | None:
    """By what the ledger's own processes reach the gateway; None where it has no TLS."""
    if not config.tls_certificate:
        return None
    return ClientTls(Path(config.tls_ca or config.tls_certificate), name=config.tls_name)


def channel(address: str, own: ClientTls | None, options: Sequence[Option]) -> grpc.aio.Channel:
    """A channel to an address, in clear without `own`."""
    if own is None:
        return grpc.aio.insecure_channel(address, options=options)
    return grpc.aio.secure_channel(address, own.credentials(), options=[*options, *own.options()])
