"""The command `demo`: the whole way of an event, from the client to a proof and a named tamper.

Every act runs this program's own commands on a home of its own; the scenario is published by the real client.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from ledger.cli.options import EXIT_FINDING
from ledger.cli.stage import Stage
from ledger.cli.tampering import cut_end, flip_bit
from ledger.client import Client
from ledger.errors import Unavailable
from ledger.scenario import CUSTOMERS, ScenarioEvent, support_desk
from ledger.tenants import ORG
from ledger.v1.event_pb2 import CapturePath

TENANT = "shop"
USER = CUSTOMERS[0]
READER = ("--reader", "auditor.jo", "--role", "auditor", "--case", "INC-2207")
DISCLOSED = "SELECT event_id_uuid FROM tool_calls WHERE tool = 'issue_refund' AND phase = 'started' LIMIT 1"
TOOLS = "SELECT tool, side_effect, phase, outcome, count(*) AS calls FROM tool_calls GROUP BY ALL ORDER BY ALL"


@click.command(short_help="Show all of it, on an embedded log, in a minute.")
@click.option(
    "--home", type=click.Path(path_type=Path, file_okay=False), help="A new folder. Default: a temporary one, removed."
)
@click.pass_context
def demo(ctx: click.Context, home: Path | None) -> None:
    """Make a ledger, run it, publish a small realistic scenario, ask it questions, verify it, tamper with a copy.

    \b
    Examples:
      audit-ledger demo
      audit-ledger demo --home ./demo-ledger
    """
    root = ctx.find_root().command
    known = frozenset(root.list_commands(ctx)) if isinstance(root, click.Group) else frozenset()
    with _folder(home) as folder:
        _Demo(folder, known).run()
        if home is not None:
            click.echo(f"The ledger stays in {folder}; for example: audit-ledger status --home {folder}")


@contextlib.contextmanager
def _folder(home: Path | None) -> Iterator[Path]:
    if home is not None:
        yield home.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="audit-ledger-demo-") as folder:
        yield Path(folder) / "ledger"


def _copy(segments: Path, to: Path) -> Path:
    shutil.copytree(segments, to)
    return to


class _Demo:
    """The acts, one a method."""

    def __init__(self, home: Path, known: frozenset[str]) -> None:
        self._home = home
        self._known = known
        self._stage = Stage(home)
        self._keep = home / "kept-elsewhere"
        self._receipts = self._keep / "receipts.bin"
        self._checkpoint = self._keep / "checkpoint.txt"
        self._seen: list[str] = []

    def run(self) -> None:
        """All of it, in order."""
        self._make()
        with contextlib.ExitStack() as running:
            self._stage.title("Run it: gateway, sealer and query server in one process group")
            up = running.enter_context(self._stage.up(*([] if "serve-query" in self._known else ["--without-query"])))
            self._publish(up.address)
            self._reconstruct(up.address)
            self._replay(up.address)
            self._ask(up.address)
        self._disclose()
        self._verify()
        self._tamper()
        self._summary()

    def _make(self) -> None:
        self._stage.title("A new ledger: keys, embedded event log, a tenant")
        click.echo(f"$ export AUDIT_LEDGER_HOME={self._home}")
        self._stage.run("init", "--name", "demo.example.org")
        self._stage.run("tenant", "add", TENANT)
        self._keep.mkdir(mode=0o700)

    def _publish(self, address: str) -> None:
        self._stage.title("Publish an afternoon of a support desk through the client")
        told = support_desk(TENANT, datetime.now(UTC))
        for tenant, service in ((ORG, "change-control"), (TENANT, "support-desk")):
            self._emit(address, tenant, service, told)
            status = self._stage.await_sealed()
        kinds = Counter(str(each.event.WhichOneof("body")) for each in told)
        counts = ", ".join(f"{count} {kind.replace('_', ' ')}s" for kind, count in sorted(kinds.items()))
        self._stage.say(f"{counts}: acknowledged, each under a receipt that the gateway signed.")
        rounds = sum(part["rounds"] for part in status["partitions"])
        events = sum(each["events"] for each in status["tenants"])
        self._stage.say(f"Sealed: {events} events in {rounds} signed rounds.")
        self._seen.append(f"{len(told)} events published, acknowledged durably, sealed in signed rounds")

    def _emit(self, address: str, tenant: str, service: str, told: list[ScenarioEvent]) -> None:
        own = [each.event for each in told if each.tenant == tenant]
        with Client(
            address,
            tenant,
            service=service,
            environment="demo",
            capture_path=CapturePath.CAPTURE_PATH_CI if tenant == ORG else CapturePath.CAPTURE_PATH_STUB,
            receipts_path=self._receipts,
            strict=True,
        ) as client:
            for event in own:
                client.emit(event)
            answered = client.flush()
            stats = client.stats()
        if not answered or stats.accepted < len(own):
            raise Unavailable(f"{len(own) - stats.accepted} events of tenant {tenant} were not accepted")

    def _reconstruct(self, address: str) -> None:
        if "reconstruct" not in self._known:
            return
        self._stage.title(f"What happened to {USER}, what governed it, and is it proven?")
        arguments = ("--user", USER, "--tenant", TENANT, *READER, "--to", address)
        self._stage.run("reconstruct", *arguments)
        story = self._stage.json("reconstruct", *arguments, "--metadata-only")
        proven = "every event proven" if story["proven"] else "NOT every event proven"
        flags = sum(len(each["flags"]) for step in story["steps"] for each in step["governance"])
        self._seen.append(f"the story of one user in {len(story['steps'])} steps, {proven}, {flags} things flagged")

    def _replay(self, address: str) -> None:
        if "replay" not in self._known:
            return
        self._stage.title(f"Replay a session of {CUSTOMERS[2]}: something was begun and never ended")
        self._stage.run("replay", "--session", "chat-1003", "--tenant", TENANT, *READER, "--to", address)
        self._seen.append("an incident replayed: what was begun and never ended, which prompt and model were in effect")

    def _ask(self, address: str) -> None:
        if "sql" in self._known:
            self._stage.title("An auditor's SQL, in a sealed process, inside one tenant")
            self._stage.run("sql", TOOLS, "--tenant", TENANT, *READER, "--to", address)
            self._seen.append("an auditor's SQL, read-only, in a sealed process; every reading is itself an event")
        self._stage.await_sealed()

    def _disclose(self) -> None:
        """One content, to somebody who gets neither a key nor the ledger."""
        if not {"disclose", "check-disclosure", "sql"} <= self._known:
            return
        self._stage.title("Disclose one content to an outsider, who checks it without ledger or keys")
        found = self._stage.json("sql", DISCLOSED, "--tenant", TENANT, *READER)
        tenant = self._stage.json("tenant", "show", TENANT)
        file = str(self._keep / "disclosure.json")
        self._stage.run("disclose", found[0]["event_id_uuid"], "intent", "-o", file, "--tenant", TENANT, *READER)
        self._stage.run("check-disclosure", file, "--key", tenant["logs"][0]["verifier_keys"][0])
        self._seen.append("one content disclosed and checked outside, against the signed checkpoint alone")
        self._stage.run("seal", "--drain", show=False)

    def _verify(self) -> None:
        self._stage.title("Verify all of it, down to every column and content")
        self._stage.run("verify", "--full", "--receipts", str(self._receipts))
        self._stage.run("fsck")
        self._seen.append("verify --full passed: signatures, trees, chains, columns, contents, receipts")

    def _tamper(self) -> None:
        self._stage.title("Tamper with copies: does verification name it?")
        segments = self._home / "segments"
        copies = self._home / "tampered"
        trust = ("--trust", str(self._home / "trust.json"))
        self._stage.say(f"In a copy: {flip_bit(_copy(segments, copies / 'bit'))}.")
        self._verify_copy("a bit turned over", copies / "bit", *trust)
        if "checkpoint" in self._known:
            self._stage.run("checkpoint", "--tenant", TENANT, "-o", str(self._checkpoint))
            self._stage.say(
                f"In another copy: {cut_end(_copy(segments, copies / 'end'), keep=1)}. What is left agrees with "
                "itself; a checkpoint that was kept elsewhere knows better."
            )
            self._verify_copy("the newest rounds gone", copies / "end", *trust, "--since", str(self._checkpoint))
        shutil.rmtree(copies)

    def _verify_copy(self, tamper: str, copy: Path, *arguments: str) -> None:
        self._stage.run("verify", "--full", "--segments", str(copy), *arguments, expected=(EXIT_FINDING,))
        self._seen.append(f"a copy tampered with, {tamper}: found and named")

    def _summary(self) -> None:
        self._stage.title("In short")
        for each in self._seen:
            click.secho(f"  ✓ {each}", fg="green")
