"""The real git, asked in a way in which nothing that a repository holds makes it do more than read.

A repository that is looked at is hostile until reviewed, its `.git/config` too: it may name programs to run (hooks,
filters, textconv, fsmonitor, signature programs, transports) or point into other places. So git never runs *in* it:

- It runs on a git directory of our own, empty but for `HEAD`, the refs and the shallow boundary, with the repository's
  objects as its objects. No configuration, no attributes, no hooks and no grafts of the repository are ever read; nor
  does it matter who owns it (`safe.directory`).
- Only plumbing is called, that runs no program: `rev-parse`, `rev-list`, `ls-tree`, `cat-file`, `diff-tree`,
  `merge-base`, and `verify-commit` with programs that are named here. Contents come from `cat-file`, so that no filter
  (line endings, Git LFS) touches them.
- The environment is made anew: no `GIT_` variable and no home of the caller; no replacement of objects, no prompt, no
  pager, no transport (an object that a partial clone lacks is missing, and is not fetched).
- No shell. Output is read in the forms made for programs (`-z`). Every call has a deadline, after which git and what it
  started are killed.

What is missing because of a shallow or partial clone is said, with the command that gets it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ledger.changes.artifacts import FILE_MODES, Entry
from ledger.changes.commit import Commit, parse_commit
from ledger.changes.objects import ObjectReader, tree_entries
from ledger.changes.processes import kill
from ledger.errors import Misconfigured, Rejected, Unavailable

DEADLINE_S = 120.0
CACHED_TREES_MAX = 5_000
_FOLDER = "040000"
_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_GITDIR = re.compile(rb"gitdir: (.+?)\n*", re.S)
_SHOWN_ERROR_CHARACTERS = 300
_PARTIAL = "; a partial clone (--filter) leaves contents behind: clone without a filter"


class MissingHistory(Misconfigured):
    """Something is not in this clone: it is shallow or partial, or the commit was never fetched."""


class Repository:
    """One repository, read only. Use it as a context manager: it has a temporary folder."""

    def __init__(self, folder: Path, *, deadline_s: float = DEADLINE_S) -> None:
        program = shutil.which("git")
        if program is None:
            raise Misconfigured("git is missing: install it")
        self._program = program
        self._deadline_s = deadline_s
        self.work_tree, self.git_folder = _find(folder)
        self.common_folder = _common(self.git_folder)
        self._scratch = tempfile.TemporaryDirectory(prefix="audit-ledger-change-")
        self.scratch = Path(self._scratch.name)
        self._commits: dict[str, Commit] = {}
        self._trees: dict[str, dict[bytes, tuple[str, str]]] = {}
        try:
            self._prepare()
            command = [program, f"--git-dir={self.scratch / 'git'}"]
            self._reader = ObjectReader(command, self._environment(), self.scratch, deadline_s)
        except BaseException:
            self._scratch.cleanup()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._reader.close()
        self._scratch.cleanup()

    def _prepare(self) -> None:
        """Our own git directory."""
        own = self.scratch / "git"
        for folder in (own, own / "objects", self.scratch / "home"):
            folder.mkdir(mode=0o700)
        sha256 = self.setting("extensions.objectformat") == "sha256"
        # A commit graph is a file that repeats what commits say of their parents; the commits themselves are asked.
        lines = ["[core]", f"repositoryformatversion = {int(sha256)}", "bare = true", "commitGraph = false"]
        if sha256:
            lines += ["[extensions]", "objectFormat = sha256"]
        (own / "config").write_text("\n".join(lines) + "\n")
        if self.setting("extensions.refstorage") not in (None, "files"):
            raise Misconfigured(f"{self.git_folder}: keeps its refs in a form that is not read here; expected files")
        (own / "refs").symlink_to(self.common_folder / "refs")
        # Copied, not linked: git follows a link at HEAD as a ref of its own kind.
        for source, name in ((self.git_folder, "HEAD"), (self.common_folder, "packed-refs"), (self._shallow, "")):
            path = source / name if name else source
            if path.is_file():
                shutil.copyfile(path, own / (name or "shallow"))

    @property
    def _shallow(self) -> Path:
        return self.common_folder / "shallow"

    @property
    def is_shallow(self) -> bool:
        """Whether the clone's history is cut off."""
        return self._shallow.is_file()

    def setting(self, name: str) -> str | None:
        """A setting of the repository's own configuration file, read as a file: nothing acts on it."""
        config = self.common_folder / "config"
        done = self._run(["config", "--file", str(config), "--no-includes", "--null", "--get", name], ok=(0, 1))
        return done.split(b"\0")[0].decode("utf-8", "replace") or None

    def run(self, *arguments: str, given: bytes = b"", ok: Sequence[int] = (0,)) -> bytes:
        """What git prints. `Rejected` when it ends with another code than `ok`."""
        return self._run([f"--git-dir={self.scratch / 'git'}", *arguments], given=given, ok=ok)

    def _run(self, arguments: list[str], *, given: bytes = b"", ok: Sequence[int] = (0,)) -> bytes:
        code, out, err = self.call([self._program, "--no-pager", *arguments], given)
        if code not in ok:
            said = ascii(err.decode("utf-8", "replace").strip())[1:-1][:_SHOWN_ERROR_CHARACTERS]
            called = next(each for each in arguments if not each.startswith("-"))
            raise Rejected("", f"git {called} ended with {code}: {said}")
        return out

    def call(self, command: list[str], given: bytes = b"", **more: str) -> tuple[int, bytes, bytes]:
        """Runs a program in the clean environment (and `more` of it): exit code, output, errors."""
        # Pipes, not files: waiting for a process with a deadline polls, waiting for the end of its output does not.
        with subprocess.Popen(
            command,
            cwd=self.scratch,
            env={**self._environment(), **more},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        ) as process:
            try:
                out, err = process.communicate(given, timeout=self._deadline_s)
            except subprocess.TimeoutExpired:
                kill(process)
                raise Unavailable(f"git did not answer within {self._deadline_s:g} s") from None
            except BaseException:
                kill(process)
                raise
            return process.returncode, out, err

    def _environment(self) -> dict[str, str]:
        home = str(self.scratch / "home")
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": home,
            "XDG_CONFIG_HOME": home,
            "TMPDIR": str(self.scratch),
            "LC_ALL": "C",
            "GIT_OBJECT_DIRECTORY": str(self.common_folder / "objects"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": "",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_LITERAL_PATHSPECS": "1",
        }

    def resolve(self, revision: str) -> str:
        """The id of the commit that a revision names."""
        if not revision or revision.startswith("-") or not revision.isprintable():
            raise Misconfigured(f"expected a revision of git, got {revision!a}")
        found = self.run("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", ok=(0, 1, 128)).strip().decode()
        if not _ID.fullmatch(found):
            raise MissingHistory(f"{revision!a}: no such commit in this clone{self.advice(revision)}")
        return found

    def advice(self, revision: str = "") -> str:
        """How to get what is missing."""
        if self.is_shallow:
            return "; the clone is shallow: `git fetch --unshallow` (actions/checkout: fetch-depth: 0) gets the rest"
        wanted = revision if _ID.fullmatch(revision) else "COMMIT"
        return f"; `git fetch origin {wanted}` gets it where the server allows that"

    def tree(self, commit: str, paths: Iterable[str] = ()) -> list[Entry]:
        """The files of a commit's tree; those at or below `paths` where some are given."""
        try:
            out = self.run("ls-tree", "-r", "-z", "-l", "--full-tree", commit, "--", *paths)
        except Rejected as error:
            raise MissingHistory(f"the files of commit {commit} can't be listed: {error}{_PARTIAL}") from None
        entries = []
        for line in out.split(b"\0")[:-1]:
            head, _, path = line.partition(b"\t")
            mode, _, object_id, size = head.split()
            entries.append(Entry(path, mode.decode(), object_id.decode(), int(size) if size.isdigit() else 0))
        return entries

    def entry(self, commit: str, path: str) -> Entry | None:
        """The file at a path of a commit's tree; None where there is none."""
        mode, object_id = _FOLDER, self.commit(commit).tree
        wanted = path.encode("utf-8", "surrogateescape")
        for name in wanted.split(b"/"):
            if mode != _FOLDER:
                return None
            mode, object_id = self._entries(object_id).get(name, ("", ""))
        return Entry(wanted, mode, object_id, 0) if mode not in ("", _FOLDER) else None

    def file(self, commit: str, path: str) -> bytes | None:
        """The bytes of a file at a commit; None where there is none of the repository's own."""
        entry = self.entry(commit, path)
        if entry is None or entry.mode not in FILE_MODES:
            return None
        return self.objects([entry.object_id], "blob")[entry.object_id]

    def _entries(self, tree: str) -> dict[bytes, tuple[str, str]]:
        """Mode and id by name, of a tree object."""
        if tree not in self._trees:
            if len(self._trees) >= CACHED_TREES_MAX:
                self._trees.clear()
            raw = self.objects([tree], "tree")[tree]
            self._trees[tree] = {name: (mode, found) for mode, name, found in tree_entries(raw, len(tree) // 2)}
        return self._trees[tree]

    def objects(self, ids: Iterable[str], kind: str) -> dict[str, bytes]:
        """The bytes of objects, each once; `MissingHistory` names the first that is not there."""
        found: dict[str, bytes] = {}
        for object_id in dict.fromkeys(ids):
            read = self._reader.read(object_id)
            if read is None or read[0] != kind:
                advice = self.advice(object_id) if kind == "commit" else _PARTIAL
                raise MissingHistory(f"{kind} {object_id} is not in this clone{advice}")
            found[object_id] = read[1]
        return found

    def commits(self, ids: Iterable[str]) -> dict[str, Commit]:
        """Commits by id."""
        return {each: self.commit(each) for each in ids}

    def commit(self, commit_id: str) -> Commit:
        """One commit."""
        if commit_id not in self._commits:
            self._commits[commit_id] = parse_commit(commit_id, self.objects([commit_id], "commit")[commit_id])
        return self._commits[commit_id]

    def missing(self, ids: Iterable[str]) -> set[str]:
        """Those commits that this clone lacks."""
        return {each for each in set(ids) if each not in self._commits and self._reader.read(each) is None}

    def listed(self, *arguments: str) -> list[str]:
        """The commits that `rev-list` lists."""
        return self.run("rev-list", *arguments).decode().split()

    def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor; None where there is none in this clone."""
        found = self.run("merge-base", one, other, ok=(0, 1)).split()
        return found[0].decode() if found else None

    def is_ancestor(self, one: str, other: str) -> bool:
        """Whether `other` is `one` or comes after it."""
        return self.merge_base(one, other) == one


def _find(folder: Path) -> tuple[Path | None, Path]:
    """Work tree (None of a bare repository) and git directory of the repository that a folder is in."""
    start = folder.absolute()
    for each in (start, *start.parents):
        if _is_git_folder(each / ".git"):
            return each, each / ".git"
        if (each / ".git").is_file():
            found = _GITDIR.fullmatch((each / ".git").read_bytes()[:4096])
            if found is None:
                raise Misconfigured(f"{each / '.git'}: expected the path of a git directory")
            return each, (each / os.fsdecode(found[1])).resolve()
        if _is_git_folder(each):
            return None, each
    raise Misconfigured(f"{folder}: is in no Git repository")


def _is_git_folder(path: Path) -> bool:
    return (path / "HEAD").is_file() and ((path / "objects").is_dir() or (path / "commondir").is_file())


def _common(git_folder: Path) -> Path:
    """The directory that a linked work tree shares with the others."""
    pointer = git_folder / "commondir"
    if not pointer.is_file():
        return git_folder
    return (git_folder / pointer.read_text().strip()).resolve()
