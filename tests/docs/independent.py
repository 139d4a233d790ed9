"""The formats of docs/FORMAT.md once more, from the document alone, with the standard library and libsodium.

Small and slow on purpose. What is wrong raises `AssertionError`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
from collections.abc import Callable
from typing import Any

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt
from nacl.signing import VerifyKey


def long(value: int) -> bytes:
    """u64, big-endian."""
    return struct.pack(">Q", value)


def sized(value: bytes | str) -> bytes:
    """A blob, or a text as UTF-8: its length, then its bytes."""
    data = value.encode() if isinstance(value, str) else value
    return long(len(data)) + data


def sha256(*parts: bytes) -> bytes:
    """SHA-256 over the parts."""
    return hashlib.sha256(b"".join(parts)).digest()


def hmac_sha256(key: bytes, *parts: bytes) -> bytes:
    """HMAC-SHA-256 over the parts."""
    return hmac.new(key, b"".join(parts), hashlib.sha256).digest()


def hkdf(ikm: bytes, info: bytes) -> bytes:
    """HKDF-SHA-256 (RFC 5869) without salt, 32 bytes."""
    return hmac_sha256(hmac_sha256(bytes(32), ikm), info, b"\x01")


class Reader:
    """Canonical bytes, read in order."""

    def __init__(self, data: bytes, tag: str | None = None) -> None:
        self.data, self.at = data, 0
        if tag is not None:
            assert self.text() == tag

    def take(self, count: int) -> bytes:
        """So many bytes."""
        found = self.data[self.at : self.at + count]
        assert len(found) == count
        self.at += count
        return found

    def long(self) -> int:
        """u64."""
        return int(struct.unpack(">Q", self.take(8))[0])

    def blob(self) -> bytes:
        """Length and bytes."""
        return self.take(self.long())

    def text(self) -> str:
        """Length and UTF-8."""
        return self.blob().decode("utf-8")

    def digest(self) -> bytes:
        """32 bytes."""
        return self.take(32)

    def list(self, item: Callable[[], Any]) -> list[Any]:
        """A count and that many items."""
        return [item() for _ in range(self.long())]

    def end(self) -> None:
        """Nothing may follow."""
        assert self.at == len(self.data)


class Avro:
    """A strict reader of one Avro datum in the one encoding this ledger uses."""

    def __init__(self, schema: Any, data: bytes) -> None:
        self.named: dict[str, Any] = {}
        self.data, self.at = data, 0
        self.values = self.read(schema)
        assert self.at == len(data)

    def read(self, node: Any) -> Any:
        """The value of a type."""
        if isinstance(node, list):
            branch = self.take(1)
            assert branch in (b"\x00", b"\x02")
            return self.read(node[1]) if branch == b"\x02" else self.learn(node[1])
        if isinstance(node, str):
            return self.read(self.named[node]) if node in self.named else getattr(self, f"read_{node}")()
        self.learn_one(node)
        if node["type"] == "record":
            return {field["name"]: self.read(field["type"]) for field in node["fields"]}
        if node["type"] == "enum":
            return node["symbols"][self.positive()]
        if node["type"] == "fixed":
            return self.take(node["size"])
        if node["type"] == "array":
            count = self.positive()
            items = [self.read(node["items"]) for _ in range(count)] or self.learn(node["items"]) or []
            assert count == 0 or self.take(1) == b"\x00"
            return items
        return self.read(node["type"])

    def learn_one(self, node: Any) -> None:
        """Notes a named type."""
        if isinstance(node, dict) and "name" in node:
            self.named[node["name"]] = node

    def learn(self, node: Any) -> None:
        """Notes the named types inside a value that is not there."""
        for each in node if isinstance(node, list) else [node]:
            if isinstance(each, dict):
                self.learn_one(each)
                for field in each.get("fields", ()):
                    self.learn(field["type"])
                self.learn(each.get("items"))

    def take(self, count: int) -> bytes:
        """So many bytes."""
        found = self.data[self.at : self.at + count]
        assert len(found) == count
        self.at += count
        return found

    def read_long(self) -> int:
        """Zigzag, seven bits a byte, the lowest first, no byte more than needed."""
        bits = shift = 0
        while True:
            byte = self.take(1)[0]
            bits |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        assert bits < 2**64
        assert shift == 7 or byte != 0
        return (bits >> 1) ^ -(bits & 1)

    def positive(self) -> int:
        """A length, count or index."""
        value = self.read_long()
        assert value >= 0
        return value

    def read_boolean(self) -> bool:
        """0 or 1."""
        return {b"\x00": False, b"\x01": True}[self.take(1)]

    def read_double(self) -> float:
        """IEEE 754, little-endian."""
        return float(struct.unpack("<d", self.take(8))[0])

    def read_bytes(self) -> bytes:
        """Length and bytes."""
        return self.take(self.positive())

    def read_string(self) -> str:
        """Length and UTF-8."""
        return self.read_bytes().decode("utf-8")


def parsing_canonical_form(node: Any, namespace: str = "") -> str:
    """The Parsing Canonical Form of a schema, as Avro defines it."""
    primitives = {"null", "string", "bytes", "long", "double", "boolean"}
    if isinstance(node, list):
        return "[" + ",".join(parsing_canonical_form(each, namespace) for each in node) + "]"
    if isinstance(node, str):
        full = node if node in primitives or "." in node or not namespace else f"{namespace}.{node}"
        return json.dumps(full)
    if node["type"] in primitives:
        return json.dumps(node["type"])
    namespace = node.get("namespace", namespace)
    parts = []
    if "name" in node:
        parts.append('"name":' + json.dumps(f"{namespace}.{node['name']}"))
    parts.append(f'"type":{json.dumps(node["type"])}')
    if "fields" in node:
        fields = [
            f'{{"name":{json.dumps(each["name"])},"type":{parsing_canonical_form(each["type"], namespace)}}}'
            for each in node["fields"]
        ]
        parts.append('"fields":[' + ",".join(fields) + "]")
    if "symbols" in node:
        parts.append('"symbols":[' + ",".join(map(json.dumps, node["symbols"])) + "]")
    if "items" in node:
        parts.append(f'"items":{parsing_canonical_form(node["items"], namespace)}')
    if "size" in node:
        parts.append(f'"size":{node["size"]}')
    return "{" + ",".join(parts) + "}"


def crc64_avro(data: bytes) -> bytes:
    """CRC-64-AVRO, little-endian."""
    empty = value = 0xC15D213AA4D7A795
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (empty & -(value & 1))
    return struct.pack("<Q", value)


def tree_root(leaves: list[bytes]) -> bytes:
    """RFC 6962, from its recursive definition over leaf hashes."""
    if not leaves:
        return sha256()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\x01", tree_root(leaves[:split]), tree_root(leaves[split:]))


def right_edge(leaves: list[bytes]) -> list[bytes]:
    """The compact range: perfect subtrees, largest first."""
    edge, at = [], 0
    for level in reversed(range(len(leaves).bit_length())):
        if len(leaves) >> level & 1:
            edge.append(tree_root(leaves[at : at + (1 << level)]))
            at += 1 << level
    return edge


def key_id(name: str, public_key: bytes) -> bytes:
    """The id of an Ed25519 key under a name, as in C2SP signed notes."""
    return sha256(name.encode(), b"\n\x01", public_key)[:4]


def check_signed(data: bytes, name: str, public_key: bytes) -> bytes:
    """The body of a signed file, its signature verified."""
    reader = Reader(data)
    body = reader.blob()
    assert reader.text() == name
    assert reader.take(4) == key_id(name, public_key)
    VerifyKey(public_key).verify(sized("audit-ledger/signed/v1") + body, reader.take(64))
    reader.end()
    return body


def check_note(note: str, public_key: bytes, signer: str = "") -> list[str]:
    """The lines of a note's text, its one signature verified under that name, of a checkpoint its origin."""
    text, signature_line = note.rsplit("\n\n", 1)
    lines = text.split("\n")
    dash, name, encoded = signature_line.rstrip("\n").split(" ")
    raw = base64.b64decode(encoded, validate=True)
    assert (dash, name) == ("\u2014", signer or lines[0])
    assert raw[:4] == key_id(name, public_key)
    VerifyKey(public_key).verify(text.encode() + b"\n", raw[4:])
    return lines


