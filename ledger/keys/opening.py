"""From a location to a key database.

keys/keys.sqlite                     an SQLite file, relative to the home
sqlite:///var/lib/ledger/keys.sqlite the same, an absolute path; sqlite:keys/keys.sqlite: relative to the home
postgresql://ledger@db/audit?schema=acme_ledger
                                     PostgreSQL (`ledger.keys.postgresql_url`); needs the extra `postgres`
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from urllib.parse import unquote, urlsplit

from ledger.errors import Misconfigured
from ledger.keys.database import KeyDatabase
from ledger.keys.postgresql_url import is_postgresql, postgresql_place
from ledger.keys.sqlite_database import SqliteDatabase


def create_key_database(location: str, home: Path) -> KeyDatabase:
    """A new, empty key database at `location`; `Misconfigured` when there is one."""
    if is_postgresql(location):
        made: KeyDatabase = _postgresql().PostgresqlDatabase.create(postgresql_place(location, home))
        return made
    return SqliteDatabase.create(sqlite_path(location, home))


def open_key_database(location: str, home: Path, *, read_only: bool | None = None) -> KeyDatabase:
    """The one at `location`; `Misconfigured` when there is none. `read_only` None: where it can't be written."""
    if is_postgresql(location):
        found: KeyDatabase = _postgresql().PostgresqlDatabase.open(
            postgresql_place(location, home), read_only=read_only
        )
        return found
    return SqliteDatabase.open(sqlite_path(location, home), read_only=read_only)


def sqlite_path(location: str, home: Path) -> Path:
    """The file that a location names."""
    if not location.startswith("sqlite:"):
        if "://" in location:
            raise Misconfigured(
                f"key store: expected a path, sqlite:… or postgresql://…, got {location.split(':')[0]}:"
            )
        return home / location
    parts = urlsplit(location)
    if parts.netloc or parts.query or parts.fragment or not parts.path.strip("/"):
        raise Misconfigured("key store URL: expected sqlite:///absolute/path or sqlite:relative/path")
    return home / unquote(parts.path)


def _postgresql() -> ModuleType:
    try:
        import ledger.keys.postgresql_database as module
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("psycopg"):
            raise
        raise Misconfigured(
            "a key store on PostgreSQL needs psycopg: pip install 'ai-audit-ledger[postgres]'"
        ) from None
    return module
