"""The vectors of what a sealer writes, and of a disclosure: read by an implementation of its own."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.docs import independent as own
from tests.docs.independent import Reader, long, sha256, sized
from tests.docs.test_format_vectors import SCHEMAS, raw, vectors
from tests.vectors.story import hexed


def test_tree_and_chain() -> None:
    """Roots and right edges from RFC 6962's definition; the chain links each leaf to all before it."""
    given = vectors("sealed")
    leaves = [raw(each) for each in given["leaves"]]
    assert leaves[0] == raw(vectors("record")["leaf_hash"])
    chain = bytes(32)
    for leaf, linked in zip(leaves, given["chain"], strict=True):
        chain = sha256(chain, leaf)
        assert chain == raw(linked)
    for size in range(6):
        assert own.tree_root(leaves[:size]) == raw(given["roots"][size])
        assert own.right_edge(leaves[:size]) == [raw(each) for each in given["compact_ranges"][size]]


def read_statement(data: bytes) -> dict[str, Any]:
    """A statement's fields, in the document's order."""
    reader = Reader(data, "audit-ledger/statement/v1")

    def mark() -> dict[str, int]:
        return {"index": reader.long(), "first_index": reader.long()}

    def repeat() -> dict[str, Any]:
        return {"offset": reader.long(), "leaf_hash": reader.digest(), "first_index": reader.long()}

    found = {
        "log_id": reader.digest(),
        "partition": reader.long(),
        "round": reader.long(),
        "first_index": reader.long(),
        "count": reader.long(),
        "chain_before": reader.digest(),
        "chain_after": reader.digest(),
        "tree_size": reader.long(),
        "root": reader.digest(),
        "range_hashes": reader.list(reader.digest),
        "schemas": reader.list(reader.digest),
        "repeats": reader.list(repeat),
        "conflicts": reader.list(mark),
        "undetermined": reader.list(mark),
        "receipt_count": reader.long(),
        "receipts_digest": reader.digest(),
        "previous": reader.digest(),
        "previous_round": reader.long(),
    }
    reader.end()
    return found


def test_statement_bundle_and_label() -> None:
    """The statement's fields, its digest, the receipts it counts, the bundle around it, its label."""
    given = vectors("sealed")
    data = raw(given["statement"])
    found = read_statement(data)
    assert hexed(found) == given["statement_fields"]
    assert sha256(data) == raw(given["statement_digest"])
    assert (found["chain_after"].hex(), found["root"].hex()) == (given["chain"][4], given["roots"][5])
    assert found["range_hashes"] == [raw(each) for each in given["compact_ranges"][5]]
    receipt = raw(vectors("log")["signed_receipt"])
    assert found["receipts_digest"] == sha256(sized("audit-ledger/receipts/v1"), long(1), sha256(receipt))
    reader = Reader(raw(given["bundle"]), "audit-ledger/bundle/v1")
    assert reader.list(lambda: (reader.blob(), reader.list(reader.blob))) == [(data, [receipt])]
    reader.end()
    place = sized("audit-ledger/label/v1") + raw(given["log_id"]) + long(found["partition"]) + long(found["round"])
    assert sha256(place) == raw(given["label"])


def read_round(data: bytes) -> dict[str, Any]:
    """A round's fields, in the document's order."""
    reader = Reader(data, "audit-ledger/round/v1")

    def file() -> dict[str, Any]:
        return {
            "role": reader.text(),
            "name": reader.text(),
            "sha256": reader.digest(),
            "bytes": reader.long(),
            "rows": reader.long(),
        }

    found = {
        "partition": reader.long(),
        "number": reader.long(),
        "kind": reader.long(),
        "sealed_at_us": reader.long(),
        "incarnation": reader.take(16),
        "first_offset": reader.long(),
        "next_offset": reader.long(),
        "last_record": reader.digest(),
        "files": reader.list(file),
        "entries": reader.list(lambda: {"label": reader.digest(), "statement": reader.digest()}),
        "placements": reader.list(reader.digest),
        "previous": reader.digest(),
        "tree_size": reader.long(),
        "range_hashes": reader.list(reader.digest),
        "reason": reader.text(),
    }
    reader.end()
    return found


def test_rounds_and_their_tree() -> None:
    """Two rounds: fields, signature, the digest that links them, the tree they are leaves of."""
    given = vectors("sealed")
    body = own.check_signed(raw(given["signed_round"]), given["key_name"], raw(given["public_key"]))
    assert body == raw(given["round"])
    found = read_round(body)
    assert hexed(found) == given["round_fields"]
    first = raw(given["first_round"])
    assert (read_round(first)["kind"], read_round(first)["previous"]) == (1, bytes(32))
    assert found["previous"] == sha256(first)
    assert raw(given["round_digest"]) == sha256(body)
    assert (found["tree_size"], found["range_hashes"]) == (1, [sha256(b"\x00", first)])
    assert found["entries"] == [{"label": raw(given["label"]), "statement": raw(given["statement_digest"])}]
    assert found["placements"] == [sha256(raw(given["placement"]))]
    bundle = next(each for each in found["files"] if each["role"] == "statements")
    assert bundle["sha256"] == sha256(raw(given["bundle"]))


