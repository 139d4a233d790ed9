"""What the certificate of a TLS connection says of its holder.

gRPC has checked its chain against the client CA, and its dates when the connection was made. Dates are checked again
with every call, since a connection can outlive the certificate it began with. Its names are those of the subject
alternative name, and the subject:

    uri:spiffe://example.org/support     dns:support.example.org     subject:CN=support,O=Example (RFC 4514)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

PEM = "x509_pem_cert"
REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Certificate:
    """A checked certificate. `sha256`: of its DER form, in hex."""

    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    sha256: str

    def holds(self, now: datetime) -> bool:
        """Whether it is neither over nor not yet begun."""
        return self.not_before <= now <= self.not_after


def peer_certificate(auth_context: Mapping[str, Iterable[bytes]]) -> Certificate | None:
    """The certificate of a call's connection; None where it has none."""
    found = next(iter(auth_context.get(PEM, ())), None)
    return None if found is None else _parsed(bytes(found))


@lru_cache(REMEMBERED)
def _parsed(pem: bytes) -> Certificate | None:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = _names(certificate)
    except ValueError:
        return None
    return Certificate(
        names,
        certificate.not_valid_before_utc.astimezone(UTC),
        certificate.not_valid_after_utc.astimezone(UTC),
        sha256(certificate.public_bytes(Encoding.DER)).hexdigest(),
    )


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    names: list[str] = []
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        pass
    else:
        names += [f"uri:{each}" for each in alternative.get_values_for_type(x509.UniformResourceIdentifier)]
        names += [f"dns:{each.lower()}" for each in alternative.get_values_for_type(x509.DNSName)]
    subject = certificate.subject.rfc4514_string()
    if subject:
        names.append(f"subject:{subject}")
    return tuple(names)
