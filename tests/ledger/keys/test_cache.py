"""Bounds and leases of the cache."""

from __future__ import annotations

import pytest

from ledger.keys.cache import LeaseCache


def test_answers_until_the_lease_is_over() -> None:
    """An entry is answered before its lease ends and never from then on."""
    cache: LeaseCache[str, int] = LeaseCache(10, lease_s=5)
    cache.put_many("t", [("a", 1)], read_at=100)
    assert cache.get_many("t", ["a"], 104.9) == ({"a": 1}, [])
    assert cache.get_many("t", ["a"], 105) == ({}, ["a"])
    assert len(cache) == 0


def test_groups_stay_apart() -> None:
    """A key of one group is not found in another."""
    cache: LeaseCache[str, int] = LeaseCache(10, lease_s=5)
    cache.put_many("t", [("a", 1)], 0)
    assert cache.get_many("u", ["a"], 1) == ({}, ["a"])


def test_the_least_recently_used_goes_first() -> None:
    """Beyond its limit the cache forgets what was not asked for longest."""
    cache: LeaseCache[str, int] = LeaseCache(2, lease_s=5)
    cache.put_many("t", [("a", 1), ("b", 2)], 0)
    cache.get_many("t", ["a"], 1)
    cache.put_many("t", [("c", 3)], 1)
    assert cache.get_many("t", ["a", "b", "c"], 2) == ({"a": 1, "c": 3}, ["b"])
    assert len(cache) == 2


def test_one_call_beyond_the_limit_stays_bounded() -> None:
    """Even a single call cannot push the cache over its limit."""
    cache: LeaseCache[int, int] = LeaseCache(3, lease_s=5)
    cache.put_many("t", [(number, number) for number in range(100)], 0)
    assert len(cache) == 3


def test_clear_forgets_everything() -> None:
    """After clear nothing is answered."""
    cache: LeaseCache[str, int] = LeaseCache(3, lease_s=5)
    cache.put_many("t", [("a", 1)], 0)
    cache.clear()
    assert cache.get_many("t", ["a"], 0) == ({}, ["a"])


@pytest.mark.parametrize(("entries_max", "lease_s"), [(0, 1.0), (1, -1.0)])
def test_limits_must_be_limits(entries_max: int, lease_s: float) -> None:
    """A cache without room or with a negative lease is refused."""
    with pytest.raises(ValueError, match="cache"):
        LeaseCache(entries_max, lease_s)
