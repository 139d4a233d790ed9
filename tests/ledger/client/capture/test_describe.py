"""Arguments and results as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.client.capture.describe import CHARACTERS_MAX, describe, describe_all


class Colour(Enum):
    """One of the application's."""

    RED = "red"


class Private:
    """Must never be asked anything."""

    def __getattribute__(self, name: str) -> Any:
        raise AssertionError(f"asked for {name}")

    def __repr__(self) -> str:
        raise AssertionError("asked for its text")

    __str__ = __repr__

    def __iter__(self) -> Any:
        raise AssertionError("iterated")


class Secret(str):
    """A text that hides itself, and a list and dict that run code."""

    def __str__(self) -> str:
        raise AssertionError("asked")


class Loud(list[int]):
    """Iterating it is the application's business."""

    def __iter__(self) -> Any:
        raise AssertionError("iterated")


class LoudDict(dict[str, int]):
    """So is this."""

    def items(self) -> Any:
        raise AssertionError("items")


@dataclass
class Order:
    """The application's own."""

    number: int


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"a": [1, 2.5, True, None, "x"]}, {"a": [1, 2.5, True, None, "x"]}),
        ({2: "a", None: "b", True: "c"}, {"2": "a", "true": "c", "null": "b"}),
        ((1, {"b": frozenset({2})}), [1, {"b": [2]}]),
        (float("nan"), "nan"),
        (Colour.RED, "red"),
        (date(2024, 5, 1), "2024-05-01"),
        (datetime(2024, 5, 1, tzinfo=UTC), "2024-05-01 00:00:00+00:00"),
        (Decimal("1.10"), "1.10"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Path("/a/b"), "/a/b"),
        (b"abc", {"type": "bytes", "bytes": 3}),
        (Secret("plain"), "plain"),
        (Loud([1, 2]), [1, 2]),
        (LoudDict(a=1), {"a": 1}),
        (10**400, {"type": "int", "left_out": True}),
        ("x" * (CHARACTERS_MAX + 1), {"type": "str", "characters": CHARACTERS_MAX + 1, "left_out": True}),
    ],
)
def test_json_is_shown_as_it_is(value: object, shown: object) -> None:
    """What JSON has stays; the standard types have their usual text; what is too large is told by its size."""
    assert describe(value) == shown


def test_private_objects_are_told_by_their_type_alone() -> None:
    """Nothing of theirs is called or read, however deep they stand."""
    module = __name__
    shown = describe({"order": Order(7), "private": [Private()], "kind": Private, "function": describe})
    assert shown == {
        "order": {"type": f"{module}.Order"},
        "private": [{"type": f"{module}.Private"}],
        "kind": {"type": "type"},
        "function": {"type": "function"},
    }


def test_named_arguments_are_left_out_on_request() -> None:
    """A password's argument says that it was there, and of which type."""
    shown = describe_all({"user": "mia", "password": "secret"}, ("password",))
    assert shown == {"user": "mia", "password": {"type": "str", "left_out": True}}


def test_circles_depth_and_size_have_an_end() -> None:
    """What holds itself, nests without end or has a million members becomes JSON of bounded size."""
    circle: list[Any] = []
    circle.append(circle)
    deep: list[Any] = []
    for _ in range(5_000):
        deep = [deep]
    for value in (circle, deep, list(range(1_000_000)), [[0] * 1_000] * 1_000):
        assert len(json.dumps(describe(value))) < 200_000


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.decimals(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers() | st.none(), inner) | st.tuples(inner),
)


@given(_VALUES)
def test_whatever_it_is_it_becomes_json(value: object) -> None:
    """Every value has a description that JSON can write."""
    json.dumps(describe(value), allow_nan=False)
