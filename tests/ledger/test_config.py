"""Configuration: file < environment < flags, every limit named, nothing unknown taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest

from ledger.config import LedgerConfig, load
from ledger.config.address import Address, parse_address
from ledger.config.document import commented_file, tables
from ledger.config.settings import SECTIONS, default_of, meanings
from ledger.errors import Misconfigured

REQUIRED = '[ledger]\nname = "audit.example.org"\nincarnation = "000102030405060708090a0b0c0d0e0f"\n'


def loaded(
    tmp_path: Path,
    text: str = "",
    environment: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    head: str = REQUIRED,
) -> LedgerConfig:
    file = tmp_path / "config.toml"
    file.write_text(head + text, encoding="utf-8")
    return load(file, environment=environment or {}, flags=flags or {})


def test_defaults_hold_where_nothing_is_said(tmp_path: Path) -> None:
    """The smallest file gives every setting its documented default, and paths inside the home."""
    config = loaded(tmp_path)
    assert config.gateway.batch_events_max == 10_000
    assert config.gateway.content_bytes_max == 262_144
    assert config.sealer.round_bytes_max == 64 * 1024 * 1024
    assert config.ledger.segments == tmp_path / "segments"
    assert config.ledger.incarnation_bytes == bytes(range(16))
    assert not config.sealer.trim


def test_flags_go_before_environment_before_file(tmp_path: Path) -> None:
    """Each source overrides the one before it, setting by setting."""
    text = "[gateway]\nbatch_events_max = 1\ndrain_ms = 1\nhealth_check_ms = 11\n"
    environment = {"AUDIT_LEDGER_GATEWAY_BATCH_EVENTS_MAX": "2", "AUDIT_LEDGER_GATEWAY_DRAIN_MS": "2", "PATH": "/bin"}
    flags = {"gateway.batch_events_max": 3, "gateway.listen": None}
    gateway = loaded(tmp_path, text, environment, flags).gateway
    assert (gateway.batch_events_max, gateway.drain_ms, gateway.health_check_ms) == (3, 2, 11)
    assert gateway.listen == "127.0.0.1:7443"


def test_text_of_environment_and_flags_is_typed(tmp_path: Path) -> None:
    """Booleans, numbers, choices and paths are read from text as what they are."""
    environment = {
        "AUDIT_LEDGER_SEALER_TRIM": "true",
        "AUDIT_LEDGER_GATEWAY_OVERSIZE": "truncate",
        "AUDIT_LEDGER_LEDGER_SEGMENTS": "/mnt/segments",
        "AUDIT_LEDGER_HOME": "/elsewhere",
        "AUDIT_LEDGER_DEBUG": "1",
    }
    config = loaded(tmp_path, environment=environment, flags={"sealer.heartbeat_s": "7"})
    assert config.sealer.trim is True
    assert config.gateway.oversize == "truncate"
    assert config.ledger.segments == Path("/mnt/segments")
    assert config.sealer.heartbeat_s == 7


@pytest.mark.parametrize(
    ("text", "environment", "flags", "message"),
    [
        ("[gateway]\nlistenn = 'x'\n", {}, {}, r"\[gateway\] listenn: unknown setting; .* is listen$"),
        ("[gatway]\n", {}, {}, r"\[gatway\]: unknown section; .* is gateway$"),
        ("gateway = 3\n", {}, {}, "unknown setting|expected a table"),
        ("", {"AUDIT_LEDGER_GATEWAY_LISTN": "x"}, {}, r"_LISTN: unknown .* AUDIT_LEDGER_GATEWAY_LISTEN$"),
        ("", {"AUDIT_LEDGER_WHATEVER": "x"}, {}, "environment AUDIT_LEDGER_WHATEVER: unknown"),
        ("", {}, {"gateway.lissten": "x"}, r"flag gateway\.lissten: unknown .* gateway\.listen$"),
        ("[gateway]\ndrain_ms = 'soon'\n", {}, {}, r"drain_ms: expected a whole number, got text"),
        ("[gateway]\ndrain_ms = true\n", {}, {}, r"drain_ms: expected a whole number, got true or false"),
        ("[gateway]\ndrain_ms = -1\n", {}, {}, r"drain_ms: expected at least 0, got -1"),
        ("[gateway]\nworker_threads = 65\n", {}, {}, r"worker_threads: expected at most 64, got 65"),
        ("[gateway]\noversize = 'drop'\n", {}, {}, r"oversize: expected one of refuse, truncate"),
        ("", {"AUDIT_LEDGER_SEALER_TRIM": "yes"}, {}, r"AUDIT_LEDGER_SEALER_TRIM: expected true or false"),
        ("", {"AUDIT_LEDGER_GATEWAY_DRAIN_MS": "1_000"}, {}, r"AUDIT_LEDGER_GATEWAY_DRAIN_MS: expected a whole number"),
        ("[gateway]\nlisten = 'here'\n", {}, {}, r"gateway\.listen: expected HOST:PORT"),
        ("[gateway]\nlisten = '0.0.0.0:1'\n", {}, {}, r"gateway\.listen: .*insecure_plaintext"),
        ("[otlp]\nhttp_listen = '0.0.0.0:1'\n", {}, {}, r"otlp\.http_listen: .* nothing protects .*insecure_plaintext"),
        (
            "[otlp]\nhttp_listen = '0.0.0.0:1'\n[gateway]\ntls_certificate = 'c'\ntls_key = 'k'\n",
            {},
            {},
            r"otlp\.http_listen: .* nothing tells who calls; give ledger\.roles",
        ),
        ("[otlp]\nhttp_listen = 'here'\n", {}, {}, r"otlp\.http_listen: expected HOST:PORT"),
        ("[otlp]\ntenant = '_org'\n", {}, {}, r"tenant name '_org'"),
        (
            "[otlp]\nhttp_listen = '127.0.0.1:1'\ndecompressed_bytes_max = 1000000000\n",
            {},
            {},
            r"otlp\.decompressed_bytes_max: expected at most gateway\.publish_bytes_in_flight_max",
        ),
        ("[gateway]\ngateway_id = 'a b'\n", {}, {}, "key name"),
        ("[gateway]\ncontent_bytes_max = 5000000\n", {}, {}, r"content_bytes_max: .* at most gateway\.event_bytes_max"),
        ("[gateway]\nmessage_bytes_max = 1000000000\n", {}, {}, r"at most gateway\.publish_bytes_in_flight_max"),
        ("[gateway\n", {}, {}, "line"),
    ],
)
def test_what_is_wrong_is_refused_by_name(
    tmp_path: Path, text: str, environment: dict[str, str], flags: dict[str, Any], message: str
) -> None:
    """A wrong setting refuses to start, and the message names source and setting, and the nearest known one."""
    with pytest.raises(Misconfigured, match=message):
        loaded(tmp_path, text, environment, flags)


@pytest.mark.parametrize("missing", ["name", "incarnation"])
def test_what_init_writes_is_required(tmp_path: Path, missing: str) -> None:
    """A file without the ledger's name or incarnation is no configuration."""
    head = "".join(line for line in REQUIRED.splitlines(keepends=True) if not line.startswith(missing))
    with pytest.raises(Misconfigured, match=rf"\[ledger\] {missing}: is missing"):
        loaded(tmp_path, head=head)


