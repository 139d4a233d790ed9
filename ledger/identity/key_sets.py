"""The public keys of an issuer: a JSON Web Key Set out of a file or from an https address.

A key is used for one algorithm, the one its type says: RSA (2,048 bits or more) for RS256, P-256 for ES256, Ed25519 for
EdDSA. What a token's header claims never chooses it. Symmetric keys are no public keys: a set that holds one, or a
private part, is refused whole. Keys of other types, or with a `use` or `alg` of something else, are passed over.

Rotation: a file is read again when it changes. An address is asked again when its answer is `REFRESH_S` old, and when a
token names a key id that is not known, but then not more often than every `ASK_AGAIN_S`: made-up key ids must not turn
this service against the issuer. When the address does not answer, the keys it gave last serve for `STALE_MAX_S`.
"""

from __future__ import annotations

import json
import logging
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from ledger.errors import Misconfigured, Unavailable
from ledger.watched_file import Watched

log = logging.getLogger(__name__)

BYTES_MAX = 1024 * 1024
KEYS_MAX = 1_000
RSA_BITS_LEAST = 2_048
FETCH_TIMEOUT_S = 5.0
REFRESH_S = 300.0
ASK_AGAIN_S = 10.0
STALE_MAX_S = 86_400.0

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
_PRIVATE_PARTS = ("d", "p", "q", "k")


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A public key and the one algorithm it is for."""

    algorithm: str
    key: PublicKey


Keys = Mapping[str, IssuerKey]
"""By key id; "" for the key of a set of one that has no id."""


def parse_key_set(data: bytes, where: str) -> Keys:
    """The usable keys of a set. `Misconfigured`, beginning with `where`, when it is none."""
    try:
        tree = json.loads(data)
        entries = tree["keys"]
    except (ValueError, KeyError, TypeError):
        raise Misconfigured(f"{where}: expected a JSON Web Key Set: an object with `keys`") from None
    if not isinstance(entries, list) or len(entries) > KEYS_MAX or not all(isinstance(each, dict) for each in entries):
        raise Misconfigured(f"{where}: keys: expected at most {KEYS_MAX} objects")
    found: dict[str, IssuerKey] = {}
    for index, entry in enumerate(entries):
        if any(part in entry for part in _PRIVATE_PARTS):
            raise Misconfigured(f"{where}: keys[{index}]: holds a private or symmetric key; expected public keys only")
        key = _usable(entry)
        if key is None:
            continue
        key_id = entry.get("kid", "")
        if not isinstance(key_id, str) or key_id in found or (not key_id and len(entries) > 1):
            raise Misconfigured(f"{where}: keys[{index}].kid: expected an id that no other key of the set has")
        found[key_id] = key
    if not found:
        raise Misconfigured(f"{where}: expected a key for RS256, ES256 or EdDSA, found none")
    return found


def _usable(entry: dict[str, Any]) -> IssuerKey | None:
    """The key of an entry, None where it is of no use here."""
    if entry.get("use", "sig") != "sig":
        return None
    try:
        key = jwt.PyJWK.from_dict({name: value for name, value in entry.items() if name != "alg"}).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        return None
    match key:
        case RSAPublicKey() if key.key_size >= RSA_BITS_LEAST:
            algorithm = "RS256"
        case EllipticCurvePublicKey() if isinstance(key.curve, SECP256R1):
            algorithm = "ES256"
        case Ed25519PublicKey():
            algorithm = "EdDSA"
        case _:
            return None
    return IssuerKey(algorithm, key) if entry.get("alg", algorithm) == algorithm else None


class KeySet:
    """The keys of one issuer, from `source`: a path or an https address. Safe for threads; `find` may block.

    `ca`: the CA that the address's certificate must be by; None for those that the system trusts.
    """

    def __init__(
        self,
        source: str,
        fetch: Callable[[str], bytes] | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
        ca: Path | None = None,
    ) -> None:
        self._source = source
        self._fetch = fetch or partial(fetch_https, ca=ca)
        self._monotonic_s = monotonic_s
        self._lock = Lock()
        self._keys: Keys = {}
        self._fetched_s = self._asked_s = float("-inf")
        path = Path(source)
        self._file = None if "://" in source else Watched((path,), lambda: _read(path), keep=True)

    def find(self, key_id: str) -> IssuerKey | None:
        """The key of this id, None when the issuer has none. `Unavailable` when its keys can't be had."""
        if self._file is not None:
            try:
                return self._file.get().get(key_id)
            except Misconfigured as error:
                log.error("%s", error)
                raise Unavailable("the keys of an issuer can't be read now") from None
        with self._lock:
            now = self._monotonic_s()
            if now - self._fetched_s >= REFRESH_S or key_id not in self._keys:
                self._ask(now)
            if now - self._fetched_s > STALE_MAX_S:
                raise Unavailable("the keys of an issuer can't be had now")
            return self._keys.get(key_id)

    def _ask(self, now: float) -> None:
        if now - self._asked_s < ASK_AGAIN_S:
            return
        self._asked_s = now
        try:
            self._keys = parse_key_set(self._fetch(self._source), self._source)
            self._fetched_s = now
        except (Misconfigured, Unavailable) as error:
            log.warning("%s; the keys it gave before serve on", error)


def _read(path: Path) -> Keys:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Misconfigured(f"{path}: cannot read the keys: {error.strerror}") from None
    return parse_key_set(data, str(path))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Keys come from the address that the operator named, and from no other."""

    def redirect_request(self, *_args: object, **_kwargs: object) -> None:
        return None


def fetch_https(address: str, ca: Path | None = None) -> bytes:
    """What stands at an https address. `Unavailable` when it does not answer in time, or with something else."""
    try:
        # Read anew each time: a renewed CA needs no restart.
        context = ssl.create_default_context(cafile=ca)
        opener = urllib.request.build_opener(_NoRedirect(), urllib.request.HTTPSHandler(context=context))
        with opener.open(address, timeout=FETCH_TIMEOUT_S) as answer:
            data: bytes = answer.read(BYTES_MAX + 1)
    except (OSError, urllib.error.URLError, ValueError) as error:
        raise Unavailable(f"{address}: cannot get the keys: {type(error).__name__}") from None
    if len(data) > BYTES_MAX:
        raise Unavailable(f"{address}: expected at most {BYTES_MAX} bytes of keys")
    return data
