"""The command `sql`."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from ledger.cli.options import EXIT_FINDING
from ledger.cli.output import print_json, width
from ledger.v1 import query_pb2
from query import layout, wire
from query.cli import asking
from query.cli.answering import Asked, answer, question_options


@click.command(short_help="An auditor's SQL, read-only, inside one tenant.")
@click.argument("query")
@question_options
@asking.ask_option
def sql(asked: Asked, as_json: bool, ask: str | None, query: str) -> None:
    """Ask QUERY (one SELECT; - reads it from standard input) over the views events, requests, tool_calls, changes,
    decisions, findings and access; docs/SQL.md has their columns.

    It runs in a process of its own that sees nothing but this tenant's rows, with limits on time, memory and rows
    ([query] in the configuration). --json prints an array of objects. Exit code 1 when a limit cut the rows short.

    \b
    Examples:
      audit-ledger sql 'SELECT tool, count(*) AS calls FROM tool_calls GROUP BY tool' --tenant acme
      audit-ledger sql 'SELECT event_id_uuid, happened_at FROM requests WHERE vendor = $$openai$$' --tenant acme --json
      audit-ledger sql - --tenant acme --ask audit.example.org:7444 --ca system --token-file token.jwt < query.sql
    """
    text = sys.stdin.read() if query == "-" else query
    if ask is not None:
        result = wire.sql_result(asking.ask(asked, ask, "Sql", query_pb2.SqlRequest(query=text)))
    else:
        result = answer(asked, lambda queries, reader: queries.sql(asked.tenant, text, reader))
    if as_json:
        print_json(result.to_json_rows())
    else:
        rows = [[_cell(value) for value in row] for row in result.rows]
        click.echo(layout.table(result.columns, rows, width()))
        click.echo(f"{len(rows):,} rows in {result.elapsed_ms:,} ms")
    if result.truncated_by is not None:
        click.echo(f"there are more rows: {result.truncated_by} was reached", err=True)
        raise click.exceptions.Exit(EXIT_FINDING)


def _cell(value: Any) -> str | None:
    """A value in a table: lists and records as JSON."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
