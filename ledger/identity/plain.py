"""A roles file in plain words, for `audit-ledger roles check`, and the table of rights as docs/ROLES.md shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from ledger.identity.document import Grant, Roles
from ledger.identity.rights import (
    CALLS,
    COMMANDS,
    EVERY_TENANT,
    INGEST_CALLS,
    QUERY_CALLS,
    ROLES,
    TENANTLESS,
    Call,
    Right,
    Role,
    right,
)

Place = Literal["own", "other", "_org"]
PLACES: tuple[Place, ...] = ("own", "other", "_org")
NOBODY, LEDGER = "(no credential)", "(the ledger itself)"
CALLERS = (NOBODY, *ROLES, LEDGER)

Verdict = Right | Literal["unauthenticated"]
Row = tuple[str, Call, tuple[Verdict, Verdict, Verdict]]

_DOES: dict[Role, str] = {
    "producer": "publishes events",
    "investigator": "reads contents of a stated case, with a reason",
    "auditor": "reads metadata and proofs, and contents of a granted sample",
    "org_auditor": "reads metadata and counts across tenants, no contents",
    "privacy_officer": "erases, and sets legal holds",
    "operator": "sees health, checkpoints and coverage, no contents",
    "admin": "administers; sees checkpoints, no contents",
}


def explained(roles: Roles) -> Iterator[str]:
    """What a roles file does, a line a sentence."""
    yield f"version {roles.version}, {len(roles.issuers)} issuers, {len(roles.grants)} grants"
    for issuer in roles.issuers.values():
        yield (
            f"issuer {issuer.name}: tokens of {issuer.issuer} for {issuer.audience}, "
            f"signed with {_list(issuer.algorithms)}, valid for at most {issuer.lifetime_max_s} s, "
            f"clocks {issuer.leeway_s} s apart; keys: {issuer.keys}"
        )
    yield "revocations: none" if roles.revoked is None else f"revocations: {roles.revoked}"
    for grant in roles.grants:
        yield f"{who(grant)}: {grant.role} of {_tenants(grant)}: {_DOES[grant.role]}{_bounds(grant)}"
    if not roles.grants:
        yield "nobody may do anything"
    else:
        yield "everybody else may do nothing"


def who(grant: Grant) -> str:
    """Whom a grant is for."""
    if grant.certificate is not None:
        return f"certificate {grant.certificate}"
    return f"{grant.issuer}: " + (f"subject {grant.subject}" if grant.group is None else f"group {grant.group}")


def _tenants(grant: Grant) -> str:
    if EVERY_TENANT in grant.tenants:
        return "every tenant"
    return _list(sorted(grant.tenants))


def _bounds(grant: Grant) -> str:
    if grant.role == "producer":
        return f", of the kinds {_list(sorted(grant.kinds))}"
    if grant.role == "auditor":
        return f" of {len(grant.sample)} events"
    return ""


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)


def table() -> Iterator[Row]:
    """Every combination of caller x call x tenant.

    Tenants: one of the caller's, one of somebody else, and `_org` where no grant names it. Callers of a role that may
    be granted every tenant are shown with that grant (`org_auditor`), or without (`operator`, `admin`).
    """
    for caller in CALLERS:
        for call in CALLS:
            if caller == LEDGER and call in COMMANDS:
                continue
            own, other, org = (_verdict(caller, call, place) for place in PLACES)
            yield caller, call, (own, other, org)


def _verdict(caller: str, call: Call, place: Place) -> Verdict:
    if caller == NOBODY:
        return "unauthenticated"
    if caller == LEDGER:
        # What a process of the ledger proves, it proves for a Publish; with another call it has no credential.
        return "yes" if call == "Publish" else "unauthenticated"
    role = next(each for each in ROLES if each == caller)
    reaches = place == "own" or call in TENANTLESS or role == "org_auditor"
    return right(role, call) if reaches else "denied"


def tables() -> str:
    """The table as Markdown, one for each service."""
    rows = list(table())
    parts = []
    for title, calls in (("IngestService", INGEST_CALLS), ("QueryService", QUERY_CALLS), ("Commands", COMMANDS)):
        parts.append(f"### {title}\n\n| who | call | own tenant | another's, or none such | `_org` |\n")
        parts.append("| --- | --- | --- | --- | --- |\n")
        for caller, call, verdicts in rows:
            if call in calls:
                parts.append(f"| {caller} | {call} | {' | '.join(verdicts)} |\n")
        parts.append("\n")
    return "".join(parts)
