"""The client over TLS."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from ledger.client import Client, request
from ledger.errors import Unavailable
from tests.ledger.client.gateway import ScriptedGateway


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[bytes, bytes]:
    """A fresh key and self-signed certificate for localhost."""
    if shutil.which("openssl") is None:
        if "CI" in os.environ:
            pytest.fail("openssl is missing")
        pytest.skip("openssl, which makes the test's certificate, is not installed")
    key, chain = tmp_path / "key.pem", tmp_path / "chain.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost"
    arguments = [*command.split(), "-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(chain)]
    subprocess.run(arguments, check=True, capture_output=True, timeout=30)
    return key.read_bytes(), chain.read_bytes()


@pytest.fixture
def gateway(certificate: tuple[bytes, bytes]) -> Iterator[ScriptedGateway]:
    """A gateway that speaks TLS only."""
    gateway = ScriptedGateway(grpc.ssl_server_credentials([certificate])).start()
    yield gateway
    gateway.stop()


def test_a_trusted_gateway_is_talked_to_over_tls(gateway: ScriptedGateway, certificate: tuple[bytes, bytes]) -> None:
    """With credentials that trust the gateway's certificate, events and token arrive."""
    trusted = grpc.ssl_channel_credentials(certificate[1])
    with Client(f"localhost:{gateway.port}", "acme", credentials=trusted, token="t") as client:
        client.emit_durable(request(), timeout_s=10)
    assert gateway.sequences == [1, 2]
    assert gateway.tokens[0] == "Bearer t"


def test_a_gateway_that_is_not_trusted_gets_nothing(gateway: ScriptedGateway) -> None:
    """Against a certificate nobody vouches for, and in clear, no event leaves."""
    for settings in ({"credentials": grpc.ssl_channel_credentials()}, {}):
        client = Client(f"localhost:{gateway.port}", "acme", **settings)  # type: ignore[arg-type]
        with pytest.raises(Unavailable):
            client.emit_durable(request(), timeout_s=0.5)
        client.close(0.1)
    assert gateway.calls == []
