"""Who calls: tokens and certificates that hold, and every way in which one does not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import Misconfigured, Unavailable
from ledger.identity.authority import Authority, Caller, permit
from ledger.identity.errors import NO_CREDENTIAL, NOT_ALLOWED, Denied, Unauthenticated
from tests.certificates import TokenKey, claims_of, hmac_signed, key_set, make, service, unsigned

ROLES = """
format = 1
version = "1"
revoked = "revoked.txt"
[issuers.company]
issuer = "https://login.example.org"
audience = "audit-ledger"
keys = "jwks.json"
algorithms = ["ES256", "RS256", "EdDSA"]
groups_claim = "groups"
[[grants]]
role = "producer"
certificate = "uri:spiffe://example.org/support"
tenants = ["acme"]
kinds = ["request"]
[[grants]]
role = "producer"
certificate = "dns:Support.example.org"
tenants = ["beta"]
kinds = ["tool_call"]
[[grants]]
role = "investigator"
issuer = "company"
subject = "mia@example.org"
tenants = ["acme"]
[[grants]]
role = "auditor"
issuer = "company"
group = "audit"
tenants = ["acme", "_org"]
sample = ["01990c6e-5a3c-7d60-8a43-6f1b2c3d4e5f"]
"""

KEY = TokenKey.new("k1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a roles file, a key set and an empty list of revocations."""
    (tmp_path / "roles.toml").write_text(ROLES)
    (tmp_path / "jwks.json").write_bytes(key_set(KEY))
    (tmp_path / "revoked.txt").write_text("# nobody\n")
    return tmp_path


@pytest.fixture
def authority(folder: Path) -> Authority:
    """Of that folder."""
    return Authority(folder / "roles.toml")


def by_token(authority: Authority, token: str) -> Caller:
    """Who presents this token."""
    return authority.caller((("authorization", f"Bearer {token}"),), {})


def change(path: Path, data: bytes) -> None:
    """Write a file so that it shows, however coarse the clock of the file system."""
    path.write_bytes(data)
    later = time.time_ns() + 5_000_000_000 + len(data)
    os.utime(path, ns=(later, later))


def refused(call: Callable[[], object]) -> str:
    """Why a credential is refused; the caller reads the same for every reason."""
    with pytest.raises(Unauthenticated) as caught:
        call()
    assert str(caught.value) == NO_CREDENTIAL
    return caught.value.why


def test_a_token_that_holds(authority: Authority) -> None:
    """Its subject has what its grants name, and what those of its groups do."""
    caller = by_token(authority, KEY.token(groups=["audit", "others"]))
    assert (caller.name, caller.method) == ("company:mia@example.org", "jwt")
    assert [grant.role for grant in caller.grants] == ["investigator", "auditor"]
    assert [grant.role for grant in by_token(authority, KEY.token("sam", groups=["audit"])).grants] == ["auditor"]
    assert by_token(authority, KEY.token("sam")).grants == ()


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_every_allowed_algorithm(folder: Path, algorithm: str) -> None:
    """RS256, ES256 and EdDSA are taken, each with a key of its type."""
    key = TokenKey.new("other", algorithm)
    (folder / "jwks.json").write_bytes(key_set(KEY, key))
    assert by_token(Authority(folder / "roles.toml"), key.token()).method == "jwt"


def now() -> int:
    """Seconds."""
    return int(time.time())


WRONG: dict[str, tuple[Callable[[], str], str]] = {
    "expired": (lambda: KEY.token(iat=now() - 700, exp=now() - 100), "an expired token"),
    "not yet valid": (lambda: KEY.token(nbf=now() + 300), "a token not yet valid"),
    "made in the future": (lambda: KEY.token(iat=now() + 300), "a token not yet valid"),
    "wrong audience": (lambda: KEY.token(aud="another"), "a token for another audience"),
    "wrong issuer": (lambda: KEY.token(iss="https://evil.example.org"), "a token of an unknown issuer"),
    "without exp": (lambda: KEY.token(exp=None), "a token without a claim it needs"),
    "without aud": (lambda: KEY.token(aud=None), "a token without a claim it needs"),
    "without sub": (lambda: KEY.token(sub=None), "a token without a claim it needs"),
    "valid for too long": (lambda: KEY.token(exp=now() + 10 * 86_400), "a token valid for too long"),
    "alg none": (lambda: unsigned(claims_of("mia@example.org"), {"kid": "k1"}), "algorithm that is not allowed"),
    "HMAC with the public key": (
        lambda: hmac_signed(claims_of("mia@example.org"), KEY.public_pem, {"kid": "k1"}),
        "algorithm that is not allowed",
    ),
    "another key of the same id": (lambda: TokenKey.new("k1").token(), "a wrong signature"),
    "another algorithm than its key's": (lambda: TokenKey.new("k1", "EdDSA").token(), "not its key's"),
    "an unknown key": (lambda: TokenKey.new("k9").token(), "an unknown key"),
    "no key id": (lambda: KEY.token(headers={"kid": ""}), "an unknown key"),
    "critical extensions": (lambda: KEY.token(headers={"crit": ["b64"], "b64": True}), "token"),
    "malformed": (lambda: "a.b", "a malformed token"),
    "too long": (lambda: "a" * 9_000, "a token too long"),
    "a subject that is no name": (lambda: KEY.token("mia\u200bli"), "no name"),
    "groups that are none": (lambda: KEY.token(groups="audit"), "no list of names"),
}


@pytest.mark.parametrize("lie", WRONG)
def test_a_token_that_does_not_hold(authority: Authority, lie: str) -> None:
    """Each is refused with one and the same text; why stands in the record."""
    token, why = WRONG[lie]
    assert why in refused(lambda: by_token(authority, token()))


