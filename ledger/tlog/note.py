"""Signed notes (C2SP signed-note): a short text and the signatures under it. Pure functions.

    text, every line of it ended by a newline
                                                            an empty line; the last one in the note counts
    — <key name> base64(key ID || signature)                one line a signature; the dash is U+2014

- A note is UTF-8 and holds no character below U+0020 but newlines. A signature covers the text with its last newline,
  not the empty line.
- key ID = the first 4 bytes of SHA-256(key name || LF || type byte || public key). Type 0x01 is Ed25519 over the text;
  type 0x04 is a witness cosignature, whose message is made in `ledger.tlog.cosignature`.
- A signature by an unknown (name, key ID) is ignored: witnesses may sign what they like. One by a known key must
  verify, or the whole note is refused; so is a note without any verified signature.
- Base64 is taken in its one canonical form only (no stray bits in the last character), so that nobody can alter a
  byte of a note and have it accepted.

Key texts, as Go's `sumdb/note` writes them: `<name>+<key ID in hex>+base64(type || public key)` and
`PRIVATE+KEY+<name>+<key ID in hex>+base64(type || seed)`. A wrong key text is the operator's to mend
(`Misconfigured`); a wrong note is evidence that does not add up (`NoteError`).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

from ledger.errors import IntegrityError, Misconfigured

ED25519 = 0x01
ED25519_COSIGNATURE = 0x04
KEY_BYTES = 32
KEY_ID_BYTES = 4
SIGNATURE_BYTES = 64
NOTE_BYTES_MAX = 1_000_000
SIGNATURES_MAX = 100

_DASH = "\u2014 "
_PRIVATE = "PRIVATE+KEY+"
# A lone surrogate is a Python `str` but has no UTF-8.
_KEY_NAME = re.compile(r"[^\s\x00-\x1f+\ud800-\udfff]+")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


class NoteError(IntegrityError):
    """A note that is malformed, or that none of the keys given vouches for."""


def key_id(name: str, public_key: bytes, type_byte: int = ED25519) -> bytes:
    """The four bytes by which a signature line names its key: the start of SHA-256(name || LF || type || key)."""
    return sha256(name.encode() + b"\n" + bytes([type_byte]) + public_key).digest()[:KEY_ID_BYTES]


def check_key_name(name: str) -> None:
    """`Misconfigured` unless `name` can stand in a signature line: not empty, no space, control character or plus."""
    if not _is_key_name(name):
        raise Misconfigured("key name: expected some characters and among them no space, control character or '+'")


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key and the name it signs under. `str()` gives its text; `Misconfigured` if it cannot be one."""

    name: str
    public_key: bytes
    type_byte: int = ED25519

    def __post_init__(self) -> None:
        check_key_name(self.name)
        if self.type_byte not in (ED25519, ED25519_COSIGNATURE):
            raise Misconfigured(f"key {self.name}: type {self.type_byte:#04x} is unknown, expected 0x01 or 0x04")
        if len(self.public_key) != KEY_BYTES:
            raise Misconfigured(f"key {self.name}: expected {KEY_BYTES} bytes, got {len(self.public_key)}")

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """The key of a verifier key text, exactly (no space around it)."""
        name, id_hex, type_byte, public_key = _parse_key_text(text, "verifier key")
        key = cls(name, public_key, type_byte)
        _check_key_id(id_hex, key)
        return key

    @property
    def key_id(self) -> bytes:
        """The four bytes that signature lines carry."""
        return key_id(self.name, self.public_key, self.type_byte)

    def __str__(self) -> str:
        return _key_text(self, self.public_key)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether these 64 bytes are this key's Ed25519 signature over `message`."""
        if len(signature) != SIGNATURE_BYTES:
            return False
        try:
            VerifyKey(self.public_key).verify(message, signature)
        except CryptoError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """Something that signs under a name. The secret stays behind `sign`, which may ask a key service for it.

    `sign` takes a message and returns its 64-byte Ed25519 signature. `repr()` shows nothing of it.
    """

    name: str
    public_key: bytes
    sign: Callable[[bytes], bytes] = field(repr=False)
    type_byte: int = ED25519

    def __post_init__(self) -> None:
        VerifierKey(self.name, self.public_key, self.type_byte)

    @property
    def verifier_key(self) -> VerifierKey:
        """The key that verifies what this signs."""
        return VerifierKey(self.name, self.public_key, self.type_byte)

    def signature(self, message: bytes) -> bytes:
        """A signature over `message`, checked before it leaves: a published bad one can't be taken back."""
        made = self.sign(message)
        if not self.verifier_key.verify(message, made):
            raise Misconfigured(f"key {self.name}: the signer's signature does not verify under its own public key")
        return made


