"""The Merkle tree against known values, published vectors, an independent definition, and lies."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.tlog import merkle
from ledger.tlog.merkle import (
    CHAIN_START,
    EMPTY,
    EMPTY_ROOT,
    CompactRange,
    ProofError,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    leaf_hashes,
    link,
    node_hash,
    subtrees_of,
    verify_consistency,
    verify_inclusion,
)

VECTORS = Path(__file__).parents[4] / "shared" / "vectors" / "rfc6962"
REFERENCE = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
REFERENCE_ROOTS = ["6e340b9c", "fac54203", "aeb6bcfe", "d37ee418", "4e3bbb1f", "76e67dad", "ddb89be4", "5dc9da79"]
LEAVES = leaf_hashes(index.to_bytes(4, "big") for index in range(200))
SUBTREES = subtrees_of(LEAVES)


def mth(leaves: list[bytes]) -> bytes:
    """The root by RFC 6962's own recursive definition: the measure for everything faster."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else sha256(b"").digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + mth(leaves[:split]) + mth(leaves[split:])).digest()


ROOTS = [mth(LEAVES[:size]) for size in range(201)]


def test_known_hashes() -> None:
    """Leaf, node and empty tree hash to the published values."""
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    leaf, node = leaf_hash(b"L123456").hex(), node_hash(b"N123", b"N456").hex()
    assert (leaf[:8], leaf[-4:], node[:8], node[-4:]) == ("395aa064", "4d56", "aa217fe8", "6bbb")


def test_reference_tree_roots() -> None:
    """The eight-leaf reference tree has the published root at each of its sizes."""
    leaves = leaf_hashes(map(bytes.fromhex, REFERENCE))
    assert [merkle.root(leaves[:size]).hex()[:8] for size in range(1, 9)] == REFERENCE_ROOTS


def vector_error(case: dict[str, object]) -> bool:
    """Whether we refuse one published case."""

    def decode(value: object) -> bytes:
        return base64.b64decode(str(value or ""))

    entries = case["proof"] or []
    assert isinstance(entries, list)
    proof = [decode(each) for each in entries]
    try:
        if "leafIdx" in case:
            index, size = int(str(case["leafIdx"])), int(str(case["treeSize"]))
            verify_inclusion(index, size, decode(case["leafHash"]), proof, decode(case["root"]))
        else:
            sizes = int(str(case["size1"])), int(str(case["size2"]))
            verify_consistency(*sizes, proof, decode(case["root1"]), decode(case["root2"]))
    except ProofError:
        return True
    return False


def test_published_vectors() -> None:
    """All 196 published inclusion and consistency cases are accepted or refused as they say."""
    if not VECTORS.is_dir():
        pytest.skip("no ../shared/vectors beside the project: the published cases are not vendored")
    paths = sorted(VECTORS.rglob("*.json"))
    wrong = []
    for path in paths:
        case = json.loads(path.read_text())
        if vector_error(case) != case["wantErr"]:
            wrong.append(str(path.relative_to(VECTORS)))
    assert (len(paths), wrong) == (196, [])


@pytest.mark.parametrize("first", range(201))
def test_extend_agrees_with_the_definition(first: int) -> None:
    """A tree grown in two steps of any sizes has the root that the recursive definition gives."""
    grown = EMPTY.extend(LEAVES[:first])
    assert (grown.size, grown.root()) == (first, ROOTS[first])
    for second in range(first, 201):
        assert grown.extend(LEAVES[first:second]).root() == ROOTS[second]


@pytest.mark.parametrize("size", range(1, 201))
def test_every_proof_verifies(size: int) -> None:
    """Every leaf of every tree up to 200, and every older size, has a proof that verifies."""
    for index in range(size):
        proof = inclusion_proof(index, size, SUBTREES)
        verify_inclusion(index, size, LEAVES[index], proof, ROOTS[size])
        verify_consistency(index + 1, size, consistency_proof(index + 1, size, SUBTREES), ROOTS[index + 1], ROOTS[size])


