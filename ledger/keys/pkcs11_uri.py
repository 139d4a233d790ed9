"""PKCS#11 URIs (RFC 7512): which key in which token, through which module, and where the PIN is found.

    pkcs11:token=audit;object=master-2026?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:/etc/audit/pin

| attribute              | meaning                                                                             |
| ---------------------- | ----------------------------------------------------------------------------------- |
| `token`, `serial`      | the token, by label, by serial number or both; one at least                         |
| `object`, `id`         | the key, by label, by id (percent-encoded bytes) or both; one at least              |
| `type`                 | may be said: `secret-key` for a master key, `private` for a signing key             |
| `module-path`          | the module's shared object, an absolute path                                        |
| `pin-source`           | `file:` and the absolute path of a file of mode 0600, or `env:` and a variable's name |

Of the attributes of the RFC only these; any other is refused rather than passed over, since it was meant to narrow the
choice. `pin-value` is refused above all: a URI stands in configurations, process lists and logs, a PIN must not.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from ledger.errors import Misconfigured
from ledger.keys.master import require_private

SCHEME = "pkcs11:"
PIN_BYTES_MAX = 256

_PATH = ("token", "serial", "object", "id", "type")
_QUERY = ("module-path", "pin-source")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class KeyUri:
    """A parsed URI. `str()` gives it as it was written; there is no secret in it."""

    written: str
    token: str | None
    serial: str | None
    label: str | None
    key_id: bytes | None
    kind: str | None
    module: Path
    pin_source: str

    @classmethod
    def parse(cls, uri: str) -> KeyUri:
        """`Misconfigured`, naming the attribute, when it is not one that leads to a key."""
        if not uri.startswith(SCHEME):
            raise Misconfigured("PKCS#11 URI: expected it to begin with pkcs11:")
        path, _, query = uri.removeprefix(SCHEME).partition("?")
        found = _attributes(path, ";", _PATH)
        asked = _attributes(query, "&", _QUERY)
        if "token" not in found and "serial" not in found:
            raise Misconfigured("PKCS#11 URI: expected token=LABEL or serial=NUMBER")
        if "object" not in found and "id" not in found:
            raise Misconfigured("PKCS#11 URI: expected object=LABEL or id=BYTES")
        module = Path(_text(asked, "module-path") or "")
        if not module.is_absolute():
            raise Misconfigured("PKCS#11 URI: expected module-path= and the absolute path of the module")
        source = _text(asked, "pin-source") or ""
        how, _, where = source.partition(":")
        if not (how == "file" and where.startswith("/")) and not (how == "env" and _VARIABLE.fullmatch(where)):
            raise Misconfigured("PKCS#11 URI: expected pin-source=file:/ABSOLUTE/PATH or pin-source=env:VARIABLE")
        return cls(
            uri,
            _text(found, "token"),
            _text(found, "serial"),
            _text(found, "object"),
            found.get("id"),
            _text(found, "type"),
            module,
            source,
        )

    def pin(self) -> str:
        """The PIN, read now. `Misconfigured` when it is not there or others can read it."""
        how, _, where = self.pin_source.partition(":")
        if how == "env":
            pin = os.environ.get(where, "")
            if not pin:
                raise Misconfigured(f"PKCS#11 PIN: expected it in the environment variable {where}, which is not set")
            return pin
        try:
            handle = os.open(where, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise Misconfigured(f"{where}: cannot read the PIN: {error.strerror}") from None
        try:
            require_private(Path(where), os.fstat(handle))
            content = os.read(handle, PIN_BYTES_MAX + 1)
        finally:
            os.close(handle)
        try:
            pin = content.decode("utf-8").removesuffix("\n")
        except UnicodeDecodeError:
            pin = ""
        if not pin or len(content) > PIN_BYTES_MAX or "\n" in pin:
            raise Misconfigured(f"{where}: expected one line of text, the PIN")
        return pin

    def __str__(self) -> str:
        return self.written


def is_token_uri(location: str) -> bool:
    """Whether a key's location is a token and not a file."""
    return location.startswith(SCHEME)


def _attributes(part: str, separator: str, known: tuple[str, ...]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for each in part.split(separator) if part else ():
        name, equals, value = each.partition("=")
        if name == "pin-value":
            raise Misconfigured("PKCS#11 URI: pin-value is refused, a PIN must not stand there; use pin-source")
        if name not in known or not equals:
            # The name only: what stands after it may be what must not be shown.
            shown = name if re.fullmatch(r"[a-z-]{1,32}", name) else "one"
            raise Misconfigured(f"PKCS#11 URI: attribute {shown} is unknown here; expected {', '.join(known)}")
        if name in found:
            raise Misconfigured(f"PKCS#11 URI: attribute {name} stands there twice")
        found[name] = unquote_to_bytes(value)
        if not found[name]:
            raise Misconfigured(f"PKCS#11 URI: attribute {name} is empty")
    return found


def _text(attributes: Mapping[str, bytes], name: str) -> str | None:
    value = attributes.get(name)
    if value is None:
        return None
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise Misconfigured(f"PKCS#11 URI: attribute {name} is not UTF-8") from None
