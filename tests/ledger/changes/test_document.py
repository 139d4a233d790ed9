"""The declaration."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.changes.document import DEFAULT, Rules, Threshold, parse_declaration
from ledger.errors import Misconfigured

FULL = """\
format = 1
repository = "github.com/acme/assistant"
tenants = ["acme"]
owner = "support-team"

[[artifacts]]
kind = "prompt"
files = ["prompts/**/*.md"]
exclude = ["prompts/drafts/**"]
id = "{path}"
media_type = "text/markdown"
owner = "prompt-team"

[[artifacts]]
kind = "model"
file = "models.toml"
keys = "models.*"
vendor = "openai"

[gate]
reviewers_min = 2
evaluated = ["prompt"]
signed_commits = true

[[evaluations]]
suite = "support-regression"
metric = "task_success"
at_least = 0.88
kinds = ["prompt"]
artifacts = ["support/*"]
dataset_sha256 = "%s"

[[evaluations]]
suite = "support-regression"
metric = "refusals"
at_most = 1

[[people]]
name = "mia.lindqvist"
emails = ["mia@example.org"]
github = ["mia-l"]
""" % ("ab" * 32)


def test_everything_that_can_be_said() -> None:
    """Each key of the file is what the module says."""
    found = parse_declaration(FULL.encode(), "audit-ledger.toml")
    assert (found.repository, found.tenants, found.path) == (
        "github.com/acme/assistant",
        ("acme",),
        "audit-ledger.toml",
    )
    prompt, model = found.sources
    assert (prompt.kind, prompt.files, prompt.exclude, prompt.owner) == (
        "prompt",
        ("prompts/**/*.md",),
        ("prompts/drafts/**",),
        "prompt-team",
    )
    assert (model.kind, model.file, model.keys, model.vendor, model.owner) == (
        "model",
        "models.toml",
        "models.*",
        "openai",
        "support-team",
    )
    least = Threshold(
        "support-regression", "task_success", 0.88, True, frozenset({"prompt"}), ("support/*",), b"\xab" * 32
    )
    most = Threshold("support-regression", "refusals", 1.0, False)
    assert found.rules == Rules(2, frozenset({"prompt"}), True, (least, most))
    assert found.people[0].github == ("mia-l",)


def test_a_file_that_only_says_its_format_declares_the_default() -> None:
    """Artifacts that are not declared are those of a repository without the file; the gate is as strict."""
    found = parse_declaration(b"format = 1\n", "audit-ledger.toml")
    assert found.sources == DEFAULT.sources
    assert found.rules == DEFAULT.rules == Rules()
    assert Rules().reviewers_min == 1


@pytest.mark.parametrize(
    ("line", "place"),
    [
        ("", "format: is missing"),
        ("format = 2", "format: expected 1"),
        ("format = true", "format: expected 1"),
        ("format = 1\nfromat = 2", "fromat: is unknown"),
        ('format = 1\n"a\\nb" = 2', r"'a\nb': is unknown"),
        ("format = 1\n[gate]\nreviewers = 1", "gate.reviewers: is unknown"),
        ("format = 1\n[gate]\nreviewers_min = 0", "gate.reviewers_min: expected a whole number from 1"),
        ("format = 1\n[gate]\nreviewers_min = true", "gate.reviewers_min"),
        ('format = 1\n[gate]\nsigned_commits = "no"', "gate.signed_commits"),
        ('format = 1\n[gate]\nevaluated = ["prompts"]', "gate.evaluated[0]"),
        ('format = 1\n[[artifacts]]\nkind = "promt"\nfiles = ["a"]', "artifacts[0].kind"),
        ('format = 1\n[[artifacts]]\nkind = "prompt"\nfiles = []', "artifacts[0].files"),
        ('format = 1\n[[artifacts]]\nkind = "prompt"\nfiles = ["../a"]', "artifacts[0].files[0]"),
        ('format = 1\n[[artifacts]]\nkind = "prompt"\nfiles = ["a"]\nid = "{x}"', "artifacts[0].id"),
        ('format = 1\n[[artifacts]]\nkind = "prompt"\nfiles = ["a"]\nkeys = "b"', "artifacts[0].keys: is unknown"),
        ('format = 1\n[[artifacts]]\nkind = "model"\nfile = "a.yaml"\nkeys = "b"', "artifacts[0].file"),
        ('format = 1\n[[artifacts]]\nkind = "model"\nfile = "*.toml"\nkeys = "b"', "artifacts[0].file"),
        ('format = 1\n[[artifacts]]\nkind = "model"\nfile = "a.toml"\nkeys = "b..c"', "artifacts[0].keys"),
        ('format = 1\n[[artifacts]]\nkind = "tool"\nfile = "a.toml"\nkeys = "b"\nvendor = "x"', "artifacts[0].vendor"),
        ('format = 1\n[[evaluations]]\nsuite = "s"\nmetric = "m"', "evaluations[0]: expected at_least or at_most"),
        ('format = 1\n[[evaluations]]\nsuite = "s"\nmetric = "m"\nat_least = 1\nat_most = 2', "evaluations[0]"),
        ('format = 1\n[[evaluations]]\nsuite = "s"\nmetric = "m"\nat_least = nan', "evaluations[0].at_least"),
        ('format = 1\n[[evaluations]]\nsuite = "s"\nmetric = "m"\nat_least = true', "evaluations[0].at_least"),
        ('format = 1\n[[evaluations]]\nsuite = ""\nmetric = "m"\nat_least = 1', "evaluations[0].suite"),
        (
            'format = 1\n[[evaluations]]\nsuite = "s"\nmetric = "m"\nat_least = 1\ndataset_sha256 = "x"',
            "dataset_sha256",
        ),
        ('format = 1\n[[people]]\nname = "a, b"', "people[0].name"),
        ('format = 1\ntenants = ["_org"]', "tenants[0]"),
        ("format = 1\nartifacts = 7", "artifacts: expected"),
        ("format = [", "expected TOML"),
    ],
)
def test_what_is_wrong_is_named(line: str, place: str) -> None:
    """An unknown key or a value of another kind is refused, with its place."""
    with pytest.raises(Misconfigured, match=re.escape(place)) as caught:
        parse_declaration(line.encode(), "audit-ledger.toml")
    assert str(caught.value).startswith("audit-ledger.toml")
    assert str(caught.value).isprintable()


@given(st.text(max_size=200) | st.text("=[]\"'\n. abc1", max_size=80).map(lambda text: f"format = 1\n{text}"))
def test_any_text_is_a_declaration_or_is_refused(text: str) -> None:
    """Nothing makes reading fail in another way."""
    said = ""
    try:
        parse_declaration(text.encode("utf-8", "surrogatepass"), "file")
    except Misconfigured as error:
        said = str(error)
    assert said == "" or said.startswith("file")
