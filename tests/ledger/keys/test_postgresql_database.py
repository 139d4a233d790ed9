"""What only a key store on a server can show: who may touch it, what it refuses, and how it forgets."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from ledger.errors import IntegrityError, LedgerError, Misconfigured, Unavailable
from ledger.home import Home
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.master import LocalMasterKey
from ledger.keys.opening import create_key_database, open_key_database
from ledger.keys.provider import HolderRef, ScopeRef
from ledger.keys.rows import insert_links, select_holders, select_links, select_scopes, select_scopes_by_id
from ledger.keys.store import KeyStore
from tests.postgresql.server import LEDGER, Server, own_server

MASTER = LocalMasterKey(b"m" * 32)
HERE = Path()
READER = "reader"


@pytest.fixture
def name(postgresql: Server) -> Iterator[str]:
    """A database of the test's own, on the shared server."""
    made = postgresql.make_database()
    yield made
    postgresql.administer(f"DROP DATABASE {made} WITH (FORCE)")


@pytest.fixture
def database(postgresql: Server, name: str) -> Iterator[KeyDatabase]:
    """A new key store in it."""
    made = create_key_database(postgresql.url(name, busy_ms=500), HERE)
    yield made
    made.close()


def put(database: KeyDatabase, value: str) -> None:
    with database.write() as rows:
        rows.execute("INSERT INTO meta (name, value) VALUES (?1, ?1)", (value,))


def settings(database: KeyDatabase, *names: str) -> list[str]:
    with database.read() as rows:
        return [rows.execute("SELECT current_setting(?)", (each,)).fetchone()[0] for each in names]


