"""The command `fsck`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from ledger.cli.options import EXIT_FINDING, home_option, json_option, open_home
from ledger.cli.output import print_json, print_table
from ledger.fsck import clean as run_clean
from ledger.fsck import fsck as run_fsck
from ledger.segments.objects import FileStore
from ledger.trust import TrustedKeys

LEFTOVER_AGE_S = 3_600.0


@click.command(short_help="Objects that do not belong, were left over, or are missing.")
@home_option
@click.option("--clean", is_flag=True, help="Remove what is removable: orphans and old leftovers of cut-off writes.")
@click.option(
    "--leftover-age",
    "leftover_age_s",
    type=click.FloatRange(0),
    default=LEFTOVER_AGE_S,
    show_default=True,
    metavar="SECONDS",
    help="A temporary file younger than this may be at work.",
)
@json_option
def fsck(home: Path, clean: bool, leftover_age_s: float, as_json: bool) -> None:
    """Look which objects belong to the ledger, by their names. Changes nothing without --clean; repairs nothing.

    Exit code 1 when there is something a person has to look into: a hole, damage, an unknown object. Traces of crashes
    and of work under way are listed, and are no finding. fsck reports, verify proves.

    \b
    Examples:
      audit-ledger fsck
      audit-ledger fsck --clean --json
    """
    opened = open_home(home)
    config = opened.config()
    store, trust = FileStore(config.ledger.segments), TrustedKeys.load(config.ledger.trust)
    remembered = opened.remembered_rounds(config)
    lines = run_fsck(store, trust, config.ledger.derived, remembered=remembered, leftover_age_s=leftover_age_s)
    removed = set(run_clean(store, lines)) if clean else set()
    problems = sum(line.is_problem for line in lines)
    if as_json:
        print_json(
            {
                "sound": not problems,
                "lines": [{**asdict(line), "removed": line.name in removed} for line in lines],
            }
        )
    else:
        rows = [[line.kind, line.name, line.message + (" (removed)" if line.name in removed else "")] for line in lines]
        if rows:
            print_table(["kind", "object", "what"], rows)
        removable = sum(line.removable for line in lines) - len(removed)
        hint = f"; {removable} removable with --clean" if removable else ""
        click.secho(
            f"fsck: {f'{problems} to look into' if problems else 'nothing to look into'}{hint}",
            fg="red" if problems else "green",
        )
    if problems:
        raise click.exceptions.Exit(EXIT_FINDING)
