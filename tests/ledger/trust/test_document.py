"""The verifier's key set: read strictly, written whole, and strict about times."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import IntegrityError, Misconfigured
from ledger.keys.signing import SigningKey
from ledger.tenants import log_origin
from ledger.tlog.note import key_id, open_note, sign_note
from ledger.trust import TrustedKey, TrustedKeys, TrustedLog

LEDGER = "audit.example.org"
START = datetime(2026, 1, 1, tzinfo=UTC)
END = datetime(2026, 7, 1, tzinfo=UTC)
GATEWAY = SigningKey(b"\x01" * 32)
OLD = SigningKey(b"\x02" * 32)
NEW = SigningKey(b"\x03" * 32)
LOG_ID = bytes(range(32))
TRUST = TrustedKeys(
    LEDGER,
    (
        TrustedKey("gateway", "gw-1", GATEWAY.public_key, START),
        TrustedKey("ledger", "main", OLD.public_key, START, END),
        TrustedKey("ledger", "main", NEW.public_key, END),
    ),
    (TrustedLog("acme", 0, LOG_ID, 3, log_origin(LEDGER, LOG_ID)),),
)


def document() -> dict[str, Any]:
    """The file as JSON, to be bent."""
    return {
        "format": "audit-ledger-trust/v1",
        "ledger": LEDGER,
        "keys": [
            {
                "role": "gateway",
                "name": "gw-1",
                "public_key": base64.b64encode(GATEWAY.public_key).decode(),
                "not_before": "2026-01-01T00:00:00Z",
                "not_after": None,
            }
        ],
        "logs": [
            {
                "tenant": "acme",
                "shard": 0,
                "log_id": LOG_ID.hex(),
                "partition": 3,
                "origin": f"audit.example.org/log/{LOG_ID.hex()}",
            }
        ],
    }


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    """A key set survives its file unchanged, and the same set gives the same bytes."""
    path = tmp_path / "trust.json"
    TRUST.save(path)
    assert TrustedKeys.load(path) == TRUST
    assert TrustedKeys.load(path).serialize() == path.read_bytes()


def test_the_format_is_pinned() -> None:
    """The documented form is read as it says."""
    read = TrustedKeys.parse(json.dumps(document()).encode())
    assert read.keys == (TrustedKey("gateway", "gw-1", GATEWAY.public_key, START),)
    assert read.logs == TRUST.logs
    assert json.loads(read.serialize()) == document()


def test_saving_replaces_whole(tmp_path: Path) -> None:
    """A second save replaces the file and leaves nothing beside it; a failed one leaves the first."""
    path = tmp_path / "trust.json"
    TRUST.save(path)
    fewer = TrustedKeys(LEDGER, TRUST.keys[:1])
    fewer.save(path)
    assert TrustedKeys.load(path) == fewer
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(OSError, match="directory"):
        TRUST.save(folder)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["folder", "trust.json"]


def test_keys_of_a_role() -> None:
    """A role's keys are told, retired ones included."""
    assert [key.public_key for key in TRUST.for_role("ledger")] == [OLD.public_key, NEW.public_key]
    assert [key.name for key in TRUST.for_role("gateway")] == ["gw-1"]


def test_a_key_is_found_by_its_id_within_its_range() -> None:
    """A key counts from the first moment of its range to before the end, in any zone."""
    old = key_id("main", OLD.public_key)
    assert TRUST.key("ledger", old, START).public_key == OLD.public_key
    last = END - timedelta(microseconds=1)
    assert TRUST.key("ledger", old, last.astimezone(timezone(timedelta(hours=5)))).public_key == OLD.public_key
    gateway = key_id("gw-1", GATEWAY.public_key)
    assert TRUST.key("gateway", gateway, START + timedelta(days=10_000)).name == "gw-1"


@pytest.mark.parametrize("at", [END, END + timedelta(days=1), START - timedelta(microseconds=1)])
def test_a_key_outside_its_range_is_refused(at: datetime) -> None:
    """A retired key past its end, and a key before its time, are refused with key and range named."""
    with pytest.raises(
        IntegrityError, match=r"ledger key main: signed at .*good from 2026-01-01T00:00:00Z, before 2026"
    ):
        TRUST.key("ledger", key_id("main", OLD.public_key), at)


def test_an_unknown_key_is_refused() -> None:
    """A key that is not there, or is another role's, vouches for nothing."""
    with pytest.raises(IntegrityError, match="not among the trusted keys"):
        TRUST.key("gateway", b"\x00" * 4, START)
    with pytest.raises(IntegrityError, match="not among the trusted keys"):
        TRUST.key("ledger", key_id("gw-1", GATEWAY.public_key), START)


def test_one_key_verifies_notes_under_an_origin() -> None:
    """A checkpoint signed under its log's origin opens with the keys good at its time, and no others."""
    origin = log_origin(LEDGER, LOG_ID)
    note = sign_note(f"{origin}\n", [NEW.signer(origin)])
    after = TRUST.verifiers("ledger", origin, END)
    assert [key.public_key for key in after] == [NEW.public_key]
    assert open_note(note, after).text == f"{origin}\n"
    with pytest.raises(IntegrityError):
        open_note(note, TRUST.verifiers("ledger", origin, START))
    with pytest.raises(IntegrityError, match="none was good"):
        TRUST.verifiers("ledger", origin, START - timedelta(days=1))


