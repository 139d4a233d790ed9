"""Everything that is known about the artifacts of one commit, put together for the gate.

Which artifacts: those named; else, where a base is known (`base`, or what GitHub's event says), those that differ from
it, with what is gone since; else all.

What there was before: what the base has; else what the artifact's own commit has as its first parent. Authors are those
of every commit between that touches the file and, where a pull request brought the change in, whoever opened it and
wrote its commits: a squash or a rebase leaves no other trace of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from ledger.changes.artifacts import DECLARATION_KIND, Artifact, artifacts_in, by_key, places
from ledger.changes.claims import Claims
from ledger.changes.document import DEFAULT, DEFAULT_FILE, Declaration, parse_declaration
from ledger.changes.evidence import Evidence
from ledger.changes.gate import Candidate
from ledger.changes.git import Repository
from ledger.changes.history import Origin, at_commit, origin_of_value, origins
from ledger.changes.patterns import fixed_folder
from ledger.changes.people import People
from ledger.changes.signatures import Signatures
from ledger.changes.work_tree import check_work_tree
from ledger.errors import Misconfigured, Rejected


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about. `keys`: artifacts, as `kind:id` or by the id alone; `declaration`: the path of its file."""

    commit: str = "HEAD"
    base: str | None = None
    declaration: str | None = None
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Commission:
    """One commit, its declaration, its artifacts. `base`: the commit to compare with, None where none is known."""

    commit: str
    base: str | None
    declaration: Declaration
    own_path: str
    artifacts: dict[str, Artifact]
    base_artifacts: dict[str, Artifact] = field(default_factory=dict)
    base_reviewers_min: int = 1

    @property
    def own_key(self) -> str:
        """Of the declaration as an artifact."""
        return f"{DECLARATION_KIND}:{self.own_path.rpartition('/')[2]}"


def look_at(repository: Repository, asked: Asked, evidence: Evidence) -> Commission:
    """The artifacts of a commit, read and checked; of the commit that is checked out, the disk as well."""
    commit = repository.resolve(asked.commit)
    declaration, own_path = _declaration(repository, commit, asked.declaration)
    artifacts = _snapshot(repository, commit, declaration, own_path, strict=True)
    _check_disk(repository, commit, declaration, artifacts)
    base = _base(repository, commit, asked, evidence)
    if base is None:
        return Commission(commit, None, declaration, own_path, artifacts)
    before = _snapshot(repository, base, declaration, own_path, strict=False)
    return Commission(
        commit, base, declaration, own_path, artifacts, before, _reviewers_min(repository, base, own_path)
    )


def _declaration(repository: Repository, commit: str, path: str | None) -> tuple[Declaration, str]:
    own_path = path or DEFAULT_FILE
    entry = repository.entry(commit, own_path)
    if entry is None:
        if path is not None:
            raise Misconfigured(f"{path!a}: commit {commit} has no such file")
        return DEFAULT, own_path
    data = repository.file(commit, own_path)
    if data is None:
        raise Misconfigured(f"{own_path}: expected a file of the repository itself")
    return parse_declaration(data, own_path), own_path


def _reviewers_min(repository: Repository, base: str, own_path: str) -> int:
    """How many reviews the base's own declaration asks for."""
    data = repository.file(base, own_path)
    try:
        found = DEFAULT if data is None else parse_declaration(data, own_path)
    except Misconfigured:
        found = DEFAULT
    return found.rules.reviewers_min


def _snapshot(
    repository: Repository, commit: str, declaration: Declaration, own_path: str, *, strict: bool
) -> dict[str, Artifact]:
    folders = {fixed_folder(pattern) for source in declaration.sources for pattern in source.patterns} | {own_path}
    tree = repository.tree(commit, () if "" in folders else sorted(folders))
    found = places(declaration, own_path, tree, strict=strict)
    blobs = repository.objects((each.object_id for each in found), "blob")
    artifacts: list[Artifact] = []
    for place in found:
        try:
            artifacts += artifacts_in(place, blobs[place.object_id])
        except Rejected:
            if strict:
                raise
    return by_key(artifacts, strict=strict)


def _check_disk(repository: Repository, commit: str, declaration: Declaration, artifacts: dict[str, Artifact]) -> None:
    if repository.work_tree is None or repository.resolve("HEAD") != commit:
        return
    ids = {each.place.path: each.place.object_id for each in artifacts.values()}
    for source in declaration.sources:
        # A file whose values are none that is asked for still decides which they are.
        entry = repository.entry(commit, source.file) if source.file else None
        if entry is not None:
            ids[source.file] = entry.object_id
    blobs = repository.objects(ids.values(), "blob")
    check_work_tree(repository.work_tree, declaration, {path: blobs[name] for path, name in ids.items()})