def test_rfc_example_proofs() -> None:
    """The seven-leaf tree of RFC 6962, section 2.1.3, has the paths written there."""
    d, tree = LEAVES[:7], subtrees_of(LEAVES[:7])
    a, b, c, f, h, i, j = d[0], d[1], d[2], d[5], node_hash(d[2], d[3]), node_hash(d[4], d[5]), d[6]
    g = node_hash(a, b)
    k, left = node_hash(node_hash(d[4], d[5]), j), node_hash(g, h)
    assert inclusion_proof(0, 7, tree) == [b, h, k]
    assert inclusion_proof(3, 7, tree) == [c, g, k]
    assert inclusion_proof(4, 7, tree) == [f, j, left]
    assert inclusion_proof(6, 7, tree) == [i, left]
    assert consistency_proof(3, 7, tree) == [c, d[3], g, k]
    assert consistency_proof(4, 7, tree) == [k]
    assert consistency_proof(6, 7, tree) == [i, j, left]


sizes = st.integers(1, 200)
indexes = st.integers(0, 199)


@st.composite
def mutations(draw: st.DrawFn, proof: list[bytes]) -> list[bytes]:
    """`proof` with one thing about it changed."""
    changed = list(proof)
    kinds = ["insert"] + (["flip", "drop", "shorten", "lengthen"] if proof else [])
    kind = draw(st.sampled_from(kinds))
    at = draw(st.integers(0, len(proof) if kind == "insert" else len(proof) - 1))
    if kind == "insert":
        changed.insert(at, draw(st.sampled_from([bytes(32), *proof]) | st.binary(min_size=32, max_size=32)))
    elif kind == "drop":
        del changed[at]
    elif kind == "shorten":
        changed[at] = changed[at][:-1]
    elif kind == "lengthen":
        changed[at] += b"\x00"
    else:
        changed[at] = flip(changed[at], draw(st.integers(0, 255)))
    return changed


def flip(value: bytes, bit: int) -> bytes:
    """`value` with one bit changed."""
    return (int.from_bytes(value, "big") ^ 1 << bit).to_bytes(len(value), "big")


@settings(deadline=None)
@given(st.data(), sizes, indexes)
def test_altered_inclusion_is_refused(data: st.DataObject, size: int, index: int) -> None:
    """An inclusion proof with one hash changed, added, dropped or cut is refused; so is another leaf or root."""
    index %= size
    proof = inclusion_proof(index, size, SUBTREES)
    with pytest.raises(ProofError):
        verify_inclusion(index, size, LEAVES[index], data.draw(mutations(proof)), ROOTS[size])
    bit = data.draw(st.integers(0, 255))
    with pytest.raises(ProofError):
        verify_inclusion(index, size, flip(LEAVES[index], bit), proof, ROOTS[size])
    with pytest.raises(ProofError):
        verify_inclusion(index, size, LEAVES[index], proof, flip(ROOTS[size], bit))


@settings(deadline=None)
@given(sizes, indexes, indexes)
def test_inclusion_at_another_index_is_refused(size: int, index: int, claimed: int) -> None:
    """A proof made for one index does not show the leaf at any other."""
    index %= size
    if claimed == index:
        claimed += 1
    proof = inclusion_proof(index, size, SUBTREES)
    with pytest.raises(ProofError):
        verify_inclusion(claimed, size, LEAVES[index], proof, ROOTS[size])


@settings(deadline=None)
@given(st.data(), sizes, indexes)
def test_altered_consistency_is_refused(data: st.DataObject, n: int, m: int) -> None:
    """A consistency proof with one hash changed, added, dropped or cut is refused; so is another root."""
    m = m % n + 1
    proof = consistency_proof(m, n, SUBTREES)
    with pytest.raises(ProofError):
        verify_consistency(m, n, data.draw(mutations(proof)), ROOTS[m], ROOTS[n])
    bit = data.draw(st.integers(0, 255))
    with pytest.raises(ProofError):
        verify_consistency(m, n, proof, flip(ROOTS[m], bit), ROOTS[n])
    with pytest.raises(ProofError):
        verify_consistency(m, n, proof, ROOTS[m], flip(ROOTS[n], bit))


@settings(deadline=None)
@given(sizes, sizes, st.data())
def test_rewritten_history_has_no_consistency_proof(m: int, more: int, data: st.DataObject) -> None:
    """A log that changed one old leaf can't be shown consistent with what it said before."""
    n = m + more
    altered = leaf_hashes(index.to_bytes(4, "big") for index in range(n))
    old = merkle.root(altered[:m])
    at = data.draw(st.integers(0, m - 1))
    altered[at] = leaf_hash(b"another event")
    proof = consistency_proof(m, n, subtrees_of(altered))
    with pytest.raises(ProofError, match=r"expected (old|new) root"):
        verify_consistency(m, n, proof, old, merkle.root(altered))


