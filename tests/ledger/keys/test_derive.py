"""Key derivation against RFC 5869's vectors, against the standard library, and against pinned values."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.canonical import fixed, sequence, text
from ledger.keys.derive import content_key, hkdf, submission_key

RFC_5869 = [
    (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
        "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    (
        "0b" * 22,
        "",
        "",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]

ids = st.binary(min_size=16, max_size=16)
secrets = st.binary(min_size=32, max_size=32)
pairs = st.dictionaries(ids, secrets, min_size=1, max_size=5).map(lambda found: list(found.items()))


def reference_hkdf(ikm: bytes, info: bytes, length: int, salt: bytes) -> bytes:
    """HKDF as the RFC writes it, on the standard library's HMAC."""
    key = hmac.digest(salt or bytes(32), ikm, "sha256")
    block = out = b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(key, block + info + bytes([counter]), "sha256")
        out += block
    return out[:length]


@pytest.mark.parametrize(("ikm", "salt", "info", "expected"), RFC_5869)
def test_rfc_5869_vectors(ikm: str, salt: str, info: str, expected: str) -> None:
    """HKDF-SHA-256 gives the RFC's output key material."""
    made = hkdf(bytes.fromhex(ikm), bytes.fromhex(info), len(expected) // 2, bytes.fromhex(salt))
    assert made.hex() == expected


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(1, 8_160), st.binary(max_size=200))
def test_hkdf_is_that_of_the_standard_hmac(ikm: bytes, info: bytes, length: int, salt: bytes) -> None:
    """For all inputs the prepared HMAC agrees with the standard library's."""
    assert hkdf(ikm, info, length, salt) == reference_hkdf(ikm, info, length, salt)


@pytest.mark.parametrize("length", [0, -1, 8_161])
def test_hkdf_has_a_longest_output(length: int) -> None:
    """No length outside the RFC's range is answered."""
    with pytest.raises(ValueError, match="length"):
        hkdf(b"k", b"", length)


@given(pairs, st.text(st.characters(exclude_categories=["Cs"])), ids, st.text(st.characters(exclude_categories=["Cs"])))
def test_content_key_is_its_formula(scopes: list[tuple[bytes, bytes]], tenant: str, event_id: bytes, slot: str) -> None:
    """A content key is HKDF over the keys in scope-id order with the canonical info, whatever order they came in."""
    info = text.encode("audit-ledger/content-key/v1") + text.encode(tenant) + event_id + text.encode(slot)
    ikm = b"".join(key for _, key in sorted(scopes))
    assert content_key(scopes, tenant, event_id, slot) == reference_hkdf(ikm, info, 32, b"")
    assert content_key(scopes[::-1], tenant, event_id, slot) == content_key(scopes, tenant, event_id, slot)


@given(pairs, st.text(st.characters(exclude_categories=["Cs"])))
def test_submission_key_is_its_formula(holders: list[tuple[bytes, bytes]], version: str) -> None:
    """A submission key and its id are their formulas, whatever order the holders came in."""
    key, key_id = submission_key(holders, version)
    ordered = sorted(holders)
    info = text.encode("audit-ledger/submission-key/v1")
    assert key == reference_hkdf(b"".join(secret for _, secret in ordered), info, 32, b"")
    listed = sequence(fixed(16)).encode(tuple(pseudonym for pseudonym, _ in ordered))
    assert key_id == sha256(text.encode("audit-ledger/submission-key-id/v1") + text.encode(version) + listed).digest()
    assert submission_key(holders[::-1], version) == (key, key_id)


def test_pinned_values() -> None:
    """What was derived once is derived for ever."""
    first, second = (bytes(15) + b"\x01", b"\xaa" * 32), (bytes(15) + b"\x02", b"\xbb" * 32)
    event_id = bytes(range(16))
    assert (
        content_key([first], "acme", event_id, "input").hex()
        == "9c76efd5e984fd0e110f26869a89612da9f3ff936a9a46723b604413d09649fe"
    )
    assert (
        content_key([second, first], "acme", event_id, "input").hex()
        == "6a137e731c5f5162553c255b2139f06ad59b3cb8b4bdf5d9e4ea92863b284f3b"
    )
    key, key_id = submission_key([second, first], "1")
    assert (key.hex(), key_id.hex()) == (
        "ce200906e6e39c6cd5e0a07054c79a62272ffad5ab7f159a54414c2657388e18",
        "65b2f6bf35fc40b9b0842c5a2f490b5989afb56122811c6cb061a8740ddda328",
    )


def test_every_input_counts() -> None:
    """Another tenant, event, slot, scope key or scope is another content key; a moved boundary too."""
    scope, other = (bytes(16), b"k" * 32), (b"\x01" * 16, b"l" * 32)
    made = [
        content_key([scope], "acme", bytes(16), "input"),
        content_key([scope], "acmei", bytes(16), "nput"),
        content_key([scope], "acme", b"\x01" * 16, "input"),
        content_key([scope], "acme", bytes(16), "output"),
        content_key([other], "acme", bytes(16), "input"),
        content_key([scope, other], "acme", bytes(16), "input"),
    ]
    assert len(set(made)) == len(made)


@pytest.mark.parametrize(
    "wrong",
    [[], [(bytes(16), bytes(31))], [(bytes(15), bytes(32))], [(bytes(16), bytes(32))] * 2],
    ids=["none", "short secret", "short id", "repeated"],
)
def test_wrong_secrets_are_refused(wrong: list[tuple[bytes, bytes]]) -> None:
    """No key is derived from no scope, from one of another size, or from one given twice."""
    with pytest.raises(ValueError, match="scope"):
        content_key(wrong, "acme", bytes(16), "input")
    with pytest.raises(ValueError, match="holder"):
        submission_key(wrong, "1")


def test_an_event_id_has_16_bytes() -> None:
    """The event id stands without a length, so another length is refused."""
    with pytest.raises(ValueError, match="event id"):
        content_key([(bytes(16), bytes(32))], "acme", bytes(15), "input")