def signer_from_seed(name: str, seed: bytes, type_byte: int = ED25519) -> NoteSigner:
    """A signer whose 32-byte secret seed is in memory."""
    if len(seed) != KEY_BYTES:
        raise Misconfigured(f"key {name}: expected a seed of {KEY_BYTES} bytes, got {len(seed)}")
    secret = SigningKey(seed)
    return NoteSigner(name, bytes(secret.verify_key), lambda message: secret.sign(message).signature, type_byte)


def parse_private_key(text: str) -> NoteSigner:
    """The signer of a private key text. Errors name the key at most, never a part of the text."""
    if not text.startswith(_PRIVATE):
        raise Misconfigured("private key: expected a text that starts with PRIVATE+KEY+")
    name, id_hex, type_byte, seed = _parse_key_text(text.removeprefix(_PRIVATE), "private key")
    signer = signer_from_seed(name, seed, type_byte)
    _check_key_id(id_hex, signer.verifier_key)
    return signer


def format_private_key(name: str, seed: bytes, type_byte: int = ED25519) -> str:
    """The private key text of a seed: a secret, to be written to a file of its owner and nowhere else."""
    return _PRIVATE + _key_text(signer_from_seed(name, seed, type_byte).verifier_key, seed)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line. `signature` is what follows the key ID."""

    name: str
    key_id: bytes
    signature: bytes

    def line(self) -> str:
        """The line with its newline."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.signature)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text with its last newline, and signatures: all there are (`parse_note`) or those verified (`open_note`)."""

    text: str
    signatures: tuple[Signature, ...]

    def to_bytes(self) -> bytes:
        """The note as it is stored and sent."""
        return f"{self.text}\n{''.join(each.line() for each in self.signatures)}".encode()


def parse_note(data: bytes | str) -> Note:
    """The note in `data`, nothing about it verified. `NoteError` if it is not one."""
    note = _decode(data)
    split = note.rfind("\n\n")
    if split < 0 or not note.endswith("\n"):
        raise NoteError("note: expected a text, an empty line and signature lines, each ended by a newline")
    lines = note[split + 2 : -1].split("\n")
    if len(lines) > SIGNATURES_MAX:
        raise NoteError(f"note: expected at most {SIGNATURES_MAX} signature lines, got {len(lines)}")
    return Note(note[: split + 1], tuple(parse_signature_line(each, at) for at, each in enumerate(lines, 1)))


def parse_signature_line(line: str, number: int = 1) -> Signature:
    """One signature line without its newline; `number` is for the message when it is not one."""
    where = f"signature line {number}"
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space or not _is_key_name(name):
        raise NoteError(f"{where}: expected a dash, a key name and base64, with one space between")
    decoded = decode_base64(encoded, where)
    if len(decoded) <= KEY_ID_BYTES:
        raise NoteError(f"{where}: expected a key ID and a signature, got {len(decoded)} bytes")
    return Signature(name, decoded[:KEY_ID_BYTES], decoded[KEY_ID_BYTES:])


def sign_note(text: str, signers: Sequence[NoteSigner]) -> bytes:
    """The note of `text`, which must end in a newline, signed by each signer (Ed25519, not cosignatures)."""
    if not text.endswith("\n"):
        raise NoteError("note: the text must end in a newline")
    if not 0 < len(signers) <= SIGNATURES_MAX:
        raise NoteError(f"note: expected 1 to {SIGNATURES_MAX} signers, got {len(signers)}")
    _check_ed25519(signers)
    _decode(text)
    made = (Signature(each.name, each.verifier_key.key_id, each.signature(text.encode())) for each in signers)
    note = Note(text, tuple(made)).to_bytes()
    _decode(note)
    return note


