"""The pinned Avro schemas, and Avro single-object encoding.

A value in single-object encoding is `C3 01`, the 8-byte little-endian CRC-64-AVRO fingerprint of the schema's parsing
canonical form, then the datum. The fingerprint finds the schema; it does not identify it against an attacker (a
64-bit CRC can be forged), so segment statements pin `Schema.sha256`, the SHA-256 of the canonical form, besides.

A schema file never changes once events were written under it: a new version is a new file, `PAYLOADS` grows.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

MAGIC = b"\xc3\x01"
HEADER_BYTES = 10


@dataclass(frozen=True, slots=True)
class Schema:
    """One pinned schema. `header` is the 10 bytes in front of each datum; `parsed` is fastavro's form of it."""

    name: str
    definition: dict[str, Any]
    parsed: Any
    header: bytes
    sha256: bytes


def _load(name: str) -> Schema:
    definition = json.loads((files("ledger.record") / "schemas" / f"{name}.avsc").read_text("utf-8"))
    canonical = to_parsing_canonical_form(definition)
    crc = bytes.fromhex(fingerprint(canonical, "CRC-64-AVRO"))
    return Schema(
        name=name,
        definition=definition,
        parsed=fastavro.parse_schema(json.loads(json.dumps(definition))),
        header=MAGIC + crc,
        sha256=hashlib.sha256(canonical.encode("utf-8")).digest(),
    )


PAYLOAD = _load("payload.v1")
"""The payload schema this build writes."""

EVENT_RECORD = _load("event_record.v1")
"""The schema of an event's value in the event log."""

PAYLOADS: dict[bytes, Schema] = {PAYLOAD.header: PAYLOAD}
"""Every payload schema this build reads, by header."""

EVENT_RECORDS: dict[bytes, Schema] = {EVENT_RECORD.header: EVENT_RECORD}
"""Every event-record schema this build reads, by header."""


def text_fields(schema: Schema) -> dict[str, tuple[tuple[str, str | None], ...]]:
    """For each record inside `schema`, by the name of the field that holds it: its fields of text, and what they hold.

    That is None for a text, "string" for a list of texts, and for a list of records the name under which they stand
    here (the field's own, after its record's and a dot).
    """
    found: dict[str, tuple[tuple[str, str | None], ...]] = {}

    def walk(record: dict[str, Any], key: str) -> None:
        texts: list[tuple[str, str | None]] = []
        for each in record["fields"]:
            inner = each["type"][1] if isinstance(each["type"], list) else each["type"]
            if inner == "string":
                texts.append((each["name"], None))
            elif isinstance(inner, dict) and inner["type"] == "array":
                items = inner["items"]
                if items == "string":
                    texts.append((each["name"], "string"))
                elif isinstance(items, dict) and items["type"] == "record":
                    inside = f"{key}.{each['name']}" if key else each["name"]
                    texts.append((each["name"], inside))
                    walk(items, inside)
            elif isinstance(inner, dict) and inner["type"] == "record":
                walk(inner, each["name"])
        found[key] = tuple(texts)

    walk(schema.definition, "")
    return found
