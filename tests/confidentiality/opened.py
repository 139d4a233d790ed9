"""Every content of a sealed ledger, opened with its keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from ledger.home import Home
from ledger.keys.derive import content_key
from ledger.record.content import open_content
from ledger.record.payload import decode_payload


@dataclass(frozen=True, slots=True)
class Opened:
    """A content's descriptor and, where a key for it is left, what it says."""

    tenant: str
    payload: dict[str, Any]
    descriptor: dict[str, Any]
    stored: bytes | None


def opened_contents(home: Home, tenants: tuple[str, ...]) -> Iterator[Opened]:
    """The contents of these tenants, from the rounds' own files."""
    config = home.config(environment={})
    segments: Path = config.ledger.segments
    ciphertexts: dict[tuple[bytes, str], bytes] = {}
    for file in segments.rglob("contents/*.parquet"):
        table = pq.read_table(file, columns=["event_id", "slot", "ciphertext"]).to_pydict()
        ciphertexts |= dict(zip(zip(table["event_id"], table["slot"], strict=True), table["ciphertext"], strict=True))
    with home.keys(config) as keys:
        for file in segments.rglob("events/*.parquet"):
            for data in pq.read_table(file, columns=["payload"])["payload"].to_pylist():
                payload = decode_payload(data)
                if payload["tenant"] in tenants:
                    for descriptor in payload["contents"]:
                        yield _opened(payload, descriptor, ciphertexts, keys)


def _opened(payload: dict[str, Any], descriptor: dict[str, Any], ciphertexts: Any, keys: Any) -> Opened:
    tenant, event_id, slot = payload["tenant"], payload["event_id"], descriptor["slot"]
    held = keys.store.scope_keys(tenant, descriptor["scope_ids"])
    ciphertext = ciphertexts.get((event_id, slot))
    if ciphertext is None or len(held) != len(descriptor["scope_ids"]) or descriptor["ciphertext_sha256"] is None:
        return Opened(tenant, payload, descriptor, None)
    key = content_key(list(held.items()), tenant, event_id, slot)
    content = open_content(
        ciphertext,
        key,
        tenant,
        event_id,
        slot,
        digest=descriptor["ciphertext_sha256"],
        commitment_=descriptor["commitment"],
        size=descriptor["size"],
    )
    return Opened(tenant, payload, descriptor, content.stored)
