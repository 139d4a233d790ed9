"""`keys`, in a ledger that runs meanwhile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from ledger.trust import TrustedKeys
from tests.ledger.cli.events import event, line
from tests.ledger.cli.running import TENANT, Cli, Up
from tests.ledger.keys.softhsm import PIN, need_softhsm

WISH = "I want to fly."


def test_everything_rotates_while_the_ledger_runs(cli: Cli) -> None:
    """Master, tenant and signing keys rotate under a running gateway, sealer and query service; nothing is restarted,
    new persons are met, old contents are read, and all that was signed verifies."""
    cli.make(TENANT)
    with cli.up() as up:
        _publish(cli, up, "ann")
        for number, rotation in enumerate(
            (
                ("master",),
                ("tenant", TENANT),
                ("signing", "gateway", "--overlap", "0"),
                ("signing", "ledger", "--overlap", "0"),
                ("master",),
            )
        ):
            cli.good("keys", "rotate", *rotation)
            _publish(cli, up, f"person-{number}")
        found = cli.good("reconstruct", "--tenant", TENANT, "--user", "ann", "--json", "--to", up.gateway)
        assert WISH in found.out
    _verified(cli)
    listed = cli.good("keys", "list", "--json").json
    assert [(each["role"], each["generation"], each["state"]) for each in listed["signing"]] == [
        ("gateway", 1, "over"),
        ("gateway", 2, "good"),
        ("ledger", 1, "over"),
        ("ledger", 2, "good"),
    ]
    (master,) = listed["master"]
    assert master["seals"]
    assert {each["tenant"]: each["generation"] for each in listed["tenant"]}[TENANT] == 2


def test_a_retired_key_fails_verification(cli: Cli) -> None:
    """`verify` refuses rounds that state a time past their key's end, and names the key's range."""
    cli.make(TENANT)
    with cli.up("--without-query") as up:
        _publish(cli, up, "ann")
    trust = TrustedKeys.load(cli.home / "trust.json")
    text = (cli.home / "trust.json").read_text()
    (begun,) = {key.not_before for key in trust.for_role("ledger")}
    shown = begun.isoformat().replace("+00:00", "Z")
    (cli.home / "trust.json").write_text(
        text.replace(f'"not_before": "{shown}",\n      "not_after": null', f'"not_before": "{shown[:20]}000001Z",'
        f'\n      "not_after": "{shown[:20]}999999Z"')
    )  # fmt: skip
    done = cli.run("verify", "--tenant", TENANT)
    assert done.code == 1
    assert "but it is good from" in done.out + done.err


def test_a_ledger_whose_keys_are_in_a_token(cli: Cli, tmp_path: Path) -> None:
    """Master and signing keys move into a PKCS#11 token as documented, the ledger runs on them and verifies; the PIN
    stands in no file of the home, no output and no log."""
    token = need_softhsm()
    cli.extra = {"SOFTHSM2_CONF": str(token.config_file)}
    master, ledger, gateway = (token.uri(f"{name}-{os.urandom(6).hex()}") for name in ("m", "l", "g"))
    cli.make(TENANT)
    said: list[str] = []
    with cli.up() as up:
        _publish(cli, up, "ann")
    said.append(cli.good("keys", "make", "--for", "master", master).out)
    for role, uri in (("ledger", ledger), ("gateway", gateway)):
        said.append(cli.good("keys", "make", "--for", "signing", uri).out)
        said.append(cli.good("keys", "rotate", "signing", role, "--overlap", "0", "--token", uri).out)
    config = cli.home / "config.toml"
    named = f'master_key = "{master}"\nmaster_key_previous = "keys/master.key"\n'
    config.write_text(config.read_text().replace("[ledger]\n", f"[ledger]\n{named}"))
    said.append(cli.good("keys", "rotate", "master").out)
    (cli.home / "keys" / "master.key").unlink()
    with cli.up() as up:
        _publish(cli, up, "ben")
        for person in ("ann", "ben"):
            to = up.gateway
            found = cli.good("reconstruct", "--tenant", TENANT, "--user", person, "--json", "--to", to)
            assert WISH in found.out
    _verified(cli)
    said += [cli.good("keys", "list").out, up.err]
    assert all(PIN not in each for each in said)
    assert all(PIN.encode() not in path.read_bytes() for path in cli.home.rglob("*") if path.is_file())


def test_a_wrong_pin_is_refused_and_not_shown(cli: Cli, tmp_path: Path) -> None:
    """A token that does not take the PIN is the operator's to mend; no message holds the PIN."""
    token = need_softhsm()
    cli.extra = {"SOFTHSM2_CONF": str(token.config_file), "TOKEN_PIN": "wrong-pin-9911"}
    done = cli.run("keys", "make", "--for", "master", token.uri("wrong", "env:TOKEN_PIN"))
    assert done.code == 2
    assert "does not take the PIN" in done.err
    assert "9911" not in done.out + done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tenant", "nobody"), "unknown"),
        (("signing", "ledger", "--gateway-id", "gw-1"), "for the role gateway"),
        (("signing", "gateway", "--gateway-id", "gw-9"), "has none"),
        (("signing", "sealer"), "sealer"),
    ],
)
def test_wrong_usage_is_two(cli: Cli, arguments: tuple[str, ...], message: str) -> None:
    """A key that there is not is named, and nothing changes."""
    cli.make()
    before = (cli.home / "trust.json").read_bytes()
    done = cli.run("keys", "rotate", *arguments)
    assert (done.code, (cli.home / "trust.json").read_bytes()) == (2, before)
    assert message in done.err


def _publish(cli: Cli, up: Up, user: str) -> dict[str, Any]:
    lines = line(event(user, WISH))
    done = cli.good("publish", "-", "--tenant", TENANT, "--to", up.gateway, "--wait", "--json", stdin=lines).json
    assert (done["accepted"], done["rejected"]) == (1, 0)
    return done  # type: ignore[no-any-return]


def _verified(cli: Cli) -> None:
    assert "passed" in cli.good("verify", "--tenant", TENANT, "--full").out
