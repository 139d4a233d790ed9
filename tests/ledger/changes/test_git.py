"""Git, asked about repositories that mean harm."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ledger.changes.evidence import Evidence
from ledger.changes.gathering import Asked, look_at
from ledger.changes.git import MissingHistory, Repository
from ledger.errors import Misconfigured, Rejected, Unavailable
from tests.ledger.changes.repositories import PROMPT, GitRepository


def _trap(folder: Path) -> tuple[Path, Path]:
    """A program that leaves a mark when it runs, and the mark."""
    mark, program = folder / "mark", folder / "trap"
    program.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    program.chmod(0o755)
    return program, mark


def test_nothing_of_a_repositorys_configuration_is_run(repository: GitRepository, tmp_path: Path) -> None:
    """Hooks, filters, textconv, monitors, signature programs and transports of a repository are never started."""
    program, mark = _trap(tmp_path)
    attributes = "* filter=evil diff=evil merge=evil\n"
    repository.commit({".gitattributes": attributes, "prompts/evil.md": "x\n"}, "Traps", sign=True)
    git_folder = repository.folder / ".git"
    with (git_folder / "config").open("a") as config:
        config.write(
            f"[core]\n\tfsmonitor = {program}\n\thooksPath = {tmp_path}\n\tpager = {program}\n"
            f"\tsshCommand = {program}\n\tgitProxy = {program}\n\tattributesFile = {tmp_path}/attributes\n"
            f'[filter "evil"]\n\tclean = {program}\n\tsmudge = {program}\n\tprocess = {program}\n\trequired = true\n'
            f'[diff "evil"]\n\ttextconv = {program}\n\tcommand = {program}\n[diff]\n\texternal = {program}\n'
            f'[gpg]\n\tprogram = {program}\n\tformat = ssh\n[gpg "ssh"]\n\tprogram = {program}\n'
            f"\tallowedSignersFile = {tmp_path}/signers\n\tdefaultKeyCommand = {program}\n"
            f"[log]\n\tshowSignature = true\n[credential]\n\thelper = !{program}\n"
            f'[remote "origin"]\n\tpromisor = true\n\tuploadpack = {program}\n[extensions]\n\tpartialClone = origin\n'
            f'[include]\n\tpath = {tmp_path}/more\n[trailer "x"]\n\tcommand = {program}\n'
        )
    for name in ("post-checkout", "pre-auto-gc", "reference-transaction", "fsmonitor-watchman"):
        hook = git_folder / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(program.read_text())
        hook.chmod(0o755)
    signers = repository.signers("mia")
    found = repository.outcomes(signers=signers)
    assert found["prompt:evil"].candidate.signed_by_authors
    with Repository(repository.folder) as opened, pytest.raises(MissingHistory):
        opened.objects(["1" * 40], "blob")
    assert not mark.exists()


def test_the_callers_environment_is_not_gits(repository: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that would lead git elsewhere, or make it run something, don't reach it."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_CONFIG_PARAMETERS"):
        monkeypatch.setenv(name, "/nowhere")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "/bin/false")
    monkeypatch.setenv("GIT_TRACE", "1")
    with Repository(repository.folder) as opened:
        assert len(opened.resolve("HEAD")) == 40


def test_a_repository_that_somebody_else_owns_is_read(repository: GitRepository) -> None:
    """Who owns a checkout does not matter (containers of CI), since nothing of its configuration is used."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    for folder, _, names in os.walk(repository.folder):
        for name in (folder, *(os.path.join(folder, each) for each in names)):
            os.chown(name, 65534, 65534)
    with Repository(repository.folder) as opened:
        assert opened.resolve("main") == opened.resolve("HEAD")


def test_nothing_is_written_into_the_repository(repository: GitRepository) -> None:
    """Looking leaves every file as it was, also where the repository can't be written."""
    git_folder = repository.folder / ".git"
    before = {path: path.stat().st_mtime_ns for path in sorted(git_folder.rglob("*"))}
    repository.outcomes()
    assert {path: path.stat().st_mtime_ns for path in sorted(git_folder.rglob("*"))} == before


@pytest.mark.parametrize("revision", ["", "--output=x", "-h", "main\nHEAD", "nothing", "HEAD:prompts", "1" * 40])
def test_what_names_no_commit_is_refused(repository: GitRepository, revision: str) -> None:
    """An option, two lines, a path or an unknown name is no revision; the message shows it on one line."""
    with Repository(repository.folder) as opened, pytest.raises(Misconfigured) as caught:
        opened.resolve(revision)
    assert str(caught.value).isprintable()


def test_work_trees_bare_repositories_and_folders_inside_are_found(repository: GitRepository, tmp_path: Path) -> None:
    """A linked work tree, a bare clone, a folder inside and a packed repository all lead to the same commit."""
    head = repository.head()
    repository.git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "other")
    repository.git("clone", "-q", "--bare", str(repository.folder), str(tmp_path / "bare"))
    repository.git("gc", "-q")
    repository.git("pack-refs", "--all")
    for folder, has_tree in (
        (repository.folder / "prompts", True),
        (tmp_path / "linked", True),
        (tmp_path / "linked" / "prompts", True),
        (tmp_path / "bare", False),
    ):
        with Repository(folder) as opened:
            assert opened.resolve("HEAD") == opened.resolve("main") == head
            assert (opened.work_tree is not None) is has_tree


