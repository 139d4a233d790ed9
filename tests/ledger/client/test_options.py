"""Options and their bounds."""

from __future__ import annotations

import dataclasses
from typing import Any

import grpc
import pytest

from ledger.client import Client, Options
from ledger.client.options import Settings, is_local
from ledger.errors import Misconfigured


@pytest.mark.parametrize(
    "target",
    [
        "localhost:1",
        "LOCALHOST:7443",
        "127.0.0.1:7443",
        "127.8.9.1:1",
        "[::1]:7443",
        "unix:/run/x",
        "dns:///localhost:1",
    ],
)
def test_this_machine_s_own_addresses_need_no_tls(target: str) -> None:
    """A loopback address or a Unix socket is local."""
    assert is_local(target)


@pytest.mark.parametrize(
    "target",
    [
        "example.org:7443",
        "10.0.0.1:7443",
        "0.0.0.0:7443",
        "localhost.example.org:1",
        "127.0.0.1.example.org:1",
        "[::2]:1",
        "dns://8.8.8.8/localhost:1",
        "127.0.0.1:1,10.0.0.1:1",
        "",
    ],
)
def test_every_other_address_needs_tls_or_the_word_insecure(target: str) -> None:
    """What is not surely this machine is refused in clear, unless the option says so."""
    assert not is_local(target)
    if target:
        with pytest.raises(Misconfigured, match="credentials"):
            Client(target, "acme")
        assert Options(to=target, tenant="acme", insecure=True).insecure


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"linger_ms": -1}, "linger_ms"),
        ({"batch_events_max": 10_001}, "batch_events_max"),
        ({"batch_bytes_max": 16 * 1024 * 1024}, "batch_bytes_max"),
        ({"deadline_s": 0}, "deadline_s"),
        ({"drop": "all"}, "drop"),
        ({"tenant": ""}, "tenant"),
        ({"backoff_first_ms": 20_000}, "backoff_first_ms"),
        ({"credentials": grpc.ssl_channel_credentials(), "insecure": True}, "insecure"),
    ],
)
def test_a_wrong_option_is_named(wrong: dict[str, Any], named: str) -> None:
    """An option out of its bounds is `Misconfigured`, with its name."""
    with pytest.raises(Misconfigured, match=named):
        Options(**{"to": "localhost:1", "tenant": "acme", **wrong})


def test_an_unknown_option_is_refused() -> None:
    """A misspelt option does not pass in silence."""
    with pytest.raises(TypeError, match="lingr_ms"):
        Client("localhost:1", "acme", lingr_ms=5)  # type: ignore[call-arg]


def test_the_typed_settings_are_the_options() -> None:
    """`Settings` and `Options` name the same options."""
    options = {field.name for field in dataclasses.fields(Options)} - {"to", "tenant"}
    assert options == set(Settings.__annotations__)


def test_secrets_are_not_shown() -> None:
    """The token does not appear when options are printed."""
    assert "s3cret" not in repr(Options(to="localhost:1", tenant="acme", token="s3cret"))
