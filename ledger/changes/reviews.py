"""Which reviews count for an artifact. Pure functions.

A *claim* says that somebody reviewed a commit. It is *verified* when the platform's own record says so, or a commit
that the reviewer signed (`Reviewed-by:` naming its own signer); else, as every other trailer, it is *asserted*.

A verified claim counts for an artifact when all of this holds:

| it is refused as                | unless                                                                |
| ------------------------------- | --------------------------------------------------------------------- |
| `changes_requested`             | the latest review of that person approves                             |
| `review_dismissed`              | it was not dismissed                                                  |
| `reviewer_gone`, `reviewer_bot` | its account is there, and a person's                                  |
| `reviewer_outsider`             | the reviewer belongs to the repository (owner, member, collaborator), |
|                                 | or is declared                                                        |
| `review_of_older_commit`        | it was given on the commit that the pull request ends with            |
| `review_of_other_change`        | what was reviewed there did change this artifact                      |
| `artifact_changed_since_review` | the artifact is byte for byte what was reviewed                       |
| `author_is_reviewer`            | the reviewer is none of the authors, under any name or address        |
| `identity_unknown`              | no author is known by such names only that he could be the reviewer   |
| `review_asserted`               | it is verified                                                        |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ledger.changes.people import Person
from ledger.v1 import event_pb2 as pb

Verdict = Literal["approved", "changes_requested", "dismissed"]
NAMES_CHARACTERS_MAX = 256
NAMES_WORDS_MAX = 8


@dataclass(frozen=True, slots=True)
class Claim:
    """Somebody's review of a commit.

    `source` is what the ledger says of where it is recorded, `where` what people are told. `problem`: a code of the
    table above that holds whatever the artifact is.
    """

    person: Person | None
    verified: bool
    verdict: Verdict
    commit: str
    source: str
    where: str
    at: str = ""
    problem: str | None = None

    def to_event(self) -> pb.Reviewer:
        """As the Change says it."""
        standing = pb.REVIEW_STANDING_VERIFIED if self.verified else pb.REVIEW_STANDING_ASSERTED
        return pb.Reviewer(name=self.person.name if self.person else "", standing=standing, source=self.source)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A claim, and what of one artifact the reviewer saw: its digest (None: it is not there).

    `is_its_change`: whether what was reviewed changed the artifact at all.
    """

    claim: Claim
    digest: bytes | None
    is_its_change: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """A claim that does not count, and why: a code of the table above, and what exactly, in words."""

    claim: Claim
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What the claims come to. `counted` has each person once."""

    counted: tuple[Claim, ...]
    refused: tuple[Refused, ...]


def judge_reviews(digest: bytes | None, authors: Sequence[Person], sightings: Iterable[Sighting]) -> Reviewed:
    """Which claims count for an artifact with this digest (None: its removal) by these authors."""
    counted: list[Claim] = []
    refused: list[Refused] = []
    for each in sightings:
        found = _refusal(digest, authors, each)
        if found is not None:
            refused.append(Refused(each.claim, *found))
        elif each.claim.person is not None and not any(
            each.claim.person.is_same(other.person) for other in counted if other.person is not None
        ):
            counted.append(each.claim)
    return Reviewed(tuple(counted), tuple(refused))


def _refusal(digest: bytes | None, authors: Sequence[Person], seen: Sighting) -> tuple[str, str] | None:
    claim = seen.claim
    if claim.verdict != "approved":
        code = {"changes_requested": "changes_requested", "dismissed": "review_dismissed"}[claim.verdict]
        return code, claim.where
    if claim.problem is not None:
        return claim.problem, claim.where
    person = claim.person
    if person is None:
        return "reviewer_gone", claim.where
    if not seen.is_its_change:
        return "review_of_other_change", f"{claim.where} is about a change that does not touch it"
    if seen.digest != digest:
        return "artifact_changed_since_review", f"{claim.where} saw {_short(seen.digest)}, this is {_short(digest)}"
    author = next((each for each in authors if each.is_same(person)), None)
    if author is not None:
        return "author_is_reviewer", f"{person.name} wrote it: {claim.where}"
    if not claim.verified:
        return "review_asserted", f"{claim.where} is said by whoever wrote the commit, and by nobody else"
    unknown = next((each for each in authors if each.may_be(person)), None)
    if unknown is not None:
        return (
            "identity_unknown",
            f"{person.name} may be the author {unknown.name}: {claim.where}; name them in [[people]], or give the "
            "pull request's commits",
        )
    return None


def _short(digest: bytes | None) -> str:
    return "none" if digest is None else digest.hex()[:12]


def names_of(people: Sequence[Person]) -> str:
    """People in one name of the payload, separated by `, `; those that do not fit are counted."""
    names = list(dict.fromkeys(each.name for each in people))
    for kept in range(len(names), 0, -1):
        more = [f"+{len(names) - kept}"] if kept < len(names) else []
        text = ", ".join([*names[:kept], *more])
        if len(text) <= NAMES_CHARACTERS_MAX and len(text.split(" ")) <= NAMES_WORDS_MAX:
            return text
    return ""
