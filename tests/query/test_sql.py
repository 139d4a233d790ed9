"""SQL: the documented views over one tenant's rows, and nobody else's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from ledger.client.builders import change, decision, request, tool_call
from ledger.errors import Rejected
from query import sql, sql_manual
from query.cli.tables import sql as sql_command
from query.reading import Reading
from query.sandbox import SqlLimits, files_allowed
from query.sql_views import VIEWS
from tests.query.ledgers import Asked, ago

MANUAL = Path(__file__).parents[2] / "docs" / "SQL.md"


def ask(asked: Asked, query: str, tenant: str = "acme", landlock: bool | None = None) -> list[tuple[Any, ...]]:
    """The rows of an answer."""
    sources = asked.sources()
    return sql.run(Reading(sources, tenant), sources.files, query, SqlLimits(), landlock=landlock).rows


async def fill(asked: Asked) -> None:
    """Some rows of each tenant in every kind of place: compacted, in a round of its own, in shared rounds."""
    for at in range(2):
        for tenant in ("acme", "beta"):
            await asked.small.publish(
                tenant,
                request(vendor="openai", model_requested="gpt-4o", user=f"{tenant} user", prompts=[{"prompt_id": "p"}]),
                tool_call(tool="search", call_id=f"{tenant}-{at}", occurred_at=None),
            )
        await asked.small.seal()
    await asked.compact()
    await asked.seal("acme", change(artifact_kind="model", artifact_id="m", action="deploy", effective_at=ago(5)))
    await asked.small.publish("beta", decision(decision_kind="refund"))
    await asked.seal("acme", decision(decision_kind="credit", request_event_ids=[bytes(15) + b"\1"]))


async def test_every_place_a_row_can_stand_in_is_read(asked: Asked) -> None:
    """Rows of compacted files, of rounds of its own and of shared rounds are all there, each once."""
    await fill(asked)
    assert ask(asked, "SELECT count(*), count(DISTINCT log_index), min(log_index), max(log_index) FROM events") == [
        (6, 6, 0, 5)
    ]
    assert ask(asked, "SELECT kind, count(*) FROM events GROUP BY kind ORDER BY kind") == [
        ("change", 1),
        ("decision", 1),
        ("request", 2),
        ("tool_call", 2),
    ]
    assert ask(asked, "SELECT decision_kind, request_event_ids FROM decisions") == [("credit", ["0" * 30 + "01"])]


@pytest.mark.parametrize("landlock", [False, None])
async def test_no_other_tenants_rows(asked: Asked, landlock: bool | None) -> None:
    """Whatever is asked, by files or by Arrow data only, nothing of another tenant comes out."""
    await fill(asked)
    for tenant, other in (("acme", "beta"), ("beta", "acme")):
        rows = ask(asked, "SELECT DISTINCT tenant FROM ledger_rows", tenant, landlock)
        assert rows == [(tenant,)]
        calls = ask(asked, "SELECT DISTINCT call_id FROM tool_calls", tenant, landlock)
        assert calls
        assert not any(other in call for (call,) in calls)


async def test_a_tenant_without_rows_has_empty_views(asked: Asked) -> None:
    """Every view is there from the first day, empty."""
    for view in VIEWS:
        assert ask(asked, f"SELECT count(*) FROM {view.name}") == [(0,)]


async def test_leaves_and_chain_are_checked_in_a_line_of_sql(asked: Asked) -> None:
    """The manual's own queries re-hash every leaf and re-link the chain."""
    await fill(asked)
    checks = re.findall(r"```sql\n(SELECT.*?)```", MANUAL.read_text("utf-8"), re.S)
    assert len(checks) >= 2
    for check in checks:
        rows = ask(asked, check)
        if "AS wrong" in check:
            assert rows == [(0, 6)]


async def test_the_commands_own_examples_are_answered(asked: Asked) -> None:
    """The queries that `audit-ledger sql --help` shows name views and columns there are."""
    await fill(asked)
    examples = re.findall(r"audit-ledger sql '([^']+)'", sql_command.help or "")
    assert len(examples) >= 2
    for example in examples:
        assert ask(asked, example)


async def test_the_word_user_is_what_the_manual_says(asked: Asked) -> None:
    """No view has a column `user`: the word is a constant, filters by it find nothing; as an own name it is quoted."""
    await fill(asked)
    assert not any(column.name == "user" for view in VIEWS for column in view.columns)
    for spelled in ("user", '"user"'):
        assert ask(asked, f"SELECT DISTINCT {spelled} FROM events") == [("duckdb",)]
        assert ask(asked, f"SELECT count(*) FROM requests WHERE {spelled} = 'acme user'") == [(0,)]
    with pytest.raises(Rejected, match="user"):
        ask(asked, "SELECT actor_user_hex user FROM requests")
    (example,) = re.findall(r"```sql\n(SELECT actor_user_hex.*?)```", MANUAL.read_text("utf-8"), re.S)
    pseudonym = asked.small.keys.pseudonym("acme", "acme user")
    assert pseudonym is not None
    assert ask(asked, example) == [(pseudonym.hex(), 2)]


async def test_a_stored_columns_reserved_name_is_quoted(asked: Asked) -> None:
    """`offset` of `ledger_rows` is reserved, and its quoted name gives the column."""
    await fill(asked)
    with pytest.raises(Rejected, match="offset"):
        ask(asked, "SELECT offset FROM ledger_rows")
    assert ask(asked, 'SELECT count("offset") FROM ledger_rows') == [(6,)]


async def test_the_manual_names_every_column_there_is(asked: Asked) -> None:
    """docs/SQL.md has the columns and types of the real views, no more and no less."""
    await fill(asked)
    documented = sql_manual.parse(MANUAL.read_text("utf-8"))
    real = {}
    for view in VIEWS:
        sources = asked.sources()
        answer = sql.run(Reading(sources, "acme"), sources.files, f"SELECT * FROM {view.name} LIMIT 0", SqlLimits())
        real[view.name] = list(zip(answer.columns, map(sql_manual.short_type, answer.types), strict=True))
    assert documented == real


async def test_types_are_the_same_without_rows(asked: Asked) -> None:
    """A query that works for one tenant works for an empty one."""
    await fill(asked)
    for view in VIEWS:
        types = []
        for tenant in ("acme", "_org"):
            sources = asked.sources()
            answer = sql.run(Reading(sources, tenant), sources.files, f"SELECT * FROM {view.name} LIMIT 0", SqlLimits())
            types.append((answer.columns, answer.types))
        assert types[0] == types[1]


async def test_a_wrong_query_is_the_auditors(asked: Asked) -> None:
    """An error of the query's own comes back as such."""
    with pytest.raises(Rejected, match="nonsense"):
        ask(asked, "SELECT nonsense FROM events")


def test_how_it_is_sealed_is_said() -> None:
    """Where the kernel has no Landlock, files are not handed over; print which it was here."""
    print(f"files handed to the box by path: {files_allowed()}")
