"""TLS and tokens out of files, for `Client(..., credentials=..., token=...)`.

    from ledger.client import Client, tls, token_file

    Client("audit.example.org:7443", tenant="acme", credentials=tls(ca="ca.pem"), token=token_file("/run/token"))
    Client("audit.example.org:7447", tenant="acme", credentials=tls("ca.pem", "service.pem", "service.key"))

Certificates are read when `tls` is called; a client made later reads them again. A token file is read with every call,
so that whoever renews the token only replaces the file. One that can't be read sends nothing: events wait meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import grpc

from ledger.errors import Misconfigured

FILE_BYTES_MAX = 1024 * 1024
StrPath = str | os.PathLike[str]


def tls(
    ca: StrPath | None = None, certificate: StrPath | None = None, key: StrPath | None = None
) -> grpc.ChannelCredentials:
    """TLS that trusts this CA (without one: the system's) and shows this certificate, where one is given. PEM files."""
    if (certificate is None) != (key is None):
        raise Misconfigured("TLS: expected a certificate together with its key, got one of them")
    return grpc.ssl_channel_credentials(
        root_certificates=None if ca is None else read_pem(ca, "CERTIFICATE"),
        private_key=None if key is None else read_pem(key, "PRIVATE KEY"),
        certificate_chain=None if certificate is None else read_pem(certificate, "CERTIFICATE"),
    )


def token_file(path: StrPath) -> Callable[[], str]:
    """What gives the token in a file, as it is now; `Misconfigured` when there is none."""
    return lambda: read_token(path)


def read_token(path: StrPath) -> str:
    """The one token in a file."""
    data = _read(path, "token")
    try:
        token = data.decode("ascii").strip()
    except UnicodeDecodeError:
        raise Misconfigured(f"{path}: expected a token in ASCII") from None
    if not token or any(character.isspace() for character in token):
        raise Misconfigured(f"{path}: expected one token")
    return token


def read_pem(path: StrPath, kind: str) -> bytes:
    """A PEM file that holds at least one block of this kind."""
    data = _read(path, kind)
    if f"{kind}-----".encode() not in data:
        raise Misconfigured(f"{path}: expected a PEM file with a {kind}")
    return data


def _read(path: StrPath, what: str) -> bytes:
    try:
        with open(path, "rb") as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise Misconfigured(f"{path}: cannot be read for the {what}: {error.strerror}") from None
    if len(data) > FILE_BYTES_MAX:
        raise Misconfigured(f"{path}: expected at most {FILE_BYTES_MAX} bytes")
    return data
