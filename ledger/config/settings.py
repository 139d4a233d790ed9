"""Every setting and limit of every service: name, unit, default, bounds, meaning.

The unit stands last in a name: `_ms`, `_s`, `_bytes_max` and `_bytes` (bytes), `_rows`, `_events_max`. Relative paths
are relative to the ledger's home. What is wrong on its own is refused while reading (`ledger.config.load`); what is
wrong together, here.
"""

from __future__ import annotations

import re
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from ledger.config.address import Address, parse_address
from ledger.config.meaning import (
    DAY_S,
    GIB,
    KIB,
    MIB,
    Meaning,
    about,
    check_order,
    check_tls,
    optional_file,
    required,
    setting,
)
from ledger.config.otlp import OtlpConfig
from ledger.config.proxy import ProxyConfig
from ledger.errors import Misconfigured
from ledger.record.content import STORED_BYTES_MAX
from ledger.tenants import check_ledger_name
from ledger.tlog.note import check_key_name

INCARNATION_BYTES = 16
KEY_STORE = "keys/keys.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogConfig:
    """What all services share: the ledger's name, its event log, its keys, where its files lie."""

    name: str = required("Name of the ledger, such as audit.example.org: begins every origin and key name, for ever.")
    incarnation: str = required("The event log's incarnation, 32 hex digits, made by `init`; stands in every record.")
    event_log: str = setting(
        "sqlite:log/events.sqlite", "URL of the event log, `sqlite:` or `kafka:`; its parameters are listed below."
    )
    segments: Path = field(default=Path("segments"), metadata=about("Folder of the sealed files."))
    derived: Path = field(default=Path("derived"), metadata=about("Folder of indexes and tiles; may be deleted."))
    master_key: str = setting(
        "keys/master.key", "File of the master key, mode 0600, or the `pkcs11:` URI of one in a token (KEYS.md)."
    )
    master_key_previous: str = setting(
        "", "The master key before it, while what that one sealed is still to be sealed anew (KEYS.md)."
    )
    key_store: str = setting(
        KEY_STORE,
        "Database of sealed keys, pseudonyms and tenants: a file, or a `postgresql:` URL (KEYS.md).",
    )
    trust: Path = field(default=Path("trust.json"), metadata=about("Public keys and logs that verifiers trust."))
    capture_policy: Path = field(
        default=Path("policy.toml"), metadata=about("The capture policy; a running gateway takes a changed one.")
    )

    roles: str = optional_file(
        "The roles file; a running service takes a changed one. Without one there is no identity: loopback only."
    )

    def __post_init__(self) -> None:
        check_ledger_name(self.name)
        if not re.fullmatch(r"[0-9a-f]{32}", self.incarnation):
            raise Misconfigured(f"ledger.incarnation: expected {2 * INCARNATION_BYTES} lower-case hex digits")

    @property
    def roles_file(self) -> Path | None:
        """`roles`, where there is one."""
        return Path(self.roles) if self.roles else None

    @property
    def incarnation_bytes(self) -> bytes:
        """The incarnation as it stands in records."""
        return bytes.fromhex(self.incarnation)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayConfig:
    """The service that takes events."""

    listen: str = setting("127.0.0.1:7443", "Address of IngestService. Port 0: any free one.")
    metrics_listen: str = setting("127.0.0.1:7444", "Address of `/metrics` and `/healthz`.")
    tls_certificate: str = optional_file("Certificate (chain) of the gateway, PEM; read again when it changes.")
    tls_key: str = optional_file("Its key, PEM.")
    mtls_listen: str = setting("", "Another address, for producers that show a certificate of `tls_client_ca`.")
    tls_client_ca: str = optional_file("CA of the producers' certificates, PEM.")
    tls_ca: str = optional_file(
        "CA by which the ledger's own processes and commands check the gateway. Default: `tls_certificate`."
    )
    tls_name: str = setting("", "Name they expect in its certificate, where that is not the address.")
    insecure_plaintext: bool = setting(
        False, "Allow `listen` on an address that is not loopback although TLS or roles are missing."
    )
    reuse_port: bool = setting(
        False,
        "Share `listen` with other gateway processes of this ledger (SO_REUSEPORT). Each needs its own metrics port.",
    )
    gateway_id: str = setting(
        "gw-1", "Name of this gateway in receipts and payloads; `init` makes the first one's key."
    )
    worker_threads: int = setting(
        1,
        "Threads that translate, encrypt and encode; more of them help only while one waits for the key store.",
        least=1,
        most=64,
    )
    publish_concurrency_max: int = setting(
        64, "Publish calls in work at once; more are answered RESOURCE_EXHAUSTED.", least=1, most=10_000
    )
    publish_bytes_in_flight_max: int = setting(
        128 * MIB, "Bytes of those calls' requests together; more are answered RESOURCE_EXHAUSTED.", least=64 * KIB
    )
    retry_after_ms: int = setting(200, "The hint `retry-after-ms` to callers turned away.", least=1, most=60_000)
    batch_events_max: int = setting(10_000, "Events in one Publish.", least=1, most=100_000)
    content_bytes_max: int = setting(256 * KIB, "Bytes of one content.", least=1, most=STORED_BYTES_MAX)
    oversize: Literal["refuse", "truncate"] = setting(
        "refuse", "What happens to a larger content: the event is refused, or the content is cut and says so."
    )
    event_bytes_max: int = setting(4 * MIB, "Bytes of one submitted event.", least=1 * KIB)
    message_bytes_max: int = setting(16 * MIB, "Bytes of one gRPC message, either way.", least=64 * KIB, most=GIB)
    append_deadline_ms: int = setting(
        10_000, "Longest wait for the event log in one call; the caller's own deadline may be shorter.", least=1
    )
    appends_in_flight_max: int = setting(
        64, "Appends handed to the event log at once; others wait.", least=1, most=1_000
    )
    drain_ms: int = setting(10_000, "How long a stopping gateway lets calls in work finish.", least=0)
    remembered_events_max: int = setting(
        100_000,
        "Acknowledged events remembered, to answer a repeat with its first receipt; about 600 bytes each.",
        least=0,
    )
    sealing_delay_ms: int = setting(
        DAY_S * 1_000, "Promised in receipts: after this time an unsealed event may be called missing.", least=1_000
    )
    spool_key_seal_s: int = setting(DAY_S, "How long producers seal their spools to one key.", least=60)
    spool_age_max_s: int = setting(
        7 * DAY_S, "How long a spool may lie after that before its key is destroyed and it is lost.", least=60
    )
    await_sealed_ms: int = setting(600_000, "Longest AwaitSealed for a caller without a deadline.", least=1)
    await_sealed_concurrency_max: int = setting(64, "AwaitSealed calls waiting at once.", least=1, most=10_000)
    health_check_ms: int = setting(1_000, "Time between two looks at the event log's health.", least=10)
    reflection: bool = setting(True, "Offer gRPC server reflection.")

    def __post_init__(self) -> None:
        parse_address(self.metrics_listen, "gateway.metrics_listen")
        check_tls("gateway", self)
        if bool(self.mtls_listen) != bool(self.tls_client_ca):
            raise Misconfigured("gateway.mtls_listen: expected together with gateway.tls_client_ca, got one of them")
        if self.mtls_listen:
            parse_address(self.mtls_listen, "gateway.mtls_listen")
            if not self.tls_certificate:
                raise Misconfigured("gateway.mtls_listen: expected gateway.tls_certificate with it")
        check_key_name(self.gateway_id)
        check_order("gateway", self, "content_bytes_max", "event_bytes_max", "message_bytes_max")
        check_order("gateway", self, "message_bytes_max", "publish_bytes_in_flight_max")

    @property
    def address(self) -> Address:
        """`listen`, parsed."""
        return parse_address(self.listen, "gateway.listen")


