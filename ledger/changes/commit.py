"""A commit as its raw bytes say it: parents, author, committer, message, and who the message names.

What a repository holds was written by anybody: no encoding, no form of a line is taken for granted, and what can't be
read as an address is told as it is or left out, never guessed.

    Co-authored-by: NAME <ADDRESS>      anywhere in the message, in any case: one more author
    Reviewed-by: NAME <ADDRESS>         in the last paragraph: a review, asserted by whoever wrote the message
    Approved-by: NAME <ADDRESS>         the same
    Reviewed-since: COMMIT              there too: the review is of everything since that commit

Co-authors are looked for everywhere because too many authors only make the gate stricter; reviews only where git itself
finds trailers, in the last paragraph.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledger.errors import Rejected

_PERSON = re.compile(rb"(?P<name>[^<]*)<(?P<address>[^>]*)>(?: (?P<at>-?[0-9]{1,18}) [+-][0-9]{4,})?")
_CO_AUTHOR = re.compile(r"^\s*co-authored-by\s*:\s*(.*)$", re.I | re.M)
_REVIEW = re.compile(r"^(reviewed-by|approved-by)\s*:\s*(.*)$", re.I)
_SINCE = re.compile(r"^reviewed-since\s*:\s*(.*)$", re.I)
_ADDRESS = re.compile(r"(?P<name>[^<]*)<(?P<address>[^<>]*)>")
_ID = re.compile(rb"[0-9a-f]{40}|[0-9a-f]{64}")
_SIGNATURES = (b"gpgsig", b"gpgsig-sha256")


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody as a commit names them; `at_s` is Unix seconds, 0 where the commit does not say."""

    name: str
    address: str
    at_s: int = 0


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit. `authors`: the author first, then the co-authors; `reviewed_by`: its review trailers."""

    id: str
    tree: str
    parents: tuple[str, ...]
    author: Named
    committer: Named
    is_signed: bool
    message: str

    @property
    def authors(self) -> tuple[Named, ...]:
        """Everybody who wrote it."""
        found = [self.author, *_addressed(_CO_AUTHOR.findall(self.message))]
        return tuple({each.address.casefold(): each for each in reversed(found)}.values())[::-1]

    @property
    def reviewed_by(self) -> tuple[Named, ...]:
        """Whom its review trailers name, each once."""
        lines = (_REVIEW.match(line) for line in self._last_paragraph())
        found = _addressed([line[2] for line in lines if line is not None])
        return tuple({each.address.casefold(): each for each in found}.values())

    @property
    def reviewed_since(self) -> str | None:
        """The commit since which it says it was reviewed; a text that is no id of one is as good as none such."""
        found = [line for each in self._last_paragraph() if (line := _SINCE.match(each)) is not None]
        return found[0][1].strip() if found else None

    def _last_paragraph(self) -> list[str]:
        paragraphs = re.split(r"\n[ \t]*\n", self.message.rstrip())
        return paragraphs[-1].splitlines() if len(paragraphs) > 1 else []


def parse_commit(commit_id: str, raw: bytes) -> Commit:
    """The commit in a commit object's bytes; `Rejected` when they are none."""
    head, _, message = raw.partition(b"\n\n")
    headers: dict[bytes, list[bytes]] = {}
    key = b""
    for line in head.split(b"\n"):
        if line.startswith(b" "):
            continue
        key, _, value = line.partition(b" ")
        headers.setdefault(key, []).append(value)
    for needed in (b"tree", b"author", b"committer"):
        if len(headers.get(needed, ())) != 1:
            raise Rejected("", f"commit {commit_id}: expected one line of {needed.decode()}")
    parents = headers.get(b"parent", [])
    if any(not _ID.fullmatch(each) for each in (*parents, *headers[b"tree"])):
        raise Rejected("", f"commit {commit_id}: expected ids as its tree and parents")
    encoding = headers.get(b"encoding", [b"utf-8"])[0]
    return Commit(
        commit_id,
        headers[b"tree"][0].decode(),
        tuple(each.decode() for each in parents),
        _named(headers[b"author"][0], encoding, commit_id),
        _named(headers[b"committer"][0], encoding, commit_id),
        any(each in headers for each in _SIGNATURES),
        _text(message, encoding),
    )


def _named(line: bytes, encoding: bytes, commit_id: str) -> Named:
    found = _PERSON.fullmatch(line)
    if found is None:
        raise Rejected("", f"commit {commit_id}: names its author or committer in a form that git does not write")
    name, address = _text(found["name"], encoding).strip(), _text(found["address"], encoding).strip()
    return Named(name, address, int(found["at"] or 0))


def _text(raw: bytes, encoding: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        pass
    try:
        return raw.decode(encoding.decode("ascii"), "replace")
    except (LookupError, ValueError):
        return raw.decode("latin-1")


def _addressed(values: list[str]) -> list[Named]:
    found = (_ADDRESS.search(each) for each in values)
    return [Named(each["name"].strip(), each["address"].strip()) for each in found if each and each["address"].strip()]