def test_leeway(authority: Authority) -> None:
    """Clocks may differ by the issuer's leeway."""
    assert by_token(authority, KEY.token(iat=now() - 600, exp=now() - 5)).grants


def test_revocations_are_read_again(authority: Authority, folder: Path) -> None:
    """A token id, a subject and a certificate hold until they are listed, from the next call on."""
    token = KEY.token()
    assert by_token(authority, token).grants
    change(folder / "revoked.txt", b"jti jti-mia@example.org # lost laptop\n")
    assert refused(lambda: by_token(authority, token)) == "a revoked token"
    change(folder / "revoked.txt", b"subject company mia@example.org\n")
    assert refused(lambda: by_token(authority, KEY.token(jti="another"))) == "a revoked token"
    change(folder / "revoked.txt", b"nonsense\n")
    with pytest.raises(Unavailable):
        by_token(authority, token)
    change(folder / "revoked.txt", b"")
    assert by_token(authority, token).grants


def test_keys_rotate_by_their_id(authority: Authority, folder: Path) -> None:
    """A new key of the set is known at once; one that left it is not; a set that is wrong changes nothing."""
    new = TokenKey.new("k2", "EdDSA")
    change(folder / "jwks.json", key_set(KEY, new))
    assert by_token(authority, new.token()).grants
    change(folder / "jwks.json", key_set(new))
    assert refused(lambda: by_token(authority, KEY.token())) == "a token under an unknown key"
    change(folder / "jwks.json", b"{}")
    assert by_token(authority, new.token()).grants


def test_roles_are_read_again(authority: Authority, folder: Path) -> None:
    """A changed roles file is in force with the next call; one that is wrong changes nothing; at a start it refuses."""
    token = KEY.token()
    path = folder / "roles.toml"
    change(path, ROLES.replace('"investigator"', '"admin"').encode())
    assert [grant.role for grant in by_token(authority, token).grants] == ["admin"]
    change(path, b"nonsense")
    assert [grant.role for grant in by_token(authority, token).grants] == ["admin"]
    with pytest.raises(Misconfigured):
        Authority(path)


def certificate_of(made: Any) -> dict[str, list[bytes]]:
    """What gRPC tells of a connection with this certificate."""
    return {"x509_pem_cert": [made.pem]}


def test_certificates(authority: Authority, folder: Path) -> None:
    """A service is who a granted name of its certificate says; one without such a name may do nothing."""
    from cryptography import x509

    support = service("spiffe://example.org/support", make("CA", ca=True))
    caller = authority.caller((), certificate_of(support))
    assert (caller.name, caller.method) == ("uri:spiffe://example.org/support", "mtls")
    assert [sorted(grant.tenants) for grant in caller.grants] == [["acme"]]
    by_host = make("x", x509.DNSName("SUPPORT.example.org"))
    assert [sorted(grant.tenants) for grant in authority.caller((), certificate_of(by_host)).grants] == [["beta"]]
    assert authority.caller((), certificate_of(make("stranger"))).grants == ()
    old = service("spiffe://example.org/support", support, valid=(timedelta(days=-2), timedelta(days=-1)))
    assert "over" in refused(lambda: authority.caller((), certificate_of(old)))
    change(folder / "revoked.txt", f"certificate {support.sha256}\n".encode())
    assert refused(lambda: authority.caller((), certificate_of(support))) == "a revoked certificate"


def test_one_call_has_one_credential(authority: Authority) -> None:
    """None, two, and one of an unknown kind are refused; so is a bad token beside a good certificate."""
    good = certificate_of(service("spiffe://example.org/support", make("CA", ca=True)))
    token = f"Bearer {KEY.token()}"
    assert refused(lambda: authority.caller((), {})) == "no credential"
    twice = (("authorization", token), ("authorization", token))
    assert refused(lambda: authority.caller(twice, good)) == "several credentials"
    for other in ("Basic x", "Bearer", "Bearer ", b"Bearer x"):
        assert "unknown kind" in refused(lambda other=other: authority.caller((("authorization", other),), good))
    assert "malformed" in refused(lambda: authority.caller((("authorization", "Bearer x"),), good))
    assert authority.caller((("authorization", token),), good).method == "jwt"


def test_permits(authority: Authority) -> None:
    """Whoever has several roles acts in the weakest that allows the call, or in the one he states."""
    caller = by_token(authority, KEY.token(groups=["audit"]))
    assert permit(caller, "Reconstruct", "acme").role == "auditor"
    assert len(permit(caller, "Reconstruct", "acme").sample) == 1
    stated = permit(caller, "Reconstruct", "acme", "investigator")
    assert (stated.role, stated.right, stated.sample) == ("investigator", "case", frozenset())
    assert permit(caller, "Find", "_org").role == "auditor"
    support = authority.caller((), certificate_of(service("spiffe://example.org/support", make("CA", ca=True))))
    assert permit(support, "Publish", "acme").kinds == {"request"}
    assert permit(support, "GetSpoolKey", "").role == "producer"


@pytest.mark.parametrize(
    ("call", "tenant", "role"),
    [
        ("Publish", "acme", ""),
        ("Find", "beta", ""),
        ("Find", "no-such-tenant", ""),
        ("Find", "_system", ""),
        ("Count", "acme", ""),
        ("Reconstruct", "acme", "admin"),
        ("Reconstruct", "acme", "root"),
    ],
)
def test_denied(authority: Authority, call: Any, tenant: str, role: str) -> None:
    """A wrong role, a wrong tenant and a tenant that is not there read the same."""
    caller = by_token(authority, KEY.token(groups=["audit"]))
    with pytest.raises(Denied) as caught:
        permit(caller, call, tenant, role)
    assert str(caught.value) == NOT_ALLOWED
