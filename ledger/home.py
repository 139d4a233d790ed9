"""A ledger's home: the folder with its configuration, keys, embedded log and sealed files.

    config.toml          configuration (`ledger.config`), the event log's incarnation among it
    keys/master.key      master key, mode 0600
    keys/keys.sqlite     sealed keys, pseudonyms, signing keys, tenants, what the newest rounds were; with PostgreSQL it
                         is not there
    log/events.sqlite    the embedded event log; with Kafka the folder stays empty
    segments/            sealed files
    derived/             indexes and tiles
    trust.json           public keys and logs, for verifiers
    policy.toml          the capture policy

Folders have mode 0700. `create` does all that `init` does, or nothing: what fails on the way is taken away again. A
crash leaves the file `init-unfinished`, which is written first and removed last; a home that has it is refused by
`open` and named by the next `create`. Until it is gone nobody has used the home, so it can be deleted without loss.

Key names: `<ledger name>/gateway/<gateway id>` signs receipts, `<ledger name>/ledger` signs rounds and checkpoints.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ledger.config import LedgerConfig, load
from ledger.config.document import commented_file
from ledger.config.settings import KEY_STORE, GatewayConfig
from ledger.errors import Misconfigured
from ledger.key_store_age import check_not_behind, explained_by
from ledger.keys.database import KeyDatabase
from ledger.keys.master import LocalMasterKey, MasterKey, sync_folder
from ledger.keys.masters import MasterKeys
from ledger.keys.opening import create_key_database, open_key_database
from ledger.keys.spool import SpoolKeys
from ledger.keys.store import KeyStore
from ledger.log.interface import EventLog
from ledger.log.open import create_log, open_log
from ledger.newest_rounds import NewestRound, NewestRounds
from ledger.policy.builtin import DEFAULT_POLICY
from ledger.segments.objects import FileStore
from ledger.tenants import TenantRegistry, check_ledger, check_ledger_name
from ledger.trust import TrustedKey, TrustedKeys, TrustedLog

EMBEDDED_LOG = "sqlite:log/events.sqlite"
PARTITIONS = 1
FOLDER_MODE = 0o700

_UNFINISHED = "init-unfinished"
_FOLDERS = ("keys", "log", "segments", "derived")


def gateway_key_name(ledger_name: str, gateway_id: str) -> str:
    """The name under which a gateway signs receipts."""
    return f"{ledger_name}/gateway/{gateway_id}"


def ledger_key_name(ledger_name: str) -> str:
    """The name of the key that signs rounds and checkpoints."""
    return f"{ledger_name}/ledger"


@dataclass(frozen=True, slots=True)
class OpenKeys(AbstractContextManager["OpenKeys"]):
    """A home's open key store and what lives in it. Close it, or use it in a `with`."""

    database: KeyDatabase
    master: MasterKey
    store: KeyStore
    tenants: TenantRegistry

    @property
    def newest_rounds(self) -> NewestRounds:
        """What is remembered of the newest rounds."""
        return NewestRounds(self.database)

    def spool_keys(self, config: GatewayConfig) -> SpoolKeys:
        """The keys that producers seal their spools to."""
        return SpoolKeys(self.database, self.master, config.spool_key_seal_s, config.spool_age_max_s)

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class Home:
    """One ledger's folder. Make one with `create`, use one with `open`."""

    path: Path

    @property
    def config_file(self) -> Path:
        """The configuration."""
        return self.path / "config.toml"

    @classmethod
    def create(
        cls,
        path: Path,
        *,
        name: str,
        event_log: str | None = None,
        key_store: str | None = None,
        partitions: int | None = None,
        gateway_id: str = GatewayConfig().gateway_id,
    ) -> Home:
        """A new ledger named `name` at `path`, which must be absent or empty. Blocks.

        `event_log` is a URL, by default of an embedded log in the home; `partitions` are added to a URL that does not
        say how many (1 where neither does). `key_store` is a location as `ledger.keys.opening` has them, by default a
        file in the home. `Misconfigured` when there is a ledger already, or a half-made one; `Unavailable` when event
        log or key store can't be made now.
        """
        check_ledger_name(name)
        config = GatewayConfig(gateway_id=gateway_id)
        url, count = _with_partitions(event_log or EMBEDDED_LOG, partitions)
        home = cls(path.absolute())
        made_folder = home._claim()
        try:
            home._fill(name, url, count, config.gateway_id, key_store)
        except BaseException:
            home._undo(made_folder)
            raise
        (home.path / _UNFINISHED).unlink()
        sync_folder(home.path)
        return home

    @classmethod
    def open(cls, path: Path) -> Home:
        """An existing home; `Misconfigured` when there is none, it is half-made, or others can look into it."""
        home = cls(path.absolute())
        if (home.path / _UNFINISHED).exists():
            raise Misconfigured(_unfinished(home.path))
        if not home.config_file.is_file():
            raise Misconfigured(f"{home.path}: there is no ledger here; `init` makes one")
        for folder in (home.path, home.path / "keys"):
            if folder.is_dir() and folder.stat().st_mode & 0o077:
                raise Misconfigured(f"{folder}: expected mode 0700, others can look into it")
        return home

    def config(
        self, *, environment: Mapping[str, str] | None = None, flags: Mapping[str, Any] | None = None
    ) -> LedgerConfig:
        """The configuration in force: file < environment (the process's where None) < flags."""
        return load(self.config_file, environment=os.environ if environment is None else environment, flags=flags or {})

    def keys(self, config: LedgerConfig, *, restoring: bool = False) -> OpenKeys:
        """The key store, open. `Misconfigured` when it or its master key is missing or open to others.

        `KeyStoreBehind` when it is older than the ledger, as after a restore; `restoring`: open it all the same.
        """
        master = self.master_keys(config).open()
        keys = _open_keys(open_key_database(config.ledger.key_store, self.path), master, config.ledger.name)
        if not restoring:
            try:
                store = FileStore(config.ledger.segments)
                explains = explained_by(keys.database, keys.tenants)
                check_not_behind(store, lambda: keys.newest_rounds, keys.tenants.partitions(), explains)
            except BaseException:
                keys.close()
                raise
        return keys

    def master_keys(self, config: LedgerConfig) -> MasterKeys:
        """Where the configuration says that the master key is, and the one before it."""
        return MasterKeys(self.path, config.ledger.master_key, config.ledger.master_key_previous)

    def remembered_rounds(self, config: LedgerConfig) -> Mapping[int, NewestRound]:
        """What the key store remembers of the newest rounds, as of now. Needs no master key."""
        database = open_key_database(config.ledger.key_store, self.path)
        try:
            check_ledger(database, config.ledger.name)
            return dict(NewestRounds(database))
        finally:
            database.close()

    def event_log(self, config: LedgerConfig) -> EventLog:
        """The event log, not yet started."""
        return open_log(config.ledger.event_log, incarnation=config.ledger.incarnation_bytes, base=self.path)

    def write_trust(self, config: LedgerConfig, keys: OpenKeys) -> TrustedKeys:
        """Write the trust file anew: every signing key and every log there is now. Ranges that were set stay."""
        trusted = self.trust_of(config, keys)
        trusted.save(config.ledger.trust)
        return trusted

    def trust_of(self, config: LedgerConfig, keys: OpenKeys) -> TrustedKeys:
        """What the trust file would say if it were written now.

        A key that it had and the key store does not, as after a restore, stays: what it signed is still to be verified.
        """
        ranges: dict[bytes, TrustedKey] = {}
        if config.ledger.trust.exists():
            ranges = {key.public_key: key for key in TrustedKeys.load(config.ledger.trust).keys}
        stored = keys.store.signing_keys()
        return TrustedKeys(
            config.ledger.name,
            tuple(
                ranges.get(key.public_key) or TrustedKey(key.role, key.name, key.public_key, key.created_at)
                for key in stored
            )
            + tuple(key for key in ranges.values() if key.public_key not in {each.public_key for each in stored}),
            tuple(
                TrustedLog(log.tenant, log.shard, log.log_id, log.partition, log.origin)
                for tenant in keys.tenants.all()
                for log in tenant.logs
            ),
        )

    def add_gateway(self, config: LedgerConfig, keys: OpenKeys, gateway_id: str) -> None:
        """A signing key for another gateway, and verifiers told of it. `Misconfigured` when it has one.

        Killed between the two it is to be called again: a key that nobody was told of is told then.
        """
        GatewayConfig(gateway_id=gateway_id)
        name = gateway_key_name(config.ledger.name, gateway_id)
        try:
            keys.store.create_signing_key("gateway", name)
        except Misconfigured:
            if any(key.name == name for key in TrustedKeys.load(config.ledger.trust).for_role("gateway")):
                raise
        self.write_trust(config, keys)

    def _claim(self) -> bool:
        """Take the folder for a new home; whether it was made now."""
        try:
            self.path.mkdir(mode=FOLDER_MODE, parents=True)
            made = True
        except FileExistsError:
            made = False
        except OSError as error:
            raise Misconfigured(f"{self.path}: cannot make the folder: {error.strerror}") from None
        if not self.path.is_dir():
            raise Misconfigured(f"{self.path}: expected a folder")
        if (self.path / _UNFINISHED).exists():
            raise Misconfigured(_unfinished(self.path))
        if self.config_file.exists():
            raise Misconfigured(f"{self.path}: is a ledger already; a home is never overwritten")
        if any(self.path.iterdir()):
            raise Misconfigured(f"{self.path}: expected an absent or empty folder, found files in it")
        try:
            _write_new(self.path / _UNFINISHED, "init is at work here, or was interrupted\n")
        except FileExistsError:
            raise Misconfigured(_unfinished(self.path)) from None
        self.path.chmod(FOLDER_MODE)
        sync_folder(self.path)
        sync_folder(self.path.parent)
        return made

    def _fill(self, name: str, url: str, partitions: int, gateway_id: str, key_store: str | None) -> None:
        for folder in _FOLDERS:
            (self.path / folder).mkdir(mode=FOLDER_MODE)
        sync_folder(self.path)
        master = LocalMasterKey.create(self.path / "keys" / "master.key")
        given = {"ledger.name": name, "ledger.event_log": url, "gateway.gateway_id": gateway_id}
        if key_store is not None:
            given["ledger.key_store"] = key_store
        with _new_keys(key_store or KEY_STORE, self.path, master, name) as keys:
            keys.tenants.initialise(partitions)
            keys.store.create_signing_key("gateway", gateway_key_name(name, gateway_id))
            keys.store.create_signing_key("ledger", ledger_key_name(name))
            keys.spool_keys(GatewayConfig())
            given["ledger.incarnation"] = _create_log(url, self.path).hex()
            _write_new(self.path / "policy.toml", DEFAULT_POLICY)
            _write_new(self.config_file, commented_file(given))
            sync_folder(self.path)
            self.write_trust(self.config(environment={}), keys)

    def _undo(self, made_folder: bool) -> None:
        """Take away what a failed `create` made; the folder was empty when it began."""
        for each in self.path.iterdir():
            if each.is_dir():
                shutil.rmtree(each)
            elif each.name != _UNFINISHED:
                each.unlink()
        (self.path / _UNFINISHED).unlink()
        if made_folder:
            self.path.rmdir()