def test_each_connection_says_what_durability_rests_on(postgresql: Server, name: str, database: KeyDatabase) -> None:
    """Commits wait for the log although the role's own setting says otherwise; the schema is the only one looked in."""
    found = settings(database, "synchronous_commit", "fsync", "search_path", "lock_timeout", "client_encoding")
    assert found == ["on", "on", "keys, pg_temp", "500ms", "UTF8"]
    postgresql.administer(f"ALTER DATABASE {name} SET synchronous_commit = local")
    again = open_key_database(postgresql.url(name), HERE)
    assert settings(again, "synchronous_commit") == ["on"]
    again.close()
    postgresql.administer(f"ALTER DATABASE {name} SET synchronous_commit = remote_apply")
    again = open_key_database(postgresql.url(name), HERE)
    assert settings(again, "synchronous_commit") == ["remote_apply"]
    again.close()
    postgresql.administer(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with pytest.raises(Misconfigured, match=r"synchronous_commit = off.*Expected on"):
        open_key_database(postgresql.url(name), HERE)


def test_a_server_without_fsync_is_refused() -> None:
    """A server that does not wait for its disk is told, when a store is made and when one is opened."""
    with own_server(fsync="off") as server:
        for call in (create_key_database, open_key_database):
            with pytest.raises(Misconfigured, match=r"fsync = off.*Expected on"):
                call(server.url(server.make_database()), HERE)


def test_what_is_open_to_everybody_is_refused(postgresql: Server, name: str, database: KeyDatabase) -> None:
    """A grant to PUBLIC on any table of the store is named."""
    postgresql.administer("GRANT SELECT ON keys.holders TO PUBLIC", name)
    with pytest.raises(Misconfigured, match="holders is open to everybody"):
        open_key_database(postgresql.url(name), HERE)
    postgresql.administer("REVOKE ALL ON keys.holders FROM PUBLIC", name)
    open_key_database(postgresql.url(name), HERE).close()


@pytest.mark.parametrize("problem", ["role", "database", "schema"])
def test_what_the_operator_must_mend_is_told(postgresql: Server, name: str, problem: str) -> None:
    """A role, database or schema that does not exist is the operator's to mend, not an outage."""
    url = postgresql.url(name if problem != "database" else "nowhere")
    if problem == "role":
        url = url.replace(f"{LEDGER}@", "nobody_knows@")
    with pytest.raises(Misconfigured):
        open_key_database(url, HERE)


def test_the_schema_may_be_there_already(postgresql: Server, name: str) -> None:
    """A schema that an administrator made is used, though the role may make none; one with tables is refused."""
    postgresql.administer(f"ALTER DATABASE {name} OWNER TO postgres")
    with pytest.raises(Misconfigured, match="permission denied"):
        create_key_database(postgresql.url(name), HERE)
    postgresql.administer(f"CREATE SCHEMA keys AUTHORIZATION {LEDGER}", name)
    made = create_key_database(postgresql.url(name), HERE)
    made.remove()
    made.close()
    assert postgresql.administer("SELECT nspname FROM pg_namespace WHERE nspname = 'keys'", name) == [("keys",)]
    postgresql.administer("CREATE TABLE keys.other ()", name)
    with pytest.raises(Misconfigured, match="has tables already"):
        create_key_database(postgresql.url(name), HERE)


def test_a_role_that_may_only_read_reads(postgresql: Server, name: str, database: KeyDatabase) -> None:
    """A role with SELECT opens the store for reading, by itself, and sees everything."""
    if not postgresql.administer(f"SELECT 1 FROM pg_roles WHERE rolname = '{READER}'"):
        postgresql.administer(f"CREATE ROLE {READER} LOGIN")
    postgresql.administer(f"GRANT USAGE ON SCHEMA keys TO {READER}", name)
    postgresql.administer(f"GRANT SELECT ON ALL TABLES IN SCHEMA keys TO {READER}", name)
    mia = HolderRef("person", "mia")
    made = KeyStore(database, MASTER).acquire("acme", [mia], [], []).holders[mia]
    reader = open_key_database(postgresql.url(name).replace(f"{LEDGER}@", f"{READER}@"), HERE)
    assert reader.is_read_only
    assert KeyStore(reader, MASTER).pseudonym("acme", "mia") == made.pseudonym
    with pytest.raises(Unavailable, match="opened for reading only"):
        put(reader, "x")
    reader.close()


def test_a_ledger_refuses_the_store_of_another(postgresql: Server, name: str, tmp_path: Path) -> None:
    """A home whose configuration names another ledger's schema opens nothing; each has its own on one server."""
    homes = [
        Home.create(tmp_path / each, name=f"{each}.example.org", key_store=postgresql.url(name, each))
        for each in ("one", "two")
    ]
    for home in homes:
        home.keys(home.config(environment={})).close()
    wrong = homes[0].config(environment={}, flags={"ledger.key_store": postgresql.url(name, "two")})
    for call in (homes[0].keys, homes[0].remembered_rounds):
        with pytest.raises(Misconfigured, match=r"made as 'two.example.org', got 'one.example.org'"):
            call(wrong)
    # The same name, and yet another ledger: its master key tells.
    (homes[0].path / "config.toml").write_text(
        (homes[0].path / "config.toml").read_text().replace("one.example.org", "two.example.org")
    )
    again = homes[0].config(environment={}, flags={"ledger.key_store": postgresql.url(name, "two")})
    with pytest.raises(Misconfigured, match="expected master key"):
        homes[0].keys(again)


def test_an_init_that_fails_takes_its_schema_away(postgresql: Server, name: str, tmp_path: Path) -> None:
    """When the event log cannot be made neither home nor anything on the server stays; `init` can be repeated."""
    for _ in range(2):
        with pytest.raises(LedgerError):
            Home.create(
                tmp_path / "home",
                name="audit.example.org",
                key_store=postgresql.url(name),
                event_log="sqlite:/nowhere/at/all/log.sqlite",
            )
        assert not (tmp_path / "home").exists()
        assert postgresql.administer("SELECT 1 FROM pg_namespace WHERE nspname = 'keys'", name) == []
    made = Home.create(tmp_path / "home", name="audit.example.org", key_store=postgresql.url(name))
    assert not (made.path / "keys" / "keys.sqlite").exists()
    made.keys(made.config(environment={})).close()


def test_gateways_insert_beside_each_other(postgresql: Server, name: str, database: KeyDatabase) -> None:
    """While one makes rows another makes others at once; for the same row it waits for the first, and finds that."""
    other = open_key_database(postgresql.url(name, busy_ms=20_000), HERE)
    same, else_ = (bytes(32), bytes(32)), (b"\1" * 32, bytes(32))

    def make(pair: tuple[bytes, bytes], of: KeyDatabase) -> set[tuple[bytes, bytes]]:
        with of.insert() as rows:
            insert_links(rows, "acme", [pair])
            return select_links(rows, "acme", [same, else_])

    with ThreadPoolExecutor(1) as threads:
        with database.insert() as rows:
            insert_links(rows, "acme", [same])
            assert make(else_, other) == {else_}
            waiting = threads.submit(make, same, other)
            with pytest.raises(FutureTimeout):
                waiting.result(0.2)
        assert waiting.result(30) == {same, else_}
    other.close()


def test_an_answer_of_the_server_holds_no_value(database: KeyDatabase) -> None:
    """What the server says of a row that it refuses names constraint and columns, not what stood in them."""

    def twice() -> None:
        with database.write() as rows:
            rows.execute("INSERT INTO links VALUES (?1, ?2, ?2), (?1, ?2, ?2)", ("unspeakable", b"\xab" * 32))

    with pytest.raises(IntegrityError, match="links_pkey") as caught:
        twice()
    assert "unspeakable" not in str(caught.value)
    assert "abab" not in str(caught.value)


def test_a_transaction_in_which_a_statement_failed_is_never_called_done(database: KeyDatabase) -> None:
    """Whoever passes over a failed statement is told at the end that nothing was committed."""

    def passes_over() -> None:
        with database.write() as rows:
            rows.execute("INSERT INTO meta (name, value) VALUES ('a', 'b')")
            with suppress(psycopg.Error):
                rows.execute("SELECT 1/0")

    with pytest.raises(IntegrityError, match="failed statement"):
        passes_over()
    with database.read() as rows:
        assert rows.execute("SELECT count(*) FROM meta WHERE name = 'a'").fetchone() == (0,)


def test_the_planner_keeps_no_samples_of_keys_and_hashes(postgresql: Server, name: str, database: KeyDatabase) -> None:
    """ANALYZE, which samples columns into a table of its own, passes over every column of bytes."""
    people = [HolderRef("person", f"p{number}") for number in range(200)]
    KeyStore(database, MASTER).acquire("acme", people, [ScopeRef(each, "standard", "2026-11") for each in people], [])
    put(database, "x")
    postgresql.administer("ANALYZE", name)
    sampled = postgresql.administer("SELECT tablename, attname FROM pg_stats WHERE schemaname = 'keys'", name)
    assert ("holders", "kind") in sampled, "what is no secret is sampled"
    of_bytes = postgresql.administer(
        "SELECT table_name, column_name FROM information_schema.columns "
        "WHERE table_schema = 'keys' AND data_type = 'bytea'",
        name,
    )
    assert len(of_bytes) >= 15
    assert set(sampled).isdisjoint(of_bytes)


@pytest.mark.parametrize("analyzed", [False, True])
def test_keys_are_looked_up_whatever_the_planner_knows(
    postgresql: Server, name: str, database: KeyDatabase, analyzed: bool
) -> None:
    """On a new table without statistics, and with those there are, a call reads its own rows and no others."""
    people = [HolderRef("person", f"p{number}") for number in range(2_000)]
    scopes = [ScopeRef(each, "standard", "2026-11") for each in people]
    links = [(HolderRef("session", each.identifier), people[0]) for each in people]
    KeyStore(database, MASTER).acquire("acme", people, scopes, links)
    if analyzed:
        postgresql.administer("ANALYZE", name)
    with database.read() as rows:
        hashes = [each for (each,) in rows.execute("SELECT holder_hash FROM holders WHERE bucket < 50 LIMIT 100")]
        keys, ids = zip(*rows.execute("SELECT row_key, scope_id FROM scopes WHERE bucket < 50 LIMIT 100"), strict=True)
        pairs = list(rows.execute("SELECT stand_in_hash, person_hash FROM links LIMIT 100"))
    with database.read() as rows:
        # The server counts by connection, and tells a transaction what earlier ones of it read a moment ago as well.
        before = rows_read(rows)
        assert len(list(select_holders(rows, "acme", hashes))) == 100
        assert len(list(select_scopes(rows, "acme", keys))) == 100
        assert len(list(select_scopes_by_id(rows, "acme", ids))) == 100
        assert len(select_links(rows, "acme", pairs)) == 100
        after = rows_read(rows)
    read = {table: [now - then for now, then in zip(after[table], before[table], strict=True)] for table in after}
    assert read == {"holders": [0, 100], "scopes": [0, 200], "links": [0, 100]}


def rows_read(rows: Rows) -> dict[str, tuple[int, int]]:
    """Of each table, how many rows were read by scanning it and how many by its indexes."""
    return {
        table: (scanned, fetched)
        for table, scanned, fetched in rows.execute(
            "SELECT relname, seq_tup_read, idx_tup_fetch FROM pg_stat_xact_user_tables WHERE schemaname = 'keys' "
            "AND relname IN ('holders', 'scopes', 'links')"
        )
    }


def test_a_wipe_waits_for_older_transactions_and_says_so(postgresql: Server, name: str, database: KeyDatabase) -> None:
    """While somebody's older snapshot keeps deleted rows alive nothing is called wiped; afterwards it is."""
    canary = "needle in a haystack"
    put(database, canary)
    url = postgresql.url(name)
    with database.read() as rows:
        rows.execute("SELECT 1 FROM holders")
        other = open_key_database(url, HERE)
        with other.write() as writing:
            writing.execute("DELETE FROM meta WHERE name = ?", (canary,))
        assert canary.encode() in postgresql.bytes_of(name)
        with pytest.raises(Unavailable, match="kept by an older transaction"):
            database.wipe("meta")
    database.wipe("meta")
    assert canary.encode() not in postgresql.bytes_of(name)
    other.close()


def test_a_wipe_needs_the_tables_owner(postgresql: Server, name: str, database: KeyDatabase) -> None:
    """A table of somebody else's, which the server silently passes over, is not called wiped."""
    postgresql.administer(f"ALTER DATABASE {name} OWNER TO postgres")
    postgresql.administer("ALTER TABLE keys.meta OWNER TO postgres", name)
    postgresql.administer(f"GRANT ALL ON keys.meta TO {LEDGER}", name)
    with pytest.raises(Misconfigured, match="has to own it"):
        database.wipe("meta")
