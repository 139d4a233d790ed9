"""Artifacts out of files, and values in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import Misconfigured, Rejected
from tests.ledger.changes.repositories import GitRepository, codes, digest

ROOT = "format = 1\n"


def test_without_a_declaration_prompts_and_models_are_found(empty: GitRepository) -> None:
    """Every file below `prompts`, and the models of models.toml or models.json."""
    models = '{"models": {"a": "openai/gpt-4o-2024-08-06"}}'
    empty.commit({"prompts/a.md": "x\n", "prompts/b/c.txt": "y\n", "models.json": models, "other.md": "z\n"})
    assert set(empty.outcomes()) == {"prompt:a", "prompt:b/c", "model:openai/gpt-4o-2024-08-06"}


def test_a_prompts_digest_is_that_of_its_bytes(empty: GitRepository) -> None:
    """What a service computes of the template that it reads is what the ledger says; the revision is its beginning."""
    for text in ("Hello\n", "Grüße\r\n", "\ufeffBOM"):
        empty.commit({"prompts/a.md": text})
        artifact = empty.outcomes()["prompt:a"].candidate.artifact
        assert artifact is not None
        assert artifact.sha256.hex() == digest(text)
        assert artifact.revision == digest(text)[:12]
        assert artifact.media_type == "text/markdown"


def test_binary_and_empty_files_are_artifacts_too(empty: GitRepository) -> None:
    """Bytes are bytes."""
    empty.commit({"prompts/a.bin": b"\x00\xff", "prompts/b": b""})
    found = empty.outcomes()
    assert {key: each.candidate.artifact.content for key, each in found.items() if each.candidate.artifact} == {
        "prompt:a": b"\x00\xff",
        "prompt:b": b"",
    }


def test_models_are_pins_of_vendor_and_name(empty: GitRepository) -> None:
    """In one text, beside a declared vendor, or as a table; the same pin in two places is one artifact."""
    declared = f"""{ROOT}
[[artifacts]]
kind = "model"
file = "a.toml"
keys = "*.model"

[[artifacts]]
kind = "model"
file = "b.json"
keys = "*"
vendor = "mistral"
"""
    a = '[x]\nmodel = "openai/gpt-4o-2024-08-06"\n[y]\nmodel = {vendor = "openai", model = "gpt-4o-2024-08-06"}\n'
    empty.commit({"audit-ledger.toml": declared, "a.toml": a, "b.json": '{"z": "mistral-large-2411", "w": "latest"}'})
    found = empty.outcomes()
    assert set(found) == {
        "model:openai/gpt-4o-2024-08-06",
        "model:mistral/mistral-large-2411",
        "model:mistral/latest",
        "policy:audit-ledger.toml",
    }
    artifact = found["model:mistral/mistral-large-2411"].candidate.artifact
    assert artifact is not None
    assert (artifact.revision, artifact.sha256.hex()) == ("mistral-large-2411", digest("mistral/mistral-large-2411"))
    assert "floating_model" in codes(found["model:mistral/latest"])


@pytest.mark.parametrize(
    ("models", "said"),
    [
        ('[models]\na = "gpt-4o-2024-08-06"\n', "models.toml: models.a: expected vendor/model"),
        ("[models]\na = 7\n", "models.toml: models.a: expected vendor/model"),
        ('[models]\na = {model = "x"}\n', "models.toml: models.a: expected vendor/model"),
        ('[models]\n"a\\nb" = 7\n', "expected vendor/model"),
        ("[models", "models.toml: expected TOML"),
    ],
)
def test_models_that_are_none(empty: GitRepository, models: str, said: str) -> None:
    """A pin without a vendor, or of another kind, is named with file and key."""
    empty.commit({"models.toml": models})
    with pytest.raises(Rejected) as caught:
        empty.outcomes()
    assert said in str(caught.value)
    assert str(caught.value).isprintable()


def test_an_empty_pin_is_told_by_the_gate(empty: GitRepository) -> None:
    """It is a model that pins nothing, like `latest`."""
    empty.commit({"models.toml": '[models]\na = {vendor = "openai", model = ""}\nb = "openai/a b"\n'})
    found = empty.outcomes()
    assert all("floating_model" in codes(each) for each in found.values())
    assert len(found) == 2


def test_values_of_other_kinds_are_artifacts(empty: GitRepository) -> None:
    """A text is its bytes; a table is that in JSON with its keys sorted, so that its order in the file is no change."""
    declared = f'{ROOT}\n[[artifacts]]\nkind = "guardrail"\nfile = "g.toml"\nkeys = "guardrails.*"\n'
    empty.commit({"audit-ledger.toml": declared, "g.toml": '[guardrails]\na = "block"\nb = {y = 2, x = [1, "ü"]}\n'})
    found = empty.outcomes()
    one, two = (found[f"guardrail:guardrails.{name}"].candidate.artifact for name in "ab")
    assert one is not None
    assert two is not None
    assert one.content == b"block"
    assert two.content == '{"x":[1,"ü"],"y":2}'.encode()
    empty.commit({"g.toml": "[guardrails]\na = 2026-11-21\n"})
    with pytest.raises(Rejected, match=r"g\.toml: guardrails\.a: expected text"):
        empty.outcomes()


def test_ids_that_can_not_stand_in_a_payload_are_refused(empty: GitRepository) -> None:
    """Too long, or of too many words."""
    for name in ("a b c d e f g h i", "x" * 120 + "/" + "y" * 140):
        empty.commit({f"prompts/{name}.md": "x\n"})
        with pytest.raises(Rejected, match="can't name an artifact"):
            empty.outcomes()
        empty.commit({f"prompts/{name}.md": None})


def test_a_declaration_elsewhere_is_named(repository: GitRepository, tmp_path: Path) -> None:
    """A monorepo may have several; one that is not there is refused."""
    inner = f'{ROOT}\n[[artifacts]]\nkind = "prompt"\nfiles = ["team/*.md"]\nid = "team-{{stem}}"\n'
    repository.commit({"team/audit-ledger.toml": inner, "team/a.md": "x\n"})
    found = repository.outcomes(declaration="team/audit-ledger.toml")
    assert set(found) == {"prompt:team-a", "policy:audit-ledger.toml"}
    with pytest.raises(Misconfigured, match="has no such file"):
        repository.outcomes(declaration="other.toml")
    (tmp_path / "x").write_text(inner)
    (repository.folder / "audit-ledger.toml").unlink()
    (repository.folder / "audit-ledger.toml").symlink_to(tmp_path / "x")
    repository.commit()
    with pytest.raises((Misconfigured, Rejected), match=r"audit-ledger\.toml"):
        repository.outcomes()


def test_a_file_that_is_too_large_is_refused(empty: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it is read."""
    monkeypatch.setattr("ledger.changes.artifacts.ARTIFACT_BYTES_MAX", 10)
    empty.commit({"prompts/a.md": "x" * 11})
    with pytest.raises(Rejected, match=r"prompts/a\.md: expected at most 10 bytes, got 11"):
        empty.outcomes()
