"""The command `publish`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import click

from ledger.cli.delivering import Delivery, deliver, delivery_options
from ledger.cli.event_lines import NotAnEvent, parse_line
from ledger.cli.sending import Placed, Refusal
from ledger.importers.records import Place


@click.command(short_help="Publish events from JSON Lines.")
@click.argument("file", type=click.File("rb"))
@delivery_options
def publish(file: BinaryIO, delivery: Delivery) -> None:
    """Publish FILE (or - for standard input): one event a line, in protobuf's JSON form.

    Bytes are base64. Lines that are no events and events that the gateway rejects are listed in the order of their
    lines, with column or field, and make the exit code 1; everything else is published.

    \b
    Examples:
      audit-ledger publish events.jsonl --tenant acme --to 127.0.0.1:7443 --wait
      cat events.jsonl | audit-ledger publish - --tenant acme
    """
    wrong: list[Refusal] = []

    def events() -> Iterator[Placed]:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            place = Place("", number)
            try:
                event = parse_line(line)
            except NotAnEvent as error:
                wrong.append(Refusal(place, error.field, f"no event: {error.reason}", error.column))
            else:
                yield place, event

    deliver(events(), delivery, wrong, {})
