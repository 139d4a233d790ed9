"""The commands that need neither sealing nor queries."""

from __future__ import annotations

import click

from ledger.cli.administration import init
from ledger.cli.changing import change
from ledger.cli.checking import fsck
from ledger.cli.deleting import delete
from ledger.cli.demo import demo
from ledger.cli.disclosing import check
from ledger.cli.erasing import erase, expire, hold
from ledger.cli.exporting import check_export, export
from ledger.cli.importing import import_
from ledger.cli.keys import keys
from ledger.cli.policies import policy
from ledger.cli.processes import serve, up
from ledger.cli.proxying import proxy
from ledger.cli.publishing import publish
from ledger.cli.restoring import restore
from ledger.cli.roles import roles
from ledger.cli.status import status
from ledger.cli.tenants import tenant
from ledger.cli.verifying import verify


def commands() -> list[click.Command]:
    """What this package adds to `audit-ledger`."""
    tenant.add_command(export)
    tenant.add_command(delete)
    people = [keys, erase, expire, hold, restore]
    events = [publish, import_, change]
    checks = [verify, fsck, check, check_export]
    return [init, tenant, policy, roles, serve, up, proxy, *events, *checks, *people, status, demo]
