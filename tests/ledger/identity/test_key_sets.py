"""Keys of issuers: which are usable, and how they rotate at an address."""

from __future__ import annotations

import json

import pytest

from ledger.errors import Misconfigured, Unavailable
from ledger.identity.key_sets import ASK_AGAIN_S, REFRESH_S, STALE_MAX_S, KeySet, fetch_https, parse_key_set
from tests.certificates import TokenKey, key_set

ADDRESS = "https://login.example.org/keys"
ONE, TWO = TokenKey.new("one"), TokenKey.new("two", "EdDSA")


def test_keys_are_for_the_algorithm_of_their_type() -> None:
    """Whatever a token claims: the key decides. Keys for something else are passed over."""
    found = parse_key_set(key_set(ONE, TWO, TokenKey.new("three", "RS256")), "x")
    assert {key_id: key.algorithm for key_id, key in found.items()} == {
        "one": "ES256",
        "two": "EdDSA",
        "three": "RS256",
    }
    other = {"keys": [ONE.jwk(), {**TWO.jwk(), "use": "enc"}, {**TWO.jwk(), "kid": "x", "alg": "ES256"}]}
    assert list(parse_key_set(json.dumps(other).encode(), "x")) == ["one"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"[]", "Key Set"),
        (b"{", "Key Set"),
        (b'{"keys": [1]}', "objects"),
        (b'{"keys": []}', "found none"),
        (json.dumps({"keys": [{"kty": "oct", "k": "AAAA", "kid": "h"}]}).encode(), "private or symmetric"),
        (json.dumps({"keys": [{**ONE.jwk(), "d": "AAAA"}]}).encode(), "private or symmetric"),
        (json.dumps({"keys": [ONE.jwk(), ONE.jwk()]}).encode(), "no other key"),
    ],
)
def test_a_set_that_is_none(data: bytes, said: str) -> None:
    """A set with secrets, without usable keys or with an id twice is refused whole."""
    with pytest.raises(Misconfigured, match=said):
        parse_key_set(data, "x")


class Address:
    """An address that answers, or does not."""

    def __init__(self) -> None:
        self.answer: bytes | None = key_set(ONE)
        self.asked = 0
        self.now = 1_000.0

    def fetch(self, address: str) -> bytes:
        """What a key set calls."""
        assert address == ADDRESS
        self.asked += 1
        if self.answer is None:
            raise Unavailable("away")
        return self.answer

    def keys(self) -> KeySet:
        """A key set of it."""
        return KeySet(ADDRESS, self.fetch, lambda: self.now)


def test_an_address_is_asked_again_for_an_unknown_key() -> None:
    """A rotated key is found with the first token under it; made-up ids do not ask the issuer without bound."""
    address = Address()
    keys = address.keys()
    assert keys.find("one") is not None
    address.answer = key_set(ONE, TWO)
    assert keys.find("two") is None
    assert address.asked == 1
    address.now += ASK_AGAIN_S
    assert keys.find("two") is not None
    for _ in range(100):
        assert keys.find("made up") is None
    assert address.asked == 2


def test_keys_are_refreshed_and_serve_on_while_the_address_is_away() -> None:
    """Withdrawn keys go with the next refresh; an address that is away for a day leaves no keys."""
    address = Address()
    keys = address.keys()
    assert keys.find("one") is not None
    address.answer = None
    address.now += REFRESH_S
    assert keys.find("one") is not None
    address.answer = key_set(TWO)
    address.now += ASK_AGAIN_S
    assert keys.find("one") is None
    address.answer = None
    address.now += STALE_MAX_S + 1
    with pytest.raises(Unavailable, match="can't be had"):
        keys.find("two")


def test_an_address_that_never_answered() -> None:
    """Without any keys nobody can be told from anybody: try again, not refused."""
    address = Address()
    address.answer = None
    with pytest.raises(Unavailable):
        address.keys().find("one")


def test_fetching_is_bounded() -> None:
    """An address nobody answers at is unavailable, not a fault."""
    with pytest.raises(Unavailable, match="cannot get the keys"):
        fetch_https("https://127.0.0.1:9/keys")
