"""File patterns and ids."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.changes.patterns import check_pattern, check_template, fixed_folder, id_of, matches
from ledger.errors import Misconfigured


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("prompts/**/*.md", "prompts/a.md", True),
        ("prompts/**/*.md", "prompts/x/y/a.md", True),
        ("prompts/**/*.md", "prompts/x/y/a.txt", False),
        ("prompts/**", "prompts/x/y", True),
        ("prompts/**", "prompts", True),
        ("prompts/*.md", "prompts/x/a.md", False),
        ("prompts/?.md", "prompts/a.md", True),
        ("prompts/?.md", "prompts/ab.md", False),
        ("**/system.md", "a/b/system.md", True),
        ("**/a/**/b", "a/x/a/y/b", True),
        ("prompts/**", "prompts/.git/x", False),
        ("prompts/*", "prompts/.hidden", False),
        ("prompts/.*", "prompts/.hidden", True),
        ("*.md", "a\nb.md", True),
        ("models.toml", "models.toml", True),
        ("models.toml", "modelsxtoml", False),
    ],
)
def test_patterns(pattern: str, path: str, expected: bool) -> None:
    """Each wildcard takes what the module says, and no more."""
    assert matches(pattern, path) is expected


parts = st.text("ab*?", min_size=1, max_size=4).filter(lambda part: "**" not in part) | st.just("**")


@given(st.lists(parts, min_size=1, max_size=4), st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=5))
def test_matching_is_what_a_regular_expression_says(pattern: list[str], path: list[str]) -> None:
    """The matcher agrees with the pattern written as a regular expression."""
    text = "/".join(path) + "/"
    expression = "".join(
        "(?:[^/]+/)*" if part == "**" else re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]") + "/"
        for part in pattern
    )
    assert matches("/".join(pattern), "/".join(path)) == bool(re.fullmatch(expression, text))


def test_a_hostile_pattern_takes_no_long_time() -> None:
    """A pattern made to run for ever does not."""
    began = time.monotonic()
    assert not matches("*a" * 100 + "b", "a" * 4000)
    assert not matches("/".join(["**", "a"] * 60) + "/b", "/".join(["a"] * 1000))
    assert time.monotonic() - began < 20


@pytest.mark.parametrize("pattern", ["", "/a", "a//b", "../a", "a/./b", "a**/b", "a/" + "x" * 300])
def test_patterns_that_are_none(pattern: str) -> None:
    """What could leave the repository, or means nothing, is refused."""
    with pytest.raises(Misconfigured):
        check_pattern(pattern)


@pytest.mark.parametrize("template", ["{pth}", "{path", "path}", "{}", "{{path}}"])
def test_templates_that_are_none(template: str) -> None:
    """A place that is misspelt is refused."""
    with pytest.raises(Misconfigured):
        check_template(template)


@pytest.mark.parametrize(
    ("template", "pattern", "path", "expected"),
    [
        ("{path}", "prompts/**/*.md", "prompts/support/system.md", "support/system"),
        ("{path}", "prompts/system.md", "prompts/system.md", "system"),
        ("{path}", "**/*.md", "a/b.md", "a/b"),
        ("{folder}-{stem}", "prompts/**", "prompts/support/system.v2.md", "support-system.v2"),
        ("{name}", "prompts/**", "prompts/support/system.md", "system.md"),
        ("{stem}", "prompts/**", "prompts/.hidden", ".hidden"),
        ("{folder}/x", "*", "a", "/x"),
        ("support", "prompts/system.md", "prompts/system.md", "support"),
    ],
)
def test_ids(template: str, pattern: str, path: str, expected: str) -> None:
    """An id is made of the path as its template says."""
    assert id_of(template, pattern, path) == expected
    assert fixed_folder("a/b*/c") == "a"
