"""The starter of brokers says plainly what it lacks."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from tests.kafka.broker import starter


def java_says(monkeypatch: pytest.MonkeyPatch, folder: Path, version: str) -> None:
    """A `java` on the path that tells this version, and nothing else on it."""
    java = folder / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2026-01-01' >&2\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))


def test_names_what_is_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without Java 17, or without Maven before the jars are there, it says what to install; else nothing."""
    broker = starter()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "Java is missing" in broker.missing()
    java_says(monkeypatch, tmp_path, "11.0.2")
    assert "Java 17 or newer is needed" in broker.missing()
    java_says(monkeypatch, tmp_path, "21")
    monkeypatch.setattr(broker, "jars_folder", lambda: tmp_path / "jars")
    assert "Maven is missing" in broker.missing()
    (tmp_path / "jars").mkdir()
    assert broker.missing() is None


def test_the_command_line_ends_with_that_and_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What stands in the way is printed, and the exit code is that of something unavailable."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert starter().main(["--fetch-only"]) == 3
    assert "Java is missing: install" in capsys.readouterr().err


def test_names_the_version_that_is_fetched() -> None:
    """The version that the script names is the one that Maven fetches."""
    broker = starter()
    assert f"<version>{broker.VERSION}</version>" in (broker.HERE / "pom.xml").read_text()


def test_no_cluster_is_named_like_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """An id that would begin with a hyphen is drawn again: Kafka's tool would take it for an option."""
    broker = starter()
    drawn = iter([uuid.UUID(int=0xFB << 120), uuid.UUID(int=1)])
    monkeypatch.setattr(broker.uuid, "uuid4", lambda: next(drawn))
    assert broker.new_cluster_id() == "AAAAAAAAAAAAAAAAAAAAAQ"
