"""The commands `import`: one for each kind of file.

A command is `import_command(NAME)` around a function that gives the `Source`; options, dry run, progress, report and
exit code are the same for all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ledger.cli.delivering import Delivery, deliver, delivery_options, report
from ledger.cli.options import Command
from ledger.cli.progress import Progress
from ledger.cli.sending import Placed, Refusal, Sent
from ledger.errors import Rejected
from ledger.importers.bedrock import bedrock
from ledger.importers.litellm import litellm
from ledger.importers.openai_chat import openai_chat
from ledger.importers.otlp import otlp
from ledger.importers.records import Wrong
from ledger.importers.run import Source, import_files
from ledger.record.translate import translate


@click.group(name="import", short_help="Import conversations and logs you already have.")
def import_() -> None:
    """Import what you already have. Importing the same file again adds nothing."""


def import_command(name: str) -> Callable[[Callable[..., Source]], click.Command]:
    """A command of the group: `import NAME FILE... [options]`. The function takes its own options and has the help."""

    def made(source: Callable[..., Source]) -> click.Command:
        def run(files: tuple[Path, ...], dry_run: bool, stop: bool, delivery: Delivery, **own: Any) -> None:
            _import(source(**own), files, delivery, dry_run=dry_run, stop=stop)

        run.__name__, run.__doc__ = source.__name__, source.__doc__
        run.__click_params__ = getattr(source, "__click_params__", [])  # type: ignore[attr-defined]
        return import_.command(name=name)(_files(delivery_options(_dry_run(run))))

    return made


def _files(command: Command) -> Command:
    path = click.Path(path_type=Path, exists=True, allow_dash=True)
    return click.argument("files", metavar="FILE...", nargs=-1, required=True, type=path)(command)


def _dry_run(command: Command) -> Command:
    stopping = click.option("--stop", is_flag=True, help="Stop at the first record that is wrong. Default: go on.")
    dry = click.option("--dry-run", is_flag=True, help="Read, check and count; publish nothing.")
    return dry(stopping(command))


def _import(source: Source, files: tuple[Path, ...], delivery: Delivery, *, dry_run: bool, stop: bool) -> None:
    counts: Counter[str] = Counter({"files": 0, source.record: 0, "requests": 0, "tool_calls": 0})
    wrong: list[Refusal] = []

    def events() -> Iterator[Placed]:
        for each in import_files(source, files, counts, stop=stop):
            if isinstance(each, Wrong):
                wrong.append(Refusal(each.place, each.field, each.reason))
            else:
                yield each.place, each.event

    if dry_run:
        _check(events(), wrong, stop=stop, quiet=delivery.as_json)
        report(Sent(), [], wrong, counts, as_json=delivery.as_json)
    else:
        deliver(events(), delivery, wrong, counts)


def _check(events: Iterator[Placed], wrong: list[Refusal], *, stop: bool, quiet: bool) -> None:
    """Holds each event to what a gateway asks of every event, whatever its policy."""
    with Progress("checked", quiet=quiet) as progress:
        for place, event in events:
            try:
                translate(event)
            except Rejected as error:
                wrong.append(Refusal(place, error.field, error.reason))
                if stop:
                    return
            progress.advance()


@import_command("openai-chat")
@click.option("--occurred-at", help="When the conversations took place, RFC 3339. Default: unknown, and said so.")
def _openai_chat(occurred_at: str | None) -> Source:
    """Import conversations in OpenAI chat format: JSON Lines, gzipped or not, one conversation a line.

    \b
    Examples:
      audit-ledger import openai-chat conversations.jsonl.gz --tenant acme --to 127.0.0.1:7443 --wait
      audit-ledger import openai-chat conversations.jsonl --tenant acme --dry-run
    """
    return openai_chat(_moment(occurred_at))


@import_command("litellm")
def _litellm() -> Source:
    """Import LiteLLM's spend logs: rows of LiteLLM_SpendLogs as JSON, JSON Lines or CSV, gzipped or not.

    \b
    Examples:
      audit-ledger import litellm spend.json --tenant acme --to 127.0.0.1:7443 --wait
      audit-ledger import litellm spend.csv.gz --tenant acme --dry-run
    """
    return litellm()


@import_command("bedrock")
def _bedrock() -> Source:
    """Import AWS Bedrock's model-invocation logs: objects of the S3 bucket, or folders of them.

    \b
    Examples:
      audit-ledger import bedrock AWSLogs/ --tenant acme --to 127.0.0.1:7443 --wait
      audit-ledger import bedrock 20240515T150000Z_1.json.gz --tenant acme --dry-run
    """
    return bedrock()


@import_command("otlp")
@click.option("--as-exported", is_flag=True, help="Fill a gap: as if they had been exported to the gateway.")
def _otlp(as_exported: bool) -> Source:
    """Import OTLP in JSON, as a collector's file exporter writes it: traces or logs, one export a line, gzipped or not.

    Spans and log records become what they would have become over the wire, ids included, but that they were imported
    stands in each. With --as-exported it doesn't, so that those which the gateway has already add nothing.

    \b
    Examples:
      audit-ledger import otlp traces.jsonl.gz --tenant acme --to 127.0.0.1:7443 --wait
      audit-ledger import otlp logs.jsonl traces.jsonl --tenant acme --as-exported
      audit-ledger import otlp traces.jsonl --tenant acme --dry-run
    """
    return otlp(click.get_current_context().params["tenant"], as_exported=as_exported)


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError("--occurred-at: expected an RFC 3339 time such as 2024-05-15T15:00:00Z") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