@pytest.mark.parametrize("incarnation", ["", "00", "0" * 31 + "G", "0" * 33])
def test_a_wrong_incarnation_is_refused(tmp_path: Path, incarnation: str) -> None:
    """An incarnation is 32 hex digits."""
    with pytest.raises(Misconfigured, match=r"ledger\.incarnation"):
        loaded(tmp_path, flags={"ledger.incarnation": incarnation})


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    """No file, and bytes that are no text, are the operator's mistake."""
    with pytest.raises(Misconfigured, match="cannot read the configuration"):
        load(tmp_path / "none.toml", environment={}, flags={})
    (tmp_path / "bytes.toml").write_bytes(b"\xff")
    with pytest.raises(Misconfigured, match="not UTF-8"):
        load(tmp_path / "bytes.toml", environment={}, flags={})


def test_the_configuration_does_not_change(tmp_path: Path) -> None:
    """It is read once."""
    with pytest.raises(FrozenInstanceError):
        loaded(tmp_path).gateway.drain_ms = 1  # type: ignore[misc]


def test_the_commented_file_is_a_configuration(tmp_path: Path) -> None:
    """What `init` writes can be read, and every setting stands in it, in force or as a comment with its default."""
    given = {"ledger.name": "audit.example.org", "ledger.incarnation": "0" * 32, "gateway.gateway_id": "gw-7"}
    text = commented_file(given)
    config = loaded(tmp_path, text, head="")
    assert config.gateway.gateway_id == "gw-7"
    for section in SECTIONS:
        for name in meanings(section):
            key = f"{section}.{name}"
            assert f"\n{'' if key in given else '# '}{name} = " in text


