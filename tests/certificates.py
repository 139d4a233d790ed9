"""Certificates and tokens made in the tests, with real keys."""

from __future__ import annotations

import base64
import hmac
import ipaddress
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
ISSUER = "https://login.example.org"
AUDIENCE = "audit-ledger"


@dataclass(frozen=True, slots=True)
class Made:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        """The certificate, PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """The key, PEM."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def sha256(self) -> str:
        """Of the DER form, in hex."""
        return sha256(self.certificate.public_bytes(Encoding.DER)).hexdigest()

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Files of certificate and key."""
        certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
        certificate.write_bytes(self.pem)
        key.write_bytes(self.key_pem)
        return certificate, key


def make(
    subject: str,
    *names: x509.GeneralName,
    by: Made | None = None,
    ca: bool = False,
    valid: tuple[timedelta, timedelta] = (timedelta(days=-1), timedelta(days=1)),
) -> Made:
    """A certificate: a CA's own, or one that `by` signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + valid[0])
        .not_valid_after(now + valid[1])
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Made(builder.sign(key if by is None else by.key, hashes.SHA256()), key)


def server(by: Made) -> Made:
    """A server's certificate for the loopback interface."""
    return make("server", x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")), by=by)


def self_signed() -> Made:
    """A server's certificate that nobody else signed."""
    return make("server", x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))


def service(uri: str, by: Made, **given: Any) -> Made:
    """A producer's certificate."""
    return make("a service", x509.UniformResourceIdentifier(uri), by=by, **given)


@dataclass(frozen=True, slots=True)
class TokenKey:
    """A key of an issuer of tokens."""

    key_id: str
    algorithm: str
    key: PrivateKey

    @classmethod
    def new(cls, key_id: str, algorithm: str = "ES256") -> TokenKey:
        """A new one."""
        made: dict[str, PrivateKey] = {
            "RS256": rsa.generate_private_key(65537, 2048),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
        }
        return cls(key_id, algorithm, made[algorithm])

    @property
    def public_pem(self) -> bytes:
        """The public key, PEM: what a careless checker takes for an HMAC's secret."""
        return self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def jwk(self) -> dict[str, Any]:
        """The public key as an entry of a key set."""
        public: Any = self.key.public_key()
        kinds: dict[str, Any] = {"RS256": RSAAlgorithm, "ES256": ECAlgorithm, "EdDSA": OKPAlgorithm}
        entry: dict[str, Any] = kinds[self.algorithm].to_jwk(public, as_dict=True)
        return {**entry, "kid": self.key_id, "alg": self.algorithm, "use": "sig"}

    def token(self, subject: str = "mia@example.org", headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token that holds, but for what `claims` and `headers` change; None takes one away."""
        said = {**claims_of(subject), **claims}
        return jwt.encode(
            {name: value for name, value in said.items() if value is not None},
            self.key,
            self.algorithm,
            {"kid": self.key_id, **(headers or {})},
        )


def claims_of(subject: str) -> dict[str, Any]:
    """The claims of a token that holds."""
    now = int(datetime.now(UTC).timestamp())
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "iat": now, "exp": now + 600, "jti": f"jti-{subject}"}


def key_set(*keys: TokenKey) -> bytes:
    """A JSON Web Key Set."""
    return json.dumps({"keys": [each.jwk() for each in keys]}).encode()


def unsigned(claims: dict[str, Any], headers: dict[str, Any] | None = None) -> str:
    """A token with `alg: none`."""
    return jwt.encode(claims, None, "none", headers)  # type: ignore[arg-type]


def hmac_signed(claims: dict[str, Any], secret: bytes, headers: dict[str, Any]) -> str:
    """A token with an HMAC under these bytes, made by hand: libraries refuse to take a public key for a secret."""

    def part(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    header = {"alg": "HS256", "typ": "JWT", **headers}
    body = part(json.dumps(header).encode()) + b"." + part(json.dumps(claims).encode())
    return (body + b"." + part(hmac.digest(secret, body, "sha256"))).decode()
