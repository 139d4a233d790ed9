"""The command line as a user has it: real processes, one home."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
COMMAND_S = 240
READY_S = 120
STOP_S = 60
TENANT = "acme"
ANY_PORT = {
    f"AUDIT_LEDGER_{name}": "127.0.0.1:0"
    for name in ("GATEWAY_METRICS_LISTEN", "SEALER_METRICS_LISTEN", "QUERY_LISTEN")
}


@dataclass(frozen=True, slots=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What it printed, as JSON."""
        return json.loads(self.out)


@dataclass(slots=True)
class Cli:
    """Commands against one home; nothing of the tester's own environment leaks into them."""

    home: Path
    extra: Mapping[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """What the processes see. Their ports are any free ones, so that tests can run beside each other."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AUDIT_LEDGER_")}
        return {**kept, "AUDIT_LEDGER_HOME": str(self.home), "COLUMNS": "100", **ANY_PORT, **self.extra}

    def start(self, *arguments: str, **pipes: Any) -> subprocess.Popen[str]:
        """A command, under way."""
        return subprocess.Popen(
            [sys.executable, "-m", "ledger.cli.main", *arguments],
            cwd=ROOT,
            env=self.environment(),
            text=True,
            stdin=pipes.get("stdin", subprocess.DEVNULL),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, *arguments: str, stdin: str | None = None, within_s: float = COMMAND_S) -> Done:
        """A command, to its end."""
        process = self.start(*arguments, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL)
        try:
            out, err = process.communicate(stdin, timeout=within_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Done(process.returncode, out, err)

    def good(self, *arguments: str, stdin: str | None = None, within_s: float = COMMAND_S) -> Done:
        """A command that must end well."""
        done = self.run(*arguments, stdin=stdin, within_s=within_s)
        if done.code != 0:
            raise AssertionError(f"{arguments} ended with {done.code}:\n{done.out}\n{done.err}")
        return done

    def make(self, *tenants: str) -> None:
        """A new ledger with these tenants."""
        self.good("init", "--name", "audit.test")
        for tenant in tenants:
            self.good("tenant", "add", tenant)

    @contextmanager
    def up(self, *arguments: str) -> Iterator[Up]:
        """`audit-ledger up`, ready; told to end when the block ends."""
        running = Up(self.start("up", "--listen", "127.0.0.1:0", *arguments))
        try:
            running.await_ready("query" if "--without-query" not in arguments else "gateway")
            yield running
        finally:
            running.stop()


class Up:
    """A running `audit-ledger up`: its process, its lines, its gateway's address."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.addresses: dict[str, str] = {}
        self.err = ""
        self._lines: Queue[str | None] = Queue()
        self._readers = [threading.Thread(target=self._read_out), threading.Thread(target=self._read_err)]
        for reader in self._readers:
            reader.start()

    @property
    def gateway(self) -> str:
        """HOST:PORT of the gateway."""
        return self.addresses["gateway"]

    def await_ready(self, name: str) -> None:
        """Returns when the server of this name says that it is ready."""
        while name not in self.addresses:
            try:
                line = self._lines.get(timeout=READY_S)
            except Empty:
                line = None
            if line is None:
                self.stop()
                raise AssertionError(f"the {name} did not get ready:\n{self.err}")
            server, _, address = line.partition(" ready on ")
            self.addresses[server] = address.strip()

    def await_end(self) -> int:
        """Its exit code once it ended by itself."""
        code = self.process.wait(STOP_S)
        self._close()
        return code

    def stop(self) -> int:
        """Its exit code after SIGTERM."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self._close()
        return self.process.returncode

    def children(self) -> dict[str, int]:
        """Process ids by command."""
        found = {}
        for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split():
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            found[words[3].decode()] = int(pid)
        return found

    def _read_out(self) -> None:
        for line in self.process.stdout or ():
            self._lines.put(line)
        self._lines.put(None)

    def _read_err(self) -> None:
        for line in self.process.stderr or ():
            self.err += line

    def _close(self) -> None:
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
