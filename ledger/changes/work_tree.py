"""That what is on disk is what was committed.

What is deployed is often copied from a work tree, while all evidence is about a commit. So where a commit is the one
that is checked out, every artifact's file on disk must hold the bytes that the commit holds, and no file may be there
that the declaration takes for an artifact and the commit does not have. Bytes are compared, not git's own idea of a
clean tree: a filter that changes a file on its way to the disk (line endings, Git LFS) makes the service run something
else than what was reviewed.

Nothing is followed: a symbolic link in place of a file, or of a folder on the way to it, is a difference.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ledger.changes.artifacts import shown
from ledger.changes.document import Declaration
from ledger.changes.patterns import fixed_folder, matches
from ledger.errors import Rejected

FILES_MAX = 200_000
_WAYS = 5


def check_work_tree(root: Path, declaration: Declaration, committed: Mapping[str, bytes]) -> None:
    """`Rejected`, naming what differs, unless the disk holds the committed files (path to bytes), and no others."""
    wrong = [
        f"{_shown(path)} ({why})" for path, data in sorted(committed.items()) if (why := _differs(root, path, data))
    ]
    wrong += [f"{_shown(path)} (not committed)" for path in _others(root, declaration, committed)]
    if wrong:
        more = f" and {len(wrong) - _WAYS} more" if len(wrong) > _WAYS else ""
        raise Rejected(
            "", f"what is on disk is not the commit: {', '.join(wrong[:_WAYS])}{more}; commit it, or name a --commit"
        )


def _shown(path: str) -> str:
    return shown(path.encode("utf-8", "surrogateescape"))


def _differs(root: Path, path: str, data: bytes) -> str | None:
    *folders, name = path.split("/")
    at = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in folders:
            below = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
            os.close(at)
            at = below
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    except FileNotFoundError:
        return "missing"
    except OSError:
        return "not a file of its own"
    finally:
        os.close(at)
    with os.fdopen(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            return "not a file of its own"
        return None if opened.read(len(data) + 1) == data else "changed"


def _others(root: Path, declaration: Declaration, committed: Mapping[str, bytes]) -> Iterator[str]:
    """Files that a pattern matches and the commit does not have."""
    looked: set[str] = set()
    for source in declaration.sources:
        for pattern in source.patterns:
            for path in _files(root, fixed_folder(pattern)):
                if path in looked or path in committed or not matches(pattern, path):
                    continue
                if not any(matches(each, path) for each in source.exclude):
                    looked.add(path)
                    yield path


def _files(root: Path, below: str) -> Iterator[str]:
    start = root / below if below else root
    if not start.is_dir() or start.is_symlink():
        if os.path.lexists(start) and below:
            yield below
        return
    seen = 0
    for folder, folders, names in os.walk(start):
        folders[:] = sorted(_not_git(folders))
        for name in sorted(names):
            seen += 1
            if seen > FILES_MAX:
                raise Rejected("", f"{_shown(below)}: more than {FILES_MAX} files on disk")
            yield os.path.relpath(os.path.join(folder, name), root)


def _not_git(folders: Iterable[str]) -> list[str]:
    return [each for each in folders if each != ".git"]
