"""A scripted gateway, loopback vendors, and AWS credentials for the proxy to sign with."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ledger.client.gateway import ScriptedGateway, running
from tests.ledger.proxy.running import Running, proxied
from tests.vendors import anthropic_api, azure_api, bedrock_api, google_api, openai_chat, openai_responses
from tests.vendors.serving import Loopback, serving


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    """A running gateway that accepts everything, unless its script says otherwise."""
    with running() as gateway:
        yield gateway


@pytest.fixture
def vendor() -> Iterator[Loopback]:
    """All wire formats on one port, as their paths differ."""
    groups = (openai_chat, openai_responses, azure_api, anthropic_api, google_api, bedrock_api)
    with serving(*(group.routes() for group in groups)) as loopback:
        yield loopback


@pytest.fixture(autouse=True)
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The proxy's own credentials, in the environment; none of this machine's."""
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "AKIAPROXY"),
        ("AWS_SECRET_ACCESS_KEY", "the proxy's own secret"),
        ("AWS_SESSION_TOKEN", "the proxy's own session"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
        ("AWS_CONFIG_FILE", str(tmp_path / "none")),
        ("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none")),
    ):
        monkeypatch.setenv(name, value)


@pytest.fixture
def proxy(gateway: ScriptedGateway, vendor: Loopback, tmp_path: Path) -> Iterator[Running]:
    """A proxy with a policy that allows everything."""
    with proxied(gateway, vendor.url, tmp_path) as running_proxy:
        yield running_proxy
