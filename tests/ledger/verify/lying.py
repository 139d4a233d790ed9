"""What tests use that have somebody with the ledger key lie."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pyarrow as pa

from ledger.segments.objects import FileStore
from ledger.segments.round import EVENTS
from ledger.verify import Depth, Report, verify
from tests.ledger.verify.built import Built
from tests.ledger.verify.forge import Draft, seal, take_apart, with_values

Lie = Callable[[Built, list[Draft]], None]


def without_log(drafts: list[Draft], log_id: bytes) -> list[Draft]:
    """The rounds as if a log had never been."""
    for draft in drafts:
        keep = [at for at, statement in enumerate(draft.statements) if statement.log_id != log_id]
        draft.statements = [draft.statements[at] for at in keep]
        draft.receipts = [draft.receipts[at] for at in keep]
        draft.events, draft.contents = (_without_rows(table, log_id) for table in (draft.events, draft.contents))
    return drafts


def _without_rows(table: pa.Table | None, log_id: bytes) -> pa.Table | None:
    if table is None:
        return None
    return table.filter(pa.array([each != log_id for each in table["log_id"].to_pylist()]))


def set_value(draft: Draft, role: str, column: str, row: int, value: object) -> None:
    if role == EVENTS:
        draft.events = with_values(draft.events, column, [row], [value])
    else:
        draft.contents = with_values(draft.contents, column, [row], [value])


_taken_apart: dict[bytes, list[Draft]] = {}


def drafts_of(built: Built, rounds: int | None) -> list[Draft]:
    """The first rounds, for one test to change; every copy of one ledger is taken apart once."""
    if built.acme not in _taken_apart:
        _taken_apart[built.acme] = take_apart(built.store, 0, built.trust)
    return [
        replace(draft, statements=list(draft.statements), receipts=list(draft.receipts))
        for draft in _taken_apart[built.acme][:rounds]
    ]


def forged(
    built: Built, store: FileStore, lie: Lie, depth: Depth = "full", rounds: int | None = None, **options: object
) -> Report:
    drafts = drafts_of(built, rounds)
    lie(built, drafts)
    seal(store, 0, drafts, built.signer)
    return verify(store, built.trust, depth=depth, **options)  # type: ignore[arg-type]


def rules_of(report: Report) -> set[str]:
    return {finding.rule for finding in report.findings}