@pytest.mark.parametrize(
    ("m", "n"), [(0, 0), (0, 5), (-1, 5), (6, 5), (1, 2**64)], ids=["empty", "from-empty", "negative", "shrunk", "u65"]
)
def test_consistency_of_impossible_sizes_is_refused(m: int, n: int) -> None:
    """Sizes that can't be those of an older and a newer tree are refused, whatever the proof."""
    with pytest.raises(ProofError, match="0 < old <= new"):
        verify_consistency(m, n, [], ROOTS[5], ROOTS[5])


@pytest.mark.parametrize(("index", "size"), [(5, 5), (-1, 5), (0, 0), (0, 2**64)])
def test_inclusion_outside_the_tree_is_refused(index: int, size: int) -> None:
    """An index that the tree does not have is refused, whatever the proof."""
    with pytest.raises(ProofError, match="outside the tree"):
        verify_inclusion(index, size, LEAVES[0], [], ROOTS[1])


def test_proof_errors_name_what_is_wrong() -> None:
    """A refusal says whether a length, the number of hashes or the root is at fault."""
    proof = inclusion_proof(2, 5, SUBTREES)
    with pytest.raises(ProofError, match="proof hash 1 has 31 bytes, expected 32"):
        verify_inclusion(2, 5, LEAVES[2], [proof[0], proof[1][:31], proof[2]], ROOTS[5])
    with pytest.raises(ProofError, match="leaf_hash has 3 bytes"):
        verify_inclusion(2, 5, b"abc", proof, ROOTS[5])
    with pytest.raises(ProofError, match="fewer than the path is long"):
        verify_inclusion(2, 5, LEAVES[2], proof[:-1], ROOTS[5])
    with pytest.raises(ProofError, match="more than the path is long"):
        verify_inclusion(2, 5, LEAVES[2], [*proof, bytes(32)], ROOTS[5])
    with pytest.raises(ProofError, match=f"expected root {ROOTS[6].hex()}"):
        verify_inclusion(2, 5, LEAVES[2], proof, ROOTS[6])
    with pytest.raises(ProofError, match="empty proof between equal sizes"):
        verify_consistency(5, 5, proof, ROOTS[5], ROOTS[5])
    with pytest.raises(ProofError, match="the proof is empty"):
        verify_consistency(3, 5, [], ROOTS[3], ROOTS[5])


def test_proofs_that_cannot_be_made() -> None:
    """Asking for a proof that does not exist is the caller's error, not a finding."""
    with pytest.raises(ValueError, match="not in a tree of 5"):
        inclusion_proof(5, 5, SUBTREES)
    with pytest.raises(ValueError, match="from 0 to 5"):
        consistency_proof(0, 5, SUBTREES)
    with pytest.raises(ValueError, match="not complete"):
        subtrees_of(LEAVES[:3])(1, 1)


def test_compact_range_holds_one_hash_for_each_bit() -> None:
    """A compact range whose hashes do not fit its size is refused."""
    eleven = EMPTY.extend(LEAVES[:11])
    assert eleven.hashes == (SUBTREES(3, 0), SUBTREES(1, 4), SUBTREES(0, 10))
    with pytest.raises(ProofError, match="expected 3 hashes, got 2"):
        CompactRange(11, eleven.hashes[:2])
    with pytest.raises(ProofError, match="hash 1 has 31 bytes"):
        CompactRange(3, (bytes(32), bytes(31)))
    with pytest.raises(ProofError, match="u64"):
        CompactRange(2**64, (bytes(32),))


def test_wrong_leaf_length_never_enters_a_tree() -> None:
    """A leaf hash of another length is refused before it is linked or appended."""
    for grow in (EMPTY.extend, subtrees_of, lambda leaves: link(CHAIN_START, leaves)):
        with pytest.raises(ValueError, match="not 32 bytes"):
            grow([LEAVES[0], b"short"])


@settings(deadline=None)
@given(st.integers(0, 50), st.integers(0, 50))
def test_chain_goes_on_from_where_it_stopped(first: int, second: int) -> None:
    """Linking in two steps gives the chain of one step, and each link is SHA-256(previous || leaf)."""
    leaves = LEAVES[: first + second]
    begun = link(CHAIN_START, leaves[:first])
    gone_on = link(begun[-1] if begun else CHAIN_START, leaves[first:])
    previous, expected = bytes(32), []
    for leaf in leaves:
        previous = sha256(previous + leaf).digest()
        expected.append(previous)
    assert begun + gone_on == expected
