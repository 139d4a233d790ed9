"""What an auditor's SQL may try, each attack by its name, against the walls behind the courtesy check.

Every attack runs twice: over the tenant's files under Landlock, and over Arrow data with Landlock simulated missing.
The check that only a SELECT may be asked is left out (`select_only=False`): it is a courtesy, and the walls have to
hold without it.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.errors import Rejected
from query.sandbox import files_allowed
from tests.query.sandbox.conftest import SECRET, Ask, Ground

READS = {
    "csv of the host": "SELECT * FROM read_csv('/etc/passwd', header=false)",
    "text of the host": "SELECT * FROM read_text('/etc/passwd')",
    "blob of the host": "SELECT * FROM read_blob('/etc/passwd')",
    "json of the host": "SELECT * FROM read_json('/etc/passwd')",
    "sniffing a csv": "SELECT * FROM sniff_csv('/etc/passwd')",
    "text beside the segment": "SELECT * FROM read_text('{text}')",
    "another tenant's segment": "SELECT * FROM read_parquet('{other}')",
    "another tenant's segment by name": "SELECT * FROM '{other}'",
    "another tenant's segment by query_table": "FROM query_table('{other}')",
    "another tenant's segment beside one's own": "SELECT * FROM read_parquet(['{own}', '{other}'], union_by_name=true)",
    "another tenant's metadata": "SELECT * FROM parquet_metadata('{other}')",
    "another tenant's schema": "SELECT * FROM parquet_schema('{other}')",
    "listing the host": "SELECT * FROM glob('/etc/*')",
    "listing the segments": "SELECT * FROM glob('{folder}/*')",
    "a pattern as a file": "SELECT * FROM read_parquet('{folder}/*.parquet', union_by_name=true)",
    "listing the descriptors": "SELECT * FROM glob('/proc/self/fd/*')",
    "the process's environment": "SELECT * FROM read_blob('/proc/self/environ')",
    "the process's memory": "SELECT * FROM read_blob('/proc/self/mem')",
    "the parent's arguments": "SELECT * FROM read_blob('/proc/1/cmdline')",
    "through the root link": "SELECT * FROM read_text('/proc/self/root/etc/passwd')",
    "through the folder link": "SELECT * FROM read_text('/proc/self/cwd/etc/passwd')",
    "up from one's own file": "SELECT * FROM read_text('{own}/../secret.txt')",
    "up from a descriptor": "SELECT * FROM read_text('/proc/self/fd/4/../../../../etc/passwd')",
    "every other descriptor": "SELECT * FROM read_text('/proc/self/fd/0')",
    "relative": "SELECT * FROM read_text('etc/passwd')",
    "as an address": "SELECT * FROM read_text('file:///etc/passwd')",
    "in another spelling": "SELECT * FROM read_text('//etc/./passwd')",
    "in escapes": "SELECT * FROM read_text(e'/etc/\\u0070asswd')",
    "in full-width letters": "SELECT * FROM read_text('／ｅｔｃ／ｐａｓｓｗｄ')",
    "in a text that is run": "FROM query('SELECT * FROM read_text(''/etc/passwd'')')",
    "in a serialized query": (
        "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT * FROM read_text(''/etc/passwd'')'))"
    ),
    "in a subquery": "SELECT (SELECT content FROM read_text('/etc/passwd'))",
    "in a common table": "WITH x AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM x",
    "in a view": "CREATE VIEW v AS SELECT * FROM read_text('/etc/passwd')",
    "as a database": "SELECT * FROM read_duckdb('{text}')",
    "attached": "ATTACH '{text}' AS stolen",
    "attached for reading": "ATTACH '{text}' AS stolen (READ_ONLY)",
    "copied in": "COPY events FROM '{other}'",
    "imported": "IMPORT DATABASE '{folder}'",
}

WRITES = {
    "a new file": "COPY events TO '{folder}/new.csv'",
    "a new Parquet file": "COPY events TO '{folder}/new.parquet' (FORMAT parquet)",
    "over the segment": "COPY (SELECT 1) TO '{own}' (FORMAT parquet)",
    "over the segment in place": "COPY (SELECT 1) TO '{own}' (FORMAT parquet, USE_TMP_FILE false)",
    "over the segment as csv": "COPY (SELECT 1) TO '{own}' (FORMAT csv, USE_TMP_FILE false)",
    "over another tenant's segment": "COPY (SELECT 1) TO '{other}' (FORMAT parquet, USE_TMP_FILE false)",
    "over its own descriptor": "COPY (SELECT 1) TO '/proc/self/fd/4' (FORMAT csv, USE_TMP_FILE false)",
    "to the parent's pipe": "COPY (SELECT 1) TO '/proc/self/fd/6' (FORMAT csv, USE_TMP_FILE false)",
    "into a folder": "COPY events TO '{folder}/parts' (FORMAT parquet, PARTITION_BY (word))",
    "in a common table": "WITH x AS (COPY events TO '{folder}/new.csv') SELECT 1",
    "while explaining": "EXPLAIN ANALYZE COPY events TO '{folder}/new.csv'",
    "while explaining, over the segment": "EXPLAIN ANALYZE COPY (SELECT 1) TO '{own}' (FORMAT csv, USE_TMP_FILE false)",
    "exporting everything": "EXPORT DATABASE '{folder}/export'",
    "a new database": "ATTACH '{folder}/new.db'",
    "the segment as a database": "ATTACH '{own}' AS x (TYPE duckdb)",
    "a log": "CALL enable_logging(storage='file', storage_path='{folder}/log')",
    "a profile": "PRAGMA profiling_output='{folder}/profile.json'",
    "to the null device": "COPY events TO '/dev/null' (FORMAT csv, USE_TMP_FILE false)",
    "to shared memory": "COPY events TO '/dev/shm/audit-ledger-attack' (FORMAT csv)",
}

SETTINGS = {
    "external access": "SET enable_external_access=true",
    "external access, reset": "RESET enable_external_access",
    "external access as a pragma": "PRAGMA enable_external_access=true",
    "the lock": "SET lock_configuration=false",
    "the lock, globally": "SET GLOBAL lock_configuration=false",
    "the lock, reset": "RESET lock_configuration",
    "allowed paths": "SET allowed_paths=['/etc/passwd']",
    "allowed folders": "SET allowed_directories=['/']",
    "file systems": "RESET disabled_filesystems",
    "memory": "SET memory_limit='100GB'",
    "threads": "SET GLOBAL threads=64",
    "the spill folder": "SET temp_directory='{folder}'",
    "the home folder": "SET home_directory='{folder}'",
    "the extension folder": "SET extension_directory='{folder}'",
    "unsigned extensions": "SET allow_unsigned_extensions=true",
    "automatic extensions": "SET autoinstall_known_extensions=true",
    "profiling": "PRAGMA enable_profiling='json'",
    "the time zone": "SET TimeZone='Asia/Tokyo'",
    "an extension, installed": "INSTALL httpfs",
    "an extension, installed by force": "FORCE INSTALL httpfs FROM community",
    "an extension from a file": "INSTALL '{folder}/x.duckdb_extension'",
    "an extension, loaded": "LOAD httpfs",
    "an extension loaded from a file": "LOAD '{text}'",
    "a secret": "CREATE SECRET (TYPE s3, KEY_ID 'a', SECRET 'b')",
    "a secret that stays": "CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')",
}

STRANGE = {
    "the environment": "SELECT getenv('HOME')",
    "Python's variables": "SELECT * FROM job",
    "Python's modules": "SELECT * FROM sys",
    "Python's connection": "SELECT * FROM connection",
    "a pointer to nothing": "SELECT * FROM arrow_scan(NULL, NULL, NULL)",
    "a pointer to nothing, crashing": "SELECT * FROM pandas_scan(NULL)",
    "a pointer from a number": "SELECT * FROM pandas_scan(4096)",
    "a function by pointer": "SELECT * FROM python_map_function((SELECT 1), NULL, NULL)",
    "writing to the table": "INSERT INTO events VALUES (1, 'forged')",
    "changing the table": "UPDATE events SET word = 'forged'",
    "emptying the table": "DELETE FROM events",
    "a statement prepared elsewhere": "EXECUTE p",
    "nothing": "",
    "only a comment": "-- nothing",
    "only a semicolon": ";",
    "two statements": "SELECT 1; SELECT 2",
    "a second statement behind a comment": "SELECT 1 -- innocent\n; COPY events TO '{folder}/new.csv'",
    "a second statement behind a block": "SELECT 1 /* ; */; COPY events TO '{folder}/new.csv'",
    "an open comment": "SELECT 1 /* COPY events TO '{folder}/new.csv'",
    "a second statement behind a NUL": "SELECT 1\0; COPY events TO '{folder}/new.csv'",
    "full-width syntax": "SELECT＊FROM events；COPY events TO '{folder}/new.csv'",
    "half a character": "SELECT '\ud800'",
    "a parameter": "SELECT * FROM events WHERE n = ?",
}


@pytest.fixture(autouse=True)
def unchanged(ground: Ground) -> Iterator[None]:
    """After every attack each file has the bytes it had, none is gone and none was added."""
    before = ground.digests()
    yield
    assert ground.digests() == before
    assert not Path("/dev/shm/audit-ledger-attack").exists()


def attacked(ask: Ask, ground: Ground, query: str) -> str:
    """The refusal's text; the attack must have failed, and the refusal must tell nothing."""
    places = {"folder": ground.folder, "own": ground.own, "other": ground.other, "text": ground.text}
    for name, path in places.items():
        query = query.replace("{" + name + "}", str(path))
    with pytest.raises(Rejected) as refused:
        ask(query, select_only=False)
    assert refused.value.field == "sql"
    assert SECRET not in str(refused.value)
    assert "root:" not in str(refused.value)
    assert "site-packages" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("name", READS)