def test_logs_are_found_by_id() -> None:
    """A verifier knows the logs it was told of and no others."""
    assert TRUST.log(LOG_ID) == TRUST.logs[0]
    assert TRUST.log(bytes(32)) is None


def bent(where: str, value: object) -> bytes:
    """The file with one field set, or removed when `value` is `...`; `where` is a path of names and positions."""
    whole = document()
    at: Any = whole
    *path, last = where.split("/")
    for step in path:
        at = at[int(step) if isinstance(at, list) else step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return json.dumps(whole).encode()


@pytest.mark.parametrize(
    ("where", "value", "named"),
    [
        ("format", "audit-ledger-trust/v2", "format"),
        ("format", ..., "file"),
        ("comment", "x", "file"),
        ("ledger", "a b", "ledger name"),
        ("ledger", 7, "ledger"),
        ("keys", {}, "keys"),
        ("keys/0/role", "witness", "role"),
        ("keys/0/role", None, "role"),
        ("keys/0/comment", "x", r"keys\[0\]"),
        ("keys/0/not_after", ..., r"keys\[0\]"),
        ("keys/0/name", "a+b", "key name"),
        ("keys/0/name", "", "key name"),
        ("keys/0/public_key", "", "public_key"),
        ("keys/0/public_key", base64.b64encode(bytes(31)).decode(), "public_key"),
        ("keys/0/public_key", base64.b64encode(bytes(32)).decode() + "\n", "public_key"),
        ("keys/0/public_key", "A" * 42 + "B=", "public_key"),
        ("keys/0/public_key", "ä" * 44, "public_key"),
        ("keys/0/not_before", "2026-01-01T00:00:00", "not_before"),
        ("keys/0/not_before", "2026-01-01T00:00:00+01:00", "not_before"),
        ("keys/0/not_before", "2026-13-01T00:00:00Z", "not_before"),
        ("keys/0/not_before", "2026-01-01", "not_before"),
        ("keys/0/not_before", 1_700_000_000, "not_before"),
        ("keys/0/not_before", None, "not_before"),
        ("keys/0/not_after", "2025-01-01T00:00:00Z", "ends before it begins"),
        ("logs/0/shard", -1, "shard"),
        ("logs/0/shard", True, "shard"),
        ("logs/0/partition", "3", "partition"),
        ("logs/0/log_id", LOG_ID.hex().upper(), "log_id"),
        ("logs/0/log_id", LOG_ID.hex()[:-2], "log_id"),
        ("logs/0/log_id", "00" * 32, "origin"),
        ("logs/0/origin", f"other.example.org/log/{LOG_ID.hex()}", "origin"),
        ("logs/0/more", 1, r"logs\[0\]"),
    ],
)
def test_anything_else_is_refused_and_named(tmp_path: Path, where: str, value: object, named: str) -> None:
    """A field that is wrong, missing or unknown is refused, with the file and the field in the message."""
    path = tmp_path / "trust.json"
    path.write_bytes(bent(where, value))
    with pytest.raises(Misconfigured, match=f"trust.json: .*{named}"):
        TrustedKeys.load(path)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff", b'{"format": "a", "format": "a"}', b"[" * 100_000, b"NaN"],
    ids=["empty", "cut", "list", "null", "not UTF-8", "field twice", "deep", "NaN"],
)
def test_what_is_no_such_document_is_refused(data: bytes) -> None:
    """Bytes that are not one JSON object of the format are refused without a library's error."""
    with pytest.raises(Misconfigured):
        TrustedKeys.parse(data)


def test_repeats_are_refused() -> None:
    """Two keys of one id in a role, two logs of one id, two of one tenant and shard: each is refused."""
    key, log = TRUST.keys[0], TRUST.logs[0]
    other_id = bytes(32)
    with pytest.raises(Misconfigured, match="one key id"):
        TrustedKeys(LEDGER, (key, TrustedKey("gateway", "gw-1", GATEWAY.public_key, END)))
    with pytest.raises(Misconfigured, match="one log id"):
        TrustedKeys(LEDGER, (), (log, TrustedLog("other", 0, LOG_ID, 0, log.origin)))
    with pytest.raises(Misconfigured, match="one tenant and shard"):
        TrustedKeys(LEDGER, (), (log, TrustedLog("acme", 0, other_id, 0, log_origin(LEDGER, other_id))))


def test_times_have_a_zone() -> None:
    """A key whose range has no zone is refused: nobody could say when it ends."""
    with pytest.raises(Misconfigured, match="zone"):
        TrustedKey("gateway", "gw-1", GATEWAY.public_key, datetime(2026, 1, 1))


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    """A missing file is a configuration error that says which."""
    with pytest.raises(Misconfigured, match=r"absent\.json"):
        TrustedKeys.load(tmp_path / "absent.json")