def _open_keys(database: KeyDatabase, master: MasterKey, ledger_name: str) -> OpenKeys:
    try:
        # First the name: another ledger's key store is to be told by that, not by its master key.
        tenants = TenantRegistry(database, ledger_name)
        return OpenKeys(database, master, KeyStore(database, master), tenants)
    except BaseException:
        database.close()
        raise


@contextmanager
def _new_keys(location: str, home: Path, master: MasterKey, ledger_name: str) -> Iterator[OpenKeys]:
    """A new key store, which is taken away when the block raises: outside of the home nobody else would."""
    database = create_key_database(location, home)
    try:
        with _open_keys(database, master, ledger_name) as keys:
            try:
                yield keys
            except BaseException:
                database.remove()
                raise
    finally:
        database.close()


def _create_log(url: str, base: Path) -> bytes:
    """Make the event log, from inside or outside of an event loop."""
    with ThreadPoolExecutor(1, thread_name_prefix="init") as thread:
        return thread.submit(lambda: asyncio.run(create_log(url, base=base))).result()


def _with_partitions(url: str, partitions: int | None) -> tuple[str, int]:
    """The URL with its number of partitions in it, and that number."""
    said = dict(parse_qsl(urlsplit(url).query)).get("partitions")
    if said is None:
        count = PARTITIONS if partitions is None else partitions
        return f"{url}{'&' if '?' in url else '?'}partitions={count}", count
    if not (said.isascii() and said.isdigit()) or (partitions is not None and int(said) != partitions):
        raise Misconfigured(f"event log URL: says partitions={said!r}, expected {partitions or 'a number'}")
    return url, int(said)


def _write_new(path: Path, content: str) -> None:
    """A new file with this content, durable itself; its folder is still to be synced."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)


def _unfinished(path: Path) -> str:
    return (
        f"{path}: an `init` is at work here or was interrupted; if none runs, nothing in it was ever used: "
        "delete the folder and run `init` again"
    )
