"""The test vectors of docs/FORMAT.md: made by the ledger's code, read here by an implementation of its own."""

from __future__ import annotations

import base64
import json
import re
import struct
import unicodedata
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import FieldDescriptor

from ledger.segments.rows import CONTENTS_SCHEMA, LEDGER_COLUMNS
from tests.docs import independent as own
from tests.docs.independent import Reader, long, sha256, sized
from tests.ledger.record.paths import fields
from tests.vectors import make

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors"
SCHEMAS = ROOT / "ledger" / "record" / "schemas"
DOCUMENT = (ROOT / "docs" / "FORMAT.md").read_text("utf-8")


def vectors(name: str) -> Any:
    """One file of vectors."""
    return json.loads((VECTORS / f"{name}.json").read_text("ascii"))


def raw(value: str) -> bytes:
    """Bytes from hex."""
    return bytes.fromhex(value)


def test_the_code_still_makes_the_vectors() -> None:
    """No byte of any format has changed: making the vectors again gives the committed files."""
    assert {name: made for name, made in make.serialized().items() if made != make._stored(name)} == {}


def test_this_implementation_is_its_own() -> None:
    """What checks the vectors imports nothing of the ledger."""
    source = (Path(__file__).parent / "independent.py").read_text("utf-8")
    assert "ledger" not in " ".join(re.findall(r"^\s*(?:import|from) .*$", source, re.MULTILINE))


def test_the_document_shows_the_vectors() -> None:
    """Every hex value of 16 bytes or more in the document stands in the vectors, and each file is referred to."""
    stored = "".join((VECTORS / name).read_text("ascii") for name in make.make())
    for value in re.findall(r"`([0-9a-f]{32,})`", DOCUMENT):
        assert value in stored or set(value) == {"0"}, value
    for name in make.make():
        assert name in DOCUMENT


def test_canonical_building_blocks() -> None:
    """Integers, texts, blobs, optionals and lists are laid out as documented."""
    given = vectors("canonical")
    for each in given["u64"]:
        assert raw(each["bytes"]) == long(each["value"])
    for each in given["text"]:
        assert raw(each["bytes"]) == sized(each["value"])
    for each in given["blob"]:
        assert raw(each["bytes"]) == sized(raw(each["value"]))
    for each in given["optional_text"]:
        value = each["value"]
        assert raw(each["bytes"]) == (long(0) if value is None else long(1) + sized(value))
    for each in given["list_of_text"]:
        assert raw(each["bytes"]) == long(len(each["value"])) + b"".join(map(sized, each["value"]))


def test_key_derivations() -> None:
    """Content keys, submission keys and key ids follow from their inputs, in the order of the ids."""
    given = vectors("keys")
    content = given["content_key"]
    ikm = b"".join(raw(each["key"]) for each in sorted(content["scopes"], key=lambda each: each["id"]))
    info = sized("audit-ledger/content-key/v1") + sized(content["tenant"]) + raw(content["event_id"])
    assert own.hkdf(ikm, info + sized(content["slot"])) == raw(content["key"])
    submission = given["submission_key"]
    holders = sorted(submission["holders"], key=lambda each: each["pseudonym"])
    ikm = b"".join(raw(each["secret"]) for each in holders)
    assert own.hkdf(ikm, sized("audit-ledger/submission-key/v1")) == raw(submission["key"])
    pseudonyms = b"".join(raw(each["pseudonym"]) for each in holders)
    tag = sized("audit-ledger/submission-key-id/v1")
    assert sha256(tag, sized("pb1"), long(2), pseudonyms) == raw(submission["key_id"])


def test_identifiers_are_normalized_as_documented() -> None:
    """NFKC, case folding, NFKC, white space: on characters that every Unicode of today knows."""
    for each in vectors("keys")["normalization_v1"]:
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", each["identifier"]).casefold())
        spaced = re.sub("[\t-\r \x85\u1680\u2028\u2029]+", " ", folded).strip(" ")
        assert raw(each["bytes"]) == spaced.encode()


def test_rows_of_the_key_store_are_found_and_sealed_as_documented() -> None:
    """Keyed hashes find rows; a row opens only in its place."""
    given = vectors("keys")
    lookup = given["lookup"]
    key = raw(lookup["lookup_key"])
    normalized = lookup["identifier"].strip().lower()
    holder = own.hmac_sha256(key, sized("audit-ledger/holder-lookup/v1"), sized(lookup["kind"]), sized(normalized))
    assert holder == raw(lookup["holder_hash"])
    parts = (raw(lookup["pseudonym"]), sized(lookup["retention_class"]), sized(lookup["month"]))
    assert own.hmac_sha256(key, sized("audit-ledger/scope-row/v1"), *parts) == raw(lookup["scope_row_key"])
    row = given["sealed_row"]
    place = sized("audit-ledger/key-row/v1") + sized(row["table"]) + sized(row["tenant"]) + long(len(row["parts"]))
    place += b"".join(sized(raw(part)) for part in row["parts"])
    assert place == raw(row["associated_data"])
    sealed = raw(row["sealed"])
    assert sealed[:25] == b"\x01" + raw(row["nonce"])
    opened = own.crypto_aead_xchacha20poly1305_ietf_decrypt(sealed[25:], place, sealed[1:25], raw(row["key"]))
    assert opened == raw(row["plaintext"])


