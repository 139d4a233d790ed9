"""An issuer's keys at a real https address: own CA, rotation, an address that is away or lies."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ledger.errors import Misconfigured, Unavailable
from ledger.identity.authority import AUTHORIZATION, Authority
from ledger.identity.document import parse_roles
from ledger.identity.errors import Unauthenticated
from ledger.identity.key_sets import ASK_AGAIN_S, BYTES_MAX, REFRESH_S, STALE_MAX_S, KeySet, fetch_https
from tests.certificates import Made, TokenKey, key_set, make, self_signed, server

ONE, TWO = TokenKey.new("one"), TokenKey.new("two")


@dataclass
class Issuer:
    """An https server with a key set."""

    address: str = ""
    body: bytes = b""
    status: int = 200
    location: str = ""
    asked: list[str] = field(default_factory=list)


class Clock:
    """Goes when it is told to."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


def serve(issuer: Issuer, certificate: Made, folder: Path, name: str) -> http.server.ThreadingHTTPServer:
    """Starts it; the caller shuts it down."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            self.send_response(issuer.status)
            if issuer.location:
                self.send_header("Location", issuer.location)
            self.send_header("Content-Length", str(len(issuer.body)))
            self.end_headers()
            self.wfile.write(issuer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    class Quiet(http.server.ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            """A client that refuses our certificate hangs up; that is the point."""

    listening = Quiet(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate.write(folder, name))
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    issuer.address = f"https://127.0.0.1:{listening.server_address[1]}/keys"
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    return listening


@pytest.fixture
def ca(tmp_path: Path) -> tuple[Made, Path]:
    """A company's own CA, and its file."""
    made = make("company CA", ca=True)
    path = tmp_path / "ca.pem"
    path.write_bytes(made.pem)
    return made, path


@pytest.fixture
def issuer(tmp_path: Path, ca: tuple[Made, Path]) -> Iterator[Issuer]:
    """One that gives the key `one`."""
    made = Issuer(body=key_set(ONE))
    listening = serve(made, server(ca[0]), tmp_path, "issuer")
    yield made
    listening.shutdown()
    listening.server_close()


def test_only_under_the_ca_that_was_named(issuer: Issuer, ca: tuple[Made, Path], tmp_path: Path) -> None:
    """The system's CAs don't vouch for it, another one neither, nor does a server vouch for itself."""
    assert fetch_https(issuer.address, ca[1]) == issuer.body
    with pytest.raises(Unavailable):
        fetch_https(issuer.address)
    other = tmp_path / "other.pem"
    other.write_bytes(make("another CA", ca=True).pem)
    with pytest.raises(Unavailable):
        fetch_https(issuer.address, other)
    alone = Issuer(body=key_set(ONE))
    listening = serve(alone, self_signed(), tmp_path, "alone")
    with pytest.raises(Unavailable):
        fetch_https(alone.address, ca[1])
    listening.shutdown()
    listening.server_close()
    assert alone.asked == []


def test_another_name_is_not_the_address(ca: tuple[Made, Path], tmp_path: Path) -> None:
    """A certificate of the right CA for another host does not do."""
    from cryptography import x509

    made = Issuer(body=key_set(ONE))
    listening = serve(made, make("elsewhere", x509.DNSName("elsewhere.example"), by=ca[0]), tmp_path, "elsewhere")
    with pytest.raises(Unavailable):
        fetch_https(made.address, ca[1])
    listening.shutdown()
    listening.server_close()


@pytest.mark.parametrize("lie", ["redirect", "error", "large", "none"])
def test_an_address_that_answers_with_something_else(issuer: Issuer, ca: tuple[Made, Path], lie: str) -> None:
    """Elsewhere, an error, too much, no key set: none of it is a key."""
    match lie:
        case "redirect":
            issuer.status, issuer.location = 302, issuer.address
        case "error":
            issuer.status = 500
        case "large":
            issuer.body = b" " * (BYTES_MAX + 1)
        case "none":
            issuer.body = b"<html>"
    with pytest.raises(Unavailable):
        KeySet(issuer.address, ca=ca[1]).find("one")
    assert len(issuer.asked) == 1


def test_rotation_and_an_address_that_goes_away(tmp_path: Path, ca: tuple[Made, Path]) -> None:
    """A new key is found with its first token, an old one goes with the set; away, the last keys serve for a day."""
    clock, made = Clock(), Issuer(body=key_set(ONE))
    listening = serve(made, server(ca[0]), tmp_path, "issuer")
    keys = KeySet(made.address, monotonic_s=clock, ca=ca[1])
    assert keys.find("one") is not None
    made.body = key_set(ONE, TWO)
    clock.now_s += ASK_AGAIN_S
    assert keys.find("two") is not None
    made.body = key_set(TWO)
    assert keys.find("one") is not None, "the set is asked for again in a while"
    clock.now_s += REFRESH_S
    assert keys.find("one") is None
    assert keys.find("two") is not None
    listening.shutdown()
    listening.server_close()
    clock.now_s += STALE_MAX_S - REFRESH_S
    assert keys.find("two") is not None
    clock.now_s += REFRESH_S + 1
    with pytest.raises(Unavailable):
        keys.find("two")


ROLES = """
format = 1
version = "1"
[issuers.company]
issuer = "https://login.example.org"
audience = "audit-ledger"
keys = "{address}"
keys_ca = "ca.pem"
algorithms = ["ES256"]
[[grants]]
role = "auditor"
issuer = "company"
subject = "anna"
tenants = ["acme"]
"""


def test_tokens_under_rotated_keys(
    issuer: Issuer, ca: tuple[Made, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a roles file to a caller: real tokens, under the key that the address gives now, and under no other."""
    monkeypatch.setattr("ledger.identity.key_sets.ASK_AGAIN_S", 0.0)
    monkeypatch.setattr("ledger.identity.key_sets.REFRESH_S", 0.0)
    path = tmp_path / "roles.toml"
    path.write_text(ROLES.format(address=issuer.address))
    authority = Authority(path)

    def caller(key: TokenKey) -> str:
        return authority.caller(((AUTHORIZATION, f"Bearer {key.token('anna')}"),), {}).name

    assert caller(ONE) == "company:anna"
    with pytest.raises(Unauthenticated):
        caller(TWO)
    issuer.body = key_set(TWO)
    assert caller(TWO) == "company:anna"
    with pytest.raises(Unauthenticated):
        caller(ONE)
    stranger = TokenKey.new("two")
    with pytest.raises(Unauthenticated):
        caller(stranger)


def test_a_ca_is_for_addresses(tmp_path: Path) -> None:
    """Beside a file of keys it means nothing, and is refused."""
    with pytest.raises(Misconfigured, match="keys_ca"):
        parse_roles(ROLES.format(address="jwks.json").encode(), tmp_path)
