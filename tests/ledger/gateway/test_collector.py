"""The garbage collector of a gateway process."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from ledger.gateway.collector import ALLOCATIONS, settle


@pytest.fixture
def settled() -> Iterator[None]:
    """The collector as in a gateway, and afterwards as it was."""
    before = gc.get_threshold()
    settle()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


class _Knot:
    """Refers to itself: freed by the collector alone."""

    alive = 0

    def __init__(self) -> None:
        self.me = self
        _Knot.alive += 1

    def __del__(self) -> None:
        _Knot.alive -= 1


@pytest.mark.usefixtures("settled")
def test_cycles_do_not_add_up() -> None:
    """What only the collector can free is still freed, by itself, within a few calls' allocations."""
    assert gc.isenabled()
    for _ in range(4 * ALLOCATIONS):
        _Knot()
    assert _Knot.alive < 2 * ALLOCATIONS


@pytest.mark.usefixtures("settled")
def test_what_stands_at_the_start_is_left_out() -> None:
    """Modules and schemas are not looked through again."""
    assert gc.get_freeze_count() > 10_000
