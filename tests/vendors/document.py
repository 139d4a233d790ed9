"""The parts of docs/VENDORS.md that are made: the table and the printed reconstructions. Each stands behind its marker.

`python -m tests.vendors.document` runs all recipes and writes them anew; a test compares what the document shows with
what its own run gave, ids, digests, times and numbers aside.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tests.vendors import anthropic_api, azure_api, bedrock_api, google_api, openai_chat, openai_responses
from tests.vendors.recipes import DOCUMENT, Run
from tests.vendors.runs import BARE, INSTRUMENTATION, OTHERS, RECOMMENDED
from tests.vendors.runs_ledger import RunsLedger, runs_ledger
from tests.vendors.serving import serving

WIRE_FORMATS = (openai_chat, openai_responses, azure_api, anthropic_api, google_api, bedrock_api)
BARE_SERVICE = BARE.environment["OTEL_SERVICE_NAME"]
INSTRUCTIONS = "You help with orders."
_SECTION = "<!-- made: {} -->\n{}<!-- end -->\n"
_ANY_SECTION = re.compile(r"<!-- made: ([a-z-]+) -->\n(.*?)<!-- end -->\n", re.S)
_HEX = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{6,}")
_NUMBER = re.compile(r"\d+")
_LATER_CONTENTS = ("input", "tool_definitions", "system_instructions")
_CONTENT = re.compile(r"   ([a-z_]+) \(\w+\)")

# What an answered request may say: a name for the table, and how to find it.
_FIELDS: Mapping[str, str] = {
    "vendor": "vendor",
    "region": "region",
    "model asked for": "model_requested",
    "model that answered": "model_answered",
    "request id": "provider_request_id",
    "temperature": "temperature",
    "tokens": "tokens_out",
    "cached tokens": "tokens_cached",
    "finish reason": "finish_reason_raw",
}
_CONTENTS: Mapping[str, str] = {
    "input": "input",
    "output": "output",
    "tool definitions": "tool_definitions",
}


def sections(ledger: RunsLedger) -> dict[str, str]:
    """All made parts by the name of their marker."""
    made = {"table": table(ledger), "coverage": coverage(ledger)}
    for run in RECOMMENDED:
        made[f"reconstruction-{run.name}"] = printed(ledger, run)
    return made


def shown() -> dict[str, str]:
    """The parts as the document shows them."""
    return dict(_ANY_SECTION.findall(DOCUMENT.read_text("utf-8")))


def essence(part: str) -> str:
    """A part without what differs from run to run: ids, digests, times, numbers, and where lines broke."""
    bare = "".join(part.replace("│", "").split())
    return _NUMBER.sub("0", _HEX.sub("0", bare))


def printed(ledger: RunsLedger, run: Run) -> str:
    """What `audit-ledger reconstruct` prints of one conversation; inputs that repeat are cut."""
    command = ("reconstruct", "--tenant", "acme", "--session", run.session("whole"))
    told = ledger.cli.good(*command, "--to", ledger.up.gateway).out
    lines = list(_cut(told.partition("\nCheckpoints")[0].rstrip().splitlines()))
    return "```console\n$ audit-ledger " + " ".join(command) + "\n" + "\n".join(lines) + "\n```\n"


def coverage(ledger: RunsLedger) -> str:
    """What `audit-ledger coverage` says of the requests of a service that exports, and says nothing else."""
    told = ledger.cli.good("coverage", "--tenant", "acme", "--to", ledger.up.gateway).out
    lines = told[told.index(f"{BARE_SERVICE}: ") :].partition("\ntool_call:")[0].rstrip()
    return f"```console\n$ audit-ledger coverage --tenant acme\n…\n{lines}\n…\n```\n"


def _cut(lines: list[str]) -> Iterator[str]:
    """Tool definitions, and what the last step repeats of the first, become one line with dots."""
    step, cutting = 0, False
    for line in lines:
        step += line.startswith("── ")
        content = _CONTENT.match(line)
        if content is not None:
            cutting = content[1] == "tool_definitions" or (step > 1 and content[1] in _LATER_CONTENTS)
        elif not line.startswith("   │"):
            cutting = False
        if not cutting:
            yield line
        elif content is not None:
            yield f"{line}: …"


def table(ledger: RunsLedger) -> str:
    """One row a client and instrumentation: what its events don't say, and what became of a stream that broke off."""
    rows = ["| client | instrumentation | unknown | a stream that breaks off |", "| --- | --- | --- | --- |"]
    for run in (*RECOMMENDED, *OTHERS):
        chosen = " (the recipe)" if run in RECOMMENDED else ""
        missing = ", ".join(unknown(ledger, run)) or "nothing of these"
        client = run.name.partition("-")[0]
        rows.append(f"| {client} | {INSTRUMENTATION[run.name]}{chosen} | {missing} | {broken(ledger, run)} |")
    return "\n".join(rows) + "\n"


