"""Certificates of servers: used as they are on disk, without a restart."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from ledger.errors import Misconfigured
from ledger.identity.tls import ClientTls, ServerTls, server_credentials
from tests.certificates import Made, make, self_signed, server, service
from tests.ledger.identity.test_authority import change

ALONE = ("grpc.use_local_subchannel_pool", 1)


@asynccontextmanager
async def serving(tls: ServerTls) -> AsyncIterator[str]:
    """A server with one method, on a free port."""
    running = grpc.aio.server()

    async def answer(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return b",".join(context.auth_context().get("x509_subject_alternative_name", [b""]))

    handler = grpc.unary_unary_rpc_method_handler(answer)
    running.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("S", {"M": handler}),))
    port = running.add_secure_port("127.0.0.1:0", server_credentials(tls))
    await running.start()
    yield f"127.0.0.1:{port}"
    await running.stop(0)


async def call(address: str, tls: ClientTls) -> bytes:
    """The answer over a new connection."""
    async with grpc.aio.secure_channel(address, tls.credentials(), options=[ALONE, *tls.options()]) as channel:
        found: bytes = await channel.unary_unary("/S/M")(b"", timeout=5)
        return found


def files(folder: Path, made: Made) -> ServerTls:
    """A server's files."""
    certificate, key = made.write(folder, "server")
    return ServerTls(certificate, key)


def authority(folder: Path, name: str) -> tuple[Made, Path]:
    """A CA and its file."""
    made = make(name, ca=True)
    (folder / f"{name}.pem").write_bytes(made.pem)
    return made, folder / f"{name}.pem"


async def test_a_rotated_certificate_needs_no_restart(tmp_path: Path) -> None:
    """New connections get the new certificate; half a pair is not used, nor one that is wrong."""
    old, old_file = authority(tmp_path, "old")
    new, new_file = authority(tmp_path, "new")
    tls = files(tmp_path, server(old))
    async with serving(tls) as address:
        await call(address, ClientTls(old_file))
        with pytest.raises(grpc.aio.AioRpcError):
            await call(address, ClientTls(new_file))
        rotated = server(new)
        change(tls.certificate, rotated.pem)
        await call(address, ClientTls(old_file))
        change(tls.key, rotated.key_pem)
        await call(address, ClientTls(new_file))
        with pytest.raises(grpc.aio.AioRpcError):
            await call(address, ClientTls(old_file))
        change(tls.key, b"nonsense")
        await call(address, ClientTls(new_file))


async def test_a_client_certificate_is_required_where_a_client_ca_is_given(tmp_path: Path) -> None:
    """Without one, or with one of another CA, there is no connection."""
    ca, ca_file = authority(tmp_path, "ca")
    other, _ = authority(tmp_path, "other")
    tls = files(tmp_path, server(ca))
    mine = service("spiffe://example.org/a", ca).write(tmp_path, "mine")
    strange = service("spiffe://example.org/a", other).write(tmp_path, "strange")
    async with serving(ServerTls(tls.certificate, tls.key, ca_file)) as address:
        assert await call(address, ClientTls(ca_file, *mine)) == b"spiffe://example.org/a"
        for refused in (ClientTls(ca_file), ClientTls(ca_file, *strange)):
            with pytest.raises(grpc.aio.AioRpcError):
                await call(address, refused)


async def test_a_self_signed_certificate_is_its_own_ca(tmp_path: Path) -> None:
    """On one machine a single certificate is enough."""
    tls = files(tmp_path, self_signed())
    async with serving(tls) as address:
        await call(address, ClientTls(tls.certificate))


def test_files_that_are_wrong_at_the_start(tmp_path: Path) -> None:
    """A service does not start with a key of another certificate, with no key, or with half of a client's pair."""
    ca = make("ca", ca=True)
    tls = files(tmp_path, server(ca))
    tls.key.write_bytes(server(ca).key_pem)
    with pytest.raises(Misconfigured, match="not the key of"):
        server_credentials(tls)
    tls.key.write_bytes(b"")
    with pytest.raises(Misconfigured, match="PEM file"):
        server_credentials(tls)
    tls.key.unlink()
    with pytest.raises(Misconfigured, match="cannot be read"):
        server_credentials(tls)
    with pytest.raises(Misconfigured, match="together"):
        ClientTls(certificate=tls.certificate)
