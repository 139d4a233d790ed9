"""docs/CLIENT.md shows programs that work, and what they did is found in the ledger."""

from __future__ import annotations

from pathlib import Path

from tests.docs.test_readme import PYTHON, ROOT
from tests.ledger.cli.running import TENANT, Cli
from tests.ledger.integrations.conftest import need, run, sealed

DOCUMENT = ROOT / "docs" / "CLIENT.md"
BEFORE = """
import asyncio, contextvars, sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace as Some
from langchain_core.language_models import FakeListChatModel

messages = [{"role": "user", "content": "Refund order 1001."}]
call = {"id": "call_1", "name": "refund", "input": {}, "arguments": {"order_id": "1001", "amount": 12.5}}
vendor = Some(
    chat=lambda asked: Some(model="gpt-4o-2024-08-06", text="I refund it.", finish_reason="tool_calls",
                            tool_calls=[call], tokens_in=9, tokens_out=4),
    stream=lambda asked: iter([Some(delta="On "), Some(delta="Friday.")]),
)
chain = FakeListChatModel(responses=["Good morning."])
"""
AFTER = """
assert ledger.close()
"""


def test_the_programs_shown_work_and_are_on_record(tmp_path: Path) -> None:
    """All blocks, one after the other, against a running ledger; then what they did is reconstructed."""
    need("litellm")
    need("langchain_core")
    cli = Cli(tmp_path / "home")
    cli.make(TENANT)
    with cli.up() as up:
        blocks = PYTHON.findall(DOCUMENT.read_text("utf-8"))
        shown = "\n".join(blocks).replace("127.0.0.1:7443", up.gateway)
        program = BEFORE + shown.replace('"spool"', repr(str(tmp_path / "spool"))) + AFTER
        assert run(program, home=tmp_path) == "On Friday.\n"
        sealed(cli, up)
        story = cli.good("reconstruct", "--tenant", TENANT, "--user", "mia", "--to", up.gateway).out
        changes = cli.good("sql", "--tenant", TENANT, "SELECT artifact_id, to_revision FROM changes").out
    for part in ("find_order", "refund", "refunds-up-to-100", "I refund it.", "Good morning.", "arrives", "money"):
        assert part in story
    assert "secret" not in story
    assert "support-system" in changes


def test_the_options_shown_exist() -> None:
    """What the document names as an option or a counter is one."""
    from ledger.client import ClientStats, Options

    text = DOCUMENT.read_text("utf-8")
    for name in (
        "queue_events_max",
        "queue_bytes_max",
        "deadline_s",
        "spool_dir",
        "spool_fsync",
        "strict",
        "on_rejected",
    ):
        assert f"`{name}" in text
        assert name in Options.__dataclass_fields__
    for name in ("rejected", "faults", "dropped"):
        assert name in ClientStats.__dataclass_fields__
