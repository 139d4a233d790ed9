"""What a Kafka event log needs to know: where the brokers are, what the topic must be like, how to connect.

Every setting of durability and security is stated here or where the client is made; none is left to a default of
aiokafka, whose defaults suit other uses (`acks=1`, commits in the background, jumps to the newest offset).
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ledger.errors import Misconfigured

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
SaslMechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
TimestampType = Literal["LogAppendTime", "CreateTime"]

METADATA_MAX_AGE_MS = 60_000
CONNECTIONS_MAX_IDLE_MS = 540_000
RETRY_BACKOFF_MS = 100


@dataclass(frozen=True, slots=True)
class Security:
    """How connections are protected. Files are read when a connection is made, so they may be replaced meanwhile."""

    protocol: SecurityProtocol = "PLAINTEXT"
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    sasl_mechanism: SaslMechanism | None = None
    sasl_username: str | None = None
    sasl_password_file: Path | None = None

    def __post_init__(self) -> None:
        sasl = [part is not None for part in (self.sasl_mechanism, self.sasl_username, self.sasl_password_file)]
        if not (all(sasl) if self.protocol.startswith("SASL") else not any(sasl)):
            raise Misconfigured(
                f"security {self.protocol}: a mechanism, a user name and a password file go together with SASL"
            )
        if not self.protocol.endswith("SSL") and (self.ca_file or self.certificate_file or self.key_file):
            raise Misconfigured(f"security {self.protocol}: certificates belong to SSL or SASL_SSL")
        if self.key_file is not None and self.certificate_file is None:
            raise Misconfigured("security: a key file needs its certificate file")

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of every aiokafka client."""
        try:
            password = self.sasl_password_file.read_text().rstrip("\n") if self.sasl_password_file else None
            context = self._tls() if self.protocol.endswith("SSL") else None
        except OSError as error:
            raise Misconfigured(f"security: {error.filename or 'certificates'}: {error.strerror}") from None
        return {
            "security_protocol": self.protocol,
            "ssl_context": context,
            "sasl_mechanism": self.sasl_mechanism or "PLAIN",
            "sasl_plain_username": self.sasl_username,
            "sasl_plain_password": password,
        }

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=self.ca_file)
        context.check_hostname = True
        context.verify_mode = ssl.CERT_REQUIRED
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate_file is not None:
            context.load_cert_chain(self.certificate_file, self.key_file)
        return context


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """One topic and how to reach it. `replication` and `min_isr` are what the topic must have at least."""

    bootstrap: tuple[str, ...]
    topic: str
    partitions: int
    replication: int = 3
    min_isr: int = 2
    batch_bytes_max: int = 1024 * 1024
    appends_max: int = 256
    request_timeout_ms: int = 5_000
    timestamps: TimestampType = "LogAppendTime"
    security: Security = Security()

    def __post_init__(self) -> None:
        for name in ("partitions", "replication", "min_isr", "batch_bytes_max", "appends_max", "request_timeout_ms"):
            if getattr(self, name) < 1:
                raise Misconfigured(f"kafka {name} is {getattr(self, name)}, expected at least 1")
        if self.min_isr > self.replication:
            raise Misconfigured(f"kafka min_isr is {self.min_isr}, more than replication, which is {self.replication}")

    @property
    def request_timeout_s(self) -> float:
        """How long one request may take."""
        return self.request_timeout_ms / 1000

    def connection(self, purpose: str) -> dict[str, Any]:
        """The keyword arguments that every kind of aiokafka client takes; `purpose` names it in the broker's logs."""
        return {
            "bootstrap_servers": list(self.bootstrap),
            "client_id": f"audit-ledger-{purpose}",
            "request_timeout_ms": self.request_timeout_ms,
            "retry_backoff_ms": RETRY_BACKOFF_MS,
            "metadata_max_age_ms": METADATA_MAX_AGE_MS,
            "connections_max_idle_ms": CONNECTIONS_MAX_IDLE_MS,
            **self.security.arguments(),
        }
