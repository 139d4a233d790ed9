"""A real PKCS#11 token for tests: SoftHSM, with one token that a test run shares, in a folder of its own.

Keys of different tests have different labels. Where SoftHSM is missing the tests are skipped, saying so; under CI they
fail instead.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pytest

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
LABEL = "audit"
PIN = "hidden-pin-81726354"


@dataclass(frozen=True, slots=True)
class Token:
    """Where the token is and how it is opened."""

    module: Path
    pin_file: Path
    config_file: Path

    def uri(self, label: str, pin_source: str | None = None) -> str:
        """The URI of the key of this label."""
        source = pin_source or f"file:{self.pin_file}"
        return f"pkcs11:token={LABEL};object={label}?module-path={self.module}&pin-source={source}"


def missing() -> str | None:
    """What is missing here, None when nothing is."""
    if importlib.util.find_spec("pkcs11") is None:
        return "the package python-pkcs11 is not installed"
    if shutil.which("softhsm2-util") is None or not any(Path(each).exists() for each in MODULES):
        return "SoftHSM is not installed (apt-get install softhsm2)"
    return None


def need_softhsm() -> Token:
    """The run's token; skips the test where there can be none, fails it under CI."""
    problem = missing()
    if problem is None:
        return _shared_token()
    if os.environ.get("CI"):
        pytest.fail(f"CI must not skip the PKCS#11 tests: {problem}")
    pytest.skip(f"no PKCS#11 token here: {problem}")


@lru_cache(maxsize=1)
def _shared_token() -> Token:
    # A module reads its configuration once a process, so there is one folder for all tests.
    folder = tempfile.TemporaryDirectory(prefix="ledger-softhsm-")
    atexit.register(folder.cleanup)
    path = Path(folder.name)
    (path / "tokens").mkdir()
    config = path / "softhsm2.conf"
    config.write_text(f"directories.tokendir = {path / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n")
    os.environ["SOFTHSM2_CONF"] = str(config)
    pin_file = path / "pin"
    pin_file.touch(mode=0o600)
    pin_file.write_text(PIN + "\n")
    subprocess.run(
        ["softhsm2-util", "--init-token", "--free", "--label", LABEL, "--pin", PIN, "--so-pin", PIN[::-1]],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return Token(next(Path(each) for each in MODULES if Path(each).exists()), pin_file, config)
