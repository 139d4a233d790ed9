"""The commands `seal`, `resume` and `compact`."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click
from prometheus_client import CollectorRegistry

from consumers.compaction import Compacted, CompactionLimits, Compactor
from consumers.going_on import go_on
from consumers.opening import limits, parts
from consumers.sealer import RoundOutcome, now_us
from consumers.service import SealerService
from consumers.superseded import remove_superseded
from ledger.cli.options import home_option, json_option, open_home
from ledger.cli.output import print_json, print_table
from ledger.cli.progress import Progress
from ledger.cli.running import run, run_service
from ledger.config import LedgerConfig
from ledger.config.address import parse_address
from ledger.gateway.observe import ObservationServer
from ledger.home import Home
from ledger.log.interface import EventLog
from ledger.segments.objects import FileStore
from ledger.segments.round import GAP
from ledger.trust.reader import trust_reader


@click.command(short_help="Seal events into signed rounds.")
@home_option
@click.option("--drain", is_flag=True, help="Seal all that the event log holds, then exit.")
@click.option("--partition", type=int, multiple=True, help="Only these partitions. Default: all.")
@click.option("--metrics-listen", metavar="HOST:PORT", help="Address of /metrics and /healthz.")
@json_option
def seal(home: Path, drain: bool, partition: tuple[int, ...], metrics_listen: str | None, as_json: bool) -> None:
    """Seal what gateways accepted into signed rounds, until stopped or, with --drain, until nothing is left.

    Two sealers of one partition are safe: one wins each round, the other goes on behind it.

    \b
    Examples:
      audit-ledger seal --drain
      audit-ledger seal --metrics-listen 127.0.0.1:9102
    """
    opened = open_home(home)
    flags = {"sealer.metrics_listen": metrics_listen} if metrics_listen else {}
    config = opened.config(flags=flags)
    if drain:
        run(_drain(opened, config, partition, as_json))
    else:
        run_service(lambda stop: _serve(opened, config, partition, stop))


async def _drain(home: Home, config: LedgerConfig, partitions: tuple[int, ...], as_json: bool) -> None:
    outcomes: list[RoundOutcome] = []
    with home.keys(config) as keys, Progress("sealed", quiet=as_json) as progress:
        log = home.event_log(config)
        await log.start()
        try:
            chosen = _chosen(log, partitions)

            def on_round(_: int, outcome: RoundOutcome) -> None:
                outcomes.append(outcome)
                progress.advance(outcome.events)

            service = SealerService(
                [parts(config, keys, log, each) for each in chosen], limits(config), on_round=on_round
            )
            await service.drain()
        finally:
            await log.close()
    totals = {
        "rounds": len(outcomes),
        **{
            name: sum(getattr(outcome, name) for outcome in outcomes)
            for name in ("records", "events", "repeats", "conflicts", "undetermined", "quarantined", "placements")
        },
    }
    if as_json:
        print_json(totals)
    else:
        print_table(list(totals), [list(totals.values())], right=list(totals))


async def _serve(home: Home, config: LedgerConfig, partitions: tuple[int, ...], stop: asyncio.Event) -> None:
    registry = CollectorRegistry()
    with home.keys(config) as keys:
        log = home.event_log(config)
        await log.start()
        try:
            chosen = _chosen(log, partitions)
            service = SealerService([parts(config, keys, log, each) for each in chosen], limits(config), registry)
            address = parse_address(config.sealer.metrics_listen, "sealer.metrics_listen")
            observation = ObservationServer(address, registry, lambda: service.healthy)
            observation.start()
            try:
                click.echo(f"sealing {len(chosen)} partitions, metrics on {observation.address}", err=True)
                await service.run(stop)
            finally:
                observation.close()
        finally:
            await log.close()


def _chosen(log: EventLog, partitions: tuple[int, ...]) -> list[int]:
    wrong = [each for each in partitions if not 0 <= each < log.partitions]
    if wrong:
        raise click.UsageError(f"partition {wrong[0]} does not exist; the event log has {log.partitions}")
    return sorted(set(partitions)) or list(range(log.partitions))


@click.command(short_help="Go on after the event log was lost, with a signed reason.")
@home_option
@click.option("--partition", type=click.IntRange(0), required=True, help="The partition whose sealer halted.")
@click.option("--reason", required=True, help="Why; signed into the round and kept for ever.")
@json_option
def resume(home: Path, partition: int, reason: str, as_json: bool) -> None:
    """Order a halted partition to go on although its event log no longer holds what was sealed.

    What was sealed is safe. What was acknowledged but not sealed may be gone: hold the producers' receipts against the
    ledger with verify --receipts. The log is sealed from its first record on; what was sealed before is dropped as a
    repeat. For an event log made anew, put its incarnation into the configuration first.

    \b
    Example:
      audit-ledger resume --partition 0 --reason 'restored the log from the backup of 2026-11-20, ticket OPS-12'
    """
    opened = open_home(home)
    number, kind = run(_resume(opened, opened.config(), partition, reason))
    if as_json:
        print_json({"partition": partition, "round": number, "kind": kind})
    else:
        click.echo(f"partition {partition}: round {number} goes on as a {kind}; start the sealer again")


async def _resume(home: Home, config: LedgerConfig, partition: int, reason: str) -> tuple[int, str]:
    with home.keys(config) as keys:
        log = home.event_log(config)
        await log.start()
        try:
            [chosen] = _chosen(log, (partition,))
            published = await go_on(parts(config, keys, log, chosen), reason)
        finally:
            await log.close()
    return published.round.number, "gap" if published.round.kind == GAP else "new epoch"


@click.command(short_help="Propose large files sorted by subject.")
@home_option
@click.option("--tenant", help="Only this tenant's logs. Default: all.")
@click.option("--rows-least", type=int, default=1, show_default=True, help="Leave logs with fewer new rows alone.")
@click.option(
    "--grace",
    "grace_s",
    type=click.IntRange(0),
    default=3_600,
    show_default=True,
    metavar="SECONDS",
    help="Remove files of contents that were superseded for this long.",
)
@json_option
def compact(home: Path, tenant: str | None, rows_least: int, grace_s: int, as_json: bool) -> None:
    """Rewrite sealed rows into large files sorted by subject, and propose them as placements.

    The sealer checks each proposal and commits it with its next round. Leaves, proofs and checkpoints stay as they are.
    Contents whose keys an erasure or expiry destroyed are left out. Files of contents that earlier placements replaced,
    and files with rows of deleted tenants, are removed once nobody can be reading them any more.

    No other command does this by itself: have it run every hour or so. Every round writes files of its own, and the
    more there are, the longer SQL, find and the first look-up take.

    \b
    Examples:
      audit-ledger compact
      audit-ledger compact --tenant acme --rows-least 100000
      audit-ledger compact --grace 0
    """
    opened = open_home(home)
    config = opened.config()
    with opened.keys(config) as keys, Progress("compacted rows", quiet=as_json) as progress:
        found = keys.tenants.all() if tenant is None else [each for each in (keys.tenants.get(tenant),) if each]
        if not found:
            raise click.UsageError(f"tenant {tenant} is unknown")
        origins = {log.log_id: log for each in found for log in each.logs}
        store = FileStore(config.ledger.segments)
        trust = trust_reader(config.ledger.trust)()
        done: list[Compacted] = []
        files: list[str] = []
        before_us = now_us() - grace_s * 1_000_000
        for partition in range(keys.tenants.partitions()):
            compactor = Compactor(store, partition, trust, CompactionLimits(rows_least=rows_least))
            chosen = [log.log_id for log in origins.values() if log.partition == partition]
            done += compactor.run(chosen, lambda compacted: progress.advance(compacted.rows))
            files += remove_superseded(store, partition, trust, before_us)
    rows = [
        {
            "tenant": origins[each.log_id].tenant,
            "shard": origins[each.log_id].shard,
            "rows": each.rows,
            "files_before": each.files_before,
            "files_after": each.files_after,
            "contents_removed": each.contents_removed,
            "placement": each.placement.hex(),
        }
        for each in done
    ]
    if as_json:
        print_json(rows)
    elif rows:
        numbers = ["rows", "files_before", "files_after", "contents_removed"]
        print_table(list(rows[0]), [list(row.values()) for row in rows], right=numbers)
    else:
        click.echo("nothing to compact")
    if files:
        click.echo(f"{len(files)} superseded files removed", err=True)
