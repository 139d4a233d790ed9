"""From a URL to an event log.

    sqlite:///var/lib/ledger/log.sqlite?partitions=4       an absolute path
    sqlite:log.sqlite                                      relative to `base` (the ledger's home), else to here
        partitions        how many; needed to make the file, checked afterwards when given
        batch_bytes_max   the largest append (1048576)
        appends_max       appends that may wait; more are turned away as unavailable (256)
        busy_ms           how long to wait for another writing process (2000)

    kafka://host:9092,host:9092/topic?partitions=4
        partitions        how many the topic has (needed)
        replication       copies of each partition, at least (3; on one broker say 1)
        min_isr           copies that must have an append before it counts, at least (more than half of replication)
        batch_bytes_max   the largest append (1048576)
        appends_max       appends that may wait; more are turned away as unavailable (256)
        request_timeout_ms  how long a broker may take for one request (5000)
        timestamps        LogAppendTime (default) or CreateTime; only for making the topic
        security          PLAINTEXT (default), SSL, SASL_PLAINTEXT or SASL_SSL
        ca, certificate, key    PEM files for SSL; without `ca` the system's authorities are trusted
        sasl_mechanism    PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512
        sasl_username, sasl_password_file    the password is the file's content

Sizes are bytes. Parameters are percent-decoded; one that is not listed, or is given twice, refuses to start. Secrets
never stand in a URL.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TypeVar, get_args
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ledger.errors import Misconfigured
from ledger.log.embedded import APPENDS_MAX, BATCH_BYTES_MAX, BUSY_MS, EmbeddedLog
from ledger.log.interface import EventLog
from ledger.log.kafka_settings import KafkaSettings, SaslMechanism, Security, SecurityProtocol, TimestampType

T = TypeVar("T", bound=str)

_SQLITE_PARAMETERS = ("partitions", "batch_bytes_max", "appends_max", "busy_ms")
_KAFKA_PARAMETERS = (
    "partitions",
    "replication",
    "min_isr",
    "batch_bytes_max",
    "appends_max",
    "request_timeout_ms",
    "timestamps",
    "security",
    "ca",
    "certificate",
    "key",
    "sasl_mechanism",
    "sasl_username",
    "sasl_password_file",
)


def open_log(url: str, *, incarnation: bytes | None = None, base: Path | None = None) -> EventLog:
    """The event log that `url` names, not yet started. `Misconfigured` when the URL is wrong.

    An embedded log refuses to start when its file has another `incarnation`. A Kafka topic cannot tell its own: there
    the incarnation in each record is what counts, and the argument has no effect.
    """
    parts, parameters = _split(url)
    if parts.scheme == "sqlite":
        return EmbeddedLog(
            _path(parts, base),
            partitions=_number(parameters, "partitions", 0) or None,
            incarnation=incarnation,
            batch_bytes_max=_number(parameters, "batch_bytes_max", BATCH_BYTES_MAX),
            appends_max=_number(parameters, "appends_max", APPENDS_MAX),
            busy_ms=_number(parameters, "busy_ms", BUSY_MS),
        )
    from ledger.log.kafka import KafkaLog  # a Kafka client is imported where there is a Kafka

    return KafkaLog(kafka_settings(url, base=base))


async def create_log(url: str, *, base: Path | None = None) -> bytes:
    """Make the event log that `url` names, empty; returns its new incarnation. `Misconfigured` when it exists."""
    parts, parameters = _split(url)
    if parts.scheme == "sqlite":
        if "partitions" not in parameters:
            raise Misconfigured("event log URL: partitions is missing, needed to make the file")
        return await asyncio.to_thread(EmbeddedLog.create, _path(parts, base), _number(parameters, "partitions", 0))
    from ledger.log.kafka import KafkaLog

    await KafkaLog.create(kafka_settings(url, base=base))
    return secrets.token_bytes(16)


def kafka_settings(url: str, *, base: Path | None = None) -> KafkaSettings:
    """The settings in a `kafka://` URL; files are relative to `base`."""
    parts, parameters = _split(url)
    topic = unquote(parts.path.removeprefix("/"))
    if not parts.netloc or not topic or "/" in topic:
        raise Misconfigured("event log URL: expected kafka://host:port[,host:port]/topic")
    if "partitions" not in parameters:
        raise Misconfigured("event log URL: partitions is missing")
    replication = _number(parameters, "replication", 3)
    security = Security(
        protocol=_one_of(parameters, "security", get_args(SecurityProtocol)) or "PLAINTEXT",
        ca_file=_file(parameters, "ca", base),
        certificate_file=_file(parameters, "certificate", base),
        key_file=_file(parameters, "key", base),
        sasl_mechanism=_one_of(parameters, "sasl_mechanism", get_args(SaslMechanism)),
        sasl_username=parameters.get("sasl_username"),
        sasl_password_file=_file(parameters, "sasl_password_file", base),
    )
    return KafkaSettings(
        bootstrap=tuple(parts.netloc.split(",")),
        topic=topic,
        partitions=_number(parameters, "partitions", 0),
        replication=replication,
        min_isr=_number(parameters, "min_isr", replication // 2 + 1),
        batch_bytes_max=_number(parameters, "batch_bytes_max", 1024 * 1024),
        appends_max=_number(parameters, "appends_max", 256),
        request_timeout_ms=_number(parameters, "request_timeout_ms", 5_000),
        timestamps=_one_of(parameters, "timestamps", get_args(TimestampType)) or "LogAppendTime",
        security=security,
    )


def _split(url: str) -> tuple[SplitResult, dict[str, str]]:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Misconfigured(f"event log URL: {error}") from None
    known: Collection[str] = {"sqlite": _SQLITE_PARAMETERS, "kafka": _KAFKA_PARAMETERS}.get(parts.scheme, ())
    if not known:
        raise Misconfigured(f"event log URL: expected kafka://… or sqlite:///…, got the scheme {parts.scheme!r}")
    if "@" in parts.netloc or parts.fragment:
        raise Misconfigured("event log URL: no user, password or fragment may stand in it")
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            raise Misconfigured(f"event log URL: unknown parameter {name!r}, known are {', '.join(known)}")
        if name in parameters:
            raise Misconfigured(f"event log URL: {name} is given twice")
        parameters[name] = value
    return parts, parameters


def _path(parts: SplitResult, base: Path | None) -> Path:
    if parts.netloc or not parts.path.strip("/"):
        raise Misconfigured("event log URL: expected sqlite:///absolute/path or sqlite:relative/path")
    return (base or Path()) / unquote(parts.path)


def _number(parameters: Mapping[str, str], name: str, default: int) -> int:
    text = parameters.get(name, str(default))
    if not text.isascii() or not text.isdigit() or (name in parameters and int(text) == 0):
        raise Misconfigured(f"event log URL: {name} is {text!r}, expected a positive whole number")
    return int(text)


def _one_of(parameters: Mapping[str, str], name: str, allowed: Collection[T]) -> T | None:
    text = parameters.get(name)
    if text is None:
        return None
    for value in allowed:
        if text == value:
            return value
    raise Misconfigured(f"event log URL: {name} is {text!r}, expected one of {', '.join(allowed)}")


def _file(parameters: Mapping[str, str], name: str, base: Path | None) -> Path | None:
    return (base or Path()) / parameters[name] if parameters.get(name) else None
