"""docs/PROXY.md: files that are what they say, clients that work as shown, every field there is."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.config import load_proxy
from ledger.proxy.callers import FIELDS
from ledger.proxy.headers import OWN
from ledger.proxy.upstreams import KINDS, parse_upstreams
from tests.docs.test_readme import PYTHON, ROOT, commands
from tests.ledger.cli.running import Cli
from tests.ledger.client.gateway import running
from tests.ledger.proxy.running import TENANT, Running, proxied
from tests.vendors import anthropic_api, azure_api, bedrock_api, google_api, openai_chat, openai_responses
from tests.vendors.serving import serving
from tests.vendors.turns import PLAIN

DOCUMENT = ROOT / "docs" / "PROXY.md"
TOML = re.compile(r"```toml\n(.*?)```", re.S)
BLOCKS = PYTHON.findall(DOCUMENT.read_text("utf-8"))


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A proxy in front of loopback vendors, and the keys that the clients look for in the environment."""
    for name in ("OPENAI_API_KEY", "AZURE_OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(name, "none")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    groups = (openai_chat, openai_responses, azure_api, anthropic_api, google_api, bedrock_api)
    with serving(*(group.routes() for group in groups)) as vendor, running() as gateway:
        with proxied(gateway, vendor.url, tmp_path) as found:
            yield found


def test_the_files_shown_are_what_they_say(tmp_path: Path) -> None:
    """Who copies the files gets endpoints of every kind, and a configuration, without a word that is not known."""
    upstreams, settings = TOML.findall(DOCUMENT.read_text("utf-8"))
    assert {each.kind for each in parse_upstreams(upstreams.encode(), tmp_path).values()} == set(KINDS)
    (tmp_path / "proxy.toml").write_text(settings)
    config = load_proxy(tmp_path / "proxy.toml", environment={}, flags={})
    assert (config.tenant, config.to, config.upstreams) == (
        TENANT,
        "audit.example.org:7443",
        tmp_path / "upstreams.toml",
    )


@pytest.mark.parametrize("block", range(len(BLOCKS)))
def test_the_clients_shown_work(block: int, proxy: Running) -> None:
    """Each client, given the base URL that is shown, gets its answer through the proxy, and that is on record."""
    names: dict[str, object] = {}
    exec(BLOCKS[block].replace("http://127.0.0.1:7450", proxy.url), names)
    assert proxy.event().request.output.text == PLAIN
    client = names["client"]
    client.close()  # type: ignore[attr-defined]


def test_every_field_is_shown() -> None:
    """The table of fields names each one that the proxy knows, and no other."""
    shown = set(re.findall(rf"`{OWN}([a-z-]+)`", DOCUMENT.read_text("utf-8")))
    assert shown == FIELDS | {"event", "recorded"}


def test_the_command_shown_works(tmp_path: Path) -> None:
    """In a ledger's home, with the endpoints shown, the command shown would start; `--check` says what it would do."""
    cli = Cli(tmp_path / "home")
    cli.make(TENANT)
    (tmp_path / "upstreams.toml").write_text(TOML.findall(DOCUMENT.read_text("utf-8"))[0])
    (shown,) = (each for each in commands(DOCUMENT) if " proxy " in each)
    words = shlex.split(shown.replace("upstreams.toml", str(tmp_path / "upstreams.toml")))
    decisions = cli.good(*words[1:], "--check", "--json").json["decisions"]
    assert [each["upstream"] for each in decisions] == [
        "openai",
        "azure",
        "anthropic",
        "gemini",
        "vertex",
        "bedrock",
    ]
    assert {each["restricted"] for each in decisions} == {"allow"}
