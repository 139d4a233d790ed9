"""Whom a verifier trusts: public keys with their ranges, and the logs it may be told of. No secret, no key store.

The file is JSON (UTF-8), exactly these fields, all of them, no others, none twice:

    {
      "format": "audit-ledger-trust/v1",
      "ledger": "audit.example.org",
      "keys": [{"role": "gateway" | "ledger", "name": ..., "public_key": base64 of 32 bytes,
                "not_before": time, "not_after": time | null}],
      "logs": [{"tenant": ..., "shard": 0, "log_id": 64 hex digits, "partition": 0, "origin": ...}]
    }

A time is RFC 3339 in UTC, ending in Z. A key is good from `not_before` on and before `not_after` (null: not retired);
a signature made outside that range is refused however well it verifies, since nobody guards a retired key any more.
The times compared are those the signed thing states; a later thief can write an earlier time into it, and only a
witness or a checkpoint kept elsewhere shows that.

One key signs under many names: a checkpoint's key name is its log's origin, so its key ids differ from log to log.
`verifiers` gives a role's keys under such a name; `key` finds one by the id that its own name gives it.

Not knowing a key is an `IntegrityError` (evidence that nobody vouches for); a file that is wrong, `Misconfigured`.
The file is replaced whole: written beside, synced, renamed, the folder synced.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from ledger.errors import IntegrityError, Misconfigured
from ledger.keys.master import sync_folder
from ledger.keys.signing import Role
from ledger.tenants import LOG_ID_BYTES, check_ledger_name, log_origin
from ledger.tlog.note import KEY_BYTES, VerifierKey

FORMAT = "audit-ledger-trust/v1"
FILE_BYTES_MAX = 64 * 1024 * 1024
ROLES: tuple[Role, ...] = ("gateway", "ledger")

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?Z")
_FILE_FIELDS = ("format", "ledger", "keys", "logs")
_KEY_FIELDS = ("role", "name", "public_key", "not_before", "not_after")
_LOG_FIELDS = ("tenant", "shard", "log_id", "partition", "origin")


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key, what it may sign, and when. `not_after` None: not retired. Times are aware."""

    role: Role
    name: str
    public_key: bytes
    not_before: datetime
    not_after: datetime | None = None

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise Misconfigured(f"trusted key {self.name}: expected a role of {', '.join(ROLES)}, got {self.role!r}")
        VerifierKey(self.name, self.public_key)  # refuses what cannot be one
        for at in (self.not_before, self.not_after):
            if at is not None and at.tzinfo is None:
                raise Misconfigured(f"trusted key {self.name}: expected times with a zone")
        if self.not_after is not None and self.not_after <= self.not_before:
            raise Misconfigured(f"trusted key {self.name}: its range ends before it begins")

    @property
    def verifier(self) -> VerifierKey:
        """The key under its own name."""
        return VerifierKey(self.name, self.public_key)

    def good_at(self, at: datetime) -> bool:
        """Whether a signature made at this time counts."""
        return self.not_before <= at and (self.not_after is None or at < self.not_after)


@dataclass(frozen=True, slots=True)
class TrustedLog:
    """A log that the verifier may know of."""

    tenant: str
    shard: int
    log_id: bytes
    partition: int
    origin: str


