#!/usr/bin/env python3
"""A real Apache Kafka on this machine, from its Maven artifacts and Java alone: no Docker, no installation.

    python docker/kafka/broker.py --nodes 1 --dir .kafka/data --port 9092     # Ctrl-C stops everything
    python docker/kafka/broker.py --fetch-only                                # only download the jars

It needs Java 17 or newer and Maven (to fetch the jars once into `.kafka/`, 43 MB). KRaft, one node or three; every node
is broker and controller. Node n (from 0) listens on port + 2n for clients and port + 2n + 1 for controllers, on the
loopback interface only. `--dir` keeps the data; started again on it, the cluster goes on where it was.

The same classes start the brokers of the tests. A node runs under a small shell that holds a pipe from this process:
when this process dies in whatever way, the pipe closes and the shell kills Java, so no broker outlives its starter.

Safety of the data: no automatic topics, no unclean leader election; with three nodes internal topics have replication 3
and 2 in-sync replicas. One node survives kill -9 (the page cache stays), not the loss of its disk: use it to develop.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path

VERSION = "4.1.1"
"""Of Apache Kafka; pom.xml beside this file names the same."""

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
READY = "Kafka Server started"
COPY_DEPENDENCIES = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
NODES_ALLOWED = (1, 3)
START_TIMEOUT_S = 60.0

# $@ is Java's command line; standard input is the pipe whose end of file means that the starter is gone.
KEEPER = """
trap : TERM INT
exec 3<&0
"$@" </dev/null 3<&- &
java=$!
(trap - TERM INT; read -r _ <&3; kill -9 $java) 2>/dev/null &
wait $java
wait $java
"""

LOG4J = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c - %m%n
rootLogger.level = info
rootLogger.appenderRef.out.ref = out
"""


class BrokerProblem(RuntimeError):
    """What stands in the way of a running broker, in words for the person who has to remove it."""


def missing() -> str | None:
    """Why no broker can be started here (no Java 17, no Maven while the jars are not fetched), or None."""
    java = shutil.which("java")
    if java is None:
        return "Java is missing: install a Java 17 runtime or newer (Debian: apt-get install openjdk-17-jre-headless)"
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=60).stderr
    found = re.search(r'version "(\d+)', told)
    if found is None or int(found.group(1)) < 17:
        return f"Java 17 or newer is needed; {java} says {told.splitlines()[:1]}"
    if not jars_folder().is_dir() and shutil.which("mvn") is None:
        return "Maven is missing, needed once to fetch Kafka's jars (Debian: apt-get install maven)"
    return None


def jars_folder() -> Path:
    """Where the jars of this version are kept."""
    return ROOT / ".kafka" / f"jars-{VERSION}"