def test_placements() -> None:
    """A placement's fields, and its files' names."""
    given = vectors("sealed")
    reader = Reader(raw(given["placement"]), "audit-ledger/placement/v1")

    def file() -> dict[str, Any]:
        return {
            "role": reader.text(),
            "name": reader.text(),
            "sha256": reader.digest(),
            "bytes": reader.long(),
            "rows": reader.long(),
            "first_index": reader.long(),
            "end_index": reader.long(),
        }

    found = {
        "log_id": reader.digest(),
        "sequence_number": reader.long(),
        "previous": reader.digest(),
        "size": reader.long(),
        "files": reader.list(file),
        "removed": reader.list(lambda: {"index": reader.long(), "slot": reader.text(), "event_id": reader.take(16)}),
    }
    reader.end()
    assert hexed(found) == given["placement_fields"]
    for each in found["files"]:
        assert each["name"] == f"logs/{given['log_id']}/{each['role']}/{each['sha256'].hex()[:32]}.parquet"


def test_deletions() -> None:
    """A deletion descends from the placement, and its statement says the size and root that the checkpoint says."""
    given = vectors("sealed")
    reader = Reader(raw(given["deletion"]), "audit-ledger/deletion/v1")
    assert (reader.digest().hex(), reader.long()) == (given["log_id"], 2)
    assert (reader.digest(), reader.long()) == (sha256(raw(given["placement"])), 5)
    assert reader.text() == given["final_statement"]
    reader.end()
    lines = own.check_note(given["final_statement"], raw(given["public_key"]), "audit.example.org/ledger")
    assert (lines[0], lines[1]) == ("audit.example.org/final-statement/v1", "tenant acme")
    (log,) = (each.split(" ")[1:] for each in lines if each.startswith("log "))
    (checkpoint,) = (each.split(" ")[1] for each in lines if each.startswith("checkpoint "))
    assert own.check_note(base64.b64decode(checkpoint).decode(), raw(given["public_key"])) == log


def test_checkpoints_and_origins() -> None:
    """Signed notes under the origins of the rounds and of the log, and the file they stand in."""
    given = vectors("sealed")
    rounds, log = (own.check_note(note, raw(given["public_key"])) for note in given["checkpoints"])
    both = [sha256(b"\x00", raw(given["first_round"])), sha256(b"\x00", raw(given["round"]))]
    root = base64.b64encode(own.tree_root(both)).decode()
    assert rounds == ["audit.example.org/rounds/0", "2", root]
    root = base64.b64encode(raw(given["roots"][5])).decode()
    assert log == [f"audit.example.org/log/{given['log_id']}", "5", root]
    reader = Reader(raw(given["checkpoints_file"]), "audit-ledger/checkpoints/v1")
    assert reader.list(reader.text) == given["checkpoints"]
    reader.end()


def test_object_names() -> None:
    """Numbers have leading zeros to their least width; digests are cut to 16 and 32 digits."""
    given = vectors("sealed")
    names, digest = given["names"], given["names"]["digest"]
    assert names["round"] == "partitions/0000/rounds/000000000001.round"
    assert names["large_round"] == "partitions/12345/rounds/10000000000000.round"
    for role, suffix in (("events", "parquet"), ("contents", "parquet"), ("statements", "bundle")):
        assert names[role] == f"partitions/0000/{role}/000000000001-{digest[:16]}.{suffix}"
    assert names["placement"] == f"partitions/0000/placements/{digest}.placement"
    assert names["checkpoints"] == "partitions/0000/checkpoints/000000000001.checkpoints"
    for role in ("events", "contents"):
        assert names[f"compacted_{role}"] == f"logs/{given['log_id']}/{role}/{digest[:32]}.parquet"


def test_a_disclosure_proves_itself() -> None:
    """Payload, salt and plaintext against the leaf, the leaf against the checkpoint, without keys or ledger."""
    text = vectors("disclosure")["file"]
    fields = json.loads(text)
    assert list(fields) == ["format", "payload", "slot", "salt", "plaintext", "proof", "verifier_key"]
    assert text == json.dumps(fields, indent=2) + "\n"
    name, identity, encoded = fields["verifier_key"].split("+", 2)
    key = base64.b64decode(encoded)
    assert key[:1] == b"\x01"
    assert own.key_id(name, key[1:]).hex() == identity
    head, note = fields["proof"].split("\n\n", 1)
    lines = own.check_note(note, key[1:])
    header, index, *hashes = head.split("\n")
    assert (header, index) == ("c2sp.org/tlog-proof@v1", "index 0")
    payload = base64.b64decode(fields["payload"])
    root = own.check_inclusion(sha256(b"\x00", payload), 0, int(lines[1]), [base64.b64decode(each) for each in hashes])
    assert base64.b64encode(root).decode() == lines[2]
    schema = json.loads((SCHEMAS / "payload.v1.avsc").read_text("utf-8"))
    values = own.Avro(schema, payload[10:]).values
    descriptor = next(each for each in values["contents"] if each["slot"] == fields["slot"])
    salt, plaintext = base64.b64decode(fields["salt"]), base64.b64decode(fields["plaintext"])
    assert sha256(salt, plaintext) == descriptor["commitment"]
    assert plaintext == b"May I change my flight?"
