"""The tables of docs/OTLP.md, from what the mapping itself reads.

python -m ledger.otlp.manual docs/OTLP.md    writes them anew between their marks
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from ledger.otlp.conventions import CONVENTIONS
from ledger.otlp.conventions.gen_ai import REFERENCE
from ledger.otlp.kinds import CARRIED, KINDS, About
from ledger.otlp.reading import Convention
from ledger.otlp.resource import ENVIRONMENT, INSTANCE, SAMPLING, SERVICE, VERSION
from ledger.otlp.vendors import SPELLINGS
from ledger.v1 import event_pb2 as pb

_RESOURCE = (
    ("producer.service", SERVICE),
    ("producer.version", VERSION),
    ("producer.environment", ENVIRONMENT),
    ("producer.instance", INSTANCE),
    ("producer.declared_sampling", (SAMPLING, "ot=th of the span's trace state", "ot=p of it")),
)
BEGIN, END = "<!-- tables: python -m ledger.otlp.manual docs/OTLP.md -->", "<!-- end of tables -->"


def tables() -> str:
    """All tables, in Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield from _kinds()
    yield ""
    yield "### The service, on the resource"
    yield ""
    yield "| field | attributes, in order |"
    yield "| --- | --- |"
    for field, attributes in _RESOURCE:
        yield f"| `{field}` | {', '.join(f'`{each}`' for each in attributes)} |"
    for convention in CONVENTIONS:
        yield ""
        yield f"### {convention.name[0].upper()}{convention.name[1:]}"
        yield ""
        yield "| field | attributes, in order |"
        yield "| --- | --- |"
        yield from _rows(convention)
    yield ""
    yield "### How vendors are spelled"
    yield ""
    yield "| vendor | also written |"
    yield "| --- | --- |"
    for vendor in sorted(set(SPELLINGS.values())):
        written = ", ".join(f"`{each}`" for each, spelled in SPELLINGS.items() if spelled == vendor and each != vendor)
        if written:
            yield f"| `{vendor}` | {written} |"


def _kinds() -> Iterator[str]:
    yield "### What a record is about"
    yield ""
    yield "| attribute | values | becomes |"
    yield "| --- | --- | --- |"
    for attribute, values in KINDS.items():
        grouped: dict[str, list[str]] = {}
        for value, meaning in values.items():
            grouped.setdefault(_becomes(meaning), []).append(f"`{value}`")
        for becomes, written in grouped.items():
            yield f"| `{attribute}` | {', '.join(written)} | {becomes} |"
    carried: dict[str, list[str]] = {}
    for attribute, meaning in CARRIED:
        carried.setdefault(_becomes(meaning), []).append(f"`{attribute}`")
    for becomes, attributes in carried.items():
        yield f"| {', '.join(attributes)} | any, where nothing above names a kind | {becomes} |"


def _rows(convention: Convention) -> Iterator[str]:
    for family in convention.families:
        yield f"| {_quoted(family.paths)} | {_quoted(family.attributes)} |"
    fields: dict[str, list[str]] = {}
    for path, attribute, _, derived in convention.rows:
        fields.setdefault(f"{_field(path)}{' (derived)' if derived else ''}", []).append(f"`{attribute}`")
    for field, attributes in fields.items():
        yield f"| {field} | {', '.join(attributes)} |"


def _quoted(text: str) -> str:
    """What is no prose, as code."""
    if "`" in text:
        return text
    return ", ".join(each.replace("<", "&lt;") if " " in each else f"`{each}`" for each in text.split(", "))


def _field(path: str) -> str:
    if path.startswith(REFERENCE):
        return f"`{path[len(REFERENCE) :]}`, by reference"
    if path == "user":
        return "`actor.user`"
    return f"`{path.replace('request.prompt.', 'request.prompts.')}`"


def _becomes(meaning: About) -> str:
    if meaning.kind == "context":
        return "context"
    if meaning.kind == "tool_call":
        return "tool call"
    name = pb.AiOperation.Name(meaning.operation).removeprefix("AI_OPERATION_").lower()
    return "request" if name == "unspecified" else f"request, `{name}`"


def rewritten(document: str) -> str:
    """The document with its tables written anew."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


if __name__ == "__main__":
    for each in map(Path, sys.argv[1:]):
        each.write_text(rewritten(each.read_text("utf-8")), "utf-8")
