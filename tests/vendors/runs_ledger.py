"""A real ledger, started by its own commands, that the runs export to; and what it reconstructs of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.client.builders import change
from ledger.v1 import event_pb2 as pb
from tests.ledger.cli.events import event, line
from tests.ledger.cli.running import Cli, Up
from tests.vendors.recipes import Run, behind, environment, service_account, start, upstreams
from tests.vendors.runs import OVER_HTTP
from tests.vendors.serving import Loopback

TENANT = "acme"
AT_ONCE = 3
OVER_HTTP_AT = "OTLP over HTTP"
"""What `up` calls the address of OTLP over HTTP."""


@dataclass(slots=True)
class RunsLedger:
    """A running ledger, and by the name of a run what each of its cases answered."""

    cli: Cli
    up: Up
    vendor: Loopback
    folder: Path
    told: dict[str, dict[str, str]] = field(default_factory=dict)
    stories: dict[str, Any] = field(default_factory=dict)

    def approve(self) -> None:
        """The prompt's revision that the recipes use is approved and in effect."""
        text = "You help with orders."
        prompt: dict[str, Any] = {"artifact_kind": "prompt", "artifact_id": "support", "to_revision": "7"}
        reviewers = [pb.Reviewer(name="priya", standing=pb.REVIEW_STANDING_VERIFIED, source="github-review")]
        acts = [
            change(**prompt, author="dana", action="approve", artifact_text=text, reviewers=reviewers),
            change(**prompt, author="dana", action="deploy"),
        ]
        lines = "".join(line(each) for each in acts)
        self.cli.good("publish", "-", "--tenant", "_org", "--to", self.up.gateway, "--wait", stdin=lines)

    @contextmanager
    def proxy(self) -> Iterator[dict[str, str]]:
        """The recording proxy in front of the loopback vendor; what to export to use it."""
        file = self.folder / "upstreams.toml"
        file.write_text(upstreams(self.vendor.port), "utf-8")
        keys = {"AWS_ACCESS_KEY_ID": "AKIAPROXY", "AWS_SECRET_ACCESS_KEY": "none"}
        cli = Cli(self.cli.home, {**self.cli.extra, **keys})
        command = ("proxy", "--tenant", TENANT, "--upstreams", str(file), "--to", self.up.gateway)
        running = Up(cli.start(*command, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"))
        try:
            running.await_ready("proxy")
            yield behind(running.addresses["proxy"].partition(",")[0])
        finally:
            running.stop()

    def run(self, runs: Sequence[Run], **more: str) -> None:
        """Runs all, some at once, with this in their environment. Returns when all that came of it is sealed."""
        credentials = self.folder / "google.json"
        service_account(credentials, self.vendor.port)
        seen = environment(self.vendor.port, credentials)

        def one(run: Run) -> dict[str, str]:
            address = self.up.addresses[OVER_HTTP_AT] if run == OVER_HTTP else self.up.gateway
            return start(
                run,
                self.folder / run.name,
                {**seen, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{address}", "LEDGER_GATEWAY": self.up.gateway, **more},
            )

        with ThreadPoolExecutor(AT_ONCE) as pool:
            told = list(pool.map(one, runs))
        self.told |= dict(zip((run.name for run in runs), told, strict=True))
        self.seal()

    def seal(self) -> None:
        """Returns when all that was acknowledged before is sealed: a tenant's log keeps the order of acceptance."""
        last = line(event("nobody", "the last one"))
        self.cli.good("publish", "-", "--tenant", TENANT, "--to", self.up.gateway, "--wait", stdin=last)

    def story(self, run: Run) -> Any:
        """The story of a run's user, by `audit-ledger reconstruct`; asked for once."""
        if run.user not in self.stories:
            asked = ("reconstruct", "--tenant", TENANT, "--user", run.user, "--to", self.up.gateway)
            self.stories[run.user] = self.cli.good(*asked, "--json").json
        return self.stories[run.user]

    def steps(self, run: Run, case: str) -> list[dict[str, Any]]:
        """The steps of one case."""
        session = run.session(case)
        return [step for step in self.story(run)["steps"] if step["events"][0]["fields"].get("session_id") == session]


@contextmanager
def runs_ledger(folder: Path, vendor: Loopback) -> Iterator[RunsLedger]:
    """A new ledger, up."""
    cli = Cli(folder / "home", {"AUDIT_LEDGER_OTLP_HTTP_LISTEN": "127.0.0.1:0"})
    cli.make(TENANT)
    with cli.up("--without-query") as up:
        running = RunsLedger(cli, up, vendor, folder)
        running.approve()
        yield running
