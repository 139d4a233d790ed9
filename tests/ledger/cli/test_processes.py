"""`up` and `seal`: processes that live and end together."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack

import pytest

from tests.ledger.cli.events import event, line
from tests.ledger.cli.running import TENANT, Cli


def test_up_drains_when_told_to(cli: Cli) -> None:
    """SIGTERM ends gateway, sealer and query server with 0, and what was acknowledged is in the event log."""
    cli.make(TENANT)
    with cli.up() as up:
        assert set(up.children()) == {"serve", "seal", "serve-query"}
        cli.good("publish", "-", "--tenant", TENANT, "--to", up.gateway, stdin=line(event()))
        assert up.stop() == 0
    assert cli.good("seal", "--drain", "--json").json["quarantined"] == 0
    (tenant,) = [each for each in cli.good("status", "--json").json["tenants"] if each["tenant"] == TENANT]
    assert tenant["events"] == 1


@pytest.mark.parametrize(
    ("command", "name"), [("serve", "gateway"), ("seal", "sealer"), ("serve-query", "query server")]
)
def test_when_one_dies_all_end_and_say_who(cli: Cli, command: str, name: str) -> None:
    """A ledger of which one part died does not look like one that works."""
    cli.make(TENANT)
    with cli.up() as up:
        children = up.children()
        os.kill(children.pop(command), signal.SIGKILL)
        assert up.await_end() == 3
        assert f"error: the {name} ended with exit code -9; its message stands above" in up.err
        for pid in children.values():
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)


@pytest.mark.parametrize("gateways", [(), ("--gateways", "2")], ids=["one", "several"])
def test_up_on_a_taken_port_ends_as_the_gateway_does(cli: Cli, gateways: tuple[str, ...]) -> None:
    """A port that somebody else has is wrong configuration: exit code 2 of `serve` and of `up`, with one message."""
    cli.make(TENANT)
    with ExitStack() as others:
        taken = _somebody(others)
        for command in (("serve",), ("up", *gateways)):
            done = cli.run(*command, "--listen", taken)
            assert done.code == 2
            assert f"error: gateway.listen: cannot listen on {taken}" in done.err
    assert "error: the gateway ended with exit code 2; its message stands above" in done.err


def test_two_ledgers_on_one_machine(cli: Cli) -> None:
    """`up` takes free ports where somebody else has the configured ones, and says so."""
    settings = ("gateway.metrics_listen", "sealer.metrics_listen", "query.listen")
    with ExitStack() as others:
        taken = [_somebody(others) for _ in settings]
        where = {
            f"AUDIT_LEDGER_{setting.replace('.', '_').upper()}": address
            for setting, address in zip(settings, taken, strict=True)
        }
        ours = Cli(cli.home, where)
        ours.make(TENANT)
        with ours.up() as up:
            for setting, address in zip(settings, taken, strict=True):
                assert f"{setting}: {address} is taken, a free port is used instead" in up.err
            assert up.addresses["query"] not in taken


def _somebody(others: ExitStack) -> str:
    """The address of somebody else's server."""
    server = others.enter_context(socket.socket())
    server.bind(("127.0.0.1", 0))
    server.listen()
    return f"127.0.0.1:{server.getsockname()[1]}"


def test_drain_seals_everything_and_says_how_much(cli: Cli) -> None:
    """`seal --drain` of a ledger without events has nothing to do; a partition that is not there is wrong usage."""
    cli.make(TENANT)
    assert cli.good("seal", "--drain", "--json").json["events"] == 0
    assert cli.run("seal", "--drain", "--partition", "7").code == 2
