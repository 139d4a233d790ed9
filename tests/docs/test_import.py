"""docs/IMPORT.md shows commands that work, and says of importing twice what is so."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from tests.docs.test_readme import ROOT, commands, conversation
from tests.ledger.cli.running import TENANT, Cli
from tests.ledger.importers.test_bedrock import CONVERSE, INVOKE
from tests.ledger.importers.test_litellm import ROW
from tests.ledger.otlp.captured import FOLDER

DOCUMENT = ROOT / "docs" / "IMPORT.md"


def test_the_commands_shown_work_and_reconstruct_answers(tmp_path: Path) -> None:
    """Each command imports its file, a second time adds nothing, and what was imported is found by its user with
    model, input, output and the tools that ran."""
    (tmp_path / "conversations.jsonl.gz").write_bytes(conversation())
    (tmp_path / "spend.json").write_text(json.dumps([ROW]))
    folder = tmp_path / "AWSLogs" / "123456789012"
    folder.mkdir(parents=True)
    logs = b"\n".join(json.dumps(each).encode() for each in (CONVERSE, {**INVOKE, "requestId": "another"}))
    (folder / "1.json.gz").write_bytes(gzip.compress(logs))
    (tmp_path / "telemetry").mkdir()
    (tmp_path / "telemetry" / "traces.jsonl").write_bytes((FOLDER / "openllmetry-older.jsonl").read_bytes())
    cli = Cli(tmp_path / "home")
    cli.make(TENANT)
    with cli.up() as up:

        def shown() -> list[dict[str, int]]:
            """What the commands report, with the files where they are."""
            found = []
            for command in commands(DOCUMENT):
                words = [
                    str(tmp_path / word) if (tmp_path / word).exists() else word.replace("127.0.0.1:7443", up.gateway)
                    for word in command.split()[1:]
                ]
                found.append(cli.good(*words, *(() if "--json" in words else ("--json",))).json)
            return found

        first, again = shown(), shown()
        assert [each["accepted"] for each in first] == [3, 2, 3, 5, 0, 0]
        assert [(each["accepted"], each["repeat"]) for each in again[:4]] == [(0, 3), (0, 2), (0, 3), (0, 5)]
        story = cli.good("reconstruct", "--tenant", TENANT, "--user", "mia", "--to", up.gateway, "--json").json
        steps = json.dumps(story)
        for part in ("gpt-4o-2024-08-06", "us-west-2", "get_flight", "At ten past.", "aws.bedrock", "azure.ai.openai"):
            assert part in steps
