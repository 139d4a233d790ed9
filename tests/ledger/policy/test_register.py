"""Which policy was in force when: `ledger.policy.register`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from ledger.errors import Misconfigured
from ledger.keys.database import KeyDatabase
from ledger.policy import parse_policy
from ledger.policy.register import InForce, PolicyRegister
from tests.ledger.policy.test_document import GOOD

ONE = parse_policy(GOOD.encode())
TWO = parse_policy(GOOD.replace('version = "3"', 'version = "4"').encode())


@pytest.fixture
def register(tmp_path: Path) -> Iterator[PolicyRegister]:
    """A new register; its clock ticks once a row."""
    ticks = count(1_000)
    with closing(KeyDatabase.create(tmp_path / "keys.sqlite")) as made:
        yield PolicyRegister(made, lambda: next(ticks))


def test_a_policy_is_in_force_since_it_was_first_taken(register: PolicyRegister) -> None:
    """Whoever takes the newest policy later, another gateway or the same after a restart, is told the same."""
    assert register.enter(ONE) == register.enter(ONE) == InForce(ONE, 0, 1_000, None, is_return=False)
    assert register.enter(TWO) == register.enter(TWO) == InForce(TWO, 1, 1_001, ONE.identity, is_return=False)


def test_going_back_is_a_row_of_its_own(register: PolicyRegister) -> None:
    """An earlier version that comes into force again does so since now, and is told as a return."""
    register.enter(ONE)
    register.enter(TWO)
    assert register.enter(ONE) == InForce(ONE, 2, 1_002, TWO.identity, is_return=True)


def test_what_is_recorded_stays_so(register: PolicyRegister) -> None:
    """Once the Change of a row is durable, whoever takes that policy is told; a later row is one of its own."""
    first = register.enter(ONE)
    register.recorded(first)
    assert register.enter(ONE).is_recorded
    assert not register.enter(TWO).is_recorded
    assert not register.enter(ONE).is_recorded


def test_a_version_never_says_two_things(register: PolicyRegister) -> None:
    """Another text under a version that was ever in force is refused, and nothing is registered."""
    first = register.enter(ONE)
    changed = parse_policy(GOOD.replace("standard = 24", "standard = 12").encode())
    with pytest.raises(Misconfigured, match="give the changed policy another version"):
        register.enter(changed)
    assert register.enter(ONE) == first
    register.enter(TWO)
    with pytest.raises(Misconfigured, match="give the changed policy another version"):
        register.enter(changed)
