"""The commands `tenant export` and `check-export`."""

from __future__ import annotations

import json
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import click

from ledger import __version__
from ledger.cli.options import home_option, json_option, open_home, own_to_option
from ledger.cli.ordering import ROLE, check_request, ordered, requesting
from ledger.cli.output import print_json, print_table, print_wrapped
from ledger.cli.progress import Progress
from ledger.cli.running import run
from ledger.client.ids import event_id
from ledger.deletion.ending import Endings
from ledger.errors import Misconfigured, Rejected
from ledger.export.checking import CheckedExport
from ledger.export.checking import check_export as check_exported_folder
from ledger.export.manifest import NAME, Manifest, open_manifest
from ledger.export.record import ExportMade, Exports
from ledger.export.writing import Export, ExportParts, finish
from ledger.gateway.own import OwnPublisher, ThroughGateway
from ledger.home import OpenKeys, ledger_key_name
from ledger.keys.destruction import Request
from ledger.segments.objects import FileStore
from ledger.tenants import SYSTEM, Tenant
from ledger.trust import TrustedKeys
from ledger.trust.current_signer import CurrentSigner
from ledger.v1 import event_pb2 as pb


@click.command(short_help="Export a tenant: events, proofs and, if ordered, contents.")
@home_option
@own_to_option
@click.argument("tenant")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="The folder to make.")
@ordered("ExportTenant")
@requesting("Why contents are needed; kept encrypted in the Access event.")
@click.option("--with-contents", is_flag=True, help="Decrypt the contents too; recorded as an access first.")
@click.option("--case", "case_id", default="", metavar="ID", help="The case that contents are needed for.")
@click.option("--dry-run", is_flag=True, help="Say how much it would be, and write nothing.")
@json_option
def export(
    home: Path,
    to: str | None,
    tenant: str,
    output: Path | None,
    request: Request,
    with_contents: bool,
    case_id: str,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Write all that was sealed of a tenant into a folder that proves itself: events, statements, receipts, the signed
    checkpoint, public keys, and a signed manifest. `check-export` checks it without the ledger and without a key.

    Contents are in it only with --with-contents: decrypted, each with the salt of its commitment. That needs a --reason
    and is sealed as an Access of the tenant before anything is decrypted. The folder appears when it is whole and was
    checked; what was interrupted is begun anew by the same command.

    \b
    Examples:
      audit-ledger tenant export acme --dry-run
      audit-ledger tenant export acme -o acme-export
      audit-ledger tenant export acme -o acme-all --with-contents --reason 'contract 17 ends: return of data'
    """
    opened = open_home(home)
    config = opened.config()
    check_request(request)
    if with_contents and not request.reason:
        raise Rejected("reason", "is required before contents are decrypted")
    if output is None and not dry_run:
        raise click.UsageError("expected -o DIR, or --dry-run")
    with opened.keys(config) as keys, Progress("rows", quiet=as_json) as progress:
        found = _tenant(keys, tenant)
        trust = TrustedKeys.load(config.ledger.trust)
        store = FileStore(config.ledger.segments)
        ends = Endings(store, lambda: trust).of(found)
        now_ms = time.time_ns() // 1_000_000
        signers = CurrentSigner(keys.store, "ledger", ledger_key_name(config.ledger.name), lambda: trust)
        parts = ExportParts(
            store, trust, keys.store, signers(now_ms * 1_000), request.requester, now_ms, on_rows=progress.advance
        )
        work = Export(parts, found, ends)
        if dry_run:
            _show_extent(found, work, as_json)
            return
        if output is None or not _is_ours(output, trust, found, Exports(keys.database), as_json):
            publisher = ThroughGateway(opened, keys, to)
            made = run(_write(work, keys, found, publisher, request, case_id, output or Path(), with_contents))
            _show(made, output or Path(), as_json)


async def _write(
    work: Export,
    keys: OpenKeys,
    tenant: Tenant,
    publisher: OwnPublisher,
    request: Request,
    case_id: str,
    output: Path,
    with_contents: bool,
) -> Manifest:
    async def on_access(events: int, contents: int) -> None:
        await publisher.publish(tenant.name, [_access(request, case_id, events, contents)])

    made, staged = await work.write(output, on_access if with_contents else None)
    digest = sha256((staged / NAME).read_bytes()).digest()
    await publisher.publish(tenant.name, [_operation(request, made, digest)])
    finish(staged, output)
    _record(Exports(keys.database), made, digest)
    return made


def _record(exports: Exports, made: Manifest, digest: bytes) -> None:
    sizes = {each.origin.rsplit("/", 1)[-1]: each.size for each in made.logs}
    exports.add(ExportMade(made.tenant, made.at_ms, digest, made.contents, sizes))


def _is_ours(output: Path, trust: TrustedKeys, tenant: Tenant, exports: Exports, as_json: bool) -> bool:
    """Whether an export of this tenant is whole there already: it may have been interrupted at its very end."""
    if not (output / NAME).is_file():
        return False
    data = (output / NAME).read_bytes()
    made = open_manifest(data, trust)
    newest = exports.newest(tenant.name)
    if made.tenant != tenant.name or (newest is not None and newest.at_ms >= made.at_ms):
        raise Misconfigured(f"{output}: holds an export already; an export is never written over anything")
    check_exported_folder(output, trust)
    _record(exports, made, sha256(data).digest())
    _show(made, output, as_json)
    return True


def _access(request: Request, case_id: str, events: int, contents: int) -> pb.Event:
    event = _event(request)
    access = event.access
    access.reader, access.case_id = request.requester, case_id
    access.role = click.get_current_context().meta.get(ROLE, "")
    access.query_kind = pb.QUERY_KIND_EXPORT
    access.events_touched, access.contents_decrypted = events, contents
    access.result = pb.ACCESS_RESULT_ANSWERED
    access.query.media_type = "application/json"
    access.query.text = json.dumps({"export": {"contents": True}, "reason": request.reason}, ensure_ascii=False)
    return event


def _operation(request: Request, made: Manifest, digest: bytes) -> pb.Event:
    event = _event(request)
    operation = event.operation
    operation.action = pb.OPERATION_ACTION_EXPORT
    operation.target = f"sha256:{digest.hex()}"
    operation.count = sum(each.size for each in made.logs)
    operation.approvers.extend(request.approvers)
    operation.legal_ground = request.legal_ground
    operation.succeeded = True
    return event


def _event(request: Request) -> pb.Event:
    event = pb.Event(event_id=event_id(), phase=pb.PHASE_SINGLE, classification=pb.CLASSIFICATION_CONFIDENTIAL)
    event.occurred_at.GetCurrentTime()
    event.producer.service = "audit-ledger-export"
    event.producer.version = __version__
    event.producer.capture_path = pb.CAPTURE_PATH_STUB
    event.actor.credential_id = request.requester
    return event


def _tenant(keys: OpenKeys, tenant: str) -> Tenant:
    found = keys.tenants.get(tenant)
    if found is None or tenant == SYSTEM:
        raise Rejected("tenant", f"there is no tenant {tenant}")
    if found.state not in ("open", "closing"):
        raise Rejected("tenant", f"{tenant} was deleted, or is being: there is nothing to export any more")
    return found


def _show_extent(tenant: Tenant, work: Export, as_json: bool) -> None:
    extent = work.extent()
    rows = {
        "events": extent.events,
        "contents that can be opened": extent.contents,
        "contents whose keys are destroyed": extent.contents_closed,
        "bytes of the files they stand in": extent.bytes,
    }
    if as_json:
        names = ("events", "contents", "contents_closed", "bytes")
        print_json({"tenant": tenant.name, **{each: getattr(extent, each) for each in names}})
    else:
        print_table(["what", "number"], [[what, f"{count:,}"] for what, count in rows.items()], right=["number"])


def _show(made: Manifest, output: Path, as_json: bool) -> None:
    if as_json:
        print_json({"folder": str(output), **_row(made)})
        return
    for log in made.logs:
        click.echo(f"{log.origin}: {log.size:,} events, root {log.root.hex()}")
    click.echo(f"{made.contents:,} contents decrypted, {len(made.files):,} files in {output}, checked")


def _row(made: Manifest) -> dict[str, Any]:
    return {
        "tenant": made.tenant,
        "ledger": made.ledger,
        "logs": [{"origin": each.origin, "size": each.size, "root": each.root.hex()} for each in made.logs],
        "contents": made.contents,
        "contents_closed": made.contents_closed,
        "files": len(made.files),
        "bytes": sum(file.bytes for file in made.files),
    }


@click.command(name="check-export", short_help="Check a tenant's export: needs no ledger and no secret.")
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--trust",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The ledger's trust.json that you have from elsewhere.",
)
@click.option("--unpinned", is_flag=True, help="Check against the keys in FOLDER: says nothing of whose they are.")
@click.option(
    "--final",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The tenant's final statement: it must be of the same logs, and no shorter.",
)
@json_option
def check_export(folder: Path, trust: Path | None, unpinned: bool, final: Path | None, as_json: bool) -> None:
    """Check FOLDER, which `audit-ledger tenant export` wrote: every file against the signed manifest, every event
    against its leaf, chain, receipts and the signed checkpoint, every content against what was committed to when it was
    captured. Exit code 1 when something does not hold.

    \b
    Examples:
      audit-ledger check-export acme-export --trust trust.json
      audit-ledger check-export acme-export --trust trust.json --final final.txt
    """
    if (trust is not None) == unpinned:
        raise click.UsageError("expected exactly one of --trust FILE, from elsewhere than FOLDER, and --unpinned")
    keys = TrustedKeys.load(trust or folder / "trust.json")
    found = check_exported_folder(folder, keys, None if final is None else final.read_text("utf-8"))
    ids = sorted(key.verifier.key_id.hex() for key in keys.for_role("ledger"))
    if as_json:
        counts = {"events": found.events, "receipts": found.receipts}
        print_json({"pinned": not unpinned, "keys": ids, **_row(found.manifest), **counts})
        return
    _tell(found, unpinned, ids)


def _tell(found: CheckedExport, unpinned: bool, ids: list[str]) -> None:
    made = found.manifest
    for log in made.logs:
        click.echo(f"{log.origin}: {log.size:,} events, root {log.root.hex()}")
    rests = f"only relative to the keys in the folder, ids {', '.join(ids)}" if unpinned else "under the keys you gave"
    print_wrapped(
        f"good: tenant {made.tenant} of {made.ledger}, {found.events:,} events under {found.receipts:,} receipts, "
        f"{found.contents:,} contents as committed to, {len(made.files):,} files as listed; {rests}"
    )