@pytest.mark.parametrize("name", ["payload.v1", "event_record.v1"])
def test_schemas_are_pinned_by_their_canonical_form(name: str) -> None:
    """Header and digest follow from the schema file."""
    schema = json.loads((SCHEMAS / f"{name}.avsc").read_text("utf-8"))
    given = vectors("record")["schemas"][name]
    canonical = own.parsing_canonical_form(schema).encode()
    assert raw(given["sha256"]) == sha256(canonical)
    assert raw(given["header"]) == b"\xc3\x01" + own.crc64_avro(canonical)


def test_the_payload_says_what_the_event_said() -> None:
    """The canonical bytes, read by another Avro reader, hold the values; their leaf is the hash of all of them."""
    given = vectors("record")
    payload = raw(given["payload"])
    schema = json.loads((SCHEMAS / "payload.v1.avsc").read_text("utf-8"))
    assert payload[:10] == raw(given["schemas"]["payload.v1"]["header"])
    values = own.Avro(schema, payload[10:]).values
    for name in ("occurred_at", "received_at"):
        values[name] = datetime.fromtimestamp(values[name] // 10**6, UTC).replace(microsecond=values[name] % 10**6)
    assert make.hexed(values) == given["values"]
    assert sha256(b"\x00", payload) == raw(given["leaf_hash"])
    event = given["event"]
    assert values["event_id"] == base64.b64decode(event["event_id"])
    assert values["request"]["model_requested"] == event["request"]["model_requested"]
    assert values["request"]["seed"] == int(event["request"]["seed"])
    assert values["actor_user"] == raw(given["holder"]["pseudonym"])


def test_the_submission_is_fields_in_ascending_order() -> None:
    """`pb1` holds each field once, ascending, integers as short as they can be."""
    given = vectors("record")
    data = raw(given["submission"])
    numbers, at = [], 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                assert byte or shift == 7
                return value

    while at < len(data):
        tag = varint()
        numbers.append(tag >> 3)
        assert tag & 7 in (0, 2)
        value = varint()
        at += value if tag & 7 == 2 else 0
    assert at == len(data)
    assert numbers == sorted(set(numbers)) == [1, 2, 5, 6, 7, 9, 12, 20]


def test_the_submission_digest_is_keyed_by_the_person() -> None:
    """One person: her gateway secret makes the key, her pseudonym its id."""
    given = vectors("record")
    holder = given["holder"]
    key = own.hkdf(raw(holder["secret"]), sized("audit-ledger/submission-key/v1"))
    message = sized("audit-ledger/submission/v1") + sized(given["tenant"]) + raw(given["submission"])
    assert own.hmac_sha256(key, message) == raw(given["submission_digest"])
    tag = sized("audit-ledger/submission-key-id/v1")
    assert sha256(tag, sized("pb1"), long(1), raw(holder["pseudonym"])) == raw(given["submission_key_id"])


def test_contents_open_and_match_what_the_payload_committed_to() -> None:
    """Key, place, salt, frame, digest and commitment of each content, the empty one included."""
    given = vectors("record")
    descriptors = {each["slot"]: each for each in given["values"]["contents"]}
    event_id = raw(given["values"]["event_id"])
    assert [each["slot"] for each in given["contents"]] == ["actor.user", "input", "output"]
    for each in given["contents"]:
        slot, ciphertext, stored = each["slot"], raw(each["ciphertext"]), raw(each["stored"])
        info = sized("audit-ledger/content-key/v1") + sized(given["tenant"]) + event_id + sized(slot)
        key = own.hkdf(raw(given["scope"]["key"]), info)
        assert key == raw(each["key"])
        assert ciphertext[:24] == raw(each["nonce"])
        salt, frame = own.open_content(key, given["tenant"], event_id, slot, ciphertext)
        assert (salt, own.raw_zstd_content(frame)) == (raw(each["salt"]), stored)
        assert sha256(ciphertext) == raw(descriptors[slot]["ciphertext_sha256"])
        assert sha256(salt, stored) == raw(descriptors[slot]["commitment"])
        assert descriptors[slot]["size"] == len(stored)
        assert descriptors[slot]["scope_ids"] == [given["scope"]["id"]]


def test_the_event_record_holds_payload_and_contents() -> None:
    """What stands in the event log can be read with the Avro schema alone."""
    given = vectors("record")
    schema = json.loads((SCHEMAS / "event_record.v1.avsc").read_text("utf-8"))
    data = raw(given["event_record"])
    values = own.Avro(schema, data[10:]).values
    assert data[:10] == raw(given["schemas"]["event_record.v1"]["header"])
    assert values["payload"] == raw(given["payload"])
    contents = [(each["slot"], each["ciphertext"]) for each in values["contents"]]
    assert contents == [(each["slot"], raw(each["ciphertext"])) for each in given["contents"]]


def test_the_receipt_signs_what_stands_behind_it() -> None:
    """Body, signature, key id, and the one entry, which is the event's."""
    given, record = vectors("log"), vectors("record")
    body = own.check_signed(raw(given["signed_receipt"]), given["key_name"], raw(given["public_key"]))
    assert body == raw(given["receipt_body"])
    assert own.key_id(given["key_name"], raw(given["public_key"])) == raw(given["key_id"])
    reader = Reader(body, "audit-ledger/receipt/v1")
    assert reader.text() == given["gateway_id"]
    assert reader.text() == given["log_origin"]
    assert reader.take(16) == raw(given["incarnation"])
    assert reader.long() == given["sealing_delay_ms"]
    assert reader.long() == 1
    assert reader.take(16) == raw(record["values"]["event_id"])
    assert reader.take(32) == raw(record["submission_digest"])
    assert reader.take(32) == raw(record["submission_key_id"])
    assert reader.take(32) == raw(record["leaf_hash"])
    assert reader.long() == given["received_at_us"]
    reader.end()


def test_the_batch_is_the_receipt_and_its_events() -> None:
    """Keys, headers, values and digests of the records in the event log."""
    given = vectors("log")
    receipt, event, _ = given["records"]
    assert raw(receipt["value"]) == raw(given["signed_receipt"])
    assert raw(event["value"]) == raw(vectors("record")["event_record"])
    for each, kind in ((receipt, b"receipt"), (event, b"event")):
        assert raw(each["key"]) == raw(vectors("sealed")["log_id"])
        assert each["headers"] == [["kind", kind.hex()], ["epoch", given["incarnation"]]]
    for each in given["records"]:
        headers = b"".join(sized(name) + sized(raw(value)) for name, value in each["headers"])
        tag = sized("audit-ledger/log-record/v1")
        count = long(len(each["headers"]))
        assert sha256(tag, sized(raw(each["key"])), count, headers, sized(raw(each["value"]))) == raw(each["digest"])


def test_shards_and_derived_ids() -> None:
    """An event's shard, and the id derived from a source's own."""
    given = vectors("log")
    for each in given["shards"]:
        assert struct.unpack(">Q", sha256(raw(each["event_id"]))[:8])[0] % each["count"] == each["shard"]
    for each in given["derived_event_ids"]:
        assert _derived(each["time_ms"], *each["parts"]) == raw(each["event_id"])
    for each in given["span_event_ids"]:
        trace_id, span_id = raw(each["trace_id"]), raw(each["span_id"])
        hashed = sha256(sized("audit-ledger/otlp-place/v1"), sized(each["tenant"]), trace_id)
        place = int.from_bytes(hashed[:8], "big") >> 28
        parts = ("otlp", each["tenant"], trace_id, span_id, "traces", "")
        assert _derived(place, *parts) == raw(each["event_id"])


def _derived(time_ms: int, *parts: str | bytes) -> bytes:
    hashed = sha256(sized("audit-ledger/derived-event-id/v1"), *map(sized, parts))
    bits = int.from_bytes(hashed[:10], "big") >> 6
    high = time_ms << 16 | 8 << 12 | bits >> 62
    low = 0b10 << 62 | bits & (2**62 - 1)
    return struct.pack(">QQ", high, low)


def test_the_document_names_every_field_and_slot() -> None:
    """No field of the payload, no column and no content slot is left out of the document."""
    found: set[str] = set()

    def walk(node: Any) -> None:
        if isinstance(node, list):
            for each in node:
                walk(each)
        elif isinstance(node, dict):
            for field in node.get("fields", ()):
                found.add(field["name"])
                walk(field["type"])
            walk(node.get("items"))

    for name in ("payload.v1", "event_record.v1"):
        walk(json.loads((SCHEMAS / f"{name}.avsc").read_text("utf-8")))
    found |= {name for name, _ in LEDGER_COLUMNS} | set(CONTENTS_SCHEMA.names)
    found |= {path[-1].name for path in fields(FieldDescriptor.TYPE_MESSAGE) if path[-1].message_type.name == "Content"}
    quoted = set(re.findall(r"`([a-z0-9_]+)`", DOCUMENT)) | {"document_id", "text"}
    assert found - quoted == set()


def test_the_document_names_every_tag() -> None:
    """Each tag that the code hashes, signs or stores under for good stands in the document."""
    passing = {"id-run", "query-key", "query-pairs", "spool-key-id", "process-proof", "process-proof-key"}
    tags = set()
    for package in ("ledger", "consumers", "query"):
        for source in (ROOT / package).rglob("*.py"):
            tags |= set(re.findall(r"audit-ledger/([a-z0-9-]+)/v[0-9]+", source.read_text("utf-8")))
    assert {tag for tag in tags - passing if f"audit-ledger/{tag}/v" not in DOCUMENT} == set()
