"""Who signed a commit: SSH and OpenPGP, with real keys."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from ledger.changes.git import Repository
from ledger.changes.signatures import Signatures, Signer, allowed_signers
from ledger.errors import Misconfigured
from tests.ledger.changes.repositories import MIA, PRIYA, TOMAS, GitRepository, address


def _signer(repository: GitRepository, allowed: str, commit: str = "HEAD", gpg: Path | None = None) -> Signer | None:
    with Repository(repository.folder) as opened:
        return Signatures(opened, allowed.encode(), gpg).of(opened.resolve(commit))


def test_a_good_signature_by_a_listed_key_names_its_owner(repository: GitRepository) -> None:
    """The principal is what the list says of the key, whatever the commit says of itself."""
    repository.commit(who=TOMAS, sign=True)
    found = _signer(repository, repository.signers(MIA, TOMAS).read_text())
    assert found is not None
    assert (found.principal, found.person_key) == (address(TOMAS), f"email:{address(TOMAS)}")
    assert found.key.startswith("SHA256:")


def test_other_signatures_name_nobody(repository: GitRepository) -> None:
    """No signature, an unknown key, a key for another purpose, a pattern, and a list of nothing count as nobody's."""
    unsigned = repository.head()
    repository.commit(who=PRIYA, sign=True)
    public = " ".join(repository.key(PRIYA).with_suffix(".pub").read_text().split()[:2])
    assert _signer(repository, f"{address(PRIYA)} {public}\n") is not None
    assert _signer(repository, f"{address(PRIYA)} {public}\n", unsigned) is None
    assert _signer(repository, repository.signers(MIA, TOMAS).read_text()) is None
    assert _signer(repository, f'{address(PRIYA)} namespaces="file" {public}\n') is None
    assert _signer(repository, f"*@example.org {public}\n") is None
    assert _signer(repository, f'{address(PRIYA)} valid-before="20200101" {public}\n') is None
    assert _signer(repository, "") is None
    assert _signer(repository, "nonsense \x00\n\n") is None


def test_a_signature_over_something_else_names_nobody(repository: GitRepository) -> None:
    """A commit that carries the signature of another is not signed."""
    repository.commit({"README": "y\n"}, who=TOMAS, sign=True)
    raw = repository.git("cat-file", "commit", "HEAD")
    forged = repository.git(
        "hash-object", "-t", "commit", "-w", "--stdin", given=raw.replace("A change", "Another").encode() + b"\n"
    )
    assert _signer(repository, repository.signers(TOMAS).read_text(), forged) is None
    assert _signer(repository, repository.signers(TOMAS).read_text()) is not None


def test_without_a_list_no_signature_counts(repository: GitRepository) -> None:
    """A signature alone proves nothing: anybody can make a key."""
    repository.commit(who=TOMAS, sign=True)
    with Repository(repository.folder) as opened:
        assert allowed_signers(opened, None, None).of(opened.resolve("HEAD")) is None


def test_a_list_comes_from_outside_or_from_a_trusted_revision(repository: GitRepository, tmp_path: Path) -> None:
    """A list in the work tree that is judged is refused; the same file at another revision is not."""
    text = repository.signers(TOMAS).read_text()
    trusted = repository.commit({".github/allowed_signers": text})
    repository.commit(who=TOMAS, sign=True)
    inside = repository.folder / ".github" / "allowed_signers"
    (tmp_path / "link").symlink_to(inside)
    with Repository(repository.folder) as opened:
        head = opened.resolve("HEAD")
        found = allowed_signers(opened, f"{trusted}:.github/allowed_signers", None).of(head)
    assert found is not None
    for named in (str(inside), str(tmp_path / "link")):
        with Repository(repository.folder) as opened, pytest.raises(Misconfigured, match="lies in the work tree"):
            allowed_signers(opened, named, None)
    for named in ("nothing", "main:", "main:nothing", "nothing:x", ":x"):
        with Repository(repository.folder) as opened, pytest.raises(Misconfigured):
            allowed_signers(opened, named, None)


@pytest.fixture
def gpg(tmp_path: Path) -> dict[str, str]:
    """An environment with an OpenPGP key of Tomas."""
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    home = tmp_path / "gnupg"
    home.mkdir(mode=0o700)
    environment = {"PATH": os.environ["PATH"], "GNUPGHOME": str(home), "HOME": str(home), "LC_ALL": "C"}
    key = f"Tomas <{address(TOMAS)}>"
    command = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-generate-key", key, "ed25519", "sign", "never"]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60)
    return environment


def test_an_openpgp_key_counts_by_its_fingerprint(
    repository: GitRepository, gpg: dict[str, str], tmp_path: Path
) -> None:
    """A good OpenPGP signature names whom the list gives the key's fingerprint to, never whom the key says it is."""
    run = {"env": gpg, "check": True, "capture_output": True, "timeout": 60, "text": True}
    listed = subprocess.run(["gpg", "--with-colons", "--fingerprint"], **run).stdout  # type: ignore[call-overload]
    fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr"))
    public = tmp_path / "keys.asc"
    public.write_text(subprocess.run(["gpg", "--armor", "--export"], **run).stdout)  # type: ignore[call-overload]
    signing = ["git", "-c", f"user.signingkey={fingerprint}", "-c", "user.name=T", "-c", f"user.email={address(TOMAS)}"]
    subprocess.run(
        [*signing, "commit", "-q", "--allow-empty", "-S", "-m", "Signed"],
        **{**run, "cwd": repository.folder},  # type: ignore[call-overload]
    )
    subprocess.run(["gpgconf", "--kill", "all"], **run)  # type: ignore[call-overload]
    found = _signer(repository, f"t.berg@example.org openpgp {fingerprint}\n", gpg=public)
    assert found == Signer("t.berg@example.org", fingerprint)
    assert _signer(repository, f"t.berg@example.org openpgp {'A' * 40}\n", gpg=public) is None
    assert _signer(repository, f"*@example.org openpgp {fingerprint}\n", gpg=public) is None
    with pytest.raises(Misconfigured, match="--gpg-keys"):
        _signer(repository, f"t.berg@example.org openpgp {fingerprint}\n")
    (tmp_path / "nonsense").write_text("nonsense")
    with pytest.raises(Misconfigured, match="gpg could not take"):
        _signer(repository, "", gpg=tmp_path / "nonsense")
