"""Tenants and their logs: made once, never changed.

- A tenant has one log, or a count of shards fixed when it is made. An event's shard = the first 8 bytes of
  SHA-256(event id), big-endian, modulo the count.
- A log has a random 256-bit id, told to its tenant and auditors, and a partition of the event log, chosen when it is
  made (the one with the fewest logs, the lowest of several) and recorded: a record elsewhere is a finding.
- Its checkpoint origin is `<ledger name>/log/<log id in hex>`. A partition's rounds are a log too, of origin
  `<ledger name>/rounds/<partition>`; it needs no secret id, for it tells nothing of any tenant.
- A tenant is *open*, until it is deleted (`ledger.deletion`): *closing* (no event of anybody else is taken any more),
  *ended* (its last event is sealed, none is taken at all), *deleted*. Its name is never given again, and its logs stay
  known: what is said of them must not come to mean others.
- Names are `[a-z0-9][a-z0-9._-]{0,62}`. Reserved, made by `initialise` and by nothing else: `_org`, for what is
  company-wide, and `_system`, with one log a partition (shard = partition) for what could not be decoded.

The ledger's name is recorded by `initialise`: under another name every origin would be another, and no checkpoint
would verify. The number of partitions is that of `_system`'s logs; it may grow by another `initialise`, never shrink.

What is made here is durable when the call returns. Answers come from memory for at most `CACHE_LEASE_S`, only for what
exists, so a tenant made by another process is seen at once; a partition added by one, or a tenant closed, when the
memory is over.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from os import urandom
from typing import Literal, cast

from ledger.errors import IntegrityError, Misconfigured
from ledger.keys.cache import LeaseCache
from ledger.keys.database import KeyDatabase, Rows
from ledger.tlog.note import check_key_name

ORG = "_org"
SYSTEM = "_system"
LOG_ID_BYTES = 32
LEDGER_NAME_CHARACTERS_MAX = 128
SHARDS_MAX = 256
PARTITIONS_MAX = 4_096
CACHE_ENTRIES_MAX = 50_000
CACHE_LEASE_S = 10.0

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_LEDGER_NAME = "ledger_name"
_STATE = "tenant_state/"

TenantState = Literal["open", "closing", "ended", "deleted"]


@dataclass(frozen=True, slots=True)
class TenantLog:
    """One Merkle log: one shard of one tenant."""

    log_id: bytes
    tenant: str
    shard: int
    partition: int
    origin: str


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant and its logs, by shard."""

    name: str
    created_at: datetime
    logs: tuple[TenantLog, ...]
    state: TenantState = "open"

    def log_of(self, event_id: bytes) -> TenantLog:
        """The log that takes this event."""
        return self.logs[0] if len(self.logs) == 1 else self.logs[shard_of(event_id, len(self.logs))]


@dataclass(frozen=True, slots=True)
class PartitionLogs:
    """The logs that belong to a partition itself: its rounds, and `_system`'s log for what could not be decoded."""

    partition: int
    rounds_origin: str
    system_log: TenantLog


def shard_of(event_id: bytes, count: int) -> int:
    """The shard of an event among `count`: the first 8 bytes of SHA-256(event id), big-endian, modulo count."""
    if count < 1:
        raise ValueError(f"shard count: expected 1 or more, got {count}")
    return int.from_bytes(sha256(event_id).digest()[:8], "big") % count


def log_origin(ledger_name: str, log_id: bytes) -> str:
    """The checkpoint origin of a tenant's log."""
    return f"{ledger_name}/log/{log_id.hex()}"


def rounds_origin(ledger_name: str, partition: int) -> str:
    """The checkpoint origin of a partition's rounds."""
    return f"{ledger_name}/rounds/{partition}"


def check_ledger_name(name: str) -> None:
    """`Misconfigured` unless the name can stand before an origin: a note key name without scheme or outer slashes."""
    try:
        check_key_name(name)
        fits = "://" not in name and not name.startswith("/") and not name.endswith("/")
    except Misconfigured:
        fits = False
    if not fits or len(name) > LEDGER_NAME_CHARACTERS_MAX:
        raise Misconfigured(
            "ledger name: expected a name such as audit.example.org: 1 to "
            f"{LEDGER_NAME_CHARACTERS_MAX} characters, no scheme (https://), no slash at either end, no space, control "
            f"character or '+'; got {name[:64]!r}{'' if len(name) <= 64 else f' and {len(name) - 64} more characters'}"
        )


