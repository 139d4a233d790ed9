"""The settings of the recording proxy (`ledger.proxy`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ledger.config.address import Address, parse_address
from ledger.config.meaning import GIB, KIB, MIB, about, check_order, check_tls, optional_file, setting
from ledger.errors import Misconfigured
from ledger.record.content import STORED_BYTES_MAX
from ledger.tenants import check_tenant_name


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyConfig:
    """The recording proxy in front of model vendors (PROXY.md)."""

    listen: str = setting("127.0.0.1:7450", "Address of the proxy. Port 0: any free one.")
    metrics_listen: str = setting("127.0.0.1:7451", "Address of `/metrics` and `/healthz`.")
    tls_certificate: str = optional_file("Certificate (chain) of the proxy, PEM; read again when it changes.")
    tls_key: str = optional_file("Its key, PEM.")
    tls_client_ca: str = optional_file("CA of the callers' certificates, PEM: every caller must show one.")
    insecure_plaintext: bool = setting(
        False, "Allow `listen` on an address that is not loopback although TLS or known callers are missing."
    )
    upstreams: Path = field(
        default=Path("upstreams.toml"), metadata=about("The endpoints behind the proxy (PROXY.md).")
    )
    tenant: str = setting("", "The tenant of a call that names none.")
    tenants: str = setting("", "Tenants that a call may name in `x-ledger-tenant`, by commas, besides that one.")
    callers: Literal["anyone", "known"] = setting(
        "anyone", "Who may use the proxy: anyone who reaches it, or callers with a token or a certificate of `roles`."
    )
    roles: str = optional_file("The roles file. Default: the ledger's, where the proxy runs in its home.")
    capture_policy: str = optional_file("The policy. Default: the ledger's, where the proxy runs in its home.")
    secret: str = optional_file(
        "File with 32 random bytes or more: makes hashed ids of credentials and sessions, and the numbers of redacted "
        "values, the same in every proxy that has it. Without it: other ones after a restart, and none of credentials."
    )
    to: str = setting("", "Address of the gateway. Default: the ledger's, where the proxy runs in its home.")
    ca: str = optional_file(
        "CA by which the gateway is checked, PEM. Without it: the system's; in clear to this machine itself."
    )
    certificate: str = optional_file("Certificate to show to the gateway, PEM.")
    key: str = optional_file("Its key, PEM.")
    token_file: str = optional_file("File with the token that says to the gateway who the proxy is.")
    environment: str = setting("", "Environment that stands in events, such as production.")
    on_ledger_down: Literal["spool", "refuse"] = setting(
        "spool",
        "When the ledger takes no record: go on and keep records in `spool`, or refuse every call whose beginning is "
        "not acknowledged by the ledger before it leaves.",
    )
    starts: bool = setting(
        False, "With spool: record the beginning of each call too, before it ends. With refuse it always is."
    )
    start_timeout_ms: int = setting(
        2_000, "With refuse: how long a call waits for the ledger to acknowledge its beginning.", least=1, most=60_000
    )
    spool: Path = field(default=Path("proxy-spool"), metadata=about("Folder of the spool on this machine's disk."))
    spool_bytes_max: int = setting(GIB, "Bytes of it; beyond them records are lost, and counted.", least=MIB)
    content_bytes_max: int = setting(
        256 * KIB,
        "Bytes kept of one content: at most what the gateway takes. A longer one is cut, and says so.",
        least=KIB,
        most=STORED_BYTES_MAX,
    )
    unknown_paths: Literal["refuse", "read", "pass"] = setting(
        "read",
        "Paths of no known format: refused; passed on unrecorded where they only read (GET, HEAD, OPTIONS); or all "
        "passed on, unrecorded and without the policy.",
    )
    header_bytes_max: int = setting(32 * KIB, "Bytes of one header field.", least=KIB, most=MIB)
    body_bytes_max: int = setting(32 * MIB, "Bytes of a request's body; more is answered 413.", least=KIB, most=GIB)
    body_timeout_ms: int = setting(60_000, "Longest a request's body may take to arrive; then 408.", least=1)
    calls_in_flight_max: int = setting(1_000, "Calls at once; more are answered 503.", least=1, most=100_000)
    bytes_in_flight_max: int = setting(
        512 * MIB, "Bytes held of calls at work or not yet recorded; more are answered 503.", least=MIB
    )
    stream_pending_bytes_max: int = setting(
        MIB, "Bytes of one answer that wait to be read for the record; beyond them the stream waits.", least=64 * KIB
    )
    connect_timeout_ms: int = setting(10_000, "Longest connecting to an upstream may take.", least=1)
    idle_timeout_ms: int = setting(600_000, "Longest time without a byte of an answer.", least=1)
    call_timeout_ms: int = setting(3_600_000, "Longest a call may take in all.", least=1)
    upstream_connections_max: int = setting(1_000, "Connections to upstreams.", least=1, most=100_000)
    keep_alive_ms: int = setting(75_000, "How long an idle connection of a caller is kept.", least=1)
    drain_ms: int = setting(30_000, "How long a stopping proxy lets calls at work finish.", least=0)

    def __post_init__(self) -> None:
        """Refuses what can't work together; what depends on the home is refused at the start (`ledger.proxy.ready`)."""
        parse_address(self.metrics_listen, "proxy.metrics_listen")
        check_tls("proxy", self)
        if self.tls_client_ca and not self.tls_certificate:
            raise Misconfigured("proxy.tls_client_ca: expected proxy.tls_certificate with it")
        if bool(self.certificate) != bool(self.key):
            raise Misconfigured("proxy.certificate: expected together with proxy.key, got one of them")
        if not (self.address.is_loopback or self.callers == "known" or self.insecure_plaintext):
            raise Misconfigured(
                f"proxy.listen: {self.listen} can be reached from elsewhere and nothing tells who calls; listen on "
                'loopback, say proxy.callers = "known", or proxy.insecure_plaintext = true'
            )
        for name in self.all_tenants:
            check_tenant_name(name)
        check_order("proxy", self, "body_bytes_max", "bytes_in_flight_max")
        check_order("proxy", self, "connect_timeout_ms", "call_timeout_ms")

    @property
    def address(self) -> Address:
        """`listen`, parsed."""
        return parse_address(self.listen, "proxy.listen")

    @property
    def all_tenants(self) -> tuple[str, ...]:
        """The tenants it serves, the one of calls that name none first."""
        named = (self.tenant, *(each.strip() for each in self.tenants.split(",")))
        return tuple(dict.fromkeys(each for each in named if each))
