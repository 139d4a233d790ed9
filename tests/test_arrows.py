"""The packages depend on each other one way: query → ledger ← consumers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BANNED = {"ledger": {"consumers", "query"}, "consumers": {"query"}, "query": {"consumers"}}
CLIENT_MAY = {"grpc", "google", "nacl", "ledger"}


def imports(path: Path) -> set[str]:
    """Full names of the modules that a file imports."""
    tree = ast.parse(path.read_text("utf-8"))
    found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return found | {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}


@pytest.mark.parametrize("package", sorted(BANNED))
def test_arrows_go_one_way(package: str) -> None:
    """No file of a package imports a package that builds on it, or stands beside it."""
    backwards = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for name in sorted(imports(path))
        if name.split(".")[0] in BANNED[package]
    ]
    assert not backwards


def test_the_record_knows_nothing_of_services() -> None:
    """The record, the formats and the proofs do no I/O: they import no event log, gateway, client or command."""
    above = {"ledger.gateway", "ledger.client", "ledger.cli", "ledger.log", "ledger.home", "ledger.config"}
    files = [path for each in ("record", "tlog") for path in sorted((ROOT / "ledger" / each).rglob("*.py"))]
    backwards = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in files
        for name in sorted(imports(path))
        if any(name == each or name.startswith(each + ".") for each in above)
    ]
    assert not backwards


def test_the_transparency_log_knows_nothing_of_this_ledger() -> None:
    """Trees, proofs and signed notes stand on the errors alone, so that they could check any log."""
    known = {
        f"{path.name} imports {name}"
        for path in (ROOT / "ledger" / "tlog").rglob("*.py")
        for name in imports(path)
        if name.split(".")[0] == "ledger" and not name.startswith(("ledger.errors", "ledger.tlog"))
    }
    assert not known
