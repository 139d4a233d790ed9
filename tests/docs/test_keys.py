"""docs/KEYS.md shows only commands that work, in the order in which it shows them."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.docs.test_readme import ROOT, Shell, commands, conversation
from tests.ledger.keys.softhsm import MODULES, need_softhsm

DOCUMENT = ROOT / "docs" / "KEYS.md"
TOML = re.compile(r"```toml\n(.*?)```", re.S)


def test_the_commands_of_the_keys_work_as_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who types what the document shows lists, rotates and moves keys, and the ledger verifies after it."""
    need_softhsm()
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path / 'tokens'}\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    pin = tmp_path / "pin"
    pin.touch(mode=0o600)
    pin.write_text("1234\n")
    module = next(each for each in MODULES if Path(each).exists())

    def here(shown: str) -> str:
        return shown.replace(MODULES[0], module).replace("/etc/audit-ledger/pin", str(pin))

    (tmp_path / "conversations.jsonl.gz").write_bytes(conversation())
    shell = Shell(tmp_path)
    shell.run("audit-ledger init --name audit.test")
    shell.run("audit-ledger tenant add acme")
    shell.run("audit-ledger up")
    try:
        shell.run("audit-ledger import openai-chat conversations.jsonl.gz --tenant acme --to 127.0.0.1:7443")
        shown = [line for line in commands(DOCUMENT) if not line.startswith("softhsm2-util")]
        before, after = shown[: _index(shown, "keys make")], shown[_index(shown, "keys make") :]
        for line in before:
            shell.run(line)
    finally:
        shell.close()
    (initialise,) = [line for line in commands(DOCUMENT) if line.startswith("softhsm2-util")]
    subprocess.run(shlex.split(initialise), check=True, capture_output=True, timeout=60)
    shell.run(here(after[0]))
    (settings,) = TOML.findall(DOCUMENT.read_text("utf-8"))
    config = tmp_path / ".audit-ledger" / "config.toml"
    config.write_text(config.read_text().replace("[ledger]\n", f"[ledger]\n{here(settings)}"))
    outputs = [shell.run(here(line)) for line in after[1:]]
    assert "pkcs11:" in outputs[0]
    assert "passed" in shell.run("audit-ledger verify --tenant acme --full")


def _index(lines: list[str], part: str) -> int:
    return next(at for at, line in enumerate(lines) if part in line)
