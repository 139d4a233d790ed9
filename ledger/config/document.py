"""The settings as text: the commented file that `init` writes, and the tables of the manual."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ledger.config.meaning import Meaning
from ledger.config.settings import SECTIONS, default_of, meanings


def commented_file(given: Mapping[str, Any]) -> str:
    """A configuration file: what is `given` (by `section.key`) in force, every other setting a comment."""
    parts = [
        "# Configuration of an audit ledger. The environment (AUDIT_LEDGER_SECTION_KEY) and flags go before it.\n"
        "# Settings in comments show their defaults. Relative paths are relative to this folder.\n"
    ]
    for section, config in SECTIONS.items():
        parts.append(f"\n# {(config.__doc__ or '').strip()}\n[{section}]\n")
        for name, meaning in meanings(section).items():
            key = f"{section}.{name}"
            value = given[key] if key in given else default_of(section, name)
            mark = "" if key in given else "# "
            parts.append(f"# {meaning.text}\n{mark}{name} = {_toml(value)}\n")
    return "".join(parts)


def tables() -> str:
    """Every setting, one Markdown table a section."""
    parts = []
    for section, config in SECTIONS.items():
        parts.append(f"## `[{section}]`\n\n{(config.__doc__ or '').strip()}\n\n")
        parts.append("| setting | default | bounds | meaning |\n| --- | --- | --- | --- |\n")
        for name, meaning in meanings(section).items():
            default = default_of(section, name)
            shown = "required" if default is None else f"`{_toml(default)}`"
            parts.append(f"| `{name}` | {shown} | {_bounds(meaning)} | {meaning.text} |\n")
        parts.append("\n")
    return "".join(parts)


def _bounds(meaning: Meaning) -> str:
    if meaning.least is None and meaning.most is None:
        return ""
    return f"{'' if meaning.least is None else meaning.least} to {'' if meaning.most is None else meaning.most}".strip()


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    return json.dumps(str(value) if isinstance(value, Path) else value)
