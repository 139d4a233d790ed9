"""The command `verify`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from ledger.cli.options import home_option, json_option, open_home
from ledger.cli.output import print_json, print_table, print_wrapped
from ledger.cli.progress import Progress
from ledger.errors import Misconfigured
from ledger.newest_rounds import NewestRound
from ledger.segments.objects import FileStore
from ledger.trust import TrustedKeys
from ledger.verify import Depth, Report
from ledger.verify import Progress as Verified
from ledger.verify import verify as run_verify

Text = click.Path(path_type=Path, exists=True, dir_okay=False)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is held against the rounds: a checkpoint's text, receipts, the key store's memory."""

    since: str | None
    receipts: bytes | None
    remembered: Mapping[int, NewestRound]


@click.command(short_help="Prove that the ledger is what was sealed, and all of it.")
@home_option
@click.option("--files", "depth", flag_value="files", help="Rounds, signatures, placements, digests of files.")
@click.option("--leaves", "depth", flag_value="leaves", help="And every leaf, chain, tree and receipt.")
@click.option("--full", "depth", flag_value="full", default="full", help="And every column and content (default).")
@click.option("--since", type=Text, help="A signed checkpoint kept elsewhere: the log must go on from it.")
@click.option("--receipts", type=Text, help="Receipts kept elsewhere: their events must be sealed.")
@click.option("--tenant", help="Only this tenant's logs.")
@click.option(
    "--segments", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Instead of the home's."
)
@click.option("--trust", type=Text, help="Public keys and logs, instead of the home's file.")
@json_option
def verify(
    home: Path,
    depth: Depth,
    since: Path | None,
    receipts: Path | None,
    tenant: str | None,
    segments: Path | None,
    trust: Path | None,
    as_json: bool,
) -> None:
    """Verify the sealed ledger, changing nothing. Needs no key: only segments and a file of public keys.

    What the files alone cannot show, the loss of the newest rounds, it shows against something kept elsewhere: a
    checkpoint (--since), receipts (--receipts) and, for the home's own segments, what its key store remembers.

    \b
    Examples:
      audit-ledger verify --full
      audit-ledger verify --leaves --since checkpoint.txt --receipts receipts.bin
      audit-ledger verify --segments /mnt/copy/segments --trust trust.json
    """
    remembered: Mapping[int, NewestRound] = {}
    named = segments is not None
    if segments is None or trust is None:
        opened = open_home(home)
        config = opened.config()
        if segments is None:
            remembered = opened.remembered_rounds(config)
        segments, trust = segments or config.ledger.segments, trust or config.ledger.trust
    trusted = TrustedKeys.load(trust)
    store = FileStore(segments)
    if named and not store.names_in("partitions"):
        # With nothing to contradict it, an empty folder would pass.
        raise Misconfigured(
            f"--segments {segments}: holds no sealed rounds; expected the folder with `partitions` in it"
        )
    kept = _Kept(_text(since) if since else None, receipts.read_bytes() if receipts else None, remembered)
    report = _verified(store, trusted, depth, kept, _logs(trusted, tenant), as_json)
    _print(report, as_json, {log.origin: f"{log.tenant}, shard {log.shard}" for log in trusted.logs})
    if not report.passed:
        raise click.exceptions.Exit(1)


def _text(since: Path) -> str:
    try:
        return since.read_text("utf-8")
    except UnicodeDecodeError:
        raise Misconfigured(f"--since {since}: is not UTF-8 text; expected a signed checkpoint") from None


def _logs(trusted: TrustedKeys, tenant: str | None) -> list[bytes] | None:
    if tenant is None:
        return None
    found = [log.log_id for log in trusted.logs if log.tenant == tenant]
    if not found:
        raise Misconfigured(f"tenant {tenant}: the trusted keys know no log of it")
    return found


def _verified(
    store: FileStore,
    trusted: TrustedKeys,
    depth: Depth,
    kept: _Kept,
    logs: list[bytes] | None,
    quiet: bool,
) -> Report:
    with Progress("rounds verified", quiet=quiet) as progress:

        def on_progress(verified: Verified) -> None:
            progress.set(verified.rounds, verified.rounds_total)

        return run_verify(
            store,
            trusted,
            depth=depth,
            since=kept.since,
            receipts=kept.receipts,
            remembered=kept.remembered,
            tenant_logs=logs,
            progress=on_progress,
        )


def _print(report: Report, as_json: bool, names: dict[str, str]) -> None:
    if as_json:
        print_json(
            {
                "passed": report.passed,
                "depth": report.depth,
                "counts": asdict(report.counts),
                "findings": [asdict(finding) for finding in report.findings],
                "findings_dropped": report.findings_dropped,
                "notes": list(report.notes),
                "logs": [{**asdict(head), "root": head.root.hex()} for head in report.heads],
            }
        )
        return
    counts = asdict(report.counts)
    print_wrapped(", ".join(f"{name.replace('_', ' ')}: {count:,}" for name, count in counts.items()))
    if report.heads:
        print_table(
            ["log", "size", "root"],
            [[names.get(head.origin, head.origin), f"{head.size:,}", head.root.hex()] for head in report.heads],
            right=["size"],
        )
    for note in report.notes:
        click.echo(f"note: {note}")
    for finding in report.findings:
        click.secho(f"FINDING {finding.where}: {finding.message} [{finding.rule}]", fg="red")
    if report.findings_dropped:
        click.echo(f"and {report.findings_dropped:,} findings more")
    click.secho(
        f"verify --{report.depth}: {'passed' if report.passed else 'FAILED'}", fg="green" if report.passed else "red"
    )
