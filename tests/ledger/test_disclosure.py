"""One content in one file: accepted as it is, refused with any byte of it altered, by somebody who has nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ledger.disclosure import BadDisclosure, Disclosed, check_disclosure, make_disclosure
from ledger.disclosure_trust import check_trusted_disclosure
from ledger.keys.derive import content_key
from ledger.proofs import Proofs
from ledger.record.content import OpenedContent, open_content
from ledger.record.payload import decode_payload, encode_payload
from ledger.segments.checkpoints import read_checkpoints
from ledger.segments.history import History
from ledger.segments.holdings import Holdings
from ledger.tlog.checkpoint import Checkpoint, sign_checkpoint
from ledger.tlog.cosignature import cosign
from ledger.tlog.merkle import inclusion_proof, leaf_hash, root, subtrees_of
from ledger.tlog.note import ED25519_COSIGNATURE, NoteSigner, VerifierKey, encode_base64, signer_from_seed
from ledger.tlog.proof_bundle import TlogProof
from ledger.trust import TrustedKey, TrustedKeys, TrustedLog
from tests.small_ledger import SmallLedger, request

ORIGIN = "audit.test/log/" + "ab" * 32
SIGNER = signer_from_seed(ORIGIN, b"k" * 32)
PLAINTEXT = b"my card number is 42"
OPENED = OpenedContent(PLAINTEXT, b"s" * 32)


async def _sealed_event(folder: Path) -> tuple[bytes, OpenedContent, TlogProof, VerifierKey]:
    """A real event's payload, its input opened with the real key, and its proof out of the real ledger."""
    small = SmallLedger(folder / "ledger")
    await small.start("acme")
    await small.publish("acme", request("mia", "hello"), request("mia", PLAINTEXT.decode()), request("zoe"))
    await small.seal()
    log = small.tenant_log("acme")
    history = History(small.store, 0, small.trust())
    holdings = Holdings(history)
    holdings.refresh()
    from tests.consumers.sealed import sealed_in

    leaf = sealed_in(small).leaves[log.log_id][1]
    ciphertext = sealed_in(small).contents[log.log_id][1, "input"]
    (descriptor,) = (each for each in leaf.values["contents"] if each["slot"] == "input")
    keys = small.keys.scope_keys("acme", descriptor["scope_ids"])
    opened = open_content(
        ciphertext,
        content_key(list(keys.items()), "acme", leaf.event_id, "input"),
        "acme",
        leaf.event_id,
        "input",
        digest=descriptor["ciphertext_sha256"],
        commitment_=descriptor["commitment"],
        size=descriptor["size"],
    )
    key = VerifierKey(log.origin, small.ledger_signer.public_key)
    note = read_checkpoints(small.store, 0, 0)[log.origin]
    proof = Proofs(small.store, folder / "tiles", history, holdings).log(log.log_id).bundle(1, note, key)
    await small.close()
    return leaf.payload, opened, proof, key


async def test_a_content_of_a_real_ledger_is_disclosed(tmp_path: Path) -> None:
    """What a ledger sealed and a key opened is accepted by somebody who has only the file and a verifier key."""
    payload, opened, proof, key = await _sealed_event(tmp_path)
    disclosed = check_disclosure(make_disclosure(payload, "input", opened, proof, key), [key])
    assert disclosed.plaintext == PLAINTEXT
    assert (disclosed.origin, disclosed.index, disclosed.size) == (key.name, 1, 3)
    assert (disclosed.tenant, disclosed.kind, disclosed.slot, disclosed.state) == ("acme", "request", "input", "full")
    assert disclosed.pinned


async def _payload(folder: Path, **descriptor: Any) -> bytes:
    """A real payload whose input commits to `OPENED`, its descriptor changed as told."""
    from hashlib import sha256

    payload, _, _, _ = await _sealed_event(folder)
    values = decode_payload(payload)
    for each in values["contents"]:
        if each["slot"] == "input":
            each.update(commitment=sha256(OPENED.salt + PLAINTEXT).digest(), size=len(PLAINTEXT))
            each.update(descriptor)
    return encode_payload(values)


