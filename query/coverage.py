"""Coverage: which services send what, and what their events would still need to answer an auditor.

Computed by SQL over the tenant's vouched rows, in the box of `query.sandbox`, from the typed columns and the
descriptors of contents. No content is opened, and no person is named.

    sends    by service, version, capture path and kind: events, and when the first and last was received
    streams  by service: declared sampling, what it declared as dropped, and numbers that are missing
    needs    by service and kind, for each of `query.coverage_needs`: of how many steps it is asked, how many lack it,
             have it in part, have it inferred

The ledger's own events and findings are left out. A step's service is that of its first event: what amends it completes
it, whoever sent that. A period (`since`, `until`) is of the time of receipt; of a step that began before, only what
falls into it is seen.

A number of a stream is missing where its (instance, boot) has a higher one, less what was declared as dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ledger.errors import Rejected
from ledger.gateway.reserved import OWN_RULES
from query import plain, sql
from query.coverage_needs import KINDS, NEEDS, Need
from query.files import VouchedFiles
from query.reading import Reading
from query.sandbox import SqlLimits
from query.sql_views import ROWS

NOT_NAMED = "(no name)"


@dataclass(frozen=True, slots=True)
class Sent:
    """What a service sends in one way: events of one kind by one version. Times of receipt as text."""

    version: str | None
    capture_path: str
    kind: str
    events: int
    first_received_at: str
    last_received_at: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One need of one service's steps of a kind: of how many it is asked, and what they have."""

    need: Need
    kind: str
    steps: int
    lacking: int
    partial: int
    derived: int

    @property
    def percent(self) -> float:
        """Of the steps, those that have it: whole, in part or inferred."""
        return percent(self.steps - self.lacking, self.steps)


@dataclass(frozen=True, slots=True)
class ServiceCoverage:
    """One service. `sampling`: the smallest fraction that it declares, None where it declares none."""

    service: str
    sends: tuple[Sent, ...]
    needs: tuple[Asked, ...]
    sampling: float | None
    dropped: int
    numbered: int
    missing: int

    @property
    def events(self) -> int:
        """How many events it sent."""
        return sum(each.events for each in self.sends)

    @property
    def percent(self) -> float | None:
        """Of all that is core and asked, what is answered; None where nothing is asked."""
        return _percent_of(self.needs)

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "service": self.service,
            "events": self.events,
            "answered_percent": self.percent,
            "sends": [
                {
                    "version": each.version,
                    "capture_path": each.capture_path,
                    "kind": each.kind,
                    "events": each.events,
                    "first_received_at": each.first_received_at,
                    "last_received_at": each.last_received_at,
                }
                for each in self.sends
            ],
            "declared_sampling": self.sampling,
            "dropped": self.dropped,
            "numbered": self.numbered,
            "missing_numbers": self.missing,
            "needs": [
                {
                    "kind": each.kind,
                    "need": each.need.name,
                    "label": each.need.label,
                    "core": each.need.is_core,
                    "steps": each.steps,
                    "lacking": each.lacking,
                    "partial": each.partial,
                    "derived": each.derived,
                    "answered_percent": each.percent,
                    "advice": each.need.advice,
                }
                for each in self.needs
            ],
        }


@dataclass(frozen=True, slots=True)
class Coverage:
    """The answer."""

    tenant: str
    since: datetime | None
    until: datetime | None
    services: tuple[ServiceCoverage, ...]

    @property
    def events(self) -> int:
        """How many events it is about."""
        return sum(each.events for each in self.services)

    @property
    def percent(self) -> float | None:
        """As of a service, of all of them."""
        return _percent_of([each for service in self.services for each in service.needs])

    def to_json(self) -> dict[str, Any]:
        """The whole answer for programs."""
        return {
            "tenant": self.tenant,
            "since": plain.time_text(self.since),
            "until": plain.time_text(self.until),
            "events": self.events,
            "answered_percent": self.percent,
            "services": [each.to_json() for each in self.services],
        }


