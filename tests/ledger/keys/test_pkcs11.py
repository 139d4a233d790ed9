"""What a master key and a signing key promise, in a file and in a token; and what a token's keys refuse."""

from __future__ import annotations

import copy
import os
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ledger.errors import IntegrityError, Misconfigured, Unavailable
from ledger.keys import pkcs11
from ledger.keys.master import LocalMasterKey, MasterKey
from ledger.keys.pkcs11 import Pkcs11MasterKey, Pkcs11SigningKey, make_master_key, make_signing_key
from ledger.keys.pkcs11_uri import KeyUri
from ledger.keys.signing import SigningKey
from ledger.tlog.note import open_note, sign_note
from tests.ledger.keys.softhsm import LABEL, PIN, Token, need_softhsm

MakeMaster = Callable[[], tuple[MasterKey, Callable[[], MasterKey]]]
MakeSigning = Callable[[], tuple[SigningKey | Pkcs11SigningKey, Callable[[], SigningKey | Pkcs11SigningKey]]]


@pytest.fixture
def token() -> Token:
    """The run's token."""
    return need_softhsm()


def label() -> str:
    return f"k-{os.urandom(8).hex()}"


@pytest.fixture(params=["file", "token"])
def make_master(request: pytest.FixtureRequest, tmp_path: Path) -> MakeMaster:
    """Makes a master key, and how another process opens it."""

    def make() -> tuple[MasterKey, Callable[[], MasterKey]]:
        if request.param == "file":
            path = tmp_path / label()
            return LocalMasterKey.create(path), lambda: LocalMasterKey.load(path)
        uri = need_softhsm().uri(label())
        return make_master_key(uri), lambda: Pkcs11MasterKey(uri)

    return make


@pytest.fixture(params=["local", "token"])
def make_signing(request: pytest.FixtureRequest) -> MakeSigning:
    """Makes a signing key, and how another process opens it."""

    def make() -> tuple[SigningKey | Pkcs11SigningKey, Callable[[], SigningKey | Pkcs11SigningKey]]:
        if request.param == "local":
            seed = os.urandom(32)
            return SigningKey(seed), lambda: SigningKey(seed)
        uri = need_softhsm().uri(label())
        return make_signing_key(uri), lambda: Pkcs11SigningKey(uri)

    return make


def test_what_is_sealed_is_opened_by_the_same_key_in_the_same_place(make_master: MakeMaster) -> None:
    """Another process opens what one sealed, of any length; the id is the same."""
    made, open_again = make_master()
    for plain in (b"", b"k", os.urandom(32), os.urandom(500)):
        assert open_again().open(made.seal(plain, b"place"), b"place") == plain
    assert open_again().key_id == made.key_id


def test_nothing_else_opens(make_master: MakeMaster) -> None:
    """Another place, another key, an altered byte, a cut and an empty value are `IntegrityError`."""
    made, _ = make_master()
    other, _ = make_master()
    assert other.key_id != made.key_id
    sealed = made.seal(os.urandom(32), b"place")
    wrong = [sealed[:-1], sealed[:5], b"", bytes(len(sealed))]
    wrong += [sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :] for at in range(len(sealed))]
    for each in wrong:
        with pytest.raises(IntegrityError):
            made.open(each, b"place")
    with pytest.raises(IntegrityError):
        made.open(sealed, b"another place")
    with pytest.raises(IntegrityError):
        other.open(sealed, b"place")


def test_no_sealing_is_like_another(make_master: MakeMaster) -> None:
    """The same plaintext seals to other bytes each time."""
    made, _ = make_master()
    assert len({made.seal(bytes(32), b"place") for _ in range(50)}) == 50


def test_a_master_key_serves_threads(make_master: MakeMaster) -> None:
    """Many threads seal and open at once."""
    made, _ = make_master()

    def turn(at: int) -> bool:
        plain = at.to_bytes(32, "big")
        return made.open(made.seal(plain, b"place"), b"place") == plain

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(turn, range(200)))


def test_a_master_key_shows_its_id_only(make_master: MakeMaster) -> None:
    """It prints as its id and can't be pickled or copied."""
    made, _ = make_master()
    assert made.key_id in repr(made)
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leave(made)


def test_signatures_verify_under_the_public_key(make_signing: MakeSigning) -> None:
    """A note signed by one process's key opens under the public key that another sees."""
    made, open_again = make_signing()
    again = open_again()
    assert again.public_key == made.public_key
    note = sign_note("text\n", [made.signer("audit.test/ledger")])
    assert open_note(note, [again.signer("audit.test/ledger").verifier_key]).text == "text\n"


def test_signing_is_deterministic_and_serves_threads(make_signing: MakeSigning) -> None:
    """Ed25519 gives one signature for one message, on however many threads."""
    made, _ = make_signing()
    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(made.sign, [b"message"] * 100))) == 1


def test_a_signing_key_shows_nothing(make_signing: MakeSigning) -> None:
    """It prints as its public key and can't be pickled or copied."""
    made, _ = make_signing()
    assert made.public_key.hex() in repr(made)
    for leave in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leave(made)


def test_a_key_is_never_made_twice(token: Token) -> None:
    """A label that has a key is refused, and the key goes on."""
    uri = token.uri(label())
    sealed = make_master_key(uri).seal(b"key", b"")
    with pytest.raises(Misconfigured, match="never overwritten"):
        make_master_key(uri)
    assert Pkcs11MasterKey(uri).open(sealed, b"") == b"key"
    uri = token.uri(label())
    make_signing_key(uri)
    with pytest.raises(Misconfigured, match="never overwritten"):
        make_signing_key(uri)