def _proof(payload: bytes, signer: NoteSigner = SIGNER, others: int = 4) -> TlogProof:
    """The payload as leaf 2 of a small log."""
    leaves = [leaf_hash(bytes([at])) for at in range(others)]
    leaves[2:2] = [leaf_hash(payload)]
    note = sign_checkpoint(Checkpoint(signer.name, len(leaves), root(leaves)), signer)
    return TlogProof(2, tuple(inclusion_proof(2, len(leaves), subtrees_of(leaves))), note)


@pytest.fixture
async def payload(tmp_path: Path) -> bytes:
    """A payload that commits to `OPENED` as its input."""
    return await _payload(tmp_path)


@pytest.fixture
def disclosure(payload: bytes) -> bytes:
    """A good file."""
    return make_disclosure(payload, "input", OPENED, _proof(payload), SIGNER.verifier_key)


def test_every_altered_byte_is_refused(disclosure: bytes) -> None:
    """No byte of the file can be altered, added or left out: with the key at hand and without it."""
    assert check_disclosure(disclosure).plaintext == PLAINTEXT
    for at in range(len(disclosure)):
        changed = bytearray(disclosure)
        changed[at] ^= 1 << at % 8
        for keys in ([], [SIGNER.verifier_key]):
            with pytest.raises(BadDisclosure):
                check_disclosure(bytes(changed), keys)
    for changed_length in (disclosure[:-1], disclosure + b"\n", b" " + disclosure, b"", disclosure[1:]):
        with pytest.raises(BadDisclosure):
            check_disclosure(changed_length)


def test_without_a_key_it_says_what_it_all_rests_on(disclosure: bytes) -> None:
    """With no key from elsewhere the file is accepted relative to its own key, and the statement says so."""
    loose, pinned = check_disclosure(disclosure), check_disclosure(disclosure, [SIGNER.verifier_key])
    assert not loose.pinned
    assert pinned == replace(loose, pinned=True)
    key_id = SIGNER.verifier_key.key_id.hex()
    assert f"only relative to the key in the file, id {key_id}" in loose.statement()
    assert f"under the key you gave, {key_id}" in pinned.statement()
    for statement in (loose.statement(), pinned.statement()):
        assert PLAINTEXT.decode() not in statement
        assert "input" in statement


def test_another_key_than_the_ones_given_is_refused(disclosure: bytes) -> None:
    """A file under a key that the checker did not bring along is refused, and both key ids are named."""
    other = signer_from_seed(ORIGIN, b"o" * 32).verifier_key
    with pytest.raises(BadDisclosure, match=other.key_id.hex()):
        check_disclosure(disclosure, [other])
    assert check_disclosure(disclosure, [other, SIGNER.verifier_key]).pinned


def test_a_file_made_anew_under_another_key_is_refused_by_who_has_the_key(payload: bytes) -> None:
    """Anybody can make a file that is sound in itself; it says under which key, and not under the ledger's."""
    forger = signer_from_seed(ORIGIN, b"f" * 32)
    forged = make_disclosure(payload, "input", OPENED, _proof(payload, forger), forger.verifier_key)
    assert not check_disclosure(forged).pinned
    with pytest.raises(BadDisclosure):
        check_disclosure(forged, [SIGNER.verifier_key])


@pytest.mark.parametrize(
    ("slot", "opened"),
    [
        ("input", OpenedContent(b"another text of 20 b", OPENED.salt)),
        ("input", OpenedContent(PLAINTEXT, b"t" * 32)),
        ("input", OpenedContent(PLAINTEXT, b"s" * 31)),
        ("input", OpenedContent(PLAINTEXT + b"!", OPENED.salt)),
        ("output", OPENED),
        ("nothing", OPENED),
    ],
)
def test_what_was_not_committed_to_is_not_disclosed(payload: bytes, slot: str, opened: OpenedContent) -> None:
    """A plaintext, salt or slot that the payload does not commit to gives no file."""
    with pytest.raises(BadDisclosure):
        make_disclosure(payload, slot, opened, _proof(payload), SIGNER.verifier_key)


