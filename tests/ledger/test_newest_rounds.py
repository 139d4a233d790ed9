"""What a ledger remembers of its newest rounds: `ledger.newest_rounds`."""

from __future__ import annotations

import pytest

from ledger.errors import IntegrityError
from ledger.keys.database import KeyDatabase
from ledger.newest_rounds import NewestRound, NewestRounds
from tests.ledger.keys.places import Place

ONE, TWO = NewestRound(1, bytes(32)), NewestRound(2, b"\1" * 32)


@pytest.fixture
def database(place: Place) -> KeyDatabase:
    """A new key store."""
    return place.create()


def test_it_only_moves_forward(database: KeyDatabase) -> None:
    """An older round, or another one of the same number, never takes the place of what is remembered."""
    newest = NewestRounds(database)
    assert dict(newest) == {}
    newest.advance(3, TWO)
    newest.advance(3, ONE)
    newest.advance(3, NewestRound(2, b"\2" * 32))
    newest.advance(0, ONE)
    assert dict(newest) == {0: ONE, 3: TWO}
    assert newest.get(1) is None


def test_it_outlives_the_process(database: KeyDatabase, place: Place) -> None:
    """Whoever opens the key store next finds it."""
    NewestRounds(database).advance(0, TWO)
    assert NewestRounds(place.open())[0] == TWO


@pytest.mark.parametrize("published", [0, 2])
def test_a_lost_round_is_an_error(published: int) -> None:
    """With fewer rounds than the remembered number asks for, the newest were lost; with one more they are there."""
    with pytest.raises(IntegrityError, match=f"partition 7: {published} rounds are there, but round 2 was published"):
        TWO.check_there(7, published)
    TWO.check_there(7, 3)


def test_another_round_of_that_number_is_an_error() -> None:
    """The remembered number with another digest is another history."""
    with pytest.raises(IntegrityError, match="partition 7, round 2: has the digest 0000"):
        TWO.check_same(7, 2, bytes(32))
    TWO.check_same(7, 2, TWO.digest)
    TWO.check_same(7, 1, bytes(32))