def check_tenant_name(name: str) -> None:
    """`Misconfigured` unless an operator may give a tenant this name."""
    if not _NAME.fullmatch(name):
        raise Misconfigured(
            f"tenant name {name[:64]!r}: expected 1 to 63 of a-z, 0-9, '.', '_', '-', the first a letter or a digit"
        )


def check_ledger(database: KeyDatabase, ledger_name: str) -> None:
    """`Misconfigured` when the key database belongs to a ledger of another name."""
    with database.read() as rows:
        _check_recorded_name(rows, ledger_name, database.where)


def _check_recorded_name(rows: Rows, ledger_name: str, where: str) -> None:
    found = rows.execute("SELECT value FROM meta WHERE name = ?", (_LEDGER_NAME,)).fetchone()
    if found is not None and found[0] != ledger_name:
        raise Misconfigured(
            f"ledger name: this ledger was made as {found[0]!r}, got {ledger_name!r}; its key store is {where}"
        )


def set_state(rows: Rows, tenant: str, state: TenantState) -> None:
    """What is known of a tenant's end, within the caller's transaction."""
    rows.execute(
        "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_STATE + tenant, state),
    )


def state_of(rows: Rows, tenant: str) -> TenantState:
    """The state of a tenant, within the caller's transaction."""
    found = rows.execute("SELECT value FROM meta WHERE name = ?", (_STATE + tenant,)).fetchone()
    return "open" if found is None else cast(TenantState, found[0])


def _utc_now() -> datetime:
    return datetime.now(UTC)