@dataclass(frozen=True, slots=True, kw_only=True)
class SealerConfig:
    """The service that seals rounds."""

    round_rows_max: int = setting(50_000, "Events at which a round is closed.", least=1, most=5_000_000)
    round_bytes_max: int = setting(64 * MIB, "Bytes read from the event log at which a round is closed.", least=MIB)
    round_age_ms: int = setting(1_000, "Age of its oldest event at which a round is closed.", least=1)
    heartbeat_s: int = setting(60, "Idle time after which a partition gets an empty round.", least=1)
    trim: bool = setting(False, "Delete from the event log what a published round has sealed.")
    row_group_rows: int = setting(50_000, "Rows of a Parquet row group.", least=100, most=1_000_000)
    metrics_listen: str = setting("127.0.0.1:7445", "Address of `/metrics` and `/healthz`.")

    def __post_init__(self) -> None:
        parse_address(self.metrics_listen, "sealer.metrics_listen")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryConfig:
    """The service that answers questions."""

    listen: str = setting("127.0.0.1:7446", "Address of QueryService. Port 0: any free one.")
    tls_certificate: str = optional_file("Certificate (chain) of the query service, PEM; read again when it changes.")
    tls_key: str = optional_file("Its key, PEM.")
    tls_client_ca: str = optional_file("CA whose certificates every caller must show, besides his token; PEM.")
    insecure_plaintext: bool = setting(
        False, "Allow `listen` on an address that is not loopback although TLS or roles are missing."
    )
    sql_time_s: int = setting(
        30, "Time one SQL query may take, over the network at most 45; then its process is killed.", least=1, most=3_600
    )
    sql_memory_bytes: int = setting(GIB, "Memory one SQL query may take.", least=64 * MIB)
    sql_rows_max: int = setting(100_000, "Rows one SQL query returns; it says when there were more.", least=1)
    backdating_tolerance_s: int = setting(
        3_600, "An effective time further before its sealing than this is flagged as backdated.", least=0
    )

    def __post_init__(self) -> None:
        check_tls("query", self)
        if self.tls_client_ca and not self.tls_certificate:
            raise Misconfigured("query.tls_client_ca: expected query.tls_certificate with it")

    @property
    def address(self) -> Address:
        """`listen`, parsed."""
        return parse_address(self.listen, "query.listen")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasureConfig:
    """Who may destroy keys."""

    approvers_least: int = setting(
        0,
        "People who must approve an erasure besides the one who orders it; 1 is the two-person rule.",
        least=0,
        most=9,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerConfig:
    """All of a ledger's configuration; each field is a section of the file."""

    ledger: LogConfig
    gateway: GatewayConfig = GatewayConfig()
    otlp: OtlpConfig = field(default_factory=OtlpConfig)
    sealer: SealerConfig = SealerConfig()
    query: QueryConfig = QueryConfig()
    erasure: ErasureConfig = ErasureConfig()
    proxy: ProxyConfig = field(default_factory=ProxyConfig)

    def __post_init__(self) -> None:
        """Refuses addresses that others reach while nothing tells who calls, or nothing protects the connection."""
        self._check_otlp()
        if self.ledger.roles:
            return
        for section, config in (("gateway", self.gateway), ("query", self.query)):
            if not (config.address.is_loopback or config.insecure_plaintext):
                raise Misconfigured(
                    f"{section}.listen: {config.listen} can be reached from elsewhere and nothing tells who calls; "
                    f"give ledger.roles, listen on loopback, or say {section}.insecure_plaintext = true"
                )
        if self.gateway.mtls_listen:
            raise Misconfigured("gateway.mtls_listen: expected ledger.roles with it: whose certificates they are")

    def _check_otlp(self) -> None:
        """The same for OTLP over HTTP; and the largest request always fits."""
        http, gateway = self.otlp.http_address, self.gateway
        if http is None:
            return
        for name in ("http_bytes_max", "decompressed_bytes_max"):
            if getattr(self.otlp, name) > gateway.publish_bytes_in_flight_max:
                raise Misconfigured(
                    f"otlp.{name}: expected at most gateway.publish_bytes_in_flight_max, which is "
                    f"{gateway.publish_bytes_in_flight_max}, got {getattr(self.otlp, name)}"
                )
        if http.is_loopback or gateway.insecure_plaintext:
            return
        for given, lacks, give in (
            (gateway.tls_certificate, "nothing protects the connection", "gateway.tls_certificate"),
            (self.ledger.roles, "nothing tells who calls", "ledger.roles"),
        ):
            if not given:
                raise Misconfigured(
                    f"otlp.http_listen: {http} can be reached from elsewhere and {lacks}; "
                    f"give {give}, listen on loopback, or say gateway.insecure_plaintext = true"
                )


SECTIONS: dict[str, type[Any]] = {
    "ledger": LogConfig,
    "gateway": GatewayConfig,
    "otlp": OtlpConfig,
    "sealer": SealerConfig,
    "query": QueryConfig,
    "erasure": ErasureConfig,
    "proxy": ProxyConfig,
}


def meanings(section: str) -> dict[str, Meaning]:
    """The settings of a section by name, in the manual's order."""
    return {each.name: each.metadata["meaning"] for each in fields(SECTIONS[section])}


def default_of(section: str, name: str) -> Any:
    """A setting's default, None where the configuration must give it."""
    (found,) = [each.default for each in fields(SECTIONS[section]) if each.name == name]
    return None if found is MISSING else found