def test_a_folder_without_git_says_so(tmp_path: Path) -> None:
    """Where there is no repository, and where `.git` is something else, the folder is named."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".git").write_text("nonsense")
    for folder in (tmp_path, tmp_path / "a"):
        with pytest.raises(Misconfigured, match="git"), Repository(folder):
            pass


def test_sha256_repositories_are_read(tmp_path: Path) -> None:
    """A repository whose ids are SHA-256 is one like any other."""
    made = GitRepository(tmp_path / "r", tmp_path / "k")
    made.folder.mkdir()
    made.keys.mkdir()
    made.git("init", "-q", "-b", "main", "--object-format=sha256")
    made.commit({"prompts/support.md": PROMPT})
    found = made.outcomes()
    assert len(found["prompt:support"].candidate.origin) == 64


def test_a_git_that_hangs_is_ended(repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the deadline git and what it started are killed, and the call fails as unavailable."""
    pids = tmp_path / "pids"
    stuck = tmp_path / "bin" / "git"
    stuck.parent.mkdir()
    stuck.write_text(
        f"#!{sys.executable}\nimport os, time\nopen({str(pids)!r}, 'a').write(f'{{os.getpid()}}\\n')\ntime.sleep(600)\n"
    )
    stuck.chmod(stuck.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{stuck.parent}:{os.environ['PATH']}")
    began = time.monotonic()
    with pytest.raises(Unavailable, match="did not answer"), Repository(repository.folder, deadline_s=2):
        pass
    assert time.monotonic() - began < 60
    for pid in pids.read_text().split():
        assert not Path(f"/proc/{pid}").exists()


def test_a_missing_git_is_named(repository: GitRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git the message says what to install."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(Misconfigured, match="git is missing"), Repository(repository.folder):
        pass


def test_replaced_objects_and_grafts_are_not_believed(repository: GitRepository) -> None:
    """What refs/replace and grafts say of a commit is not what was committed."""
    first = repository.head()
    second = repository.commit({"prompts/support.md": "other\n"})
    fake = repository.git("commit-tree", f"{second}^{{tree}}", "-m", "Fake", who="eve")
    repository.git("replace", second, fake)
    (repository.folder / ".git" / "info").mkdir(exist_ok=True)
    (repository.folder / ".git" / "info" / "grafts").write_text(f"{second}\n")
    with Repository(repository.folder) as opened:
        commit = opened.commit(second)
        assert commit.parents == (first,)
        assert commit.author.address == "mia@example.org"
        assert opened.listed(second) == [second, first]


def test_a_file_that_means_harm_by_its_name_is_refused_by_its_name(empty: GitRepository) -> None:
    """Artifacts whose names hold line ends, escapes or other bytes than UTF-8 are refused, and shown as escapes."""
    for name in (b"a\nb.md", b"\x1b[2J.md", b"\xff\xfe.md", b"::set-output name=x::y\n.md"):
        folder = os.path.join(os.fsencode(empty.folder), b"prompts")
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name), "wb") as file:
            file.write(b"x")
        empty.commit()
        with Repository(empty.folder) as opened, pytest.raises(Rejected) as caught:
            look_at(opened, Asked(), Evidence())
        assert str(caught.value).isprintable()
        assert "prompts/" in str(caught.value)
        os.unlink(os.path.join(folder, name))
        empty.commit()
    # Elsewhere they are nobody's business.
    with open(os.path.join(os.fsencode(empty.folder), b"\xff\n"), "wb") as file:
        file.write(b"x")
    empty.commit({"prompts/a.md": "x\n"})
    assert set(empty.outcomes()) == {"prompt:a"}


@pytest.mark.parametrize("kind", ["link", "folder link", "submodule", "LFS pointer"])
def test_what_is_no_file_of_the_repository_is_refused(repository: GitRepository, tmp_path: Path, kind: str) -> None:
    """Symbolic links, submodules and LFS pointers are no artifacts, though a pattern matches: they are elsewhere."""
    (tmp_path / "secret").write_text("secret")
    target = repository.folder / "prompts" / "other.md"
    if kind == "link":
        target.symlink_to(tmp_path / "secret")
    elif kind == "folder link":
        target.symlink_to(tmp_path)
    elif kind == "LFS pointer":
        target.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12\n")
    else:
        repository.git("update-index", "--add", "--cacheinfo", f"160000,{repository.head()},prompts/other.md")
    if kind == "submodule":
        repository.git("commit", "-q", "-m", "Submodule")
    else:
        repository.commit()
    with Repository(repository.folder) as opened, pytest.raises(Rejected, match=r"prompts/other\.md: is a"):
        look_at(opened, Asked(), Evidence())


def test_contents_are_those_that_git_stores(repository: GitRepository) -> None:
    """Line endings that a checkout would change are told as they are committed."""
    repository.commit({".gitattributes": "*.md text eol=crlf\n"})
    subprocess.run(["rm", "prompts/support.md"], cwd=repository.folder, check=True)
    repository.git("checkout", "--", "prompts/support.md")
    assert b"\r\n" in (repository.folder / "prompts" / "support.md").read_bytes()
    with Repository(repository.folder) as opened:
        with pytest.raises(Rejected, match=r"what is on disk is not the commit: prompts/support\.md \(changed\)"):
            look_at(opened, Asked(), Evidence())
        data = opened.file(opened.resolve("HEAD"), "prompts/support.md")
    assert data == PROMPT.encode()