class TenantRegistry:
    """The tenants of one ledger, in its key database. Safe for threads."""

    def __init__(
        self,
        database: KeyDatabase,
        ledger_name: str,
        clock: Callable[[], datetime] = _utc_now,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        check_ledger_name(ledger_name)
        self.ledger_name = ledger_name
        self._database = database
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._tenants: LeaseCache[str, Tenant] = LeaseCache(CACHE_ENTRIES_MAX, CACHE_LEASE_S)
        self._logs: LeaseCache[bytes, TenantLog] = LeaseCache(CACHE_ENTRIES_MAX, CACHE_LEASE_S)
        check_ledger(database, ledger_name)

    def initialise(self, partitions: int) -> None:
        """Record the ledger's name and make the reserved tenants over this many partitions.

        Doing it again changes nothing; with more partitions it adds those. `Misconfigured` for fewer.
        """
        if not 1 <= partitions <= PARTITIONS_MAX:
            raise Misconfigured(f"partitions: expected 1 to {PARTITIONS_MAX}, got {partitions}")
        with self._database.write() as rows:
            rows.execute(
                "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
                (_LEDGER_NAME, self.ledger_name),
            )
            _check_recorded_name(rows, self.ledger_name, self._database.where)
            known = self._partitions(rows)
            if partitions < known:
                raise Misconfigured(f"partitions: the ledger has {known}, got {partitions}; they can only grow")
            if known == 0:
                self._insert_tenant(rows, SYSTEM)
            self._insert_logs(rows, SYSTEM, ((partition, partition) for partition in range(known, partitions)))
            if self._read(rows, ORG) is None:
                self._insert_tenant(rows, ORG)
                self._insert_logs(rows, ORG, [(0, self._least_loaded(rows))])
        self._tenants.clear()  # `_system` may have grown

    def add(self, tenant: str, shards: int = 1) -> Tenant:
        """Make a tenant with its logs. `Misconfigured` for a wrong name, one that exists, or a wrong shard count."""
        check_tenant_name(tenant)
        if not 1 <= shards <= SHARDS_MAX:
            raise Misconfigured(f"tenant {tenant}: expected 1 to {SHARDS_MAX} shards, got {shards}")
        with self._database.write() as rows:
            known = self._read(rows, tenant)
            if known is not None:
                told = "exists already" if known.state == "open" else "was deleted, or is being; a name is given once"
                raise Misconfigured(f"tenant {tenant}: {told}; expected a new name")
            self._insert_tenant(rows, tenant)
            for shard in range(shards):
                self._insert_logs(rows, tenant, [(shard, self._least_loaded(rows))])
            made = self._read(rows, tenant)
        if made is None:
            raise IntegrityError(f"tenant {tenant}: expected the tenant just made, found none")
        return made

    def get(self, tenant: str) -> Tenant | None:
        """A tenant by name, reserved ones included; None when there is none."""
        began = self._monotonic_s()
        found, _ = self._tenants.get_many("", (tenant,), began)
        if found:
            return found[tenant]
        with self._database.read() as rows:
            read = self._read(rows, tenant)
        if read is not None:
            self._tenants.put_many("", ((tenant, read),), began)
        return read

    def all(self) -> tuple[Tenant, ...]:
        """Every tenant by name, reserved ones included, out of one snapshot."""
        with self._database.read() as rows:
            names = rows.execute("SELECT name FROM tenants ORDER BY name").fetchall()
            return tuple(tenant for (name,) in names if (tenant := self._read(rows, name)) is not None)

    def has_ended(self, tenant: str) -> bool:
        """Whether nothing of this tenant is taken any more."""
        found = self.get(tenant)
        return found is not None and found.state in ("ended", "deleted")

    def log_by_id(self, log_id: bytes) -> TenantLog | None:
        """The log of this id; None when there is none."""
        began = self._monotonic_s()
        found, _ = self._logs.get_many("", (log_id,), began)
        if found:
            return found[log_id]
        with self._database.read() as rows:
            row = rows.execute(
                'SELECT log_id, tenant, shard, "partition" FROM tenant_logs WHERE log_id = ?', (log_id,)
            ).fetchone()
        if row is None:
            return None
        log = self._log(*row)
        self._logs.put_many("", ((log_id, log),), began)
        return log

    def partitions(self) -> int:
        """How many partitions the ledger has; 0 before `initialise`."""
        with self._database.read() as rows:
            return self._partitions(rows)

    def partition_logs(self, partition: int) -> PartitionLogs:
        """The logs of a partition itself; `Misconfigured` for a partition the ledger does not have."""
        system = self.get(SYSTEM)
        if system is None or not 0 <= partition < len(system.logs):
            known = 0 if system is None else len(system.logs)
            raise Misconfigured(f"partition {partition}: the ledger has {known} partitions")
        return PartitionLogs(partition, rounds_origin(self.ledger_name, partition), system.logs[partition])

    def _read(self, rows: Rows, name: str) -> Tenant | None:
        found = rows.execute("SELECT created_at FROM tenants WHERE name = ?", (name,)).fetchone()
        if found is None:
            return None
        logs = rows.execute(
            'SELECT log_id, tenant, shard, "partition" FROM tenant_logs WHERE tenant = ? ORDER BY shard', (name,)
        ).fetchall()
        own = tuple(self._log(*row) for row in logs)
        return Tenant(name, datetime.fromisoformat(found[0]), own, state_of(rows, name))

    def _log(self, log_id: bytes, tenant: str, shard: int, partition: int) -> TenantLog:
        return TenantLog(log_id, tenant, shard, partition, log_origin(self.ledger_name, log_id))

    def _insert_tenant(self, rows: Rows, name: str) -> None:
        rows.execute("INSERT INTO tenants (name, created_at) VALUES (?, ?)", (name, self._clock().isoformat()))

    @staticmethod
    def _insert_logs(rows: Rows, tenant: str, places: Iterable[tuple[int, int]]) -> None:
        rows.executemany(
            'INSERT INTO tenant_logs (log_id, tenant, shard, "partition") VALUES (?, ?, ?, ?)',
            [(urandom(LOG_ID_BYTES), tenant, shard, partition) for shard, partition in places],
        )

    @staticmethod
    def _partitions(rows: Rows) -> int:
        return int(rows.execute("SELECT count(*) FROM tenant_logs WHERE tenant = ?", (SYSTEM,)).fetchone()[0])

    @staticmethod
    def _least_loaded(rows: Rows) -> int:
        """The partition with the fewest logs, the lowest of several. Each has at least its `_system` log."""
        found = rows.execute(
            'SELECT "partition" FROM tenant_logs GROUP BY "partition" ORDER BY count(*), "partition" LIMIT 1'
        ).fetchone()
        if found is None:
            raise Misconfigured("tenants: the ledger has no partitions yet; expected it initialised first")
        return int(found[0])
