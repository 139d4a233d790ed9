"""How a command reaches a gateway or a query service: TLS, certificate, token.

TLS is spoken where `--ca` or `--cert` is given, and to the address that the home's own configuration names where that
has TLS. Else the connection is in clear; a token is sent in clear to this machine only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import grpc

from ledger.cli.options import Command
from ledger.client.options import is_local
from ledger.client.tls import read_token
from ledger.config import GatewayConfig
from ledger.errors import IntegrityError, LedgerError, Misconfigured, Rejected, Unavailable
from ledger.identity.tls import ClientTls, Option, own_tls

SYSTEM_CA = "system"
Metadata = tuple[tuple[str, str], ...]
AGAIN = (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
"""What a server says for now: the same call may succeed later."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What `--ca`, `--cert`, `--key` and `--token-file` say, None where nothing was said."""

    tls: ClientTls | None = None
    token_file: Path | None = None

    def to(self, address: str, own: GatewayConfig | None) -> Connection:
        """For this address; `own`: the configuration of the home, where there is one."""
        tls = self.tls
        if tls is None and own is not None and address in (own.listen, own.mtls_listen):
            tls = own_tls(own)
        if tls is None and self.token_file is not None and not is_local(address):
            raise Misconfigured(f"--token-file: a token is not sent in clear to {address}; say --ca, or --ca system")
        return Connection(tls, self.token_file)

    def channel(self, address: str, options: Sequence[Option]) -> grpc.Channel:
        """A channel to the address."""
        if self.tls is None:
            return grpc.insecure_channel(address, options)
        return grpc.secure_channel(address, self.tls.credentials(), [*options, *self.tls.options()])

    def metadata(self) -> Metadata:
        """Of every call; the token is read anew."""
        return () if self.token_file is None else (("authorization", f"Bearer {read_token(self.token_file)}"),)

    def failed(self, error: grpc.RpcError, address: str) -> LedgerError:
        """What a call's failure means to whoever ran the command: the branch says who must act."""
        code, details = error.code(), error.details() or ""
        if code in AGAIN:
            # What a server that speaks TLS does to a caller in clear.
            hint = "; it may expect TLS: --ca FILE" if self.tls is None and "Socket closed" in details else ""
            return Unavailable(f"{address}: {code.name.lower()}: {details}{hint}")
        if code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND):
            return Rejected("", f"{address}: {details}")
        if code is grpc.StatusCode.DATA_LOSS:
            return IntegrityError(f"{address}: {details}")
        return Misconfigured(f"{address}: {code.name.lower()}: {details}")


IN_CLEAR = Connection()


def connection_options(command: Command) -> Command:
    """`--ca`, `--cert`, `--key`, `--token-file`, passed as `connection: Connection`."""

    def connected(ca: str | None, cert: Path | None, key: Path | None, token_file: Path | None, **rest: Any) -> Any:
        tls = None
        if ca is not None or cert is not None or key is not None:
            tls = ClientTls(None if ca in (None, SYSTEM_CA) else Path(str(ca)), cert, key)
        return command(connection=Connection(tls, token_file), **rest)

    connected.__name__, connected.__doc__ = command.__name__, command.__doc__
    connected.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    decorated: Any = connected
    file = click.Path(path_type=Path, dir_okay=False)
    for option in (
        click.option("--token-file", type=file, help="File with the token (JWT) that says who you are."),
        click.option("--key", type=file, help="Its key, PEM."),
        click.option("--cert", type=file, help="Certificate to show, PEM."),
        click.option("--ca", metavar="FILE", help="Speak TLS and trust this CA, PEM; 'system' for the system's own."),
    ):
        decorated = option(decorated)
    return decorated  # type: ignore[no-any-return]
