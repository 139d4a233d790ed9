"""From a URL to an event log: every parameter arrives, and nothing unknown is let through."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.errors import Misconfigured
from ledger.log.embedded import EmbeddedLog
from ledger.log.kafka import KafkaLog
from ledger.log.kafka_settings import KafkaSettings, Security
from ledger.log.kafka_topic import topic_config
from ledger.log.open import create_log, kafka_settings, open_log


async def test_makes_and_opens_an_embedded_log(tmp_path: Path) -> None:
    """An absolute path, a path relative to the home, and percent-encoding all name the same file."""
    incarnation = await create_log("sqlite:a%20log.sqlite?partitions=3", base=tmp_path)
    for url in (f"sqlite://{tmp_path}/a%20log.sqlite?partitions=3&busy_ms=100", "sqlite:a%20log.sqlite"):
        log = open_log(url, incarnation=incarnation, base=tmp_path)
        assert isinstance(log, EmbeddedLog)
        await log.start()
        assert (log.partitions, log.incarnation) == (3, incarnation)
        await log.close()
    with pytest.raises(Misconfigured, match="exists already"):
        await create_log("sqlite:a%20log.sqlite?partitions=3", base=tmp_path)


def test_reads_every_kafka_parameter() -> None:
    """Each documented parameter ends up in the settings."""
    url = (
        "kafka://a:1,b:2/events?partitions=8&replication=5&min_isr=4&batch_bytes_max=2000&appends_max=7"
        "&request_timeout_ms=900&timestamps=CreateTime&security=SASL_SSL&ca=ca.pem&certificate=me.pem&key=me.key"
        "&sasl_mechanism=SCRAM-SHA-512&sasl_username=u%26u&sasl_password_file=/run/secret"
    )
    assert kafka_settings(url, base=Path("/home")) == KafkaSettings(
        bootstrap=("a:1", "b:2"),
        topic="events",
        partitions=8,
        replication=5,
        min_isr=4,
        batch_bytes_max=2000,
        appends_max=7,
        request_timeout_ms=900,
        timestamps="CreateTime",
        security=Security(
            protocol="SASL_SSL",
            ca_file=Path("/home/ca.pem"),
            certificate_file=Path("/home/me.pem"),
            key_file=Path("/home/me.key"),
            sasl_mechanism="SCRAM-SHA-512",
            sasl_username="u&u",
            sasl_password_file=Path("/run/secret"),
        ),
    )


async def test_kafka_defaults_are_the_safe_ones() -> None:
    """Three copies, two of them in step, nothing deleted by the broker, in clear only because nobody said otherwise."""
    settings = kafka_settings("kafka://a:1/events?partitions=1")
    assert (settings.replication, settings.min_isr, settings.security.protocol) == (3, 2, "PLAINTEXT")
    assert kafka_settings("kafka://a:1/events?partitions=1&replication=1").min_isr == 1
    config = topic_config(settings)
    assert config["retention.ms"] == config["retention.bytes"] == "-1"
    assert config["cleanup.policy"] == "delete"
    assert config["unclean.leader.election.enable"] == "false"
    log = open_log("kafka://a:1/events?partitions=4&batch_bytes_max=5000")
    assert isinstance(log, KafkaLog)
    assert (log.partitions, log.batch_bytes_max) == (4, 5000)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mysql://h/t", "scheme 'mysql'"),
        ("", "scheme ''"),
        ("sqlite:///x?colour=red", "unknown parameter 'colour'"),
        ("kafka://h:1/t?partitions=1&retention=5", "unknown parameter 'retention'"),
        ("sqlite:///x?partitions=1&partitions=2", "twice"),
        ("sqlite:///x?partitions=many", "partitions is 'many'"),
        ("sqlite:///x?partitions=0", "partitions is '0'"),
        ("sqlite:///x?partitions=-1", "partitions is '-1'"),
        ("sqlite:///x?busy_ms=", "busy_ms is ''"),
        ("sqlite://host/x", "expected sqlite:///"),
        ("sqlite:///", "expected sqlite:///"),
        ("sqlite:///x#y", "fragment"),
        ("kafka://h:1/t", "partitions is missing"),
        ("kafka://h:1/?partitions=1", "expected kafka://"),
        ("kafka://[::1:9/t?partitions=1", "event log URL"),
        ("kafka:///t?partitions=1", "expected kafka://"),
        ("kafka://h:1/a/b?partitions=1", "expected kafka://"),
        ("kafka://user:secret@h:1/t?partitions=1", "no user, password"),
        ("kafka://h:1/t?partitions=1&replication=1&min_isr=2", "min_isr"),
        ("kafka://h:1/t?partitions=1&timestamps=Never", "timestamps is 'Never'"),
        ("kafka://h:1/t?partitions=1&security=TLS", "security is 'TLS'"),
        ("kafka://h:1/t?partitions=1&security=SASL_SSL", "go together"),
        ("kafka://h:1/t?partitions=1&sasl_username=me", "go together"),
        ("kafka://h:1/t?partitions=1&ca=x", "certificates belong"),
        ("kafka://h:1/t?partitions=1&security=SSL&key=x", "needs its certificate"),
    ],
)
def test_refuses_a_wrong_url(url: str, complaint: str) -> None:
    """What is unknown, missing, doubled or contradictory refuses to start, and the message names it."""
    with pytest.raises(Misconfigured, match=complaint) as refused:
        open_log(url)
    assert "secret" not in str(refused.value)


async def test_making_a_file_needs_the_number_of_partitions(tmp_path: Path) -> None:
    """The number of partitions is for ever, so it is never guessed."""
    with pytest.raises(Misconfigured, match="partitions is missing"):
        await create_log(f"sqlite://{tmp_path}/log.sqlite")


def test_passwords_come_from_files_and_tls_is_checked(tmp_path: Path) -> None:
    """The password is the file's content without its line end; TLS verifies the broker; a missing file is named."""
    secret = tmp_path / "secret"
    secret.write_text("pass word\n")
    sasl = Security("SASL_SSL", sasl_mechanism="PLAIN", sasl_username="me", sasl_password_file=secret)
    arguments = sasl.arguments()
    assert (arguments["sasl_plain_username"], arguments["sasl_plain_password"]) == ("me", "pass word")
    assert arguments["ssl_context"].check_hostname
    assert "pass word" not in repr(sasl)
    secret.unlink()
    with pytest.raises(Misconfigured, match="secret"):
        sasl.arguments()
