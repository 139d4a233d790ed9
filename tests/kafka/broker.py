"""Real Apache Kafka for tests: the starter of `docker/kafka/broker.py`, as fixtures.

`kafka` is the bootstrap address of one broker that a whole test run shares; nobody may disturb it. A test that kills,
freezes or restarts brokers starts its own with `own_cluster`. A conftest.py takes what it needs:

    from tests.kafka.broker import kafka  # noqa: F401

Where Java or Maven is missing the tests are skipped, saying so; under CI they fail instead.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

_STARTER = Path(__file__).resolve().parents[2] / "docker" / "kafka" / "broker.py"


@lru_cache(maxsize=1)
def starter() -> ModuleType:
    """The module that starts brokers; it lies outside every package because it is a script first."""
    spec = importlib.util.spec_from_file_location("docker_kafka_broker", _STARTER)
    if spec is None or spec.loader is None:
        raise ImportError(f"{_STARTER} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def need_kafka() -> None:
    """Skip the test when no broker can be started here; fail it under CI."""
    problem = starter().missing()
    if problem is None:
        return
    if os.environ.get("CI"):
        pytest.fail(f"CI must not skip the Kafka tests: {problem}")
    pytest.skip(f"no Kafka here: {problem}")


@lru_cache(maxsize=1)
def _shared_bootstrap() -> str:
    # Not a fixture's own state: several conftest.py may import the fixture, and all are to share one broker.
    folder = tempfile.TemporaryDirectory(prefix="ledger-kafka-")
    cluster = starter().Cluster(Path(folder.name), nodes=1)

    def stop() -> None:
        cluster.kill()
        folder.cleanup()

    atexit.register(stop)
    cluster.start()
    return str(cluster.bootstrap)


@pytest.fixture(scope="session")
def kafka() -> str:
    """The bootstrap address of a running broker, shared by the whole run: do not disturb it."""
    need_kafka()
    return _shared_bootstrap()


@contextmanager
def own_cluster(folder: Path, nodes: int = 1) -> Iterator[Any]:
    """A cluster of the test's own, started; killed at the end, in whatever state it is."""
    need_kafka()
    cluster = starter().Cluster(folder / "kafka", nodes=nodes)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.kill()