def test_a_key_that_is_not_there_is_named(token: Token) -> None:
    """No key of the label, a key of another kind and a token that is not there are the operator's to mend."""
    uri = token.uri(label())
    with pytest.raises(Misconfigured, match="expected one key in the token, found 0"):
        Pkcs11MasterKey(uri)
    make_signing_key(uri)
    with pytest.raises(Misconfigured, match="expected one key"):
        Pkcs11MasterKey(uri)
    with pytest.raises(Misconfigured, match="expected one token of this name, found 0"):
        Pkcs11MasterKey(uri.replace(f"token={LABEL}", "token=nobody"))
    with pytest.raises(Misconfigured, match="cannot be loaded"):
        Pkcs11MasterKey(f"pkcs11:token=x;object=y?module-path=/dev/null&pin-source=file:{token.pin_file}")


def test_a_key_that_its_token_gives_out_is_refused(token: Token) -> None:
    """An extractable key is no better than a file and is not used."""
    import pkcs11 as library

    uri = KeyUri.parse(token.uri(label()))
    flags = library.MechanismFlag.ENCRYPT | library.MechanismFlag.DECRYPT
    template = {library.Attribute.EXTRACTABLE: True, library.Attribute.SENSITIVE: False}
    pkcs11._Session.of(uri).use(
        lambda session: session.generate_key(
            library.KeyType.AES, 256, label=uri.label, id=bytes(16), store=True, capabilities=flags, template=template
        )
    )
    with pytest.raises(Misconfigured, match="would give the key out"):
        Pkcs11MasterKey(str(uri))


# The library ends a search in a destructor, and complains there that the test closed its session.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_lost_session_is_opened_again(token: Token) -> None:
    """A token that ended the session is asked once more; keys opened before go on."""
    uri = token.uri(label())
    master, signing = make_master_key(uri), make_signing_key(uri)
    session = pkcs11._Session.of(KeyUri.parse(uri))
    for _ in range(2):
        session._session.close()
        assert master.open(master.seal(b"key", b""), b"") == b"key"
        session._session.close()
        assert len(signing.sign(b"message")) == 64


def test_a_token_that_is_away_is_unavailable(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that fails twice is `Unavailable`, so that a gateway asks for a retry instead of stopping."""
    import pkcs11 as library

    def fail(session: object) -> None:
        raise library.DeviceRemoved

    session = pkcs11._Session(KeyUri.parse(token.uri(label())))
    monkeypatch.setattr(session, "_connected", lambda: None)
    with pytest.raises(Unavailable, match="is away"):
        session.use(fail)


def test_the_pin_stands_in_no_message(token: Token, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong PIN is refused, from a file or a variable, and neither message shows it."""
    wrong = tmp_path / "pin"
    wrong.touch(mode=0o600)
    wrong.write_text("wrong-pin-1122\n")
    monkeypatch.setattr(pkcs11._Session, "_open", {})
    monkeypatch.setenv("WRONG_PIN", "wrong-pin-1122")
    # Where the process is logged in already, the token asks for no PIN; so this looks at what reads it.
    for source in (f"file:{wrong}", "env:WRONG_PIN"):
        uri = KeyUri.parse(token.uri(label(), source))
        assert uri.pin() == "wrong-pin-1122"
        assert "1122" not in repr(uri) + str(uri)
    assert KeyUri.parse(token.uri("x")).pin() == PIN
    wrong.chmod(0o644)
    with pytest.raises(Misconfigured, match="open to others"):
        KeyUri.parse(token.uri("x", f"file:{wrong}")).pin()
    monkeypatch.delenv("WRONG_PIN")
    with pytest.raises(Misconfigured, match="which is not set"):
        KeyUri.parse(token.uri("x", "env:WRONG_PIN")).pin()


GOOD = "pkcs11:token=audit;object=m?module-path=/lib/p11.so&pin-source=file:/etc/pin"


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        (GOOD.replace("pkcs11:", "file:"), "begin with pkcs11:"),
        (GOOD.replace("token=audit;", ""), "expected token="),
        (GOOD.replace(";object=m", ""), "expected object="),
        (GOOD.replace("/lib/p11.so", "p11.so"), "absolute path of the module"),
        (GOOD.replace("&pin-source=file:/etc/pin", ""), "pin-source"),
        (GOOD.replace("file:/etc/pin", "file:pin"), "pin-source"),
        (GOOD.replace("file:/etc/pin", "|cat"), "pin-source"),
        (GOOD.replace("file:/etc/pin", "env:A-B"), "pin-source"),
        (GOOD + "&pin-value=1234", "pin-value is refused"),
        (GOOD.replace("object=m", "object=m;slot-id=1"), "slot-id is unknown"),
        (GOOD.replace("object=m", "object=m;object=n"), "twice"),
        (GOOD.replace("object=m", "object="), "empty"),
        (GOOD.replace("object=m", "object=%ff"), "not UTF-8"),
    ],
)
def test_a_wrong_uri_is_refused(uri: str, message: str) -> None:
    """A URI that leads to no key, or that holds a PIN, is refused, and a PIN in it is not repeated."""
    with pytest.raises(Misconfigured, match=message) as refused:
        KeyUri.parse(uri)
    assert "1234" not in str(refused.value)


def test_a_uri_is_read_as_it_is_written() -> None:
    """Percent-encoding, ids of bytes and serial numbers are understood."""
    uri = KeyUri.parse(
        "pkcs11:serial=00ff;id=%00%01%ab;object=my%20key;type=secret-key?module-path=/m.so&pin-source=env:PIN"
    )
    assert (uri.serial, uri.key_id, uri.label, uri.kind) == ("00ff", b"\x00\x01\xab", "my key", "secret-key")
    assert (uri.token, uri.module, uri.pin_source) == (None, Path("/m.so"), "env:PIN")
