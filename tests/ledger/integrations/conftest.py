"""A loopback vendor, and programs that run in processes of their own.

The frameworks take seconds to import and warn while they do; a child process keeps both out of the other tests.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from ledger.record.translate import translate
from ledger.v1.event_pb2 import Event
from tests.ledger.cli.events import event, line
from tests.ledger.cli.running import TENANT, Cli, Up
from tests.ledger.client.gateway import running
from tests.vendors import openai_chat
from tests.vendors.serving import Loopback, serving

ROOT = Path(__file__).resolve().parents[3]
PROGRAM_S = 120


def need(package: str) -> None:
    """Skips, and says so, where the framework is not installed."""
    if find_spec(package) is None:
        pytest.skip(f"{package} is not installed")


def run(program: str, *arguments: str, home: Path) -> str:
    """What a program prints; the test fails when it does. It fetches nothing: no proxy, no cost map, no telemetry."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    quiet = {
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "LANGSMITH_TRACING": "false",
        "no_proxy": "*",
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=PROGRAM_S,
        check=False,
        env={**kept, **quiet},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def openai() -> Iterator[Loopback]:
    """A server that speaks OpenAI's chat completions."""
    with serving(openai_chat.routes()) as loopback:
        yield loopback


def recorded(program: str, *arguments: str, home: Path) -> list[Event]:
    """What a program put on record, but for the close marker, each event held to what every gateway asks."""
    with running() as gateway:
        run(program, gateway.address, *arguments, home=home)
    for each in gateway.accepted:
        translate(each)
    return [each for each in gateway.accepted if each.WhichOneof("body") != "operation"]


def sealed(cli: Cli, up: Up) -> None:
    """Returns when everything that the gateway took before is sealed."""
    cli.good("publish", "-", "--tenant", TENANT, "--to", up.gateway, "--wait", stdin=line(event()))
