"""The command group `keys`: what keys there are, and their rotation. Shows ids, never a key."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import click

from ledger.cli.options import home_option, json_option, open_home
from ledger.cli.ordering import requester_option
from ledger.cli.output import print_json, print_table
from ledger.config import LedgerConfig
from ledger.home import OpenKeys, gateway_key_name, ledger_key_name
from ledger.keys.masters import rotate_master
from ledger.keys.pkcs11 import make_master_key, make_signing_key
from ledger.keys.rotation import current_master_id, rotate_tenant_key, rows_by_master, tenant_generations
from ledger.keys.signing import Role
from ledger.operations import Operations, Outcome
from ledger.tenants import ORG
from ledger.tlog.note import VerifierKey
from ledger.trust import TrustedKey, TrustedKeys
from ledger.trust.rotation import SigningRotation, rotate_signing_key

DAY_S = 86_400
PAGES_LEFT = "note: somebody was reading; older pages of the key store go with its next checkpoint"


@click.group(short_help="List keys, rotate them, make them for a gateway or in a token.")
def keys() -> None:
    """List keys, rotate them, make them for a gateway or in a token. docs/KEYS.md says which key is for what."""


@keys.command(name="list")
@home_option
@json_option
def list_(home: Path, as_json: bool) -> None:
    """List ids, generations and ranges of all keys but those of persons.

    \b
    Examples:
      audit-ledger keys list
      audit-ledger keys list --json
    """
    opened = open_home(home)
    config = opened.config()
    with opened.keys(config) as found:
        signing = _signing(found, TrustedKeys.load(config.ledger.trust))
        current = current_master_id(found.database)
        masters = [
            {"key_id": key_id, "seals": key_id == current, "rows": rows}
            for key_id, rows in sorted(({current: 0} | rows_by_master(found.database)).items())
        ]
        tenants = [
            {"tenant": tenant, "generation": generation, "master_key": master}
            for tenant, generation, master in tenant_generations(found.database)
        ]
    if as_json:
        print_json({"master": masters, "tenant": tenants, "signing": signing})
        return
    _table("master key", masters)
    click.echo()
    _table("tenant key", tenants)
    click.echo()
    hidden = ("public_key", "secret")
    shown = [{name: row[name] for name in row if name not in hidden} for row in signing]
    for row in shown:
        for name in ("not_before", "not_after"):
            row[name] = row[name] and f"{row[name][:16]}Z"
    _table("signing key", shown)


@keys.group(short_help="Let a new key follow an old one.")
def rotate() -> None:
    """Let a new key follow an old one. Nothing has to be stopped, and no content is encrypted anew."""


@rotate.command()
@home_option
@requester_option
@json_option
def master(home: Path, requester: str, as_json: bool) -> None:
    """Seal every key of the key store under a new master key.

    A key in a file gets a successor in the same place; the old file is kept beside it as FILE.retired-ID, for key
    stores restored from a backup. To a key in a token, or from one to the next: name the new one in
    ledger.master_key and the one before in ledger.master_key_previous, then run this. Run again after any
    interruption, it goes on.

    \b
    Example:
      audit-ledger keys rotate master
    """
    opened = open_home(home)
    config = opened.config()
    with opened.keys(config) as found:
        with Operations(found.database).doing(ORG, "rotation", "master key", requester) as ended:
            done = rotate_master(found.database, opened.master_keys(config))
            ended.append(Outcome(f"master key {done.after}, before {done.before}", done.rows))
    kept = None if done.kept is None else str(done.kept)
    if as_json:
        print_json({"before": done.before, "after": done.after, "rows": done.rows, "kept": kept})
        return
    click.echo(f"master key {done.after}: sealed {done.rows} keys anew, before it was {done.before}")
    if kept is not None:
        click.echo(f"the key before is kept in {kept}; delete it once no backup from before now is needed")
    if not done.is_forgotten:
        click.echo(PAGES_LEFT)


@rotate.command()
@home_option
@click.argument("name")
@requester_option
@json_option
def tenant(home: Path, name: str, requester: str, as_json: bool) -> None:
    """Give a tenant a new tenant key and seal its look-up and bucket keys under it.

    \b
    Example:
      audit-ledger keys rotate tenant acme
    """
    opened = open_home(home)
    with opened.keys(opened.config()) as found:
        if found.tenants.get(name) is None:
            raise click.UsageError(f"tenant {name} is unknown")
        with Operations(found.database).doing(name, "rotation", "tenant key", requester) as ended:
            done = rotate_tenant_key(found.database, found.master, name)
            ended.append(Outcome(f"tenant key, generation {done.generation}", done.rows))
    if as_json:
        print_json({"tenant": name, "generation": done.generation, "rows": done.rows})
        return
    click.echo(f"tenant {name}: tenant key {done.generation}, sealed {done.rows} keys anew")
    if not done.is_forgotten:
        click.echo(PAGES_LEFT)


@rotate.command()
@home_option
@click.argument("role", type=click.Choice(["gateway", "ledger"]))
@click.option("--gateway-id", help="Which gateway's. Default: the one that this home's configuration names.")
@click.option("--token", metavar="URI", help="The new key is in a token, at this pkcs11: URI; keys make makes one.")
@click.option(
    "--starts-in", "starts_in_s", type=click.IntRange(0), default=0, metavar="SECONDS", show_default=True,
    help="When the new key begins. Later, where verifiers or machines have copies of the trust file.",
)  # fmt: skip
@click.option(
    "--overlap", "overlap_s", type=click.IntRange(0), default=DAY_S, metavar="SECONDS", show_default=True,
    help="How long the old key is good beside it. 0 for a key that may be stolen.",
)  # fmt: skip
@requester_option
@json_option
def signing(
    home: Path,
    role: str,
    gateway_id: str | None,
    token: str | None,
    starts_in_s: int,
    overlap_s: int,
    requester: str,
    as_json: bool,
) -> None:
    """Let a new key sign receipts (gateway) or rounds and checkpoints (ledger), and tell the trust file.

    Running gateways and sealers take the new key by themselves. Give verifiers the new trust file.

    \b
    Examples:
      audit-ledger keys rotate signing ledger
      audit-ledger keys rotate signing gateway --starts-in 3600 --overlap 86400
      audit-ledger keys rotate signing gateway --overlap 0
    """
    opened = open_home(home)
    config = opened.config()
    with opened.keys(config) as found:
        name = _key_name(config, role, gateway_id)
        with Operations(found.database).doing(ORG, "rotation", f"{role} key {name}", requester) as ended:
            done = rotate_signing_key(
                opened,
                config,
                found,
                cast(Role, role),
                name,
                starts_in_s=starts_in_s,
                overlap_s=overlap_s,
                token_uri=token,
            )
            ended.append(_signing_rotated(found, done))
    told: dict[str, Any] = {
        "role": done.role,
        "name": done.name,
        "generation": done.generation,
        "verifier_key": str(VerifierKey(done.name, done.public_key)),
        "not_before": done.start.isoformat(),
        "earlier_until": done.end.isoformat(),
        "resumed": done.is_resumed,
        "destroyed": list(done.destroyed),
    }
    if as_json:
        print_json(told)
        return
    if done.is_resumed:
        click.echo("a rotation had been interrupted; it is finished now, and no further key was made")
    click.echo(f"{done.role} key {done.name}: generation {done.generation} from {told['not_before']}")
    click.echo(f"  verifier key {told['verifier_key']}")
    click.echo(f"  the key before it is good until {told['earlier_until']}")
    for generation in done.destroyed:
        click.echo(f"  the secret of generation {generation} is destroyed, its range was over")
    click.echo(f"give verifiers the new {config.ledger.trust.name}")


@keys.command()
@home_option
@click.argument("gateway_id")
@requester_option
@json_option
def add_gateway(home: Path, gateway_id: str, requester: str, as_json: bool) -> None:
    """Make the signing key of another gateway, and tell the trust file.

    It is for the gateway whose configuration says `gateway_id = GATEWAY_ID`. Give verifiers the new trust file.

    \b
    Example:
      audit-ledger keys add-gateway gw-2
    """
    opened = open_home(home)
    config = opened.config()
    with opened.keys(config) as found:
        opened.add_gateway(config, found, gateway_id)
        name = gateway_key_name(config.ledger.name, gateway_id)
        verifier_key = str(VerifierKey(name, found.store.signing_key("gateway", name).public_key))
        Operations(found.database).note(
            ORG, "configuration", "gateways", requester, Outcome(f"gateway {gateway_id} added", 1)
        )
    if as_json:
        print_json({"gateway_id": gateway_id, "name": name, "verifier_key": verifier_key})
        return
    click.echo(f"gateway {gateway_id}: signs as {name}")
    click.echo(f"  verifier key {verifier_key}")
    click.echo(f"give verifiers the new {config.ledger.trust.name}")


@keys.command()
@click.argument("uri")
@click.option("--for", "purpose", type=click.Choice(["master", "signing"]), required=True, help="What it is to do.")
@json_option
def make(uri: str, purpose: str, as_json: bool) -> None:
    """Make a key in a PKCS#11 token, at a pkcs11: URI that names its label. It never leaves the token.

    \b
    Example:
      audit-ledger keys make --for master \\
        'pkcs11:token=audit;object=master-1?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/audit/pin'
    """
    made = (
        {"key_id": make_master_key(uri).key_id}
        if purpose == "master"
        else {"public_key": make_signing_key(uri).public_key.hex()}
    )
    if as_json:
        print_json(made)
        return
    for name, value in made.items():
        click.echo(f"{name.replace('_', ' ')} {value}")


def _signing_rotated(found: OpenKeys, done: SigningRotation) -> Outcome:
    """Which key is new, and which secrets are gone."""
    key_id = VerifierKey(done.name, done.public_key).key_id.hex()
    told = f"{done.role} key {done.name}, generation {done.generation}, id {key_id}, from {done.start.isoformat()}"
    gone = tuple(
        VerifierKey(each.name, each.public_key).key_id
        for each in found.store.signing_keys()
        if (each.role, each.name) == (done.role, done.name) and each.generation in done.destroyed
    )
    return Outcome(told, 1, key_ids_destroyed=gone)


def _key_name(config: LedgerConfig, role: str, gateway_id: str | None) -> str:
    if role == "gateway":
        return gateway_key_name(config.ledger.name, gateway_id or config.gateway.gateway_id)
    if gateway_id is not None:
        raise click.UsageError("--gateway-id is for the role gateway")
    return ledger_key_name(config.ledger.name)


def _signing(found: OpenKeys, trust: TrustedKeys) -> list[dict[str, Any]]:
    ranges: dict[tuple[str, bytes], TrustedKey] = {(key.role, key.public_key): key for key in trust.keys}
    now = datetime.now(UTC)
    told = []
    for each in found.store.signing_keys():
        key = ranges.get((each.role, each.public_key))
        end = None if key is None or key.not_after is None else key.not_after.isoformat(timespec="seconds")
        told.append(
            {
                "role": each.role,
                "name": each.name,
                "generation": each.generation,
                "key_id": VerifierKey(each.name, each.public_key).key_id.hex(),
                "public_key": each.public_key.hex(),
                "not_before": each.created_at.isoformat(timespec="seconds"),
                "not_after": end,
                "state": _state(key, now),
                "secret": "destroyed" if each.is_destroyed else "kept",
            }
        )
    return told


def _state(key: TrustedKey | None, now: datetime) -> str:
    if key is None:
        return "not in the trust file"
    if key.good_at(now):
        return "good"
    return "to come" if now < key.not_before else "over"


def _table(title: str, found: list[dict[str, Any]]) -> None:
    names = list(found[0]) if found else []
    shown = [["" if value is None else value for value in row.values()] for row in found]
    print_table([name.replace("_", " ") if at else title for at, name in enumerate(names)] or [title], shown)