def test_every_comment_in_the_file_is_a_valid_setting(tmp_path: Path) -> None:
    """An operator may take the comment signs away: the defaults are accepted as they stand there."""
    lines = commented_file({"ledger.name": "a.example", "ledger.incarnation": "0" * 32}).splitlines()
    uncommented = [line.removeprefix("# ") if " = " in line and line.startswith("# ") else line for line in lines]
    config = loaded(tmp_path, "\n".join(line for line in uncommented if not line.startswith("#")), head="")
    for section in SECTIONS:
        for name in meanings(section):
            default = default_of(section, name)
            if default is not None and not isinstance(default, Path):
                assert getattr(getattr(config, section), name) == default


def test_the_manual_holds_every_setting() -> None:
    """The tables of docs/CONFIGURATION.md are those of the settings."""
    manual = Path(__file__).resolve().parents[2] / "docs" / "CONFIGURATION.md"
    assert tables() in manual.read_text(encoding="utf-8")


@pytest.mark.parametrize("text", ["127.0.0.1:7443", "localhost:0", "[::1]:80", "audit.example.org:65535"])
def test_addresses_round_trip(text: str) -> None:
    """An address prints as it was written."""
    assert str(parse_address(text, "x")) == text


@pytest.mark.parametrize(
    "text", ["", "7443", ":7443", "host:", "host:-1", "host:65536", "::1:80", "[::1]", "[host]:1", "h:١"]
)
def test_wrong_addresses_are_refused(text: str) -> None:
    """What is no address is refused under its setting's name."""
    with pytest.raises(Misconfigured, match=r"^gateway\.listen"):
        parse_address(text, "gateway.listen")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example.org", False),
    ],
)
def test_loopback_is_told_from_the_world(host: str, loopback: bool) -> None:
    """Only addresses that nobody else reaches count as loopback; a name could be anything."""
    assert Address(host, 1).is_loopback is loopback


TLS = {"tls_certificate": "c.pem", "tls_key": "c.key"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"gateway": {"listen": "0.0.0.0:1"}}, "nothing protects the connection"),
        ({"query": {"listen": "0.0.0.0:1"}}, "nothing protects the connection"),
        ({"gateway": {"listen": "0.0.0.0:1", **TLS}}, "nothing tells who calls"),
        ({"query": {"listen": "0.0.0.0:1", **TLS}}, "nothing tells who calls"),
        ({"ledger": {"roles": "r.toml"}, "gateway": {"listen": "0.0.0.0:1"}}, "nothing protects the connection"),
        ({"gateway": {"tls_certificate": "c.pem"}}, "together with gateway.tls_key"),
        ({"query": {"tls_key": "c.key"}}, "together with query.tls_key"),
        ({"gateway": {**TLS, "mtls_listen": "127.0.0.1:1"}}, "together with gateway.tls_client_ca"),
        ({"gateway": {**TLS, "mtls_listen": "127.0.0.1:1", "tls_client_ca": "ca.pem"}}, "expected ledger.roles"),
        ({"gateway": {"mtls_listen": "127.0.0.1:1", "tls_client_ca": "ca.pem"}}, "gateway.tls_certificate with it"),
        ({"query": {"tls_client_ca": "ca.pem"}}, "query.tls_certificate with it"),
    ],
)
def test_what_others_reach_needs_tls_and_roles(tmp_path: Path, settings: dict[str, dict[str, str]], said: str) -> None:
    """An address beyond loopback needs both; each half of TLS needs the other."""
    flags = {f"{section}.{name}": value for section, given in settings.items() for name, value in given.items()}
    with pytest.raises(Misconfigured, match=said):
        loaded(tmp_path, "", flags=flags)


def test_files_of_tls_and_roles_are_relative_to_the_home(tmp_path: Path) -> None:
    """Named like every other path; "" stays none."""
    flags = {"ledger.roles": "roles.toml", "gateway.listen": "0.0.0.0:1"}
    flags |= {f"gateway.{name}": value for name, value in TLS.items()}
    config = loaded(tmp_path, "", flags=flags)
    assert config.ledger.roles_file == tmp_path / "roles.toml"
    assert config.gateway.tls_key == str(tmp_path / "c.key")
    assert config.gateway.tls_client_ca == ""
    assert loaded(tmp_path, "").ledger.roles_file is None
