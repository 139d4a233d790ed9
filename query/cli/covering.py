"""The command `coverage`."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click

from ledger.cli.options import EXIT_FINDING
from ledger.cli.output import print_json, width
from ledger.v1 import query_pb2
from query import render_coverage
from query.cli import asking
from query.cli.answering import MOMENT, Asked, answer, question_options
from query.story import Window


@click.command(short_help="Which services send what, and what their events lack to answer an auditor.")
@question_options
@asking.ask_option
@click.option("--since", type=MOMENT, help="Only what was received from then on.")
@click.option("--until", type=MOMENT, help="Only what was received before.")
@click.option(
    "--fail-under",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Exit code 1 when a service answers less than this of what is core, or there is no event at all.",
)
def coverage(
    asked: Asked,
    as_json: bool,
    ask: str | None,
    since: datetime | None,
    until: datetime | None,
    fail_under: float | None,
) -> None:
    """Show, service by service, what it sends and what its events would still need: pinned model version, prompt
    revision, user, contents, a tool's parameters, the request behind it, authorization, ...; which of it is inferred;
    and which attribute supplies it. docs/COVERAGE.md tells how it is counted.

    Metadata only: no content is opened.

    \b
    Examples:
      audit-ledger coverage --tenant acme
      audit-ledger coverage --tenant acme --since 2026-11-01 --fail-under 80
      audit-ledger coverage --tenant acme --ask audit.example.org:7446 --ca ca.pem --token-file token --json
    """
    if ask is not None:
        request = asking.bounded(query_pb2.CoverageRequest(), Window(since, until), as_json)
        found = asking.ask(asked, ask, "Coverage", request)
        told, page = json.loads(found.json), found.page
    else:
        result = answer(asked, lambda queries, reader: queries.coverage(asked.tenant, reader, since, until))
        told, page = result.to_json(), "" if as_json else render_coverage.page(result, width())
    if as_json:
        print_json(told)
    else:
        click.echo(page, nl=False)
    _check(told, fail_under)


def _check(told: dict[str, Any], fail_under: float | None) -> None:
    if fail_under is None:
        return
    if fail_under > 0 and not told["services"]:
        click.echo("no event: nothing is answered", err=True)
        raise click.exceptions.Exit(EXIT_FINDING)
    short = [
        each
        for each in told["services"]
        if each["answered_percent"] is not None and each["answered_percent"] < fail_under
    ]
    for each in short:
        click.echo(f"{each['service']}: {each['answered_percent']:g}% is answered, below {fail_under:g}%", err=True)
    if short:
        raise click.exceptions.Exit(EXIT_FINDING)