def unknown(ledger: RunsLedger, run: Run) -> Iterator[str]:
    """What the events of a run don't say, whole answer or stream."""
    whole, stream, error, refused = (
        list(_requests(ledger, run, case)) for case in ("whole", "stream", "error", "error-stream")
    )
    answered = {" in answers": whole, " in streams": stream}
    for name, field in _FIELDS.items():
        if field != "temperature" or run.application != "anthropic_app":  # that client has none
            yield from _lacking(name, answered, partial(_says, field))
    yield from _lacking("time to first token", {"": stream}, partial(_says, "time_to_first_token_ms"))
    for name, slot in _CONTENTS.items():
        yield from _lacking(name, answered, partial(_holds, slot))
    yield from _lacking("system instructions", answered, _instructed)
    failed = {" in answers": error, " in streams": refused}
    yield from _lacking("that a request failed", failed, partial(_says, "error_class"))
    yield from _lacking("input of failed requests", failed, partial(_holds, "input"))
    tools = [step for step in ledger.steps(run, "whole") if step["kind"] == "tool_call"]
    yield from _lacking("which answer asked for a tool", {"": tools}, lambda step: bool(step["requested_by_step"]))


def _says(field: str, step: Mapping[str, Any]) -> bool:
    return field in body(step)


def _holds(slot: str, step: Mapping[str, Any]) -> bool:
    return slot in contents(step)


def _instructed(step: Mapping[str, Any]) -> bool:
    """Whether the instructions are there; OpenAI's chat has them among the messages."""
    held = contents(step)
    return INSTRUCTIONS in held.get("system_instructions", "") + held.get("input", "")


def _lacking(
    name: str, cases: Mapping[str, list[dict[str, Any]]], has: Callable[[dict[str, Any]], bool]
) -> Iterator[str]:
    lacking = [case for case, steps in cases.items() if not any(has(step) for step in steps)]
    yield from [name] if len(lacking) == len(cases) else [name + case for case in lacking]


def broken(ledger: RunsLedger, run: Run) -> str:
    """What is on record of a stream that broke off."""
    steps = list(_requests(ledger, run, "cut"))
    if not steps:
        return "no record"
    if "error_class" not in body(steps[0]):
        return "on record as if it had ended well"
    return "on record as failed" + (", with what had come" if "output" in contents(steps[0]) else "")


def _requests(ledger: RunsLedger, run: Run, case: str) -> Iterator[dict[str, Any]]:
    return (step for step in ledger.steps(run, case) if step["kind"] == "request")


def body(step: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a step's event; what it leaves open, as what came later tells it."""
    (event,) = step["events"]
    later: dict[str, Any] = {}
    for each in step["amendments"]:
        later |= each["fields"].get(event["kind"], {})
    return {**later, **event["fields"][event["kind"]]}


def contents(step: Mapping[str, Any]) -> dict[str, str]:
    """The contents of a step by slot, those that came later among them."""
    events = (*step["events"], *step["amendments"])
    return {each["slot"]: each["text"] for event in events for each in event["contents"] if "text" in each}


def main() -> None:
    """Writes the made parts into the document."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(*(each.routes() for each in WIRE_FORMATS)) as vendor,
        runs_ledger(Path(folder), vendor) as ledger,
    ):
        ledger.run((*RECOMMENDED, *OTHERS, BARE))
        made = sections(ledger)
    text = DOCUMENT.read_text("utf-8")
    DOCUMENT.write_text(_ANY_SECTION.sub(lambda found: _SECTION.format(found[1], made[found[1]]), text), "utf-8")


if __name__ == "__main__":
    main()
