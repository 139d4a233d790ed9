"""Keys that live in a PKCS#11 token (an HSM, a smart card, SoftHSM) and never leave it.

**Master key**: an AES-256 key in the token, CKM_AES_GCM.

    sealed = 0x02 || nonce (12 random bytes) || ciphertext || tag (16 bytes)
    its id = `pkcs11:` and the hex digits of its CKA_ID (8 to 32 bytes; `make_master_key` makes 16 random ones)

A nonce is random: below 2^32 sealings under one key, which seals a few thousand keys in its life.

**Signing key**: an Ed25519 key pair in the token, CKM_EDDSA; both halves have the same CKA_ID. The public key is read
from the token. A signature takes 0.6 ms in SoftHSM: one for each batch of a gateway, one for each round and log of a
sealer.

A key that its token would give out (CKA_EXTRACTABLE, or not CKA_SENSITIVE) is refused: then a file does as well.

One session for each token and process, shared by all its keys and guarded by a lock; a process that forks must open its
keys after the fork. A session that the token lost is opened again, once; after that the call is `Unavailable`. What
does not open is an `IntegrityError`: tokens do not tell an altered ciphertext from one of another key.

Needs `python-pkcs11` (the extra `pkcs11`), loaded when the first such key is opened.
"""

from __future__ import annotations

from collections.abc import Callable
from os import urandom
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any, NoReturn, TypeVar

from ledger.errors import IntegrityError, Misconfigured, Unavailable
from ledger.keys.pkcs11_uri import KeyUri
from ledger.tlog.note import KEY_BYTES, SIGNATURE_BYTES, NoteSigner

NONCE_BYTES = 12
TAG_BYTES = 16
KEY_ID_BYTES = 16
KEY_ID_BYTES_LEAST, KEY_ID_BYTES_MOST = 8, 32

_FORMAT = b"\x02"
_ED25519_OID = "1.3.101.112"
_DER_OCTETS = bytes((0x04, KEY_BYTES))
_LOST = (
    "CryptokiNotInitialized",
    "DeviceError",
    "DeviceRemoved",
    "ObjectHandleInvalid",
    "KeyHandleInvalid",
    "SessionClosed",
    "SessionHandleInvalid",
    "TokenNotPresent",
    "UserNotLoggedIn",
)

T = TypeVar("T")


class Pkcs11MasterKey:
    """A master key in a token. See `ledger.keys.master.MasterKey`."""

    __slots__ = ("_key", "_key_id")

    def __init__(self, uri: str) -> None:
        pkcs11 = _library()
        self._key = _TokenKey(KeyUri.parse(uri), "secret-key", pkcs11.ObjectClass.SECRET_KEY)
        if self._key.read(pkcs11.Attribute.KEY_TYPE) != pkcs11.KeyType.AES or (
            self._key.read(pkcs11.Attribute.VALUE_LEN) != KEY_BYTES
        ):
            raise Misconfigured("master key in a token: expected an AES key of 256 bits")
        identity = bytes(self._key.read(pkcs11.Attribute.ID))
        if not KEY_ID_BYTES_LEAST <= len(identity) <= KEY_ID_BYTES_MOST:
            raise Misconfigured(
                f"master key in a token: expected a CKA_ID of {KEY_ID_BYTES_LEAST} to {KEY_ID_BYTES_MOST} bytes, by "
                f"which it is told from every other, found {len(identity)}"
            )
        self._key_id = "pkcs11:" + identity.hex()

    @property
    def key_id(self) -> str:
        return self._key_id

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        pkcs11, nonce = _library(), urandom(NONCE_BYTES)
        parameters = pkcs11.GCMParams(nonce, aad, 8 * TAG_BYTES)
        made = self._key.use(
            lambda key: key.encrypt(plaintext, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=parameters)
        )
        return _FORMAT + nonce + bytes(made)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        pkcs11 = _library()
        if sealed[:1] != _FORMAT or len(sealed) < 1 + NONCE_BYTES + TAG_BYTES:
            raise IntegrityError("sealed by the master key: expected a value that a token sealed, found another")
        parameters = pkcs11.GCMParams(sealed[1 : 1 + NONCE_BYTES], aad, 8 * TAG_BYTES)
        data = sealed[1 + NONCE_BYTES :]
        try:
            return bytes(
                self._key.use(
                    lambda key: key.decrypt(data, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=parameters)
                )
            )
        except _Refused:
            raise IntegrityError(
                "sealed by the master key: does not open under its key in this place: altered, or moved here"
            ) from None

    def __repr__(self) -> str:
        return f"Pkcs11MasterKey({self._key_id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a master key does not leave its process")


