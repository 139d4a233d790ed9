"""The table at the top of each package, by which a reader finds the module."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GENERATED = ROOT / "ledger" / "v1"
PACKAGES = sorted(
    init.parent
    for package in ("ledger", "consumers", "query")
    for init in (ROOT / package).rglob("__init__.py")
    if init.parent != GENERATED
)


def modules(package: Path) -> list[str]:
    """The modules and packages directly in a package, by name."""
    files = [path.stem for path in package.glob("*.py") if path.name != "__init__.py"]
    return sorted(files + [path.parent.name for path in package.glob("*/__init__.py")])


def named(package: Path) -> list[str]:
    """The modules in the first column of the docstring's table, as often as they stand there."""
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8"))) or ""
    _, _, table = docstring.partition("| module")
    rows = [line.split("|")[1] for line in table.split("\n\n")[0].splitlines()[2:]]
    return sorted(name for cell in rows for name in re.findall(r"`(\w+)`", cell))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: str(package.relative_to(ROOT)))
def test_a_package_says_what_each_of_its_modules_owns(package: Path) -> None:
    """The table of a package names each of its modules once, and none that is not there."""
    assert named(package) == modules(package)
