"""The table of rights: role x call, least privilege. What is not in it is denied.

A grant gives one role for some tenants (`ledger.identity.document`). A call about a tenant that no grant of the caller
names is denied before anything is looked up, so that a tenant of somebody else and one that does not exist are the same
refusal, after the same work. `_org` is a tenant like any other: only a grant that names it is one for it.

| right      | what the call gives                                                                      |
| ---------- | ---------------------------------------------------------------------------------------- |
| `yes`      | all of it; `Publish`, `PublishSpooled` and `Export` take only the kinds of event that the grant names |
| `case`     | contents too, where the call states a case and a reason; without them only metadata may be asked for |
| `sample`   | metadata; contents of those events only that stand in the grant's sample                 |
| `metadata` | metadata and proofs, contents closed                                                     |
| `denied`   | PERMISSION_DENIED                                                                        |

`EVERY_TENANT` ("*") in a grant stands for every tenant but `_system`, and only roles in `ACROSS` may have it: they see
no content.
"""

from __future__ import annotations

from typing import Literal, get_args

Role = Literal["producer", "investigator", "auditor", "org_auditor", "privacy_officer", "operator", "admin"]
Right = Literal["yes", "case", "sample", "metadata", "denied"]
Call = Literal[
    "Publish",
    "PublishSpooled",
    "GetSpoolKey",
    "AwaitSealed",
    "Export",
    "Reconstruct",
    "Replay",
    "Find",
    "Count",
    "Coverage",
    "Sql",
    "Prove",
    "Checkpoint",
    "Erase",
    "Hold",
    "ExportTenant",
    "DeleteTenant",
]

ROLES: tuple[Role, ...] = get_args(Role)
CALLS: tuple[Call, ...] = get_args(Call)

INGEST_CALLS: tuple[Call, ...] = ("Publish", "PublishSpooled", "GetSpoolKey", "AwaitSealed", "Export")
"""`Export`: of traces and logs by OTLP, over gRPC and over HTTP."""

QUERY_CALLS: tuple[Call, ...] = ("Reconstruct", "Replay", "Find", "Count", "Coverage", "Sql", "Prove", "Checkpoint")
COMMANDS: tuple[Call, ...] = ("Erase", "Hold", "ExportTenant", "DeleteTenant")
"""Not calls over the network: commands on the ledger's own machine."""

TENANTLESS: frozenset[Call] = frozenset({"GetSpoolKey"})
"""Calls that are about no tenant: any grant of a role that has the right is enough."""

ACROSS: frozenset[Role] = frozenset({"org_auditor", "operator", "admin"})
EVERY_TENANT = "*"

_RIGHTS: dict[Role, dict[Call, Right]] = {
    "producer": {
        "Publish": "yes",
        "PublishSpooled": "yes",
        "GetSpoolKey": "yes",
        "AwaitSealed": "yes",
        "Export": "yes",
        "Checkpoint": "yes",
    },
    "investigator": {
        "Reconstruct": "case",
        "Replay": "case",
        "Find": "metadata",
        "Prove": "metadata",
        "Checkpoint": "yes",
    },
    "auditor": {
        "Reconstruct": "sample",
        "Replay": "sample",
        "Find": "metadata",
        "Coverage": "metadata",
        "Sql": "metadata",
        "Prove": "metadata",
        "Checkpoint": "yes",
    },
    "org_auditor": {
        "Find": "metadata",
        "Count": "metadata",
        "Coverage": "metadata",
        "Sql": "metadata",
        "Prove": "metadata",
        "Checkpoint": "yes",
    },
    "privacy_officer": {"Checkpoint": "yes", "Erase": "yes", "Hold": "yes", "ExportTenant": "yes"},
    "operator": {"AwaitSealed": "yes", "Coverage": "metadata", "Checkpoint": "yes"},
    "admin": {"Checkpoint": "yes", "ExportTenant": "yes", "DeleteTenant": "yes"},
}


def right(role: Role, call: Call) -> Right:
    """What a grant of this role gives of this call, for its own tenants."""
    return _RIGHTS[role].get(call, "denied")