@dataclass(frozen=True, slots=True)
class TrustedKeys:
    """One ledger's keys and logs, as a verifier holds them."""

    ledger: str
    keys: tuple[TrustedKey, ...]
    logs: tuple[TrustedLog, ...] = ()
    _key_by_id: Mapping[tuple[Role, bytes], tuple[TrustedKey, VerifierKey]] = field(
        init=False, repr=False, compare=False
    )
    _log_by_id: Mapping[bytes, TrustedLog] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_ledger_name(self.ledger)
        # A sealer asks for every receipt: computed once, not at each question.
        object.__setattr__(
            self, "_key_by_id", {(key.role, key.verifier.key_id): (key, key.verifier) for key in self.keys}
        )
        object.__setattr__(self, "_log_by_id", {log.log_id: log for log in self.logs})
        if len(self._key_by_id) != len(self.keys):
            raise Misconfigured("trusted keys: two of one role have one key id; expected each once")
        if len(self._log_by_id) != len(self.logs):
            raise Misconfigured("trusted logs: two have one log id; expected each once")
        if len({(log.tenant, log.shard) for log in self.logs}) != len(self.logs):
            raise Misconfigured("trusted logs: two have one tenant and shard; expected each once")
        for log in self.logs:
            if len(log.log_id) != LOG_ID_BYTES:
                raise Misconfigured(f"trusted log of {log.tenant}: expected {LOG_ID_BYTES} bytes of log id")
            if log.origin != log_origin(self.ledger, log.log_id):
                raise Misconfigured(f"trusted log {log.log_id.hex()}: its origin is not that of this ledger and log id")

    def for_role(self, role: Role) -> tuple[TrustedKey, ...]:
        """All keys of a role, retired ones included."""
        return tuple(key for key in self.keys if key.role == role)

    def key(self, role: Role, key_id: bytes, at: datetime) -> VerifierKey:
        """The key of this role and id for what was signed `at`; `IntegrityError` when unknown or past its range."""
        found = self._key_by_id.get((role, key_id))
        if found is None:
            raise IntegrityError(f"{role} key {key_id.hex()}: not among the trusted keys of {self.ledger}")
        key, verifier = found
        _require_good(key, at)
        return verifier

    def verifiers(self, role: Role, name: str, at: datetime) -> tuple[VerifierKey, ...]:
        """The keys of a role that were good `at`, under the note key name `name` (a checkpoint's origin)."""
        good = tuple(VerifierKey(name, key.public_key) for key in self.for_role(role) if key.good_at(at))
        if not good:
            raise IntegrityError(f"{role} keys of {self.ledger}: none was good at {_time_text(at)}")
        return good

    def log(self, log_id: bytes) -> TrustedLog | None:
        """The log of this id, None when the verifier was not told of it."""
        return self._log_by_id.get(log_id)

    @classmethod
    def load(cls, path: Path) -> TrustedKeys:
        """The trust that a file states; `Misconfigured`, naming the field, when it is not in the format above."""
        try:
            with path.open("rb") as file:
                data = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            raise Misconfigured(f"{path}: cannot read the trusted keys: {error.strerror}") from None
        try:
            if len(data) > FILE_BYTES_MAX:
                raise Misconfigured(f"expected at most {FILE_BYTES_MAX} bytes")
            return cls.parse(data)
        except Misconfigured as error:
            raise Misconfigured(f"{path}: {error}") from None

    @classmethod
    def parse(cls, data: bytes) -> TrustedKeys:
        """The trust that these bytes state; as `load`."""
        try:
            document = json.loads(data.decode("utf-8"), object_pairs_hook=_each_once)
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError):
            raise Misconfigured("expected JSON in UTF-8, found something else") from None
        top = _fields(document, "file", _FILE_FIELDS)
        if top["format"] != FORMAT:
            raise Misconfigured(f"format: expected {FORMAT}")
        return cls(
            _typed(top["ledger"], str, "ledger"),
            tuple(_parse_key(each, f"keys[{at}]") for at, each in enumerate(_typed(top["keys"], list, "keys"))),
            tuple(_parse_log(each, f"logs[{at}]") for at, each in enumerate(_typed(top["logs"], list, "logs"))),
        )

    def serialize(self) -> bytes:
        """The file's bytes; the same trust gives the same bytes."""
        keys = [
            {
                "role": key.role,
                "name": key.name,
                "public_key": base64.b64encode(key.public_key).decode("ascii"),
                "not_before": _time_text(key.not_before),
                "not_after": None if key.not_after is None else _time_text(key.not_after),
            }
            for key in self.keys
        ]
        logs = [
            {
                "tenant": log.tenant,
                "shard": log.shard,
                "log_id": log.log_id.hex(),
                "partition": log.partition,
                "origin": log.origin,
            }
            for log in self.logs
        ]
        document = {"format": FORMAT, "ledger": self.ledger, "keys": keys, "logs": logs}
        return json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8") + b"\n"

    def save(self, path: Path) -> None:
        """Replace the file whole, durably; a crash leaves the old one or the new one."""
        beside = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            with open(handle, "wb") as file:
                file.write(self.serialize())
                file.flush()
                os.fsync(handle)
            beside.replace(path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def _require_good(key: TrustedKey, at: datetime) -> None:
    if not key.good_at(at):
        end = "not retired" if key.not_after is None else f"before {_time_text(key.not_after)}"
        good = f"from {_time_text(key.not_before)}, {end}"
        raise IntegrityError(f"{key.role} key {key.name}: signed at {_time_text(at)}, but it is good {good}")


def _parse_key(value: object, where: str) -> TrustedKey:
    fields = _fields(value, where, _KEY_FIELDS)
    role = _typed(fields["role"], str, f"{where}.role")
    if role not in ROLES:
        raise Misconfigured(f"{where}.role: expected one of {', '.join(ROLES)}")
    encoded = _typed(fields["public_key"], str, f"{where}.public_key")
    try:
        public_key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        public_key = b""
    if len(public_key) != KEY_BYTES or base64.b64encode(public_key).decode("ascii") != encoded:
        raise Misconfigured(f"{where}.public_key: expected base64 of {KEY_BYTES} bytes")
    ends = fields["not_after"]
    return TrustedKey(
        cast(Role, role),
        _typed(fields["name"], str, f"{where}.name"),
        public_key,
        _parse_time(fields["not_before"], f"{where}.not_before"),
        None if ends is None else _parse_time(ends, f"{where}.not_after"),
    )


def _parse_log(value: object, where: str) -> TrustedLog:
    fields = _fields(value, where, _LOG_FIELDS)
    log_id = _typed(fields["log_id"], str, f"{where}.log_id")
    if not re.fullmatch(r"[0-9a-f]{64}", log_id):
        raise Misconfigured(f"{where}.log_id: expected 64 lower-case hex digits")
    return TrustedLog(
        _typed(fields["tenant"], str, f"{where}.tenant"),
        _natural(fields["shard"], f"{where}.shard"),
        bytes.fromhex(log_id),
        _natural(fields["partition"], f"{where}.partition"),
        _typed(fields["origin"], str, f"{where}.origin"),
    )


def _parse_time(value: object, where: str) -> datetime:
    stated = _typed(value, str, where)
    try:
        if _TIME.fullmatch(stated):
            return datetime.fromisoformat(stated).astimezone(UTC)
    except ValueError:
        pass  # the month or hour does not exist; named below like any other wrong time
    raise Misconfigured(f"{where}: expected a time such as 2026-11-21T12:00:00Z")


def _time_text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Misconfigured("expected each field once, found one twice")
    return fields


def _fields(value: object, where: str, names: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(value, dict) or value.keys() != set(names):
        raise Misconfigured(f"{where}: expected exactly the fields {', '.join(names)}")
    return value


def _typed(value: object, kind: type[Any], where: str) -> Any:
    if not isinstance(value, kind):
        raise Misconfigured(f"{where}: expected {kind.__name__}, found {type(value).__name__}")
    return value


def _natural(value: object, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Misconfigured(f"{where}: expected a whole number from 0")
    return value