def open_note(data: bytes | str, keys: Iterable[VerifierKey]) -> Note:
    """The note with its verified signatures, one a key; `NoteError` if a known one fails or none is known."""
    known = list(keys)
    _check_ed25519(known)
    note = parse_note(data)
    return Note(note.text, verified_signatures(note, known, lambda key, made: key.verify(note.text.encode(), made)))


def verified_signatures(
    note: Note, keys: Iterable[VerifierKey], verify: Callable[[VerifierKey, bytes], bool]
) -> tuple[Signature, ...]:
    """The note's signatures by these keys, one a key, each checked by `verify(key, signature)`; never none."""
    known = {(key.name, key.key_id): key for key in keys}
    verified: dict[tuple[str, bytes], Signature] = {}
    for each in note.signatures:
        identity = (each.name, each.key_id)
        if identity not in known:
            continue
        if not verify(known[identity], each.signature):
            raise NoteError(f"note: the signature by {each.name} ({each.key_id.hex()}) does not verify")
        verified.setdefault(identity, each)
    if not verified:
        wanted = ", ".join(f"{name} ({id_.hex()})" for name, id_ in known) or "no key"
        raise NoteError(f"note: expected a signature by {wanted}, found none among {len(note.signatures)}")
    return tuple(verified.values())


def encode_base64(value: bytes) -> str:
    """Standard base64 with padding."""
    return base64.b64encode(value).decode("ascii")


def decode_base64(encoded: str, where: str) -> bytes:
    """The bytes of canonical base64; `NoteError` about `where` otherwise."""
    try:
        value = base64.b64decode(encoded.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise NoteError(f"{where}: not base64") from None
    if encode_base64(value) != encoded:
        raise NoteError(f"{where}: base64 is not in its canonical form")
    return value


def _is_key_name(name: str) -> bool:
    return _KEY_NAME.fullmatch(name) is not None


def _decode(data: bytes | str) -> str:
    """The characters of a note within its limits."""
    try:
        note = data if isinstance(data, str) else data.decode("utf-8")
        size = len(note.encode("utf-8"))
    except UnicodeError:
        raise NoteError("note: not UTF-8") from None
    if size > NOTE_BYTES_MAX:
        raise NoteError(f"note: expected at most {NOTE_BYTES_MAX} bytes, got {size}")
    if found := _CONTROL.search(note):
        raise NoteError(f"note: control character {ord(found[0]):#04x} at character {found.start()}")
    return note


def _check_ed25519(keys: Iterable[VerifierKey | NoteSigner]) -> None:
    for key in keys:
        if key.type_byte != ED25519:
            raise Misconfigured(f"key {key.name}: type {key.type_byte:#04x} does not sign notes, expected 0x01")


def _key_text(key: VerifierKey, key_bytes: bytes) -> str:
    return f"{key.name}+{key.key_id.hex()}+{encode_base64(bytes([key.type_byte]) + key_bytes)}"


def _parse_key_text(text: str, where: str) -> tuple[str, str, int, bytes]:
    """Name, key ID in hex, type byte and key bytes. Never shows any of `text`: it may be a secret."""
    parts = text.split("+", 2)
    if len(parts) != 3 or not _is_key_name(parts[0]):
        raise Misconfigured(f"{where}: expected <name>+<key ID>+<base64>")
    try:
        decoded = decode_base64(parts[2], where)
    except NoteError as error:
        raise Misconfigured(str(error)) from None
    if not decoded:
        raise Misconfigured(f"{where}: expected a type byte and a key, got nothing")
    return parts[0], parts[1], decoded[0], decoded[1:]


def _check_key_id(id_hex: str, key: VerifierKey) -> None:
    if id_hex != key.key_id.hex():
        raise Misconfigured(f"key {key.name}: the key ID in its text is not that of the key, {key.key_id.hex()}")
