"""How a setting is declared, and the checks that several sections share."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from ledger.errors import Misconfigured

KIB, MIB, GIB = 1024, 1024**2, 1024**3
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the manual says of a setting. `least` and `most` bound numbers, both included.

    `is_file`: the text is the path of a file, "" for none.
    """

    text: str
    least: float | None = None
    most: float | None = None
    is_file: bool = False


def about(text: str, *, least: float | None = None, most: float | None = None) -> dict[str, Meaning]:
    """The metadata of a field that is a setting."""
    return {"meaning": Meaning(text, least, most)}


def setting(default: Any, text: str, *, least: float | None = None, most: float | None = None) -> Any:
    """A field of a configuration section."""
    return field(default=default, metadata=about(text, least=least, most=most))


def optional_file(text: str) -> Any:
    """A field that names a file, or none: "" by default."""
    return field(default="", metadata={"meaning": Meaning(text, is_file=True)})


def required(text: str) -> Any:
    """A field that every configuration must give; `init` writes it."""
    return field(metadata=about(text))


def check_order(section: str, config: Any, *names: str) -> None:
    """Limits that hold each other: each at most the next."""
    for smaller, larger in pairwise(names):
        if getattr(config, smaller) > getattr(config, larger):
            raise Misconfigured(
                f"{section}.{smaller}: expected at most {section}.{larger}, which is {getattr(config, larger)}, "
                f"got {getattr(config, smaller)}"
            )


def check_tls(section: str, config: Any) -> None:
    """Certificate and key come together; in clear only on loopback, or where that is said."""
    if bool(config.tls_certificate) != bool(config.tls_key):
        raise Misconfigured(f"{section}.tls_certificate: expected together with {section}.tls_key, got one of them")
    if not (config.address.is_loopback or config.tls_certificate or config.insecure_plaintext):
        raise Misconfigured(
            f"{section}.listen: {config.listen} can be reached from elsewhere and nothing protects the connection; "
            f"listen on loopback, give {section}.tls_certificate, or say {section}.insecure_plaintext = true"
        )
