"""Fixtures of the Kafka tests."""

from tests.kafka.broker import kafka

__all__ = ["kafka"]