class Pkcs11SigningKey:
    """An Ed25519 key in a token; as `ledger.keys.signing.SigningKey`."""

    __slots__ = ("_key", "public_key")

    public_key: bytes

    def __init__(self, uri: str) -> None:
        pkcs11 = _library()
        self._key = _TokenKey(KeyUri.parse(uri), "private", pkcs11.ObjectClass.PRIVATE_KEY)
        point = bytes(self._key.read_public(pkcs11.Attribute.EC_POINT)).removeprefix(_DER_OCTETS)
        if self._key.read(pkcs11.Attribute.KEY_TYPE) != pkcs11.KeyType.EC_EDWARDS or len(point) != KEY_BYTES:
            raise Misconfigured("signing key in a token: expected an Ed25519 key")
        self.public_key = point

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature over `message`."""
        made = bytes(self._key.use(lambda key: key.sign(message, mechanism=_library().Mechanism.EDDSA)))
        if len(made) != SIGNATURE_BYTES:
            raise Unavailable(f"signing key in a token: expected {SIGNATURE_BYTES} bytes of signature, got {len(made)}")
        return made

    def signer(self, name: str) -> NoteSigner:
        """This key as a signer of notes under `name`."""
        return NoteSigner(name, self.public_key, self.sign)

    def __repr__(self) -> str:
        return f"Pkcs11SigningKey(public_key={self.public_key.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a signing key does not leave its process")


def make_master_key(uri: str) -> Pkcs11MasterKey:
    """A new AES-256 key in the token, under the label of the URI."""
    pkcs11, parsed = _library(), _to_be_made(uri, pkcs11_class="SECRET_KEY")
    flags = pkcs11.MechanismFlag.ENCRYPT | pkcs11.MechanismFlag.DECRYPT

    def make(session: Any) -> None:
        session.generate_key(
            pkcs11.KeyType.AES,
            8 * KEY_BYTES,
            id=parsed.key_id or urandom(KEY_ID_BYTES),
            label=parsed.label,
            store=True,
            capabilities=flags,
            template=_kept(pkcs11),
        )

    _Session.of(parsed).use(make)
    return Pkcs11MasterKey(uri)


def make_signing_key(uri: str) -> Pkcs11SigningKey:
    """A new Ed25519 key pair in the token, under the label of the URI."""
    from pkcs11.util.ec import encode_named_curve_parameters

    pkcs11, parsed = _library(), _to_be_made(uri, pkcs11_class="PRIVATE_KEY")
    curve = {pkcs11.Attribute.EC_PARAMS: encode_named_curve_parameters(_ED25519_OID)}

    def make(session: Any) -> None:
        session.create_domain_parameters(pkcs11.KeyType.EC_EDWARDS, curve, local=True).generate_keypair(
            mechanism=pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN,
            id=parsed.key_id or urandom(KEY_ID_BYTES),
            label=parsed.label,
            store=True,
            private_template=_kept(pkcs11),
        )

    _Session.of(parsed).use(make)
    return Pkcs11SigningKey(uri)


class _Refused(Unavailable):
    """The token would not do what it was asked; what that means, the caller knows."""


class _Session:
    """A process's session with one token: opened at first use, again when it was lost."""

    _open: dict[tuple[Path, str | None, str | None], _Session] = {}  # noqa: RUF012
    _opening = RLock()

    def __init__(self, uri: KeyUri) -> None:
        self._uri = uri
        self._lock = RLock()
        self._session: Any = None
        self.generation = 0

    @classmethod
    def of(cls, uri: KeyUri) -> _Session:
        """The session for the URI's token."""
        with cls._opening:
            return cls._open.setdefault((uri.module, uri.token, uri.serial), cls(uri))

    def use(self, call: Callable[[Any], T]) -> T:
        """What `call` makes of the session. `Unavailable` when the token is away, `_Refused` when it will not."""
        pkcs11 = _library()
        with self._lock:
            for is_last in (False, True):
                try:
                    return call(self._connected())
                except pkcs11.PKCS11Error as error:
                    name = type(error).__name__
                    if name not in _LOST:
                        raise _Refused(f"token {self._name}: refused what it was asked ({name})") from None
                    self._drop()
                    if is_last:
                        raise Unavailable(f"token {self._name}: is away ({name})") from None
        raise RuntimeError("a loop that always returns or raises has ended")

    @property
    def _name(self) -> str:
        return self._uri.token or self._uri.serial or ""

    def _connected(self) -> Any:
        if self._session is None:
            self._session = _log_in(self._uri)
            self.generation += 1
        return self._session

    def _drop(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except _library().PKCS11Error:
                return  # it was lost already


class _TokenKey:
    """One key object; found again when its session was opened anew."""

    def __init__(self, uri: KeyUri, kind: str, object_class: Any) -> None:
        if uri.kind not in (None, kind):
            raise Misconfigured(f"PKCS#11 URI: type is {uri.kind}, expected {kind}")
        pkcs11 = _library()
        self._uri = uri
        self._class = object_class
        self._session = _Session.of(uri)
        self._found: tuple[int, Any] | None = None
        if self.read(pkcs11.Attribute.EXTRACTABLE) or not self.read(pkcs11.Attribute.SENSITIVE):
            raise Misconfigured(f"{uri}: its token would give the key out; expected a sensitive one, not extractable")

    def use(self, call: Callable[[Any], T]) -> T:
        """What `call` makes of the key."""
        return self._session.use(lambda session: call(self._object(session)))

    def read(self, attribute: Any) -> Any:
        """An attribute of the key; None when the token does not tell it."""
        try:
            return self.use(lambda key: key[attribute])
        except _Refused:
            return None

    def read_public(self, attribute: Any) -> Any:
        """An attribute of the public key of the same id; empty when there is none."""
        pkcs11 = _library()
        key_id = bytes(self.read(pkcs11.Attribute.ID) or b"")
        asked = {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PUBLIC_KEY, pkcs11.Attribute.ID: key_id}
        found = self._session.use(lambda session: [each[attribute] for each in session.get_objects(asked)])
        return found[0] if len(found) == 1 else b""

    def _object(self, session: Any) -> Any:
        if self._found is None or self._found[0] != self._session.generation:
            found = _objects(session, self._uri, self._class)
            if len(found) != 1:
                raise Misconfigured(f"{self._uri}: expected one key in the token, found {len(found)}")
            self._found = (self._session.generation, found[0])
        return self._found[1]


def _objects(session: Any, uri: KeyUri, object_class: Any) -> list[Any]:
    pkcs11 = _library()
    asked: dict[Any, Any] = {pkcs11.Attribute.CLASS: object_class}
    if uri.label is not None:
        asked[pkcs11.Attribute.LABEL] = uri.label
    if uri.key_id is not None:
        asked[pkcs11.Attribute.ID] = uri.key_id
    return list(session.get_objects(asked))


def _to_be_made(uri: str, pkcs11_class: str) -> KeyUri:
    pkcs11, parsed = _library(), KeyUri.parse(uri)
    if parsed.label is None:
        raise Misconfigured("PKCS#11 URI: expected object=LABEL, the label of the key to be made")
    object_class = getattr(pkcs11.ObjectClass, pkcs11_class)
    if _Session.of(parsed).use(lambda session: _objects(session, parsed, object_class)):
        raise Misconfigured(f"{uri}: there is such a key already; a key is never overwritten")
    return parsed


def _kept(pkcs11: ModuleType) -> dict[Any, Any]:
    attribute = pkcs11.Attribute
    return {attribute.SENSITIVE: True, attribute.EXTRACTABLE: False, attribute.PRIVATE: True}


def _log_in(uri: KeyUri) -> Any:
    pkcs11 = _library()
    try:
        module = pkcs11.lib(str(uri.module))
    except (RuntimeError, OSError) as error:
        raise Misconfigured(f"{uri.module}: cannot be loaded as a PKCS#11 module: {type(error).__name__}") from None
    tokens = list(module.get_tokens(token_label=uri.token, token_serial=uri.serial and uri.serial.encode()))
    if len(tokens) != 1:
        raise Misconfigured(f"{uri}: expected one token of this name, found {len(tokens)}")
    try:
        return tokens[0].open(rw=True, user_pin=uri.pin())
    except pkcs11.UserAlreadyLoggedIn:
        return tokens[0].open(rw=True)
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinLocked) as error:
        raise Misconfigured(f"{uri}: the token does not take the PIN ({type(error).__name__})") from None


def _library() -> ModuleType:
    try:
        import pkcs11
    except ImportError:
        raise Misconfigured(
            "a key in a token needs the package python-pkcs11: pip install 'ai-audit-ledger[pkcs11]'"
        ) from None
    return pkcs11
