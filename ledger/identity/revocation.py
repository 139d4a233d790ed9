"""What does not hold any more although it is not over: a text file, one entry a line.

    jti 6f1b2c3d                            # one token
    subject company mia@example.org         # every token of this subject of this issuer (its name in the roles file)
    certificate 3b1f...                     # a certificate, SHA-256 of its DER form in hex

A word that begins with `#` begins a comment. The file is read again when it changes. One that is missing or wrong
refuses everybody: a list that can't be read must not be taken for an empty one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import Misconfigured

FILE_BYTES_MAX = 64 * 1024 * 1024
_COMMENT = re.compile(r"(?:^|\s)#")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Revoked:
    """What is revoked."""

    token_ids: frozenset[str] = frozenset()
    subjects: frozenset[tuple[str, str]] = frozenset()
    certificates: frozenset[str] = frozenset()


def read_revoked(path: Path) -> Revoked:
    """The list at `path`. `Misconfigured`, with the line, for one that is not such a list."""
    try:
        with path.open("rb") as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise Misconfigured(f"{path}: cannot read the revocations: {error.strerror}") from None
    except UnicodeDecodeError:
        raise Misconfigured(f"{path}: expected UTF-8") from None
    if len(data) > FILE_BYTES_MAX:
        raise Misconfigured(f"{path}: expected at most {FILE_BYTES_MAX} bytes")
    token_ids, subjects, certificates = set(), set(), set()
    for number, line in enumerate(text.splitlines(), start=1):
        match _COMMENT.split(line, maxsplit=1)[0].split(maxsplit=2):
            case []:
                continue
            case ["jti", token_id]:
                token_ids.add(token_id)
            case ["subject", issuer, subject]:
                subjects.add((issuer, subject.strip()))
            case ["certificate", digest] if _SHA256.fullmatch(digest):
                certificates.add(digest)
            case _:
                raise Misconfigured(
                    f"{path}, line {number}: expected `jti ID`, `subject ISSUER SUBJECT` or `certificate SHA256`"
                )
    return Revoked(frozenset(token_ids), frozenset(subjects), frozenset(certificates))