def fetch() -> Path:
    """The folder with Kafka's jars; downloads them the first time. Safe when several processes call it at once."""
    problem = missing()
    if problem is not None:
        raise BrokerProblem(problem)
    target = jars_folder()
    target.parent.mkdir(parents=True, exist_ok=True)
    with (target.parent / "fetch.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        partial = target.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), COPY_DEPENDENCIES]
        command += ["-DincludeScope=runtime", f"-DoutputDirectory={partial}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
        if done.returncode != 0 or not any(partial.glob("kafka_*.jar")):
            said = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
            raise BrokerProblem(f"Maven could not fetch Kafka {VERSION}; it said:\n{said}")
        partial.rename(target)
    return target


def free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody listens on right now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Node:
    """One Kafka process: broker and controller. Its data and its output (`broker.log`) live in `directory`."""

    def __init__(
        self, number: int, directory: Path, jars: Path, ports: Sequence[tuple[int, int]], heap_mb: int
    ) -> None:
        self.number = number
        self.directory = directory
        self.port, self._controller_port = ports[number]
        self._jars = jars
        self._ports = ports
        self._heap_mb = heap_mb
        self._process: subprocess.Popen[bytes] | None = None
        self._log_from = 0

    @property
    def address(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """Everything the process printed, over all its starts."""
        return self.directory / "broker.log"

    def format(self, cluster_id: str) -> None:
        """Prepare the data folder; one that is already formatted stays as it is."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "log4j2.properties").write_text(LOG4J)
        (self.directory / "server.properties").write_text(self._configuration())
        config = str(self.directory / "server.properties")
        tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", cluster_id, "-c", config]
        done = subprocess.run(self._java(*tool), capture_output=True, text=True, check=False, timeout=120)
        if done.returncode != 0:
            raise BrokerProblem(
                f"node {self.number} could not be formatted:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
            )

    def start(self) -> None:
        """Start the process; `wait_ready` says when it serves."""
        if self._process is not None and self._process.poll() is None:
            return
        self._log_from = self.log.stat().st_size if self.log.exists() else 0
        command = ["/bin/sh", "-c", KEEPER, "sh", *self._java("kafka.Kafka", str(self.directory / "server.properties"))]
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )

    def wait_ready(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Return once the process serves; `BrokerProblem` with the end of its log when it does not."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            if READY in self._said():
                return
            if self._process is None or self._process.poll() is not None:
                raise BrokerProblem(f"node {self.number} ended while starting:\n{self._said()[-3000:]}")
            time.sleep(0.05)
        raise BrokerProblem(f"node {self.number} was not ready after {timeout_s:.0f} s:\n{self._said()[-3000:]}")

    def kill(self) -> None:
        """SIGKILL, as a crash: nothing is flushed, nothing said goodbye to."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: the process keeps its connections and answers nothing, until `thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self._signal(signal.SIGCONT)

    def stop(self, timeout_s: float = 20.0) -> None:
        """An orderly shutdown; SIGKILL when that takes longer than `timeout_s`."""
        process = self._process
        if process is None:
            return
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout_s)
        self._end(signal.SIGKILL)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def _end(self, number: int) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        if process.stdin is not None:
            process.stdin.close()
        process.wait(30)

    def _said(self) -> str:
        with self.log.open("rb") as file:
            file.seek(self._log_from)
            return file.read().decode("utf-8", "replace")

    def _java(self, *arguments: str) -> list[str]:
        heap = [f"-Xmx{self._heap_mb}m", "-Xms128m", "-XX:+UseSerialGC"]
        logging = f"-Dlog4j2.configurationFile={self.directory / 'log4j2.properties'}"
        return ["java", *heap, logging, "-cp", f"{self._jars}/*", *arguments]

    def _configuration(self) -> str:
        count = len(self._ports)
        replicas, in_sync = (3, 2) if count == 3 else (1, 1)
        voters = ",".join(f"{number}@127.0.0.1:{ports[1]}" for number, ports in enumerate(self._ports))
        return f"""\
process.roles=broker,controller
node.id={self.number}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{self._controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{self.port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs={self.directory / "data"}
auto.create.topics.enable=false
unclean.leader.election.enable=false
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=1
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
# After kill -9 a broker can come back only once its old session is over (default 9000).
broker.session.timeout.ms=5000
broker.heartbeat.interval.ms=1000
log.initial.task.delay.ms=500
file.delete.delay.ms=1000
"""


def new_cluster_id() -> str:
    """A cluster's id as Kafka's own tool makes one: 16 random bytes in URL-safe base64, not beginning with a hyphen.

    The tool that formats a data directory would take a leading hyphen for an option.
    """
    while True:
        identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if not identity.startswith("-"):
            return identity


class Cluster:
    """One node or three on this machine, in `directory`. A context manager: started on entry, stopped on exit."""

    def __init__(self, directory: Path, nodes: int = 1, port: int | None = None, heap_mb: int = 512) -> None:
        if nodes not in NODES_ALLOWED:
            raise BrokerProblem(f"{nodes} nodes asked for, expected 1 or 3")
        self.directory = directory.resolve()
        jars = fetch()
        numbers = [port + n for n in range(2 * nodes)] if port is not None else free_ports(2 * nodes)
        ports = list(zip(numbers[::2], numbers[1::2], strict=True))
        self.nodes = [Node(n, self.directory / f"node-{n}", jars, ports, heap_mb) for n in range(nodes)]

    @property
    def bootstrap(self) -> str:
        """The addresses of all nodes, as a Kafka client takes them."""
        return ",".join(node.address for node in self.nodes)

    def start(self) -> None:
        """Format what is new, start all nodes and return once all of them serve."""
        self.directory.mkdir(parents=True, exist_ok=True)
        identity = self.directory / "cluster-id"
        if not identity.exists():
            identity.write_text(new_cluster_id())
        for node in self.nodes:
            node.format(identity.read_text())
        self.restart()

    def restart(self) -> None:
        """Start every node that does not run and wait until all serve."""
        for node in self.nodes:
            node.start()
        for node in self.nodes:
            node.wait_ready()

    def kill(self) -> None:
        """SIGKILL to every node."""
        for node in self.nodes:
            node.kill()

    def stop(self) -> None:
        """An orderly shutdown of every node."""
        for node in self.nodes:
            node._signal(signal.SIGTERM)
        for node in self.nodes:
            node.stop()

    def __enter__(self) -> Cluster:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _describe(cluster: Cluster) -> str:
    lines = [f"Kafka {VERSION} is ready: {len(cluster.nodes)} node(s), data in {cluster.directory}"]
    lines += [f"  node {node.number}: {node.address}, log {node.log}" for node in cluster.nodes]
    lines.append(f"Bootstrap servers: {cluster.bootstrap}")
    replication = 3 if len(cluster.nodes) == 3 else 1
    lines.append(f"Event log URL:     kafka://{cluster.bootstrap}/audit-events?partitions=4&replication={replication}")
    lines.append("Ctrl-C stops it.")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--nodes", type=int, choices=NODES_ALLOWED, default=1, help="how many nodes (default 1)")
    parser.add_argument("--dir", type=Path, default=ROOT / ".kafka" / "data", help="data folder (default .kafka/data)")
    parser.add_argument("--port", type=int, default=9092, help="first port; a node takes two (default 9092)")
    parser.add_argument("--fetch-only", action="store_true", help="download the jars and exit")
    options = parser.parse_args(arguments)
    try:
        if options.fetch_only:
            print(f"Kafka {VERSION}: {fetch()}")
            return 0
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with Cluster(options.dir, options.nodes, options.port) as cluster:
            print(_describe(cluster), flush=True)
            while True:
                signal.pause()
    except KeyboardInterrupt:
        print("Stopped.")
    except BrokerProblem as problem:
        print(f"Kafka cannot be started. {problem}", file=sys.stderr)
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
