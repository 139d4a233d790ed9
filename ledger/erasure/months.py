"""Which retention classes and months are past their time, by the capture policy in force.

A class of `months` = n is kept for n months after the end of the month of receipt. So what was received in a month m
expires when the month m + n is over, in UTC. A class that the policy does not name is left alone, however old: nobody
said how long it is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from ledger.keys.database import KeyDatabase
from ledger.policy import Policy


@dataclass(frozen=True, slots=True)
class DueMonth:
    """A retention class and month of one tenant that is past its time, and how many scopes it has."""

    tenant: str
    retention_class: str
    month: str
    scopes: int


def expired_months(
    database: KeyDatabase, policy: Policy, tenant: str | None = None, now: datetime | None = None
) -> list[DueMonth]:
    """What is due, by tenant, class and month."""
    with database.read() as rows:
        found = rows.execute(
            "SELECT tenant, retention_class, month, count(*) FROM scopes WHERE tenant = coalesce(?, tenant) "
            "GROUP BY tenant, retention_class, month ORDER BY tenant, retention_class, month",
            (tenant,),
        ).fetchall()
    at = datetime.now(UTC) if now is None else now.astimezone(UTC)
    months = {each.name: each.months for each in policy.retention}
    return [DueMonth(*row) for row in found if is_over(row[2], months.get(row[1]), at)]


def is_over(month: str, months: int | None, at: datetime) -> bool:
    """Whether what was received in `month` ("2026-11") and is kept for `months` more is past its time."""
    if months is None:
        return False
    year, number = (int(part) for part in month.split("-"))
    return year * 12 + number + months < at.year * 12 + at.month
