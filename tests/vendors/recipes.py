"""The recipes of docs/VENDORS.md: its modules taken out of the document, and run as they stand there.

A module is a Python block whose first line names its file. What a section has exported into the environment is set as
it says, but for addresses. `Run` is one way of instrumenting one vendor's client: which application, which section, and
what is another in its environment and text where the document names an alternative.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "VENDORS.md"
CHILD_S = 120
COMMON = "What every service has"
PROXY = "The same clients behind the recording proxy"
_EXPORT = re.compile(r"^\$ export (.+)$", re.M)
_COMPLETE = re.compile(r"```python\n# (\w+)\.py, complete\n(.*?)```", re.S)
_CALL = "def complete("
_BLOCK = re.compile(r"```python\n# (\w+\.py)\n(.*?)```", re.S)


@dataclass(frozen=True, slots=True)
class Run:
    """One client with one instrumentation.

    `instead`: texts of the modules and what stands in their place. `complete`: the application whose call of the model,
    as the document tells it to the ledger's own client, stands in place of this one's.
    """

    name: str
    application: str
    section: str
    who: str
    environment: Mapping[str, str] = field(default_factory=dict)
    instead: tuple[tuple[str, str], ...] = ()
    complete: str = ""

    @property
    def user(self) -> str:
        """For whom the run asks."""
        return f"mia.{self.who}"

    def session(self, case: str) -> str:
        """The session of a case."""
        return f"chat-{self.name}-{case}"


def modules() -> dict[str, str]:
    """The document's modules by file name."""
    return dict(_BLOCK.findall(DOCUMENT.read_text("utf-8")))


def exports(section: str) -> dict[str, str]:
    """What a section of the document exports into the environment."""
    text = DOCUMENT.read_text("utf-8").partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    words = [word for found in _EXPORT.findall(text) for word in shlex.split(found)]
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def write(run: Run, folder: Path) -> None:
    """Writes the modules into a new folder, changed as the run says."""
    folder.mkdir()
    found = modules()
    if run.complete:
        kept = found[f"{run.application}.py"].partition(_CALL)[0]
        (call,) = [text for name, text in _COMPLETE.findall(DOCUMENT.read_text("utf-8")) if name == run.complete]
        found[f"{run.application}.py"] = kept + call
    for old, new in run.instead:
        (name,) = [each for each in (f"{run.application}.py", "telemetry.py") if old in found[each]]
        if found[name].count(old) != 1:
            raise ValueError(f"{name}: expected {old!r} once, got it {found[name].count(old)} times")
        found[name] = found[name].replace(old, new)
    for name, text in found.items():
        (folder / name).write_text(text, "utf-8")


def service_account(file: Path, port: int) -> None:
    """Writes the credentials of a Google service account whose tokens come from the loopback vendor."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    account = {
        "type": "service_account",
        "client_email": "support-bot@acme-support.iam.gserviceaccount.com",
        "token_uri": f"http://oauth2.googleapis.com:{port}/token",
        "private_key_id": "1",
        "private_key": pem.decode(),
    }
    file.write_text(json.dumps(account), "utf-8")


def environment(port: int, credentials: Path) -> dict[str, str]:
    """What every run has beside what the document says: the vendors at this port, and credentials for them."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AUDIT_LEDGER_", "OTEL_", "AWS_", "OPENAI_", "AZURE_", "ANTHROPIC_", "GOOGLE_"))
    }
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "OTEL_BSP_SCHEDULE_DELAY": "60000",  # one export at the end, however slow the machine
        "OTEL_BLRP_SCHEDULE_DELAY": "60000",
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": f"http://api.openai.com:{port}/v1",
        "AZURE_OPENAI_API_KEY": "none",
        "AZURE_OPENAI_ENDPOINT": f"http://acme-support.openai.azure.com:{port}",
        "ANTHROPIC_API_KEY": "none",
        "ANTHROPIC_BASE_URL": f"http://api.anthropic.com:{port}",
        "GOOGLE_APPLICATION_CREDENTIALS": str(credentials),
        "GOOGLE_VERTEX_BASE_URL": f"http://europe-west4-aiplatform.googleapis.com:{port}",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": f"http://bedrock-runtime.eu-central-1.amazonaws.com:{port}",
    }


def upstreams(port: int) -> str:
    """The document's `upstreams.toml`, its addresses those of the loopback vendor."""
    (text,) = re.findall(r"```toml\n# upstreams\.toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.S)
    return re.sub(r'(?m)^url = ".*"$', f'url = "http://127.0.0.1:{port}"', text)


def behind(proxy: str) -> dict[str, str]:
    """The base URLs that the document exports for a proxy, of the proxy at HOST:PORT."""
    return {name: value.replace("127.0.0.1:7450", proxy) for name, value in exports(PROXY).items()}


def start(run: Run, folder: Path, seen: Mapping[str, str]) -> dict[str, str]:
    """Runs all cases in a process of their own; what each answered, or the name of the error it raised."""
    write(run, folder)
    done = subprocess.run(
        [sys.executable, "-m", "tests.vendors.child", str(folder), run.application, run.user, run.session("")],
        env={**exports(COMMON), **exports(run.section), **seen, **run.environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=CHILD_S,
    )
    if done.returncode != 0:
        raise AssertionError(f"{run.name} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    told: dict[str, str] = json.loads(done.stdout)
    return told