def test_cannot_read(name: str, ask: Ask, ground: Ground) -> None:
    """Nothing but the tenant's own rows can be read, by whatever function or spelling."""
    attacked(ask, ground, READS[name])


@pytest.mark.parametrize("name", WRITES)
def test_cannot_write(name: str, ask: Ask, ground: Ground) -> None:
    """No file can be written, least of all the segment the query reads from."""
    attacked(ask, ground, WRITES[name])


@pytest.mark.parametrize("name", SETTINGS)
def test_cannot_change_the_engine(name: str, ask: Ask, ground: Ground) -> None:
    """No setting, extension or secret can be changed, added or taken back."""
    attacked(ask, ground, SETTINGS[name])


@pytest.mark.parametrize("name", STRANGE)
def test_cannot_trick(name: str, ask: Ask, ground: Ground) -> None:
    """Odd texts and functions end in a refusal, not in an answer; a crash ends the child and nothing else."""
    attacked(ask, ground, STRANGE[name])


@pytest.mark.parametrize("address", ["http://{host}/x.csv", "https://{host}/x.parquet", "s3://{host}/x.parquet"])
def test_cannot_reach_the_network(address: str, ask: Ask, ground: Ground) -> None:
    """No address is connected to: a listener on this machine hears nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        host = f"127.0.0.1:{server.getsockname()[1]}"
        attacked(ask, ground, f"SELECT * FROM '{address.format(host=host)}'")
        with pytest.raises(BlockingIOError):
            server.accept()


@pytest.mark.parametrize(
    "query",
    [
        "CREATE TABLE x AS SELECT 1",
        "CREATE MACRO m(p) AS TABLE SELECT * FROM read_text(p)",
        "DROP VIEW events",
        "CREATE OR REPLACE VIEW events AS SELECT 1",
        "PREPARE p AS SELECT 1",
        "ATTACH ':memory:' AS x",
        "CALL pragma_version()",
        "SET VARIABLE x = 1",
        "CHECKPOINT",
        "BEGIN",
        "USE memory",
        "COPY events TO '/tmp/x'",
        "EXPORT DATABASE 'x'",
        "INSTALL httpfs",
        "PRAGMA enable_profiling",
    ],
)
def test_only_a_select_may_be_asked(query: str, ask: Ask) -> None:
    """As a courtesy, what is no SELECT is refused with a message that says so, even where it would do no harm."""
    with pytest.raises(Rejected, match=r"^sql: only SELECT .* can be asked here, found [A-Z_]+$"):
        ask(query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 -- ; SELECT 2",
        "SELECT 1 /* ; SELECT 2 */ ;",
        "SELECT 1;;",
        "VALUES (1)",
        "FROM (SELECT 1)",
        "WITH x AS (SELECT 1) FROM x",
        "PIVOT (SELECT 1 AS a, 2 AS b) ON b IN (2) USING sum(a)",
        "SELECT count(*) FROM events WHERE word = '; DROP VIEW events'",
    ],
)
def test_honest_queries_are_answered(query: str, ask: Ask) -> None:
    """Semicolons in comments and texts, and the other forms of a SELECT, are no attacks."""
    assert len(ask(query).rows) == 1


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM duckdb_databases()",
        "SELECT sql FROM duckdb_views()",
        "SELECT * FROM duckdb_external_file_cache()",
        "SELECT * FROM duckdb_temporary_files()",
        "SELECT * FROM duckdb_logs()",
        "SELECT current_setting('home_directory'), current_setting('secret_directory')",
        "SELECT current_query(), current_user, current_database()",
        "EXPLAIN SELECT * FROM events",
        "EXPLAIN ANALYZE SELECT * FROM events",
    ],
)
def test_the_engine_knows_nothing_of_the_host(query: str, ask: Ask, ground: Ground) -> None:
    """Settings, catalogues and plans show no path of this host but what the tenant's own file is called."""
    shown = repr(ask(query).rows).replace(str(ground.own), "")
    for place in (str(ground.folder), str(Path.home()) + "/", "site-packages", SECRET):
        assert place not in shown


@pytest.mark.skipif(not files_allowed(), reason="this kernel has no Landlock: files are refused")
def test_a_failing_file_is_not_named_in_full(ask: Ask, ground: Ground) -> None:
    """A refusal that names a file by its path on this host, which the query did not write, has it replaced."""
    text = attacked(ask, ground, "COPY (SELECT 1) TO '{own}' (FORMAT parquet)")
    assert "tmp_" not in text
