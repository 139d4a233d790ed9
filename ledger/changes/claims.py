"""Who wrote an artifact and who claims to have reviewed it: from commits, pull requests and reviews.

Reviews come from two places:

- the platform's record: of each user the latest review that decides, given on the commit that the pull request ends
  with. What the reviewer saw is what that commit has, and it counts only if the pull request changed the artifact;
- trailers of the commits since what was there before. One is verified where the commit that carries it is signed by the
  very person that it names. What that person saw is what this commit has; what is reviewed is what it changed against
  its first parent (of a merge: all that it brings), of a commit that changes nothing what the newest before it did that
  does, and where it says `Reviewed-since: COMMIT`, everything since that one. Whoever approves one change does not
  approve the ones that happen to be there already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ledger.changes.artifacts import Place
from ledger.changes.commit import Commit
from ledger.changes.document import Declaration
from ledger.changes.evidence import Evidence
from ledger.changes.git import MissingHistory, Repository
from ledger.changes.github import INSIDERS, PullRequest, Review, deciding
from ledger.changes.history import TooManyCommits, at_commit, between, workers
from ledger.changes.people import PLATFORM_ADDRESSES, People, Person, email_key, login_key
from ledger.changes.reviews import Claim, Sighting, Verdict
from ledger.changes.signatures import Signatures
from ledger.record.names import NAME_CHARACTERS_MAX

EMPTY_COMMITS_MAX = 100
_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_VERDICTS: dict[str, Verdict] = {
    "APPROVED": "approved",
    "CHANGES_REQUESTED": "changes_requested",
    "DISMISSED": "dismissed",
}


@dataclass(frozen=True, slots=True)
class Work:
    """What is known about the making of one artifact. `unsigned`: commits that their author did not sign."""

    authors: tuple[Person, ...]
    commits: tuple[str, ...]
    unsigned: tuple[str, ...]
    sightings: tuple[Sighting, ...]


class Claims:
    """Answers for the artifacts of one commit."""

    def __init__(
        self,
        repository: Repository,
        declaration: Declaration,
        people: People,
        evidence: Evidence,
        signatures: Signatures,
    ) -> None:
        self._repository = repository
        self._people = people
        self._pulls = {each.number: each for each in evidence.pulls}
        self._reviews = deciding(evidence.reviews)
        self._declared = {login_key(each) for person in declaration.people for each in person.github}
        self._signatures = signatures
        self._seen: dict[tuple[str, str, str], bytes | None] = {}
        self._trailers: dict[str, list[tuple[Claim, Commit]]] = {}
        self._ranges: dict[str | None, list[Commit]] = {}
        self._everything: list[Commit] | None = None
        self._is_too_long = False
        self._begins: dict[int, str | None] = {}

    def of(self, place: Place, since: str | None, until: str, commit: str) -> Work:
        """Authors of what happened to an artifact between two commits, and its reviews up to a later one."""
        made = workers(self._repository, since, until, place.path)
        authors = [self._people.of(email_key(named.address)) for each in made for named in each.authors]
        sightings: list[Sighting] = []
        for pull in self._pulls.values():
            ours, brought = self._pull(pull, place)
            authors += ours
            sightings += [
                Sighting(claim, self._digest(claim.commit, place) if claim.problem is None else None, brought)
                for claim in self._platform_claims(pull)
            ]
        for claim, carrier in self._trailer_claims(since, commit):
            seen, begin = self._digest(carrier.id, place), self._reviewed_from(carrier)
            sightings.append(Sighting(claim, seen, seen != (self._digest(begin, place) if begin else None)))
        unsigned = [each.id for each in made if not self._is_signed_by_author(each)]
        return Work(_distinct(authors), tuple(each.id for each in made), tuple(unsigned), tuple(sightings))

    def _is_signed_by_author(self, commit: Commit) -> bool:
        signer = self._signatures.of(commit.id) if commit.is_signed else None
        if signer is None:
            return False
        return self._people.of(signer.person_key).is_same(self._people.of(email_key(commit.author.address)))

    def _pull(self, pull: PullRequest, place: Place) -> tuple[list[Person], bool]:
        """Who wrote the artifact in a pull request, and whether it changed it at all."""
        begin = self._begin(pull)
        if begin is None:
            return [], False
        if self._digest(pull.head, place) == self._digest(begin, place):
            return [], False
        made = workers(self._repository, begin, pull.head, place.path)
        authors = [self._people.of(email_key(named.address)) for each in made for named in each.authors]
        return [self._people.of(login_key(pull.author)), *authors], True

    def _begin(self, pull: PullRequest) -> str | None:
        """Where a pull request branched off; `MissingHistory` where this clone does not know."""
        if pull.number not in self._begins:
            missing = self._repository.missing([pull.head, pull.base])
            if missing:
                raise MissingHistory(
                    f"pull request {pull.number}: commit {min(missing)} is not in this clone; `git fetch origin "
                    f"refs/pull/{pull.number}/head` and the branch that it is for"
                    f"{self._repository.advice() if self._repository.is_shallow else ''}"
                )
            found = self._repository.merge_base(pull.base, pull.head)
            if found is None and self._repository.is_shallow:
                raise MissingHistory(
                    f"pull request {pull.number}: where it branched off is not known{self._repository.advice()}"
                )
            self._begins[pull.number] = found
        return self._begins[pull.number]

    def _platform_claims(self, pull: PullRequest) -> Iterable[Claim]:
        return [self._platform_claim(pull, each) for each in self._reviews if each.pull == pull.number]

    def _platform_claim(self, pull: PullRequest, review: Review) -> Claim:
        login = review.login or ""
        problem = None
        if review.is_bot:
            problem = "reviewer_bot"
        elif review.association not in INSIDERS and login_key(login) not in self._declared:
            problem = "reviewer_outsider"
        elif review.commit != pull.head:
            problem = "review_of_older_commit"
        source = f"github-review:{review.url}"
        return Claim(
            person=self._people.of(login_key(login)),
            verified=True,
            verdict=_VERDICTS[review.state],
            commit=review.commit,
            source=source if len(source) <= NAME_CHARACTERS_MAX else f"github-review:{review.id}",
            where=f"review {review.id} of pull request {pull.number} by {login}",
            at=review.at.isoformat(),
            problem=problem,
        )

    def _reviewed_from(self, carrier: Commit) -> str | None:
        """The commit since which a trailer's commit reviews; itself where what it says is none before it."""
        if carrier.reviewed_since is not None:
            since = carrier.reviewed_since
            if not _ID.fullmatch(since) or self._repository.missing([since]):
                return carrier.id
            return since if self._repository.is_ancestor(since, carrier.id) else carrier.id
        at = carrier
        for _ in range(EMPTY_COMMITS_MAX):
            parent = next(iter(at.parents), None)
            if parent is None:
                return None
            if self._repository.missing([parent]):
                raise MissingHistory(
                    f"what commit {carrier.id} reviews is not known: the history ends before commit {parent}"
                    f"{self._repository.advice()}"
                )
            before = self._repository.commit(parent)
            if before.tree != at.tree:
                return parent
            at = before
        return carrier.id

    def _trailer_claims(self, since: str | None, commit: str) -> Iterator[tuple[Claim, Commit]]:
        for each in self._carriers(since, commit):
            if each.id not in self._trailers:
                claims = [(self._trailer_claim(each, named.address), each) for named in each.reviewed_by]
                self._trailers[each.id] = claims
            yield from self._trailers[each.id]

    def _carriers(self, since: str | None, commit: str) -> list[Commit]:
        """The commits between two that carry review trailers.

        Against a base all artifacts ask for the same range. Without one each has its own: then all of the history is
        looked through once, and only where anything was found, git is asked which of it is in a range.
        """
        if since in self._ranges:
            return self._ranges[since]
        if self._ranges and self._everything is None and not self._is_too_long:
            try:
                self._everything = [each for each in between(self._repository, None, commit) if each.reviewed_by]
            except TooManyCommits:
                self._is_too_long = True
        if self._everything is None:
            found = [each for each in between(self._repository, since, commit) if each.reviewed_by]
        elif self._everything and since is not None:
            inside = set(self._repository.listed(commit, f"^{since}"))
            found = [each for each in self._everything if each.id in inside]
        else:
            found = self._everything
        self._ranges[since] = found
        return found

    def _trailer_claim(self, commit: Commit, address: str) -> Claim:
        person = self._people.of(email_key(address))
        signer = self._signatures.of(commit.id) if commit.is_signed else None
        verified = (
            signer is not None
            and address.lower() not in PLATFORM_ADDRESSES
            and self._people.of(signer.person_key).is_same(person)
        )
        by = "signed by its own reviewer" if verified else "not signed by its own reviewer"
        return Claim(
            person=person,
            verified=verified,
            verdict="approved",
            commit=commit.id,
            source=f"{'signed-commit' if verified else 'trailer'}:{commit.id}",
            where=f"the trailer for {person.name} in commit {commit.id[:12]} ({by})",
        )

    def _digest(self, commit: str, place: Place) -> bytes | None:
        """Of the artifact at a commit."""
        key = (commit, place.path, place.keys)
        if key not in self._seen:
            found = at_commit(self._repository, commit, place)
            self._seen[key] = found.sha256 if found is not None else None
        return self._seen[key]


def _distinct(people: Iterable[Person]) -> tuple[Person, ...]:
    found: list[Person] = []
    for each in people:
        if not any(each.is_same(other) for other in found):
            found.append(each)
    return tuple(found)
