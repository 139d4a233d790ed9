"""Which names of models are pins."""

from __future__ import annotations

import importlib.util
import json
import re
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.changes.pins import FLOATING_WORDS, floating_names, judge_pin

_DATED = re.compile(r"-(20[0-9]{2}-[0-9]{2}-[0-9]{2}|20[0-9]{6}|[0-9]{4})$")


@pytest.mark.parametrize(
    "model",
    [
        "gpt-4o-2024-08-06",
        "gpt-4-0125-preview",
        "gpt-3.5-turbo-0613",
        "claude-sonnet-4-20250514",
        "claude-3-5-sonnet@20240620",
        "anthropic.claude-3-5-sonnet-20241022-v2:0",
        "us.anthropic.claude-sonnet-4-20250514-v1:0",
        "mistral-large-2411",
        "command-r-08-2024",
        "gemini-1.5-pro-002",
        "gemini-2.5-flash-preview-05-20",
        "meta-llama/Llama-3.1-8B@" + "a" * 40,
        "registry/llama@sha256:" + "0" * 64,
    ],
)
def test_pins(model: str) -> None:
    """A name that ends in a date, a build or a digest is a pin."""
    assert judge_pin(model).verdict == "pinned"


@pytest.mark.parametrize(
    "model",
    [
        *("", " ", "latest", "LATEST", "default", "auto", "gpt 4", "gpt-4o\n", "a\u200bb"),
        *("chatgpt-4o-latest", "claude-3-5-sonnet-latest", "llama3:latest", "codestral@latest", "vendor/stable"),
        *("gpt-4o", "GPT-4o", "gpt-4", "o3-mini", "claude-sonnet-4-5", "gemini-1.5-pro", "models/gemini-2.0-flash"),
        *("anthropic.claude-sonnet-4-5", "us.anthropic.claude-opus-4-1", "gpt-4-turbo-preview"),
    ],
)
def test_floating_names(model: str) -> None:
    """A name that says no version, or that its vendor moves on, is refused."""
    assert judge_pin(model).verdict == "floating"


@pytest.mark.parametrize("model", ["command-r7b", "llama3:8b", "gemini-2.5-pro", "claude-opus-4-8", "our-model", "v7"])
def test_names_of_another_form_are_unverified(model: str) -> None:
    """A name whose form tells nothing is allowed, and said to be unverified."""
    assert judge_pin(model).verdict == "unverified"


@given(st.text(max_size=30), st.sampled_from(sorted(FLOATING_WORDS)), st.sampled_from("-:@/"))
def test_a_floating_word_at_the_end_is_never_a_pin(before: str, word: str, between: str) -> None:
    """Whatever stands in front of it."""
    assert judge_pin(f"{before}{between}{word}").verdict == "floating"


@given(st.text(max_size=60))
def test_every_name_has_a_verdict(model: str) -> None:
    """Any text is judged, with a reason."""
    assert judge_pin(model).reason


def test_the_list_names_its_sources() -> None:
    """Each entry says which vendor and where that is known from, and no name in it is a pin by its form."""
    document = json.loads(files("ledger.changes").joinpath("model_names.json").read_bytes())
    assert all(each["vendor"] and each["source"] and each["floating"] for each in document["vendors"])
    assert all(name == name.lower() and not _DATED.search(name) for name in floating_names())


@pytest.mark.parametrize(
    ("package", "file"),
    [
        ("openai", "types/shared/chat_model.py"),
        ("openai", "types/shared/all_models.py"),
        ("anthropic", "types/model.py"),
    ],
)
def test_the_list_holds_what_the_vendors_clients_list(package: str, file: str) -> None:
    """Every name that a vendor's own client also lists with a date or build behind it is known to be moved."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        pytest.skip(f"{package} is not installed (extra `vendors`)")
    names = set(re.findall(r'^\s+"([^"]+)",$', (Path(spec.origin).parent / file).read_text(), re.M))
    assert names
    dated = {name[: found.start()] for name in names if (found := _DATED.search(name))}
    assert (dated & names) - floating_names().keys() == set()
