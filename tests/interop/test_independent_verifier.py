"""An independent verifier, written in Go on other people's libraries, agrees with ours on what holds and what does not.

`verifier/` opens checkpoints with golang.org/x/mod/sumdb/note and checks proofs with transparency-dev/merkle. Needs
`go` and, once, its module proxy; without `go` these tests are skipped, except in CI, where that is a failure.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ledger.errors import LedgerError
from ledger.tlog.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from ledger.tlog.cosignature import add_cosignatures, cosign
from ledger.tlog.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    leaf_hashes,
    root,
    subtrees_of,
    verify_consistency,
    verify_inclusion,
)
from ledger.tlog.note import ED25519_COSIGNATURE, VerifierKey, encode_base64, sign_note, signer_from_seed

BUILD_SECONDS_MAX = 240
RUN_SECONDS_MAX = 30
LOG = signer_from_seed("ledger.example/tenant-7", bytes(range(32)))
FOREIGN = signer_from_seed("ledger.example/tenant-7", bytes(32))
LEAVES = leaf_hashes(number.to_bytes(4, "big") for number in range(300))
SUBTREES = subtrees_of(LEAVES)
SIZES = (1, 2, 3, 7, 8, 9, 64, 65, 255, 256, 257, 300)


@dataclass(frozen=True, slots=True)
class Claim:
    """One case for the verifier; the fields are those of its input."""

    name: str
    kind: str
    checkpoint: str
    verifier_key: str = str(LOG.verifier_key)
    old_checkpoint: str = ""
    index: int = 0
    leaf_hash: bytes = b""
    proof: tuple[bytes, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The case as the verifier reads it."""
        return {
            "name": self.name,
            "kind": self.kind,
            "verifier_key": self.verifier_key,
            "checkpoint": self.checkpoint,
            "old_checkpoint": self.old_checkpoint,
            "index": self.index,
            "leaf_hash": base64.b64encode(self.leaf_hash).decode(),
            "proof": [base64.b64encode(each).decode() for each in self.proof],
        }

    def holds_here(self) -> bool:
        """Whether our own verification accepts it."""
        try:
            key = VerifierKey.parse(self.verifier_key)
            current = open_checkpoint(self.checkpoint, key)
            if self.kind == "inclusion":
                verify_inclusion(self.index, current.size, self.leaf_hash, self.proof, current.root)
            elif self.kind == "consistency":
                old = open_checkpoint(self.old_checkpoint, key)
                verify_consistency(old.size, current.size, self.proof, old.root, current.root)
        except LedgerError:
            return False
        return True


@pytest.fixture(scope="module")
def verifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program, built from source."""
    go = shutil.which("go")
    if go is None:
        if os.environ.get("CI"):
            pytest.fail("CI is set but there is no go: the independent verifier can't be built")
        pytest.skip("no go on this machine: the independent verifier can't be built")
    binary = tmp_path_factory.mktemp("verifier") / "verifier"
    command = [go, "build", "-buildvcs=false", "-mod=readonly", "-o", str(binary), "."]
    source = Path(__file__).parent / "verifier"
    built = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=BUILD_SECONDS_MAX, check=False)
    assert built.returncode == 0, built.stderr
    return binary


def accepted(verifier: Path, claims: list[Claim]) -> list[bool]:
    """What the Go program says of each claim."""
    cases = json.dumps([each.to_json() for each in claims])
    ran = subprocess.run([verifier], input=cases, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert [line.split(" ")[1].removesuffix(":") for line in lines] == [each.name for each in claims]
    return [line.startswith("accepted ") for line in lines]


def signed(size: int) -> str:
    """The log's signed checkpoint of a size."""
    return sign_checkpoint(Checkpoint(LOG.name, size, root(LEAVES[:size])), LOG)


def inclusion(index: int, size: int) -> Claim:
    """A true claim that a leaf is in the log."""
    proof = tuple(inclusion_proof(index, size, SUBTREES))
    return Claim(
        f"leaf-{index}-of-{size}", "inclusion", signed(size), index=index, leaf_hash=LEAVES[index], proof=proof
    )


def consistency(m: int, n: int) -> Claim:
    """A true claim that the log only grew."""
    proof = tuple(consistency_proof(m, n, SUBTREES))
    return Claim(f"from-{m}-to-{n}", "consistency", signed(n), old_checkpoint=signed(m), proof=proof)


def flip(value: bytes, at: int) -> bytes:
    """`value` with one bit of byte `at` changed."""
    return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]


def altered_checkpoints() -> list[Claim]:
    """False claims about a checkpoint: each part of it changed."""
    whole = signed(9)
    text, signature = whole.split("\n\n")
    name, encoded = signature.removeprefix("— ").rstrip("\n").split(" ")
    raw = base64.b64decode(encoded)
    other_origin = Checkpoint("ledger.example/tenant-8", 9, root(LEAVES[:9])).text()
    notes = {
        "size": whole.replace("\n9\n", "\n8\n"),
        "root": whole.replace(encode_base64(root(LEAVES[:9])), encode_base64(flip(root(LEAVES[:9]), 31))),
        "origin": whole.replace("tenant-7\n", "tenant-8\n"),
        "extension": f"{text}\nadded\n\n{signature}",
        "key-name": whole.replace("— ledger", "— Ledger"),
        "key-id": f"{text}\n\n— {name} {encode_base64(flip(raw, 0))}\n",
        "signature-start": f"{text}\n\n— {name} {encode_base64(flip(raw, 4))}\n",
        "signature-end": f"{text}\n\n— {name} {encode_base64(flip(raw, 67))}\n",
        "signature-short": f"{text}\n\n— {name} {encode_base64(raw[:-1])}\n",
        "signature-stripped": f"{text}\n\n",
        "foreign-key": sign_checkpoint(Checkpoint(LOG.name, 9, root(LEAVES[:9])), FOREIGN),
        "another-log": sign_note(other_origin, [LOG]).decode(),
    }
    claims = [Claim(f"altered-{part}", "checkpoint", note) for part, note in notes.items()]
    foreign = Claim("other-verifier-key", "checkpoint", whole, verifier_key=str(FOREIGN.verifier_key))
    key = str(LOG.verifier_key)
    mangled = Claim(
        "mangled-verifier-key", "checkpoint", whole, verifier_key=key[:-1] + ("A" if key[-1] != "A" else "B")
    )
    return [*claims, foreign, mangled]