@pytest.mark.parametrize("state", ["metadata", "absent", "by_reference"])
async def test_only_what_was_kept_is_disclosed(tmp_path: Path, state: str) -> None:
    """A content of which the ledger holds no plaintext cannot be disclosed."""
    payload = await _payload(tmp_path, state=state)
    with pytest.raises(BadDisclosure, match=state):
        make_disclosure(payload, "input", OPENED, _proof(payload), SIGNER.verifier_key)


@pytest.mark.parametrize("state", ["truncated", "redacted"])
async def test_a_part_is_called_a_part(tmp_path: Path, state: str) -> None:
    """Who sees a truncated or redacted content is told that it is one."""
    payload = await _payload(tmp_path, state=state, original_size=4_711)
    data = make_disclosure(payload, "input", OPENED, _proof(payload), SIGNER.verifier_key)
    assert check_disclosure(data).state == state
    assert ("4711" if state == "truncated" else "redaction") in check_disclosure(data).statement()


def test_another_payload_or_log_is_refused(payload: bytes) -> None:
    """A payload that is not the leaf proved, or a checkpoint of another log than the key's, gives no file."""
    with pytest.raises(BadDisclosure, match="inclusion of leaf 2"):
        make_disclosure(payload, "input", OPENED, _proof(payload + b"\0"), SIGNER.verifier_key)
    elsewhere = signer_from_seed("audit.test/log/other", b"k" * 32)
    with pytest.raises(BadDisclosure):
        make_disclosure(payload, "input", OPENED, _proof(payload, elsewhere), SIGNER.verifier_key)


def test_cosignatures_and_extra_data_do_not_travel(payload: bytes) -> None:
    """What the reader of the file could not check is left out of it, and refused in it."""
    witness = signer_from_seed("witness.test", b"w" * 32, ED25519_COSIGNATURE)
    proof = _proof(payload)
    cosigned = proof.checkpoint + cosign(proof.checkpoint, witness, 1_700_000_000)
    rich = TlogProof(proof.index, proof.hashes, cosigned, b"extra")
    assert make_disclosure(payload, "input", OPENED, rich, SIGNER.verifier_key) == make_disclosure(
        payload, "input", OPENED, proof, SIGNER.verifier_key
    )
    fields = json.loads(make_disclosure(payload, "input", OPENED, proof, SIGNER.verifier_key))
    for text in (replace(rich, extra=b"").text(), replace(proof, extra=b"extra").text()):
        with pytest.raises(BadDisclosure, match="proof"):
            check_disclosure(json.dumps({**fields, "proof": text}, indent=2).encode() + b"\n")


@pytest.mark.parametrize(
    "change",
    [
        lambda fields: {**fields, "more": ""},
        lambda fields: {name: fields[name] for name in sorted(fields)},
        lambda fields: {**fields, "format": "audit-ledger-disclosure/v2"},
        lambda fields: {**fields, "slot": 1},
        lambda fields: {**fields, "slot": "\ud800"},
        lambda fields: {**fields, "salt": fields["salt"].rstrip("=")},
        lambda fields: {**fields, "plaintext": encode_base64(b"")},
        lambda fields: {**fields, "verifier_key": "nonsense"},
        lambda fields: {**fields, "verifier_key": str(replace(SIGNER.verifier_key, type_byte=4))},
        lambda fields: {**fields, "proof": ""},
        lambda fields: {**fields, "payload": ""},
        lambda fields: list(fields.values()),
    ],
)
def test_what_is_not_in_the_format_is_refused(disclosure: bytes, change: Any) -> None:
    """Other fields, orders, types and encodings are refused with a message, and nothing else is raised."""
    with pytest.raises(BadDisclosure, match=r"^disclosure: "):
        check_disclosure(json.dumps(change(json.loads(disclosure)), indent=2).encode() + b"\n")


