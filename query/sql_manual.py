"""docs/SQL.md, made from the views: `python -m query.sql_manual > docs/SQL.md`. A test holds it to the real ones."""

from __future__ import annotations

import re

from query.sandbox import SqlResult
from query.sql_views import VIEWS, View

_HEAD = """# SQL for auditors

`audit-ledger sql --tenant T "SELECT ..."` answers one SELECT over the sealed rows of one tenant: those that the signed
rounds vouch for, in files whose SHA-256 was checked. The SQL is DuckDB's. It runs in a process of its own that can read
nothing else and write nothing at all; time, memory and rows are limited, and the answer says when rows were left out.
Each query is recorded as an Access event before its answer is given: with its text, in which persons stand by
pseudonym, and the number of rows shown; one that failed as `failed`.

From another machine, with no ledger and no key there, `--ask HOST:PORT` asks the query service (`QueryService.Sql`),
for auditors and org auditors (docs/ROLES.md). It is the same box with the same views; a query there may take 45 s and
its rows 32 MiB, and beside two others it is told to come again.

- Ids and digests are BLOB; beside them stand `<name>_uuid` and `<name>_hex` as text. Join by the BLOB.
- Times are TIMESTAMP in UTC. `occurred_at` is null where the producer did not know; `happened_at` is then the time of
  receipt.
- Enums are lower-case text, `unspecified` where nothing was said.
- Contents are not here: they are encrypted, and opened by `reconstruct`.
- A query has at most 100,000 bytes. It can learn what the files with its own tenant's rows are called, and where they
  are; nothing of other files.
- With `--json` and over the network values are JSON's: BLOBs as hex text, times as RFC 3339 text in UTC, DECIMALs as
  text so that no digit is lost, lists as lists, STRUCTs and MAPs with text for keys as objects.
- `ledger_rows` is the table behind the views, with the columns as they are stored; of their names, `"offset"` is
  reserved by DuckDB and must be quoted.
- No view has a column `user`. DuckDB takes the word for the name of the database's own user, the constant `duckdb`,
  quoted or not: `WHERE user = 'mia'` is no error, and finds nothing. Persons stand in `actor_user` (who acted) and
  `subject`, by pseudonym; `reconstruct --user` tells a person's. As a name of your own for a column, write `"user"`.

Every leaf again from its payload, and the chain from its beginning; both must say 0:

```sql
SELECT count(*) FILTER (leaf_hash_hex <> sha256('\\x00'::BLOB || payload)) AS wrong, count(*) FROM events
```

```sql
SELECT count(*) FILTER (chain_hash_hex <> sha256(previous || leaf_hash)) AS wrong, count(*) FROM (
  SELECT chain_hash_hex, leaf_hash,
         lag(chain_hash, 1, unhex(repeat('00', 32))) OVER (PARTITION BY log_shard ORDER BY log_index) AS previous
  FROM events)
```

Calls by tool and outcome, an operation counted once:

```sql
SELECT tool, outcome, count(*) FROM tool_calls WHERE phase IN ('single', 'completed', 'failed', 'cancelled')
GROUP BY tool, outcome ORDER BY count(*) DESC
```

Requests by the person who acted, under a quoted name:

```sql
SELECT actor_user_hex "user", count(*) AS asked FROM requests WHERE actor_user IS NOT NULL
GROUP BY actor_user_hex ORDER BY asked DESC
```

Changes that claim to have taken effect more than an hour before they were sealed:

```sql
SELECT artifact_kind, artifact_id, action, to_revision, author, effective_at, sealed_at FROM changes
WHERE effective_at < sealed_at - INTERVAL 1 HOUR
```
"""
_ROW = re.compile(r"\| `(\w+)` \| (.+?) \| .*\|")
_VIEW = re.compile(r"## `(\w+)`")


def short_type(name: str) -> str:
    """A DuckDB type as the manual gives it: nested ones without their fields."""
    if name.startswith("STRUCT"):
        return "STRUCT[]" if name.endswith("[]") else "STRUCT"
    return name


def manual(types: dict[str, list[str]]) -> str:
    """The whole manual; `types` gives the types of each view's columns."""
    return "\n".join([_HEAD, *(_section(view, types[view.name]) for view in VIEWS)])


def parse(text: str) -> dict[str, list[tuple[str, str]]]:
    """The columns that a manual documents, with their types, by view."""
    found: dict[str, list[tuple[str, str]]] = {}
    for line in text.splitlines():
        if view := _VIEW.match(line):
            found[view[1]] = columns = []
        elif found and (row := _ROW.match(line)):
            columns.append((row[1], row[2]))
    return found


def _section(view: View, types: list[str]) -> str:
    rows = [
        f"| `{column.name}` | {short_type(kind)} | {column.meaning} |"
        for column, kind in zip(view.columns, types, strict=True)
    ]
    return "\n".join(
        [f"## `{view.name}`", "", view.meaning, "", "| column | type | meaning |", "|---|---|---|", *rows, ""]
    )


def _real_types() -> dict[str, list[str]]:
    """The types of the views of a tenant without rows."""
    from query.sandbox import SqlTable, run_sql
    from query.sql import empty_rows
    from query.sql_views import ROWS, setup

    def columns(view: View) -> SqlResult:
        table = SqlTable(ROWS, data=empty_rows())
        return run_sql(query=f"SELECT * FROM {view.name}", tables=[table], setup=setup())

    return {view.name: list(columns(view).types) for view in VIEWS}


if __name__ == "__main__":
    print(manual(_real_types()), end="")
