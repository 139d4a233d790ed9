"""From a URL to a key store on PostgreSQL: what it may say, and what it never shows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ledger.errors import Misconfigured, Unavailable
from ledger.keys.opening import open_key_database, sqlite_path
from ledger.keys.postgresql_url import is_postgresql, postgresql_place

HOME = Path("/home")


def connecting(url: str) -> dict[str, str]:
    return dict(postgresql_place(url, HOME).connecting)


def test_everything_that_may_be_said() -> None:
    """Each part of the URL arrives where libpq looks for it; numbers and schema are the ledger's."""
    place = postgresql_place(
        "postgresql://me%40org@db1:5433,db2/audit?schema=acme&busy_ms=7&answer_ms=8&connections_max=9"
        "&sslmode=verify-ca&sslrootcert=ca.pem&sslcert=/c.pem&sslkey=k.pem&passfile=pass",
        HOME,
    )
    assert place.connecting == {
        "host": "db1,db2",
        "port": "5433,5432",
        "dbname": "audit",
        "user": "me@org",
        "sslmode": "verify-ca",
        "sslrootcert": "/home/ca.pem",
        "sslcert": "/c.pem",
        "sslkey": "/home/k.pem",
        "passfile": "/home/pass",
    }
    assert (place.schema, place.busy_ms, place.answer_ms, place.connections_max) == ("acme", 7, 8, 9)
    assert place.shown == "postgresql://me%40org@db1,db2/audit?schema=acme"


@pytest.mark.parametrize(
    ("url", "sslmode"),
    [
        ("postgresql://db.example.org/audit", "verify-full"),
        ("postgresql://127.0.0.1,db/audit", "verify-full"),
        ("postgresql://db/audit?sslmode=disable", "disable"),
        ("postgresql://localhost/audit", None),
        ("postgresql://127.0.0.1:5433/audit", None),
        ("postgresql://[::1]/audit", None),
        ("postgresql:///audit", None),
        ("postgresql://u@/audit?host=/run/postgresql", None),
    ],
)
def test_to_another_machine_only_with_proof_of_who_it_is(url: str, sslmode: str | None) -> None:
    """Beyond this machine the server has to prove its name by the system's authorities, unless the URL says less."""
    found = connecting(url)
    assert found.get("sslmode") == sslmode
    assert found.get("sslrootcert") == ("system" if sslmode == "verify-full" else None)


def test_a_socket_is_a_folder() -> None:
    """The folder of a Unix socket stands in `host`, with a port that the URL may say."""
    assert connecting("postgresql://u@:5433/audit?host=/run/pg") == {
        "host": "/run/pg",
        "port": "5433",
        "dbname": "audit",
        "user": "u",
    }


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("postgres://db/audit", "expected postgresql://"),
        ("postgresql://u:hunter2@db/audit", "no password"),
        ("postgresql://u@db/audit?password=hunter2", "unknown parameter 'password'"),
        ("postgresql://u@db/audit?hunter2", "unknown parameter"),
        ("postgresql://db", "expected postgresql://user@host/database"),
        ("postgresql://db/a/b", "expected postgresql://user@host/database"),
        ("postgresql://db/audit#x", "expected postgresql://user@host/database"),
        ("postgresql://db:x/audit", "[Pp]ort"),
        ("postgresql://,db/audit", "expected a host"),
        ("postgresql://db/audit?host=/run", "host is given twice"),
        ("postgresql:///audit?host=db", "folder of a Unix socket"),
        ("postgresql://db/audit?schema=public", "a name of its own"),
        ("postgresql://db/audit?schema=pg_temp", "a name of its own"),
        ("postgresql://db/audit?schema=Acme", "a name of its own"),
        ('postgresql://db/audit?schema=a";drop', "a name of its own"),
        ("postgresql://db/audit?schema=a&schema=b", "given twice"),
        ("postgresql://db/audit?schema=", "schema is empty"),
        ("postgresql://db/audit?busy_ms=0", "positive whole number"),
        ("postgresql://db/audit?password_file=absent", "cannot read the key store's password"),
    ],
)
def test_a_wrong_url_is_refused(url: str, match: str) -> None:
    """What is wrong is named, before any connection; a password that stood in the URL is not repeated."""
    with pytest.raises(Misconfigured, match=match) as caught:
        postgresql_place(url, HOME)
    assert "hunter2" not in str(caught.value).replace("unknown parameter 'hunter2'", "")


def test_the_password_comes_from_a_private_file(tmp_path: Path) -> None:
    """It is the file's content without its line's end, and never shown; a file that others can read is refused."""
    file = tmp_path / "password"
    file.touch(mode=0o600)
    file.write_text("hunter2\n")
    place = postgresql_place("postgresql://u@db/audit?password_file=password", tmp_path)
    assert place.connecting["password"] == "hunter2"
    assert "hunter2" not in f"{place!r} {place}"
    file.write_text("\n")
    with pytest.raises(Misconfigured, match="is empty"):
        postgresql_place("postgresql://u@db/audit?password_file=password", tmp_path)
    file.chmod(0o640)
    with pytest.raises(Misconfigured, match="mode 0600"):
        postgresql_place("postgresql://u@db/audit?password_file=password", tmp_path)


def test_a_location_names_one_kind_of_store() -> None:
    """A path, an SQLite URL and a PostgreSQL URL are told apart; anything else is refused."""
    assert sqlite_path("keys/keys.sqlite", HOME) == HOME / "keys/keys.sqlite"
    assert sqlite_path("sqlite:keys/a%20b", HOME) == HOME / "keys/a b"
    assert sqlite_path("sqlite:///var/keys", HOME) == Path("/var/keys")
    assert is_postgresql("postgresql://db/audit")
    assert is_postgresql("postgres://db/audit")
    assert not is_postgresql("postgresql.sqlite")
    for wrong in ("mysql://db/audit", "sqlite://host/path", "sqlite:", "sqlite:a?b=c"):
        with pytest.raises(Misconfigured, match="expected"):
            sqlite_path(wrong, HOME)


def test_nothing_but_such_a_store_needs_psycopg() -> None:
    """Without the extra everything else works, and naming PostgreSQL says what to install."""
    code = (
        "import sys\n"
        "sys.modules['psycopg'] = None\n"
        "from pathlib import Path\n"
        "import ledger.home, ledger.gateway.server, ledger.cli.main\n"
        "from ledger.errors import Misconfigured\n"
        "from ledger.keys.opening import open_key_database\n"
        "try: open_key_database('postgresql:///audit', Path())\n"
        "except Misconfigured as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "pip install 'ai-audit-ledger[postgres]'" in done.stdout


def test_psycopg_is_not_loaded_for_a_file(tmp_path: Path) -> None:
    """Whoever keeps keys in a file does not load it, installed or not."""
    code = (
        "import sys, ledger.home, ledger.gateway.server, ledger.cli.main\n"
        "assert not any(name.startswith('psycopg') for name in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """A socket without a server is an outage, told at once."""
    with pytest.raises(Unavailable, match="postgresql://u@/audit"):
        open_key_database(f"postgresql://u@/audit?host={tmp_path}", tmp_path)
