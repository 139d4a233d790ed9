"""Which commit brought an artifact's revision in, what was there before it, and who worked on it.

The line that counts is that of *first parents*: what the branch was, merge by merge. A revision was brought in by the
newest commit on it whose file differs from its first parent's (or whose value under the keys does): a commit, a squash,
or the merge of a branch. What was there before is what that first parent has.

Its *authors* are those of every commit, merged branches included, between before and now that touches the file; of a
merge only where its file is neither parent's, as after a conflict that was resolved by hand.

History that a shallow clone lacks is never taken for a beginning: a commit whose parents are not there has none that
can be told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ledger.changes.artifacts import FILE_MODES, Artifact, Place, artifacts_in, shown
from ledger.changes.commit import Commit
from ledger.changes.git import MissingHistory, Repository
from ledger.errors import Rejected

BLOCK_COMMITS = 1_000
RANGE_COMMITS_MAX = 20_000


class TooManyCommits(Rejected):
    """A range is longer than is looked at: never cut off, for a review or an author could be in what is left."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a revision comes from: the commit, and its first parent (None: it is the first commit)."""

    commit: str
    before: str | None


def origins(repository: Repository, commit: str, paths: Iterable[str]) -> dict[str, Origin]:
    """For each path, the newest change of its file up to a commit. Paths that never changed are left out."""
    wanted = set(paths)
    found: dict[str, Origin] = {}
    at: str | None = commit
    while at is not None and wanted:
        # Pathspecs keep git from looking at what nobody asks for; a few folders say as much as many files.
        limits = sorted(wanted) if len(wanted) <= 64 else sorted({each.partition("/")[0] for each in wanted})
        block = repository.listed("--first-parent", f"--max-count={BLOCK_COMMITS}", at, "--", *limits)
        commits = repository.commits(block)
        whole = _until_cut(repository, block, commits)
        for changed_in, path in _changes(repository, block[:whole], commits, limits):
            if path in wanted:
                wanted.discard(path)
                found[path] = Origin(changed_in, next(iter(commits[changed_in].parents), None))
        if wanted and whole < len(block):
            raise MissingHistory(
                f"{shown(min(wanted).encode('utf-8', 'surrogateescape'))}: which commit brought it in is not known: "
                f"the history ends at commit {block[whole]}{repository.advice()}"
            )
        at = next(iter(commits[block[-1]].parents), None) if len(block) == BLOCK_COMMITS else None
    return found


def _until_cut(repository: Repository, block: Sequence[str], commits: Mapping[str, Commit]) -> int:
    """How many commits of a block stand before the first whose first parent this clone lacks."""
    parents = [parent for each in block for parent in commits[each].parents[:1]]
    missing = repository.missing(parents)
    return next((i for i, each in enumerate(block) if missing.intersection(commits[each].parents[:1])), len(block))


def _changes(
    repository: Repository, block: Sequence[str], commits: Mapping[str, Commit], limits: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """(commit, path) of every file that a commit changed against its first parent, in the order of the block."""
    given = "".join(" ".join([each, *commits[each].parents[:1]]) + "\n" for each in block).encode()
    options = ("--stdin", "-r", "-z", "--root", "--raw", "--no-renames", "--no-ext-diff", "--no-textconv")
    out = repository.run("diff-tree", *options, "--", *limits, given=given)
    commit = ""
    fields = iter(out.split(b"\0")[:-1])
    for each in fields:
        if each.startswith(b":"):
            yield commit, next(fields).decode("utf-8", "surrogateescape")
        else:
            commit = each.decode()


def at_commit(repository: Repository, commit: str, place: Place) -> Artifact | None:
    """The artifact that a place (a file, or a value in it) holds at another commit."""
    entry = repository.entry(commit, place.path)
    if entry is None or entry.mode not in FILE_MODES:
        return None
    data = repository.objects([entry.object_id], "blob")[entry.object_id]
    there = Place(place.path, place.source, entry.object_id)
    try:
        return next((each for each in artifacts_in(there, data) if each.place.keys == place.keys), None)
    except Rejected:
        # What the file was before need not be readable.
        return None


def origin_of_value(repository: Repository, artifact: Artifact, newest: Origin) -> Origin:
    """Of a value in a file, the newest change of the value: `newest` is that of the file."""
    origin = newest
    while origin.before is not None:
        earlier = at_commit(repository, origin.before, artifact.place)
        if earlier is None or earlier.sha256 != artifact.sha256:
            return origin
        found = origins(repository, origin.before, [artifact.place.path])
        if artifact.place.path not in found:
            return origin
        origin = found[artifact.place.path]
    return origin


def workers(repository: Repository, before: str | None, after: str, path: str) -> list[Commit]:
    """The commits between two that touch a file, newest first. `after` may be known to touch it."""
    newest = repository.commit(after)
    if before is not None and newest.parents == (before,):
        return [newest] if repository.entry(before, path) != repository.entry(after, path) else []
    found = _between(repository, before, after, path)
    cut = repository.missing(parent for each in found for parent in each.parents)
    if cut:
        raise MissingHistory(
            f"{path}: who wrote it is not known: the history ends before commit {min(cut)}{repository.advice()}"
        )
    return found


def between(repository: Repository, before: str | None, after: str) -> list[Commit]:
    """All commits between two, newest first."""
    return _between(repository, before, after)


def _between(repository: Repository, before: str | None, after: str, *paths: str) -> list[Commit]:
    span = [after] if before is None else [after, f"^{before}"]
    listed = repository.listed(f"--max-count={RANGE_COMMITS_MAX + 1}", *span, "--", *paths)
    if len(listed) > RANGE_COMMITS_MAX:
        since = before or "the beginning"
        raise TooManyCommits("", f"more than {RANGE_COMMITS_MAX} commits since {since}; name a nearer --base")
    commits = repository.commits(listed)
    return [commits[each] for each in listed]
