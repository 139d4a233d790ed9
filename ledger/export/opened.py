"""Decrypting a tenant's contents for an export: as Parquet, each with the salt of its commitment.

| column     | type      | meaning                                                              |
| ---------- | --------- | -------------------------------------------------------------------- |
| log_id     | binary    | as in the events                                                     |
| index      | int64     | the event's index in its log                                         |
| slot       | string    | which content of the event                                           |
| event_id   | binary    | 16 bytes                                                             |
| media_type | string    | of the content                                                       |
| state      | string    | full, redacted, truncated: what the content is of what was captured  |
| salt       | binary    | SHA-256(salt ‖ content) is the commitment in the payload             |
| content    | binary    | as stored: after redaction or truncation                             |

A content whose keys were destroyed is not there, and counted. One that does not open though its keys are there is an
`IntegrityError`: an export hands out nothing that does not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ledger.keys.derive import content_key
from ledger.keys.provider import ScopeKeys
from ledger.record.content import open_content

SCHEMA = pa.schema(
    [
        ("log_id", pa.binary()),
        ("index", pa.int64()),
        ("slot", pa.string()),
        ("event_id", pa.binary()),
        ("media_type", pa.string()),
        ("state", pa.string()),
        ("salt", pa.binary()),
        ("content", pa.large_binary()),
    ]
)


@dataclass(frozen=True, slots=True)
class OpenedContents:
    """The contents of some events, and how many of theirs could not be opened."""

    table: pa.Table
    closed: int


def openable(events: pa.Table, keys: ScopeKeys, tenant: str) -> tuple[int, int]:
    """How many contents of these events have their keys, and how many have not."""
    descriptors = [each for _, _, each in _stored(events)]
    there = keys.scope_keys(tenant, {bytes(scope) for each in descriptors for scope in each["scope_ids"]})
    opened = sum(_has_keys(each, there) for each in descriptors)
    return opened, len(descriptors) - opened


def open_contents(
    events: pa.Table, ciphertexts: Callable[[], pa.Table | None], keys: ScopeKeys, tenant: str, log_id: bytes
) -> OpenedContents:
    """The contents of these events that have their keys."""
    stored = list(_stored(events))
    there = keys.scope_keys(tenant, {bytes(scope) for _, _, each in stored for scope in each["scope_ids"]})
    wanted = {(index, each["slot"]): (event_id, each) for index, event_id, each in stored if _has_keys(each, there)}
    rows = ciphertexts() if wanted else None
    found: list[dict[str, Any]] = []
    for row in rows.select(["index", "slot", "ciphertext"]).to_pylist() if rows is not None else ():
        place = (row["index"], row["slot"])
        if place not in wanted:
            continue
        event_id, descriptor = wanted[place]
        scopes = [(bytes(each), there[bytes(each)]) for each in descriptor["scope_ids"]]
        opened = open_content(
            row["ciphertext"],
            content_key(scopes, tenant, event_id, row["slot"]),
            tenant,
            event_id,
            row["slot"],
            digest=descriptor["ciphertext_sha256"],
            commitment_=descriptor["commitment"],
            size=descriptor["size"],
        )
        found.append(
            {
                "log_id": log_id,
                "index": row["index"],
                "slot": row["slot"],
                "event_id": event_id,
                "media_type": descriptor["media_type"],
                "state": descriptor["state"],
                "salt": opened.salt,
                "content": opened.stored,
            }
        )
    table = pa.Table.from_pylist(found, SCHEMA).sort_by([("index", "ascending"), ("slot", "ascending")])
    return OpenedContents(table, len(stored) - len(found))


def _stored(events: pa.Table) -> Iterable[tuple[int, bytes, dict[str, Any]]]:
    for row in events.select(["index", "event_id", "contents"]).to_pylist():
        for each in row["contents"]:
            if each["ciphertext_sha256"] is not None:
                yield row["index"], row["event_id"], each


def _has_keys(descriptor: dict[str, Any], there: dict[bytes, bytes]) -> bool:
    scopes = descriptor["scope_ids"]
    return bool(scopes) and all(bytes(each) in there for each in scopes)