@pytest.mark.parametrize("data", [b"\xff", b"null", b"[" * 100_000, b'{"a": 1, "a": 2}', b"1e999"])
def test_hostile_bytes_are_refused(data: bytes) -> None:
    """Whatever comes in, the answer is a refusal."""
    with pytest.raises(BadDisclosure):
        check_disclosure(data)


def test_a_file_too_large_is_refused_before_it_is_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound on the file's size comes first."""
    monkeypatch.setattr("ledger.disclosure.DISCLOSURE_BYTES_MAX", 10)
    with pytest.raises(BadDisclosure, match="at most 10 bytes"):
        check_disclosure(b"{" * 11)


def _trust(public_key: bytes, tenant: str = "acme", log_id: str = "ab" * 32) -> TrustedKeys:
    """A ledger's trust, of one log."""
    long_ago, later = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
    return TrustedKeys(
        "audit.test",
        (
            TrustedKey("ledger", "audit.test/ledger", bytes(31) + b"\x01", long_ago),
            TrustedKey("ledger", "audit.test/ledger", public_key, long_ago, later),
        ),
        (TrustedLog(tenant, 0, bytes.fromhex(log_id), 0, f"audit.test/log/{log_id}"),),
    )


def test_a_trust_file_pins_log_tenant_and_key(disclosure: bytes) -> None:
    """Under a trust file the log must be known, of the tenant in the payload, and signed by a key of the ledger."""
    assert check_trusted_disclosure(disclosure, _trust(SIGNER.public_key)) == check_disclosure(
        disclosure, [SIGNER.verifier_key]
    )
    for trust, reason in (
        (_trust(SIGNER.public_key, log_id="cd" * 32), "none of the logs that audit.test is trusted for"),
        (_trust(SIGNER.public_key, tenant="beta"), "of tenant acme, log audit.test/log/(ab)+ of beta"),
        (_trust(bytes(30) + b"\x01\x01"), f"signed by key {SIGNER.verifier_key.key_id.hex()}, trusted here"),
    ):
        with pytest.raises(BadDisclosure, match=reason):
            check_trusted_disclosure(disclosure, trust)


def test_a_gateways_key_vouches_for_no_log(disclosure: bytes) -> None:
    """A key that the trust file knows in another role signs no checkpoint."""
    trust = _trust(bytes(31) + b"\x02")
    gateway = TrustedKey("gateway", "audit.test/gateway/g1", SIGNER.public_key, datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(BadDisclosure, match="signed by key"):
        check_trusted_disclosure(disclosure, replace(trust, keys=(*trust.keys, gateway)))


def test_neither_keys_nor_ledger_are_needed(disclosure: bytes, tmp_path: Path) -> None:
    """A process of its own, with nothing but the file and the key text, comes to the same answer."""
    (tmp_path / "disclosure.json").write_bytes(disclosure)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from ledger.disclosure import check_disclosure\n"
        "from ledger.tlog.note import VerifierKey\n"
        "found = check_disclosure(Path('disclosure.json').read_bytes(), [VerifierKey.parse(sys.argv[1])])\n"
        "sys.stdout.buffer.write(found.plaintext)\n"
        "parts = ('ledger.keys.sqlite', 'ledger.keys.store', 'ledger.segments', 'duckdb')\n"
        "assert not any(name.startswith(parts) for name in sys.modules)\n"
    )
    root_folder = str(Path(__file__).parents[2])
    answer = subprocess.run(
        [sys.executable, "-c", script, str(SIGNER.verifier_key)],
        cwd=tmp_path,
        env={"PYTHONPATH": root_folder, "PATH": ""},
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert answer.stdout == PLAINTEXT


def test_the_answer_shows_no_plaintext_in_its_statement(disclosure: bytes) -> None:
    """The plaintext is handed over in a field of its own, and nowhere else."""
    found: Disclosed = check_disclosure(disclosure)
    assert found.plaintext == PLAINTEXT
    assert PLAINTEXT.decode() not in found.statement()
