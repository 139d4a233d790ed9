"""Who signed a commit: a good signature by a key that the allowed signers list, and whom that list says the key is.

The list is OpenSSH's `allowed_signers` (ssh-keygen(1), ALLOWED SIGNERS), and may name OpenPGP keys in lines of the same
kind, by fingerprint; those keys themselves come from a file of public keys (`gpg --export`):

    tomas@example.org namespaces="git" ssh-ed25519 AAAAC3Nza...
    priya@example.org openpgp 0123456789ABCDEF0123456789ABCDEF01234567

It must not come from the work tree that is judged, where the author could have written it: it is a file outside, or a
file of the repository at a revision that is trusted already (`origin/main:.github/allowed_signers`).

`git verify-commit` checks the signature, with `ssh-keygen` and `gpg` as they are installed here, in the clean
environment of `ledger.changes.git`; the OpenPGP key ring is made anew from the given keys. A principal that is a
pattern (`*@example.org`) says nobody's name and counts as none. OpenSSH judges `valid-before` by the time that the
commit itself claims: to revoke a key, remove its line.

X.509 signatures are not read.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from ledger.changes.git import Repository
from ledger.changes.people import email_key
from ledger.errors import Misconfigured

FILE_BYTES_MAX = 4 * 1024 * 1024
_OPENPGP = re.compile(r"^\s*(?P<who>\S+)\s+openpgp\s+(?P<print>[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})\s*(?:#.*)?$")
_SSH = re.compile(r'^Good "git" signature for (?P<who>.+) with \S+ key (?P<key>SHA256:[A-Za-z0-9+/=]+)\s*$', re.M)
_GPG = re.compile(r"^\[GNUPG:\] VALIDSIG (?P<own>[0-9A-F]{40,64}) (?:\S+ ){8}(?P<primary>[0-9A-F]{40,64})\s*$", re.M)
_GPG_BAD = re.compile(r"^\[GNUPG:\] (?:BADSIG|ERRSIG|EXPSIG|EXPKEYSIG|REVKEYSIG)\b", re.M)
_PATTERN = frozenset("*?!")


@dataclass(frozen=True, slots=True)
class Signer:
    """Whom the allowed signers call the owner of the key that signed; `key`: its fingerprint."""

    principal: str
    key: str

    @property
    def person_key(self) -> str:
        """Under which they are known (`ledger.changes.people`)."""
        return email_key(self.principal)


class Signatures:
    """The signatures of one repository's commits, each looked at once."""

    def __init__(self, repository: Repository, allowed: bytes | None = None, gpg_keys: Path | None = None) -> None:
        self._repository = repository
        self._found: dict[str, Signer | None] = {}
        self._openpgp: dict[str, str] = {}
        self._allowed = repository.scratch / "allowed_signers"
        self._gpg_home = repository.scratch / "gnupg"
        self.is_configured = allowed is not None
        self._prepare(allowed or b"", gpg_keys)

    def _prepare(self, allowed: bytes, gpg_keys: Path | None) -> None:
        lines = allowed.decode("utf-8", "replace").splitlines()
        ssh = []
        for line in lines:
            found = _OPENPGP.match(line)
            if found is not None:
                self._openpgp[found["print"].upper()] = found["who"]
            else:
                ssh.append(line)
        self._allowed.write_text("".join(f"{line}\n" for line in ssh), "utf-8")
        self._gpg_home.mkdir(mode=0o700)
        if self._openpgp and gpg_keys is None:
            raise Misconfigured("the allowed signers name OpenPGP keys; --gpg-keys FILE gives the keys themselves")
        if gpg_keys is not None:
            self._import(gpg_keys)

    def _import(self, gpg_keys: Path) -> None:
        program = shutil.which("gpg")
        if program is None:
            raise Misconfigured("gpg is missing: install GnuPG, or leave out --gpg-keys")
        try:
            data = gpg_keys.read_bytes()
        except OSError as error:
            raise Misconfigured(f"{gpg_keys}: cannot read the OpenPGP keys: {error.strerror}") from None
        command = [program, "--batch", "--no-autostart", "--quiet", "--import"]
        code, _, _ = self._repository.call(command, data, GNUPGHOME=str(self._gpg_home))
        if code:
            raise Misconfigured(f"{gpg_keys}: gpg could not take all of these keys (exit code {code})")

    def of(self, commit: str) -> Signer | None:
        """Who signed a commit with a good signature; None where nobody that is known did."""
        if commit not in self._found:
            self._found[commit] = self._verify(commit) if self.is_configured else None
        return self._found[commit]

    def _verify(self, commit: str) -> Signer | None:
        settings = (
            f"gpg.ssh.allowedSignersFile={self._allowed}",
            "gpg.ssh.program=ssh-keygen",
            "gpg.program=gpg",
            "gpg.openpgp.program=gpg",
            f"gpg.x509.program={self._repository.scratch / 'none'}",
            "gpg.minTrustLevel=undefined",
        )
        program = shutil.which("git") or "git"
        command = [program, f"--git-dir={self._repository.scratch / 'git'}"]
        command += [word for each in settings for word in ("-c", each)]
        code, _, said = self._repository.call(
            [*command, "verify-commit", "--raw", commit], GNUPGHOME=str(self._gpg_home)
        )
        text = said.decode("utf-8", "replace")
        if code:
            return None
        return self._openpgp_signer(text) if "[GNUPG:]" in text else _ssh_signer(text)

    def _openpgp_signer(self, text: str) -> Signer | None:
        found = _GPG.findall(text)
        if len(found) != 1 or _GPG_BAD.search(text):
            return None
        for fingerprint in found[0]:
            who = self._openpgp.get(fingerprint)
            if who is not None and _PATTERN.isdisjoint(who):
                return Signer(who, fingerprint)
        return None


def _ssh_signer(text: str) -> Signer | None:
    found = _SSH.findall(text)
    if len(found) != 1:
        return None
    who, key = found[0]
    return Signer(who, key) if _PATTERN.isdisjoint(who) else None


def allowed_signers(repository: Repository, named: str | None, gpg_keys: Path | None) -> Signatures:
    """Signatures by the list that is named: a file outside the work tree, or `REVISION:PATH`; None: nobody's count."""
    if named is None:
        return Signatures(repository, None, gpg_keys)
    path = Path(named)
    if path.is_file():
        if repository.work_tree is not None and path.resolve().is_relative_to(repository.work_tree.resolve()):
            raise Misconfigured(
                f"--allowed-signers {named}: lies in the work tree that is judged; name it at a revision that is "
                "trusted already, such as origin/main:PATH"
            )
        return Signatures(repository, path.read_bytes(), gpg_keys)
    revision, colon, inside = named.partition(":")
    if not colon or not inside:
        raise Misconfigured(f"--allowed-signers {named!a}: expected a file, or REVISION:PATH")
    data = repository.file(repository.resolve(revision), inside)
    if data is None:
        raise Misconfigured(f"--allowed-signers {named!a}: there is no such file at that revision")
    return Signatures(repository, data, gpg_keys)
