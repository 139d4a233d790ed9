"""TOML and JSON of a repository."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.changes.structured import read_document, values_at
from ledger.errors import Rejected


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[1]x", b'{"a": 1, "a": 2}', b'{"a": NaN}', b"[" * 100_000, b"\xff", b"1" * 5000, b'{"a": Infinity}'],
)
def test_json_that_is_none(data: bytes) -> None:
    """Syntax, names that stand twice, numbers that are none, depth and other bytes than UTF-8 are refused."""
    with pytest.raises(Rejected, match=r"^file: "):
        read_document(data, "file", is_json=True)


@pytest.mark.parametrize(
    "data", [b"a = ", b"a = 1\na = 2", b"\xff", b"a = " + b"[" * 100_000, b"a" + b".a" * 50_000 + b" = 1"]
)
def test_toml_that_is_none(data: bytes) -> None:
    """The same of TOML, and keys of very many parts, in no long time."""
    began = time.monotonic()
    with pytest.raises(Rejected, match=r"^file: "):
        read_document(data, "file", is_json=False)
    assert time.monotonic() - began < 10


def test_values_by_key_path() -> None:
    """A star stands for every key; what is not there gives nothing."""
    tree = {"models": {"a": {"pin": "x"}, "b.c": {"pin": "y"}, "d": 7}, "pin": "z"}
    assert list(values_at(tree, "models.*.pin")) == [("models.a.pin", "x"), ("models.b.c.pin", "y")]
    assert list(values_at(tree, "pin")) == [("pin", "z")]
    assert list(values_at(tree, "models.nothing.pin")) == []
    assert list(values_at([1], "*")) == []


@given(st.binary(max_size=200), st.booleans())
def test_any_bytes_are_a_document_or_are_refused(data: bytes, is_json: bool) -> None:
    """Nothing makes reading fail in another way."""
    said = ""
    try:
        read_document(data, "file", is_json=is_json)
    except Rejected as error:
        said = str(error)
    assert said == "" or said.startswith("file: ")