def open_content(key: bytes, tenant: str, event_id: bytes, slot: str, ciphertext: bytes) -> tuple[bytes, bytes]:
    """Salt and zstd frame of a content."""
    place = sized("audit-ledger/content/v1") + sized(tenant) + event_id + sized(slot)
    plaintext = crypto_aead_xchacha20poly1305_ietf_decrypt(ciphertext[24:], place, ciphertext[:24], key)
    return plaintext[:32], plaintext[32:]


def raw_zstd_content(frame: bytes) -> bytes:
    """The content of a zstd frame that is short enough to be stored raw (RFC 8878): enough for small vectors."""
    assert frame[:4] == b"\x28\xb5\x2f\xfd"
    assert frame[4] == 0x20  # single segment, one byte of content size, no checksum, no dictionary
    block = int.from_bytes(frame[6:9], "little")
    assert block & 0b111 == 0b001  # the last block, raw
    assert block >> 3 == frame[5] == len(frame) - 9
    return frame[9:]


def check_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to, from the definition of the path."""
    if size == 1:
        assert not proof
        return leaf
    split = 1 << ((size - 1).bit_length() - 1)
    if index < split:
        return sha256(b"\x01", check_inclusion(leaf, index, split, proof[:-1]), proof[-1])
    return sha256(b"\x01", proof[-1], check_inclusion(leaf, index - split, size - split, proof[:-1]))
