"""The command `policy`."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.options import home_option, json_option, open_home
from ledger.cli.output import print_json, print_table, print_wrapped
from ledger.errors import Misconfigured
from ledger.policy import Policy, parse_policy
from ledger.policy.document import FILE_BYTES_MAX
from ledger.policy.plain import sentences, warnings
from ledger.policy.rules import CLASSES, UNCLASSIFIED
from ledger.record.payload import KINDS

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
@json_option
def check(home: Path, file: Path | None, tenant: str | None, as_json: bool) -> None:
    """Check a policy file and say in plain words what it does. Without FILE: the one of the home.

    Exit code 2, with the place that is wrong, when the file is not a policy.

    \b
    Examples:
      audit-ledger policy check
      audit-ledger policy check new-policy.toml --tenant acme
    """
    tenants = _tenants(home)
    if file is None:
        file = open_home(home).config().ledger.capture_policy
    checked = _parse(file)
    told, doubts = list(sentences(checked)), list(warnings(checked, tenants))
    table = _table(checked, tenant) if tenant else []
    if as_json:
        print_json(
            {
                "policy": checked.identity,
                "sha256": checked.sha256.hex(),
                "sentences": told,
                "warnings": doubts,
                "decisions": table,
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
                    "rule": found.rule,
                }
            )
    return rows