def _base(repository: Repository, commit: str, asked: Asked, evidence: Evidence) -> str | None:
    if asked.base is not None:
        return repository.resolve(asked.base)
    if asked.keys:
        return None
    if len(evidence.pulls) == 1:
        pull = evidence.pulls[0]
        if not repository.missing([pull.head, pull.base]) and repository.is_ancestor(pull.head, commit):
            return repository.merge_base(pull.base, pull.head)
    if evidence.pushed_from is not None and not repository.missing([evidence.pushed_from]):
        return evidence.pushed_from
    return None


def candidates(
    repository: Repository,
    commission: Commission,
    asked: Asked,
    evidence: Evidence,
    signatures: Signatures,
    *,
    removed_only: bool = False,
) -> list[Candidate]:
    """The artifacts that are asked about, each with its origin, authors and reviews."""
    keys = _keys(commission, asked, removed_only=removed_only)
    people = _people(repository, commission, evidence)
    claims = Claims(repository, commission.declaration, people, evidence, signatures)
    subjects = {key: commission.artifacts.get(key) or commission.base_artifacts[key] for key in keys}
    found = origins(repository, commission.commit, {each.place.path for each in subjects.values()})
    return [_candidate(repository, commission, claims, key, subjects[key], found, removed_only) for key in keys]


def _keys(commission: Commission, asked: Asked, *, removed_only: bool) -> list[str]:
    now, before = commission.artifacts, commission.base_artifacts
    if asked.keys:
        return [_key_of(each, [*now, *before]) for each in dict.fromkeys(asked.keys)]
    if commission.base is None:
        if removed_only:
            raise Misconfigured("what was removed is seen against a --base only; or name an --artifact")
        return sorted(now)
    gone = [key for key in before if key not in now and not key.startswith("model:")]
    changed = [key for key in now if key not in before or before[key].sha256 != now[key].sha256]
    return sorted(gone if removed_only else [*changed, *gone])


def _key_of(text: str, known: Sequence[str]) -> str:
    found = [each for each in dict.fromkeys(known) if text in (each, each.partition(":")[2])]
    if len(found) != 1:
        kinds = f"; say {' or '.join(found)}" if found else ""
        raise Misconfigured(f"--artifact {text!a}: expected one artifact, found {len(found)}{kinds}")
    return found[0]


def _people(repository: Repository, commission: Commission, evidence: Evidence) -> People:
    people = People()
    mailmap = repository.file(commission.commit, ".mailmap")
    people.read_all(commission.declaration.people, mailmap, evidence.commits)
    return people


def _candidate(
    repository: Repository,
    commission: Commission,
    claims: Claims,
    key: str,
    subject: Artifact,
    found: dict[str, Origin],
    is_removal: bool,
) -> Candidate:
    path = subject.place.path
    origin = found.get(path)
    if origin is None:
        raise Rejected("", f"{path}: no commit up to {commission.commit} is known to have changed it")
    artifact = None if is_removal else commission.artifacts.get(key)
    if artifact is not None and artifact.place.keys:
        origin = origin_of_value(repository, artifact, origin)
    since = commission.base if commission.base is not None else origin.before
    before = _before(repository, commission, key, subject, since)
    # After its origin the file was not touched; against a base it may have been, to and fro.
    until = origin.commit if commission.base is None else commission.commit
    work = claims.of(subject.place, since, until, commission.commit)
    commit = repository.commit(origin.commit)
    return Candidate(
        key=key,
        artifact=artifact,
        before=subject if is_removal and before is None else before,
        origin=origin.commit,
        origin_at_s=commit.committer.at_s,
        authors=work.authors,
        commits=work.commits,
        signed_by_authors=bool(work.commits) and not work.unsigned,
        unsigned=work.unsigned,
        sightings=work.sightings,
        is_declaration=key == commission.own_key,
    )


def _before(
    repository: Repository, commission: Commission, key: str, subject: Artifact, since: str | None
) -> Artifact | None:
    if since is None:
        return None
    held = commission.base_artifacts.get(key) if commission.base is not None else None
    return held if held is not None else at_commit(repository, since, subject.place)


def rolled_back(repository: Repository, commission: Commission, candidate: Candidate, target: str) -> Candidate:
    """A candidate that leads from what the commit has back to what an earlier one had."""
    if candidate.artifact is None:
        raise Rejected("", f"{candidate.key}: is not there to be rolled back")
    commit = repository.resolve(target)
    if not repository.is_ancestor(commit, commission.commit):
        raise Rejected("", f"{target!a}: is not in the history of {commission.commit}; expected an earlier commit")
    place = candidate.artifact.place
    earlier = at_commit(repository, commit, place)
    if earlier is None:
        raise Rejected("", f"{candidate.key}: commit {commit} does not have it")
    if earlier.sha256 == candidate.artifact.sha256:
        raise Rejected("", f"{candidate.key}: is the same at {commit}; nothing is rolled back")
    origin = origins(repository, commit, [place.path])[place.path]
    if place.keys:
        origin = origin_of_value(repository, earlier, origin)
    at_s = repository.commit(origin.commit).committer.at_s
    return replace(
        candidate, artifact=earlier, before=candidate.artifact, origin=origin.commit, origin_at_s=at_s, sightings=()
    )
