"""The settings of OTLP intake (`ledger.gateway.otlp`)."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.config.address import Address, parse_address
from ledger.config.meaning import GIB, KIB, MIB, setting
from ledger.tenants import check_tenant_name


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpConfig:
    """What a gateway takes by OpenTelemetry's protocol: over gRPC on its own addresses, over HTTP on one more."""

    http_listen: str = setting("", 'Address of OTLP over HTTP, such as "127.0.0.1:4318". Port 0: any free one.')
    tenant: str = setting(
        "", "Tenant of records for which neither the sender's grant nor header nor resource attribute names one."
    )
    context: bool = setting(False, "Keep spans that are no GenAI spans as context of those that are.")
    records_max: int = setting(
        10_000, "Spans or log records taken of one export; those beyond are refused.", least=1, most=1_000_000
    )
    attributes_max: int = setting(
        1_024, "Attributes read of one span or log record; the others are named as dropped.", least=1, most=100_000
    )
    depth_max: int = setting(
        32, "Levels of lists and maps inside an attribute; what is deeper is declared absent.", least=1, most=40
    )
    http_bytes_max: int = setting(16 * MIB, "Bytes of one HTTP request's body, as sent.", least=64 * KIB, most=GIB)
    decompressed_bytes_max: int = setting(
        16 * MIB,
        "Bytes of that body once decompressed. Over gRPC `gateway.message_bytes_max` bounds both.",
        least=64 * KIB,
        most=GIB,
    )
    http_concurrency_max: int = setting(
        32, "HTTP requests being read or in work at once; more are answered 429.", least=1, most=10_000
    )
    http_connections_max: int = setting(
        256, "HTTP connections open at once; more are answered 503 and closed.", least=1, most=100_000
    )
    http_header_ms: int = setting(
        10_000, "Longest a new HTTP connection may take for TLS and for its first request's headers.", least=1
    )
    http_idle_ms: int = setting(75_000, "How long an HTTP connection may lie idle between two requests.", least=1)
    http_deadline_ms: int = setting(
        9_000, "Longest an HTTP request may take from its headers to its answer; exporters wait 10 s.", least=1
    )

    def __post_init__(self) -> None:
        if self.http_listen:
            parse_address(self.http_listen, "otlp.http_listen")
        if self.tenant:
            check_tenant_name(self.tenant)

    @property
    def http_address(self) -> Address | None:
        """`http_listen`, parsed; None where there is none."""
        return parse_address(self.http_listen, "otlp.http_listen") if self.http_listen else None
