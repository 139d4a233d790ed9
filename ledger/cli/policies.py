"""The command `policy`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

import click

from ledger.cli.event_lines import parse_line
from ledger.cli.options import home_option, json_option, open_home
from ledger.cli.output import print_json, print_table, print_wrapped
from ledger.errors import Misconfigured, Rejected
from ledger.gateway.capturing import Captured, Capturer
from ledger.policy import Policy, parse_policy
from ledger.policy.document import FILE_BYTES_MAX
from ledger.policy.plain import sentences, warnings
from ledger.policy.rules import CLASSES, UNCLASSIFIED
from ledger.record.capture import ContentCapture
from ledger.record.payload import KINDS
from ledger.record.translate import Submission, translate

SAMPLE_TENANT = "sample"
File = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group(short_help="Explain and try the capture policy.")
def policy() -> None:
    """Explain and try the capture policy: what is kept of an event, how long, and who may have been given it.

    The policy in force is the file `policy.toml` of the home (setting ledger.capture_policy). A running gateway takes a
    changed file within seconds, records that as a Change event, and keeps the old one where the new file is none.
    """


@policy.command()
@home_option
@click.argument("file", type=File, required=False)
@click.option("--tenant", help="Show, kind by kind and class by class, what becomes of this tenant's data.")
@click.option(
    "--event", type=click.File("rb"), help="Try it on the events of this file, JSON Lines as for publish; - for stdin."
)
@json_option
def check(home: Path, file: Path | None, tenant: str | None, event: IO[bytes] | None, as_json: bool) -> None:
    """Check a policy file and say in plain words what it does. Without FILE: the one of the home.

    With --event it shows what would be kept of each content of some sample events; nothing is sent or stored. The
    numbers of redacted values are others than a gateway would give.

    Exit code 2, with the place that is wrong, when the file is not a policy.

    \b
    Examples:
      audit-ledger policy check
      audit-ledger policy check new-policy.toml --tenant acme
      audit-ledger policy check new-policy.toml --tenant acme --event sample.jsonl
    """
    tenants = _tenants(home)
    if file is None:
        file = open_home(home).config().ledger.capture_policy
    checked = _parse(file)
    told, doubts = list(sentences(checked)), list(warnings(checked, tenants))
    table = _table(checked, tenant) if tenant and event is None else []
    tried = _try(checked, tenant or SAMPLE_TENANT, event) if event is not None else []
    if as_json:
        print_json(
            {
                "policy": checked.identity,
                "sha256": checked.sha256.hex(),
                "sentences": told,
                "warnings": doubts,
                "decisions": table,
                "events": tried,
            }
        )
        return
    click.echo(f"policy {checked.identity}, SHA-256 {checked.sha256.hex()}")
    for sentence in told:
        print_wrapped(sentence)
    for doubt in doubts:
        click.secho(f"warning: {doubt}", fg="yellow")
    if table:
        print_table(list(table[0]), [list(row.values()) for row in table])
    for number, each in enumerate(tried, 1):
        _print_tried(number, each)


def _print_tried(number: int, tried: dict[str, Any]) -> None:
    found = f", findings {', '.join(tried['findings'])}" if tried["findings"] else ""
    click.secho(f"\nevent {number}: {tried['kind']}, kept as {tried['mode']}{found}", bold=True)
    for content in tried["contents"]:
        counts = ", ".join(f"{count} {kind}" for kind, count in content["detections"].items())
        click.echo(f"{content['slot']}: {content['mode']}, {content['retention']}{f', {counts}' if counts else ''}")
        if content["kept"] is not None:
            print_wrapped(f"  {content['kept']}")


def _try(policy: Policy, tenant: str, file: IO[bytes]) -> list[dict[str, Any]]:
    """What the policy makes of each event."""
    key = os.urandom(32)
    capturer = Capturer(lambda: policy, lambda _: key)
    tried = []
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                tried.append(_tried(capturer.capture(tenant, submission := translate(parse_line(line))), submission))
            except Rejected as error:
                raise Misconfigured(f"{file.name}, line {number}: {error}") from None
    return tried


def _tried(captured: Captured, submission: Submission) -> dict[str, Any]:
    capture = captured.capture
    contents = []
    for content in submission.contents:
        decided = capture.contents.get(content.slot)
        if content.data is None:
            continue
        if decided is None:
            decided = ContentCapture(capture.mode, capture.retention_class, content.data)
        kept = None if decided.mode == "metadata" else decided.data.decode("utf-8", "replace")
        contents.append(
            {
                "slot": content.slot,
                "class": content.declared_class,
                "mode": decided.mode,
                "retention": decided.retention_class,
                "detections": dict(decided.detections),
                "kept": kept,
            }
        )
    return {
        "kind": submission.kind,
        "mode": capture.mode,
        "findings": [each.finding.rule for each in captured.findings],
        "contents": contents,
    }


def _parse(file: Path) -> Policy:
    try:
        with open(file, "rb") as opened:
            return parse_policy(opened.read(FILE_BYTES_MAX + 1), str(file))
    except OSError as error:
        raise Misconfigured(f"{file}: cannot read the capture policy: {error.strerror}") from None


def _tenants(home: Path) -> list[str] | None:
    """The ledger's tenants; None where there is no ledger: a policy can be checked anywhere."""
    try:
        opened = open_home(home)
        with opened.keys(opened.config()) as keys:
            return [tenant.name for tenant in keys.tenants.all()]
    except Misconfigured:
        return None


def _table(checked: Policy, tenant: str) -> list[dict[str, str]]:
    rows = []
    for kind in KINDS:
        for data_class in (UNCLASSIFIED, *CLASSES):
            found = checked.decide(tenant, kind, data_class)
            rows.append(
                {
                    "kind": kind,
                    "class": data_class,
                    "mode": found.mode,
                    "retention": found.retention.name,
                    "vendors": "any" if found.vendors is None else ", ".join(sorted(found.vendors)) or "none",
                    "in flight": found.in_flight,
                    "rule": found.rule,
                }
            )
    return rows
