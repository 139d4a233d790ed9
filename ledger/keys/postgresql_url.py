"""From a URL to a key store on PostgreSQL.

    postgresql://ledger@db.example.org/audit?schema=acme_ledger

User, host (several with commas), port and database as everywhere. The parameters:

    schema          the schema that holds this ledger's tables, one a ledger (audit_ledger)
    host            folder of a Unix socket, where the URL names no host
    busy_ms         how long to wait for a lock or a free connection (5000)
    answer_ms       how long a server may be silent before its connection is given up (30000)
    connections_max connections of one process (8)
    password_file   a file of mode 0600; its content is the password
    passfile        a password file as libpq has them (~/.pgpass)
    sslmode, sslrootcert, sslcert, sslkey    as libpq has them

Files are relative to the ledger's home. A parameter that is not listed, or is given twice, refuses to start. No
password may stand in the URL: it is in configurations, process lists and messages.

To a host that is not this one the default is `sslmode=verify-full` with the system's authorities: whoever stands in
between could not read a key, but could hide that a person was erased. Another mode has to be said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ledger.errors import Misconfigured
from ledger.keys.master import require_private

SCHEME = "postgresql"
SCHEMA = "audit_ledger"
BUSY_MS = 5_000
ANSWER_MS = 30_000
CONNECTIONS_MAX = 8
PORT = 5432

_FILES = ("sslrootcert", "sslcert", "sslkey", "passfile")
_NUMBERS = ("busy_ms", "answer_ms", "connections_max")
_PARAMETERS = ("schema", "host", *_NUMBERS, "password_file", "passfile", "sslmode", "sslrootcert", "sslcert", "sslkey")
_SCHEMA = re.compile(r"[a-z][a-z0-9_]{0,62}")
_SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class PostgresqlPlace:
    """Where a key store is. `connecting`: what libpq is told. `shown`: the URL for people, without any secret."""

    connecting: Mapping[str, str] = field(repr=False)
    schema: str
    shown: str
    busy_ms: int = BUSY_MS
    answer_ms: int = ANSWER_MS
    connections_max: int = CONNECTIONS_MAX


def is_postgresql(location: str) -> bool:
    """Whether this names a key store on PostgreSQL."""
    return location.startswith((f"{SCHEME}:", "postgres:"))


def postgresql_place(url: str, home: Path) -> PostgresqlPlace:
    """The place that `url` names; `Misconfigured` when it is wrong. Files are relative to `home`."""
    try:
        parts = urlsplit(url)
        port, password = parts.port if "," not in parts.netloc else None, parts.password
    except ValueError as error:
        raise Misconfigured(f"key store URL: {error}") from None
    if parts.scheme != SCHEME:
        raise Misconfigured(f"key store URL: expected {SCHEME}://…, got the scheme {parts.scheme!r}")
    if password is not None:
        raise Misconfigured("key store URL: no password may stand in it; name a password_file or a passfile")
    database = unquote(parts.path.removeprefix("/"))
    if parts.fragment or not database or "/" in database:
        raise Misconfigured(f"key store URL: expected {SCHEME}://user@host/database?schema=name")
    given = _parameters(parts)
    hosts, ports = _hosts(parts, given, port)
    schema = given.get("schema", SCHEMA)
    if not _SCHEMA.fullmatch(schema) or schema in ("public", "information_schema") or schema.startswith("pg_"):
        raise Misconfigured(
            f"key store URL: schema is {schema[:64]!r}, expected a name of its own: a-z, then a-z, 0-9 or _, at most 63"
        )
    numbers = {name: _number(given, name) for name in _NUMBERS if name in given}
    connecting = {"host": hosts, "port": ports, "dbname": database, **_tls(given, hosts)}
    if parts.username:
        connecting["user"] = unquote(parts.username)
    connecting |= {name: str(home / given[name]) for name in _FILES if name in given and given[name] != _SYSTEM}
    if "password_file" in given:
        connecting["password"] = _password(home / given["password_file"])
    user = f"{parts.username}@" if parts.username else ""
    shown = f"{SCHEME}://{user}{hosts if not hosts.startswith('/') else ''}/{parts.path[1:]}?schema={schema}"
    return PostgresqlPlace(connecting, schema, shown, **numbers)


def _parameters(parts: SplitResult) -> dict[str, str]:
    given: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _PARAMETERS:
            # Its value is not shown: it may be a password that somebody put in the wrong place.
            raise Misconfigured(f"key store URL: unknown parameter {name!r}, known are {', '.join(_PARAMETERS)}")
        if name in given:
            raise Misconfigured(f"key store URL: {name} is given twice")
        if not value:
            raise Misconfigured(f"key store URL: {name} is empty")
        given[name] = value
    return given


def _hosts(parts: SplitResult, given: Mapping[str, str], port: int | None) -> tuple[str, str]:
    """The hosts and their ports, each joined by commas as libpq wants them."""
    named = parts.netloc.rpartition("@")[2]
    if not named:
        if not given.get("host", "/").startswith("/"):
            raise Misconfigured("key store URL: the parameter host is the folder of a Unix socket")
        return given.get("host", ""), str(port or PORT)
    if named.startswith(":") and "host" in given:  # ":5433/database?host=/run/postgresql": a port, and a socket
        return given["host"], str(port or PORT)
    if "host" in given:
        raise Misconfigured("key store URL: host is given twice")
    hosts, ports = [], []
    for each in named.split(","):
        one = urlsplit(f"//{each}")
        try:
            ports.append(str(one.port or PORT))
        except ValueError as error:
            raise Misconfigured(f"key store URL: {error}") from None
        if not one.hostname:
            raise Misconfigured("key store URL: expected a host before each port")
        hosts.append(one.hostname)
    return ",".join(hosts), ",".join(ports)


def _tls(given: Mapping[str, str], hosts: str) -> dict[str, str]:
    chosen = {"sslmode": given["sslmode"]} if "sslmode" in given else {}
    if not chosen and not all(_is_here(host) for host in hosts.split(",")):
        chosen = {"sslmode": "verify-full"}
    if chosen.get("sslmode", "").startswith("verify") and given.get("sslrootcert", _SYSTEM) == _SYSTEM:
        chosen["sslrootcert"] = _SYSTEM
    return chosen


def _is_here(host: str) -> bool:
    """Whether what goes to this host stays on this machine: a Unix socket, or loopback."""
    if not host or host.startswith("/") or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _number(given: Mapping[str, str], name: str) -> int:
    text = given[name]
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise Misconfigured(f"key store URL: {name} is {text!r}, expected a positive whole number")
    return int(text)


def _password(file: Path) -> str:
    try:
        require_private(file, file.stat())
        password = file.read_text(encoding="utf-8").rstrip("\n")
    except (OSError, UnicodeDecodeError):
        raise Misconfigured(f"{file}: cannot read the key store's password") from None
    if not password:
        raise Misconfigured(f"{file}: is empty; expected the key store's password")
    return password
