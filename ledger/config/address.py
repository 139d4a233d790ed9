"""Listen addresses: `host:port`, an IPv6 host in brackets. Port 0 lets the system choose."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from ledger.errors import Misconfigured

PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Address:
    """Where a service listens."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def with_port(self, port: int) -> Address:
        """The same host with another port: the one the system chose."""
        return Address(self.host, port)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, where: str) -> Address:
    """The address in `text`; `Misconfigured` about `where` otherwise."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if bracketed:
        host = host[1:-1]
    if not colon or not host or (":" in host) != bracketed or not (port.isascii() and port.isdigit()):
        raise Misconfigured(f"{where}: expected HOST:PORT such as 127.0.0.1:7443, got {text!r}")
    if int(port) > PORT_MAX:
        raise Misconfigured(f"{where}: expected a port of at most {PORT_MAX}, got {port}")
    return Address(host, int(port))