def altered_inclusions() -> list[Claim]:
    """False claims about a leaf: another leaf, index, tree, or a changed proof."""
    true = inclusion(100, 257)
    claims = {
        "leaf": replace(true, leaf_hash=flip(true.leaf_hash, 0)),
        "other-leaf": replace(true, leaf_hash=LEAVES[101]),
        "unhashed-leaf": replace(true, leaf_hash=leaf_hash(true.leaf_hash)),
        "index": replace(true, index=101),
        "index-outside": replace(true, index=257),
        "tree": replace(true, checkpoint=signed(256)),
        "proof-empty": replace(true, proof=()),
        "proof-short": replace(true, proof=true.proof[:-1]),
        "proof-long": replace(true, proof=(*true.proof, bytes(32))),
        "proof-swapped": replace(true, proof=(true.proof[1], true.proof[0], *true.proof[2:])),
        "foreign-signature": replace(true, verifier_key=str(FOREIGN.verifier_key)),
    }
    for at, each in enumerate(true.proof):
        changed = (*true.proof[:at], flip(each, at), *true.proof[at + 1 :])
        claims[f"proof-hash-{at}"] = replace(true, proof=changed)
    return [replace(claim, name=f"inclusion-altered-{part}") for part, claim in claims.items()]


def altered_consistencies() -> list[Claim]:
    """False claims of growth: a rewritten leaf, swapped checkpoints, or a changed proof."""
    true = consistency(65, 257)
    rewritten = [*LEAVES[:10], leaf_hash(b"rewritten"), *LEAVES[11:257]]
    claims = {
        "rewritten-history": replace(
            true,
            checkpoint=sign_checkpoint(Checkpoint(LOG.name, 257, root(rewritten)), LOG),
            proof=tuple(consistency_proof(65, 257, subtrees_of(rewritten))),
        ),
        "swapped": replace(true, checkpoint=true.old_checkpoint, old_checkpoint=true.checkpoint),
        "other-old": replace(true, old_checkpoint=signed(64)),
        "other-new": replace(true, checkpoint=signed(256)),
        "old-signature": replace(true, old_checkpoint=true.old_checkpoint.replace("\n65\n", "\n64\n")),
        "proof-empty": replace(true, proof=()),
        "proof-short": replace(true, proof=true.proof[:-1]),
        "proof-long": replace(true, proof=(*true.proof, bytes(32))),
        "equal-with-proof": replace(true, old_checkpoint=true.checkpoint),
    }
    for at, each in enumerate(true.proof):
        changed = (*true.proof[:at], flip(each, at), *true.proof[at + 1 :])
        claims[f"proof-hash-{at}"] = replace(true, proof=changed)
    return [replace(claim, name=f"consistency-altered-{part}") for part, claim in claims.items()]


def test_checkpoints_are_accepted(verifier: Path) -> None:
    """Go opens our checkpoints: of all sizes, empty, and with witnesses' lines beside the log's."""
    empty = sign_checkpoint(Checkpoint(LOG.name, 0, EMPTY_ROOT), LOG)
    witness = signer_from_seed("witness.example", bytes(32), ED25519_COSIGNATURE)
    text = Checkpoint(LOG.name, 9, root(LEAVES[:9])).text()
    cosigned = add_cosignatures(signed(9), [cosign(text, witness, 1_700_000_000)])
    claims = [Claim(f"size-{size}", "checkpoint", signed(size)) for size in SIZES]
    claims += [Claim("empty", "checkpoint", empty), Claim("cosigned", "checkpoint", cosigned)]
    assert all(claim.holds_here() for claim in claims)
    assert accepted(verifier, claims) == [True] * len(claims)


def test_proofs_are_accepted(verifier: Path) -> None:
    """Go verifies our inclusion proofs of every leaf, and our consistency proofs, at sizes around powers of two."""
    claims = [inclusion(index, size) for size in (1, 2, 3, 7, 8, 9, 65, 300) for index in range(size)]
    claims += [consistency(m, n) for n in SIZES for m in SIZES if m <= n]
    assert all(claim.holds_here() for claim in claims)
    assert accepted(verifier, claims) == [True] * len(claims)


def test_altered_claims_are_refused(verifier: Path) -> None:
    """Each kind of alteration is refused, by Go and by us alike."""
    claims = [*altered_checkpoints(), *altered_inclusions(), *altered_consistencies()]
    assert [claim.name for claim in claims if claim.holds_here()] == []
    answers = accepted(verifier, claims)
    assert [claim.name for claim, answer in zip(claims, answers, strict=True) if answer] == []
