"""The command `status`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ledger.cli.options import home_option, json_option, open_home
from ledger.cli.output import print_json, print_table, print_wrapped
from ledger.cli.running import run
from ledger.config import LedgerConfig
from ledger.errors import LedgerError
from ledger.home import Home
from ledger.keys.deletion_record import TenantDeletion
from ledger.keys.destruction import Destruction
from ledger.keys.erasure import Destructions
from ledger.keys.tenant_deletion import TenantDeletions, Waits
from ledger.log.interface import Bounds
from ledger.operations import Operations
from ledger.segments.history import History
from ledger.segments.objects import FileStore
from ledger.segments.state import PartitionState
from ledger.tenants import Tenant
from ledger.tiles import DerivedDamaged, Tiles
from ledger.trust import TrustedKeys


@click.command(short_help="Rounds, sizes, and what is not sealed yet.")
@home_option
@json_option
def status(home: Path, as_json: bool) -> None:
    """Show each partition's newest round and how far sealing lags, each tenant's events, and unfinished erasures.

    \b
    Examples:
      audit-ledger status
      audit-ledger status --json
    """
    opened = open_home(home)
    config = opened.config()
    with opened.keys(config) as keys:
        tenants = keys.tenants.all()
        partitions = keys.tenants.partitions()
        unfinished = [_unfinished(each) for each in Destructions(keys.database, keys.master).unfinished()]
        deletions = TenantDeletions(keys.database, keys.master, Waits(0.0, 0.0)).all()
        unfinished += [_deletion(each) for each in deletions if not each.finished]
        unrecorded = Operations(keys.database).waiting()
    states = _states(config, partitions)
    bounds = run(_bounds(opened, config, partitions))
    parts = [_partition(states[each], bounds.get(each)) for each in range(partitions)]
    sizes = [_tenant(each, states, config.ledger.derived / "tiles") for each in tenants]
    stored = {name: _folder(path) for name, path in _folders(opened, config).items()}
    if as_json:
        print_json(
            {
                "ledger": config.ledger.name,
                "event_log": config.ledger.event_log,
                "partitions": parts,
                "tenants": sizes,
                "stored": stored,
                "unfinished": unfinished,
                "unrecorded_operations": unrecorded,
            }
        )
        return
    click.echo(f"ledger {config.ledger.name}, event log {config.ledger.event_log}")
    if not bounds:
        click.echo("the event log does not answer: what is not sealed yet is unknown")
    for rows in (parts, sizes):
        numbers = [name for name in rows[0] if name not in ("tenant", "state")]
        print_table(list(rows[0]), [list(row.values()) for row in rows], right=numbers)
    words = (f"{name} {each['bytes']:,} bytes in {each['files']:,} files" for name, each in stored.items())
    print_wrapped("stored: " + ", ".join(words))
    for each in unfinished:
        print_wrapped(
            f"unfinished: the {each['kind']} of tenant {each['tenant']} marked {each['marked_at']} is {each['phase']}; "
            f"`audit-ledger {each['resume']}` goes on with it"
        )
    if unrecorded:
        click.echo(f"{unrecorded} operations are not recorded yet; the next gateway that runs does that")


def _unfinished(destruction: Destruction) -> dict[str, str]:
    return {
        "kind": destruction.kind,
        "tenant": destruction.tenant,
        "phase": destruction.phase,
        "marked_at": datetime.fromtimestamp(destruction.marked_at_ms / 1_000, UTC).isoformat(timespec="seconds"),
        "resume": "erase --resume",
    }


def _deletion(deletion: TenantDeletion) -> dict[str, str]:
    return {
        "kind": "deletion",
        "tenant": deletion.tenant,
        "phase": deletion.phase,
        "marked_at": datetime.fromtimestamp(deletion.closed_at_ms / 1_000, UTC).isoformat(timespec="seconds"),
        "resume": f"tenant delete {deletion.tenant} --resume",
    }


def _folders(home: Home, config: LedgerConfig) -> dict[str, Path]:
    """What takes room, by name."""
    return {"segments": config.ledger.segments, "derived": config.ledger.derived, "embedded_log": home.path / "log"}


def _folder(path: Path) -> dict[str, int]:
    """How much a folder holds; what vanishes meanwhile is not counted."""
    sizes = []
    for each in path.rglob("*"):
        try:
            if each.is_file():
                sizes.append(each.stat().st_size)
        except FileNotFoundError:
            continue
    return {"files": len(sizes), "bytes": sum(sizes)}


def _states(config: LedgerConfig, partitions: int) -> list[PartitionState]:
    store, trust = FileStore(config.ledger.segments), TrustedKeys.load(config.ledger.trust)
    states = []
    for partition in range(partitions):
        history = History(store, partition, trust)
        history.check_contiguous()
        state = PartitionState(partition)
        for _ in history.follow(state):
            pass
        states.append(state)
    return states


async def _bounds(home: Home, config: LedgerConfig, partitions: int) -> dict[int, Bounds]:
    """What the event log holds; empty when it does not answer."""
    log = home.event_log(config)
    try:
        await log.start()
        return {partition: await log.bounds(partition) for partition in range(partitions)}
    except LedgerError:
        return {}
    finally:
        await log.close()


def _partition(state: PartitionState, bounds: Bounds | None) -> dict[str, Any]:
    sealed_at = datetime.fromtimestamp(state.sealed_at_us / 1e6, UTC) if state.next_number else None
    return {
        "partition": state.partition,
        "rounds": state.next_number,
        "sealed_to_offset": state.next_offset,
        "log_end": bounds.end if bounds else None,
        "unsealed_records": bounds.end - state.next_offset if bounds else None,
        "newest_round": sealed_at.isoformat(timespec="seconds") if sealed_at else None,
    }


def _tenant(tenant: Tenant, states: list[PartitionState], tiles: Path) -> dict[str, Any]:
    heads = [states[log.partition].head(log.log_id) for log in tenant.logs]
    return {
        "tenant": tenant.name,
        "state": tenant.state,
        "logs": len(heads),
        "events": sum(head.size for head in heads),
        "compacted": sum(head.placed_size for head in heads),
        "in_tiles": sum(_tiles(tiles / log.log_id.hex()) for log in tenant.logs),
    }


def _tiles(folder: Path) -> int:
    """How many leaves a log's derived tiles cover; none where they are damaged, since they are then made anew."""
    try:
        return Tiles(folder).size
    except DerivedDamaged:
        return 0