def percent(part: int, whole: int) -> float:
    """Rounded down to a tenth, so that only all is 100."""
    return (1_000 * part // whole) / 10 if whole else 100.0


def _percent_of(needs: Iterable[Asked]) -> float | None:
    core = [each for each in needs if each.need.is_core]
    steps = sum(each.steps for each in core)
    return percent(steps - sum(each.lacking for each in core), steps) if steps else None


def coverage(
    reading: Reading, files: VouchedFiles, limits: SqlLimits, since: datetime | None, until: datetime | None
) -> Coverage:
    """The coverage of a tenant; blocks. Raises what `query.sql.run` raises."""
    result = sql.run(reading, files, statement(since, until), limits)
    if result.truncated_by is not None or len(result.rows) != 1:
        raise Rejected("coverage", f"is more than one answer holds ({result.truncated_by}); ask for a shorter period")
    sends, streams, needs = ([*(part or ())] for part in result.rows[0])
    return Coverage(reading.tenant.name, since, until, _services(sends, streams, needs))


def _services(
    sends: list[Mapping[str, Any]], streams: list[Mapping[str, Any]], needs: list[Mapping[str, Any]]
) -> tuple[ServiceCoverage, ...]:
    by_service = {each["service"]: each for each in streams}
    found = []
    for service, stream in sorted(by_service.items(), key=lambda item: item[0] or ""):
        own = [each for each in sends if each["service"] == service]
        asked = [asked for row in needs if row["service"] == service for asked in _asked(row)]
        found.append(
            ServiceCoverage(
                service or NOT_NAMED,
                tuple(Sent(**{name: row[name] for name in Sent.__slots__}) for row in own),
                tuple(sorted(asked, key=lambda each: (KINDS.index(each.kind), NEEDS.index(each.need)))),
                stream["sampling"],
                stream["dropped"],
                stream["numbered"],
                stream["missing"],
            )
        )
    return tuple(found)


def _asked(row: Mapping[str, Any]) -> Iterable[Asked]:
    for at, need in enumerate(NEEDS):
        if row["kind"] in need.kinds and row[f"asked_{at}"]:
            yield Asked(
                need, row["kind"], row[f"asked_{at}"], row[f"lacking_{at}"], row[f"partial_{at}"], row[f"derived_{at}"]
            )


def statement(since: datetime | None, until: datetime | None) -> str:
    """The one SELECT behind it all: three lists."""
    return f"""
WITH own AS (
  SELECT *, {_slots("state <> 'absent'")} AS slots, {_slots(_PARTIAL)} AS partial_slots
  FROM {ROWS}
  WHERE NOT (submitted_by = 'audit-ledger' AND authentication_method = 'local')
    AND NOT regexp_matches(coalesce(finding.rule, ''), '{_OWN_RULES}'){_period(since, until)}
),
amended AS (
  SELECT event_id AS amended_id, min(operation_id) AS amended_operation FROM {ROWS}
  WHERE event_id IN (SELECT amends_event_id FROM own) GROUP BY event_id
),
step_rows AS (
  SELECT own.*, coalesce(operation_id, amended_operation, amends_event_id, event_id) AS step
  FROM own LEFT JOIN amended ON amends_event_id = amended_id
  WHERE kind IN ({_texts(KINDS)})
),
steps AS (
  SELECT kind, step,
    arg_min(coalesce(producer_service, ''), {_ORDER}) AS service{"".join(_of_step(at, each) for at, each in _NEEDS)}
  FROM step_rows GROUP BY kind, step
),
needs AS (
  SELECT nullif(service, '') AS service, kind{"".join(_of_service(at, each) for at, each in _NEEDS)}
  FROM steps GROUP BY service, kind
),
sends AS (
  SELECT producer_service AS service, producer_version AS version, capture_path, kind, count(*) AS events,
    min(received_at) AS first_received_at, max(received_at) AS last_received_at
  FROM own GROUP BY ALL ORDER BY ALL
),
boots AS (
  SELECT producer_service AS service, count(DISTINCT producer_sequence) AS numbered,
    greatest(max(producer_sequence) - min(producer_sequence) + 1 - count(DISTINCT producer_sequence)
      - sum(coalesce(dropped_count, 0)), 0) AS missing
  FROM own WHERE producer_sequence IS NOT NULL GROUP BY producer_service, producer_instance, producer_boot_id
),
numbers AS (SELECT service, sum(numbered) AS numbered, sum(missing) AS missing FROM boots GROUP BY service),
streams AS (
  SELECT own.producer_service AS service, min(declared_sampling) AS sampling,
    CAST(sum(coalesce(dropped_count, 0)) AS BIGINT) AS dropped,
    CAST(coalesce(any_value(numbers.numbered), 0) AS BIGINT) AS numbered,
    CAST(coalesce(any_value(numbers.missing), 0) AS BIGINT) AS missing
  FROM own LEFT JOIN numbers ON numbers.service IS NOT DISTINCT FROM own.producer_service
  GROUP BY own.producer_service
)
SELECT (SELECT list(sends) FROM sends), (SELECT list(streams) FROM streams), (SELECT list(needs) FROM needs)
"""


_OWN_RULES = f"^({'|'.join(map(re.escape, OWN_RULES))})"
_PARTIAL = "state IN ('truncated', 'metadata', 'by_reference')"
_NEEDS = tuple(enumerate(NEEDS))
_ORDER = '(amends_event_id IS NOT NULL, received_at, "index")'


def _slots(condition: str) -> str:
    whole = f"list_filter(coalesce(contents, []), x -> x.{condition})"
    return f"list_transform({whole}, x -> x.slot)"


def _texts(values: Iterable[str]) -> str:
    return ", ".join(f"'{each}'" for each in values)


def _period(since: datetime | None, until: datetime | None) -> str:
    return "".join(
        f"\n    AND received_at {sign} TIMESTAMP '{at.astimezone(UTC).replace(tzinfo=None).isoformat(' ')}'"
        for sign, at in ((">=", since), ("<", until))
        if at is not None
    )


def _of_step(at: int, need: Need) -> str:
    inferred = " OR ".join(
        f"len(list_filter(coalesce(derived_fields, []), x -> starts_with(x, '{name}'))) > 0" for name in need.derived
    )
    has = f"coalesce({need.has}, false)"
    return (
        f",\n    bool_and(coalesce({need.applies}, true)) AS applies_{at}, bool_or({has}) AS has_{at},"
        f" bool_or(coalesce({need.partial}, false)) AND NOT bool_or({has} AND NOT coalesce({need.partial}, false))"
        f" AS is_partial_{at},"
        f" bool_or({has} AND ({inferred or 'false'})) AND NOT bool_or({has} AND NOT ({inferred or 'false'}))"
        f" AS is_derived_{at}"
    )


def _of_service(at: int, need: Need) -> str:
    asked = f"applies_{at} AND kind IN ({_texts(need.kinds)})"
    return (
        f",\n    count(*) FILTER ({asked}) AS asked_{at}, count(*) FILTER ({asked} AND NOT has_{at}) AS lacking_{at},"
        f" count(*) FILTER ({asked} AND has_{at} AND is_partial_{at}) AS partial_{at},"
        f" count(*) FILTER ({asked} AND has_{at} AND is_derived_{at}) AS derived_{at}"
    )
