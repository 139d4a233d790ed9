"""What a repository is called in event ids and descriptions, such as `github.com/acme/assistant`.

The same for everybody who has a clone of it, however it was cloned: host and path of the remote's address, without
scheme, user, password, port and `.git`. A declaration may say another name; a fork should.
"""

from __future__ import annotations

from ledger.changes.document import Declaration
from ledger.changes.git import Repository
from ledger.errors import Misconfigured, Rejected
from ledger.record.names import required

NAME_CHARACTERS_MAX = 180
"""So that a commit still fits behind it in a name."""


def repository_name(repository: Repository, declaration: Declaration, given: str | None) -> str:
    """As given, as declared, or that of the remote `origin`."""
    named = given or declaration.repository or normal_url(repository.setting("remote.origin.url") or "")
    if not named:
        raise Misconfigured("the repository has no name: say --repository, or `repository` in the declaration")
    try:
        required(named, "repository")
    except Rejected as error:
        raise Misconfigured(f"the repository's name: {error.reason}") from None
    if len(named) > NAME_CHARACTERS_MAX:
        raise Misconfigured(f"the repository's name: expected at most {NAME_CHARACTERS_MAX} characters")
    return named


def normal_url(url: str) -> str:
    """Host and path of a remote's address; "" of a local path."""
    if "://" in url:
        scheme, _, rest = url.partition("://")
        if scheme == "file":
            return ""
    else:
        host, colon, path = url.partition(":")
        if not colon or "/" in host:
            return ""
        rest = f"{host}/{path}"
    host, _, path = rest.partition("/")
    host, path = host.rpartition("@")[2].partition(":")[0].lower(), path.strip("/").removesuffix(".git")
    return f"{host}/{path}" if host and path else ""
