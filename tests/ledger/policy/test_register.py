"""Which policy was in force when: `ledger.policy.register`."""

from __future__ import annotations

from itertools import count

import pytest

from ledger.errors import Misconfigured
from ledger.policy import parse_policy
from ledger.policy.register import InForce, PolicyRegister
from tests.ledger.keys.places import Place
from tests.ledger.policy.test_document import GOOD

ONE, TWO = GOOD.encode(), GOOD.replace('version = "3"', 'version = "4"').encode()
NAMES = {ONE: "acme-capture/3", TWO: "acme-capture/4"}


@pytest.fixture
def register(place: Place) -> PolicyRegister:
    """A new register; its clock ticks once a row."""
    ticks = count(1_000)
    return PolicyRegister(place.create(), lambda: next(ticks))


def enter(register: PolicyRegister, data: bytes) -> InForce:
    """A file taken."""
    return register.enter(lambda: data)


def entered(data: bytes, number: int, before: bytes | None, *, is_return: bool = False) -> InForce:
    """What is told of it."""
    return InForce(parse_policy(data), data, number, 1_000 + number, NAMES[before] if before else None, is_return)


def test_a_policy_is_in_force_since_it_was_first_taken(register: PolicyRegister) -> None:
    """Whoever takes the newest policy later, another gateway or the same after a restart, is told the same."""
    assert enter(register, ONE) == enter(register, ONE) == entered(ONE, 0, None)
    assert enter(register, TWO) == enter(register, TWO) == entered(TWO, 1, ONE)


def test_going_back_is_a_row_of_its_own(register: PolicyRegister) -> None:
    """An earlier version that comes into force again does so since now, and is told as a return."""
    enter(register, ONE)
    enter(register, TWO)
    assert enter(register, ONE) == entered(ONE, 2, TWO, is_return=True)


def test_the_newest_is_told_whatever_a_file_says(register: PolicyRegister) -> None:
    """What governs is the last that was taken; before the first it is none."""
    assert register.newest() is None
    for data in (ONE, TWO, ONE):
        enter(register, data)
        assert register.newest() == parse_policy(data)


def test_what_is_not_recorded_is_told_in_order(register: PolicyRegister) -> None:
    """Every row whose Change is not durable is told with its file, also of a policy in force no more."""
    first, second = enter(register, ONE), enter(register, TWO)
    assert register.unrecorded() == [first, second]
    third = enter(register, ONE)
    register.recorded(second)
    assert register.unrecorded() == [first, third]


def test_a_version_never_says_two_things(register: PolicyRegister) -> None:
    """Another text under a version that was ever in force is refused, and nothing is registered."""
    first = enter(register, ONE)
    changed = ONE.replace(b"standard = 24", b"standard = 12")
    with pytest.raises(Misconfigured, match="give the changed policy another version"):
        enter(register, changed)
    assert enter(register, ONE) == first
    enter(register, TWO)
    with pytest.raises(Misconfigured, match="give the changed policy another version"):
        enter(register, changed)
    assert len(register.unrecorded()) == 2
