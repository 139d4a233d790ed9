"""The commands that answer questions, as processes on a real ledger."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ledger.scenario import support_desk
from ledger.tenants import ORG
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import VerifierKey
from ledger.tlog.proof_bundle import parse_tlog_proof
from tests.ledger.cli.events import event, line
from tests.ledger.cli.running import Cli

TENANT = "shop"
USER = "mia_lindqvist"
UNKNOWN = "01981b2e-7c1f-7d40-9c62-5a8f3e0b7a11"
READER = ("--tenant", TENANT, "--reader", "auditor.jo", "--role", "auditor", "--case", "INC-7")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """The scenario, sealed; no server runs any more."""
    cli = Cli(tmp_path_factory.mktemp("questions") / "home")
    cli.make(TENANT, "other", "quiet")
    told = support_desk(TENANT, datetime.now(UTC))
    with cli.up("--without-query") as up:
        for tenant in (ORG, TENANT):
            lines = "".join(line(each.event) for each in told if each.tenant == tenant)
            cli.good("publish", "-", "--tenant", tenant, "--to", up.gateway, "--wait", stdin=lines)
    return cli


def test_a_user_is_reconstructed_with_proof_and_governance(ledger: Cli) -> None:
    """Every event of the story is proven, names the prompt as approved, and the stale worker is flagged."""
    story = ledger.good("reconstruct", "--user", USER, *READER, "--json").json
    assert story["proven"] is True
    assert [step["number"] for step in story["steps"]] == list(range(1, 14))
    prompts = [each for step in story["steps"] for each in step["governance"] if each["artifact_kind"] == "prompt"]
    assert {each["revision"] for each in prompts} == {"1", "2"}
    assert all(each["text"].startswith("You are Aria") for each in prompts)
    stale = [each for each in story["steps"][-1]["governance"] if each["artifact_kind"] == "prompt"]
    assert [flag["code"] for flag in stale[0]["flags"]] == ["rolled_back", "other_in_effect"]


def test_a_story_fits_the_terminal_and_tells_the_governance_once(ledger: Cli) -> None:
    """For people no line of the story's own is wider than the terminal, and a prompt's text stands there once."""
    out = ledger.good("reconstruct", "--session", "chat-1002", *READER).out
    own = [each for each in out.splitlines() if "/log/" not in each]
    assert max(map(len, own)) <= 100
    assert out.count("text as approved") == 1
    assert "! " not in out.partition("── 2 ──")[0]


def test_metadata_only_opens_nothing(ledger: Cli) -> None:
    """With `--metadata-only` no content is opened, and the proofs are the same."""
    story = ledger.good("reconstruct", "--session", "chat-1002", *READER, "--metadata-only", "--json").json
    contents = [content for step in story["steps"] for event in step["events"] for content in event["contents"]]
    assert story["proven"] is True
    assert contents
    assert not any("text" in content for content in contents)


def test_an_unknown_user_has_an_empty_story(ledger: Cli) -> None:
    """Nothing is known of somebody who is not there, and asking is no error."""
    done = ledger.good("reconstruct", "--user", "nobody", *READER)
    assert "no such person is known here" in done.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("reconstruct",),
        ("reconstruct", "--user", "a", "--session", "b"),
        ("reconstruct", "--event", "not-a-uuid"),
        ("replay", "--session", "a", "--from", "yesterday"),
        ("replay", "--session", "a", "--from", "2026-02-01", "--until", "2026-01-01"),
        ("find", "--from", "2026-02-01", "--until", "2026-02-01"),
        ("prove", UNKNOWN, "-o", "no such folder/proof.txt"),
        ("disclose", UNKNOWN, "output", "-o", "no such folder/disclosure.json"),
        ("find", "--limit", "0"),
        ("find", "--kind", "nonsense"),
        ("sql", "DROP TABLE events"),
        ("sql", "SELECT nonsense FROM events"),
        ("prove", "nonsense"),
    ],
)
def test_wrong_questions_are_two(ledger: Cli, arguments: tuple[str, ...]) -> None:
    """A question that cannot be answered as it stands is wrong usage, said in a line and without a stack trace."""
    done = ledger.run(*arguments, *READER)
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "arguments", [("prove", UNKNOWN), ("reconstruct", "--event", UNKNOWN), ("replay", "--event", UNKNOWN)]
)
def test_an_unknown_event_is_one(ledger: Cli, arguments: tuple[str, ...]) -> None:
    """A right question about an event that is not there ends with 1, and says which event is missing where."""
    done = ledger.run(*arguments, *READER)
    assert (done.code, done.out) == (1, "")
    assert f"no event {UNKNOWN} is sealed in tenant {TENANT}" in " ".join(done.err.split())
    assert "Traceback" not in done.err


def test_a_replay_shows_what_never_ended_and_what_was_in_effect(ledger: Cli) -> None:
    """The e-mail that was begun stands at the end; the prompt's revision is the one of that moment."""
    told = ledger.good("replay", "--session", "chat-1003", *READER, "--json").json
    assert [each["summary"] for each in told["never_ended"]] == ["tool send_email (external)"]
    state = {each["artifact_kind"]: each["in_effect"] for each in told["state"]}
    assert (state["prompt"], state["agent"]) == ("2", "3.2.0")
    assert "Started and never ended" in ledger.good("replay", "--session", "chat-1003", *READER).out


def test_a_story_as_known_at_and_as_effective_at(ledger: Cli) -> None:
    """Each time by itself: nothing was known long ago; as effective long ago nothing was approved."""
    about = ("reconstruct", "--session", "chat-1002", *READER)
    long_ago = "2020-01-01T00:00:00Z"
    assert ledger.good(*about, "--known-at", long_ago, "--json").json["steps"] == []
    told = ledger.good(*about, "--effective-at", long_ago, "--json").json
    assert (told["known_at"], told["effective_at"]) == (None, long_ago)
    prompts = [each for step in told["steps"] for each in step["governance"] if each["artifact_kind"] == "prompt"]
    assert prompts
    assert all({"approved_later", "effect_differs"} <= {flag["code"] for flag in each["flags"]} for each in prompts)
    out = ledger.good(*about, "--effective-at", long_ago).out
    assert "as effective at 2020-01-01 00:00:00.000Z: every step is judged by what was in force then" in out


def test_find_is_metadata_and_bounded(ledger: Cli) -> None:
    """`find` gives the events asked for, at most as many as asked for, and says that there are more."""
    found = ledger.good("find", "--tool", "issue_refund", *READER, "--json").json
    assert len(found["events"]) == 3
    assert not any("text" in content for event in found["events"] for content in event["contents"])
    one = ledger.good("find", "--tool", "issue_refund", "--limit", "1", *READER, "--json").json
    assert (len(one["events"]), one["more"]) == (1, True)


def test_find_as_known_at_a_time(ledger: Cli) -> None:
    """`find --known-at` gives what was sealed by then, and says so."""
    found = ledger.good("find", "--tool", "issue_refund", *READER, "--json").json
    last = max(event["sealed_at"] for event in found["events"])
    about = ("find", "--tool", "issue_refund", *READER, "--known-at")
    assert len(ledger.good(*about, last, "--json").json["events"]) == 3
    before = ledger.good(*about, "2020-01-01T00:00:00Z", "--json").json
    assert before == {"known_at": "2020-01-01T00:00:00Z", "events": [], "more": False}
    assert "as known at 2020-01-01 00:00:00.000Z" in ledger.good(*about, "2020-01-01T00:00:00Z").out


def test_sql_prints_an_array_of_objects(ledger: Cli) -> None:
    """`sql --json` is an array of objects; for people it is a table; another tenant sees nothing of it."""
    query = "SELECT tool, count(*) AS calls FROM tool_calls WHERE phase <> 'completed' GROUP BY tool ORDER BY tool"
    assert ledger.good("sql", query, *READER, "--json").json == [
        {"tool": "issue_refund", "calls": 2},
        {"tool": "lookup_order", "calls": 4},
        {"tool": "send_email", "calls": 2},
    ]
    assert "issue_refund      2" in ledger.good("sql", "-", *READER, stdin=query).out
    assert ledger.good("sql", query, "--tenant", "other", "--json").json == []


def test_an_event_is_proven_offline(ledger: Cli, tmp_path: Path) -> None:
    """The proof that `prove -o` writes holds for the payload beside it under the tenant's key, and nothing else."""
    event_id = _one(ledger, "SELECT event_id_uuid AS id FROM requests LIMIT 1")["id"]
    file = tmp_path / "proof.txt"
    ledger.good("prove", event_id, *READER, "-o", str(file))
    payload = file.with_name("proof.txt.payload").read_bytes()
    checkpoint = parse_tlog_proof(file.read_text("utf-8")).verify(leaf_hash(payload), _key(ledger))
    assert checkpoint.origin == _key(ledger).name
    assert ledger.good("prove", event_id, *READER, "--json").json["payload"] == payload.hex()


def test_one_content_is_disclosed_and_checked_without_a_ledger(ledger: Cli, tmp_path: Path) -> None:
    """An outsider with one file and one key reads the content; an altered byte or another key is a finding."""
    event_id = _one(ledger, "SELECT event_id_uuid AS id FROM tool_calls WHERE phase = 'started' LIMIT 1")["id"]
    file = tmp_path / "disclosure.json"
    ledger.good("disclose", event_id, "intent", *READER, "-o", str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    outsider, key = Cli(tmp_path / "no-home"), ("--key", str(_key(ledger)))
    checked = outsider.good("check-disclosure", str(file), *key, "--json").json
    assert (checked["pinned"], checked["slot"], checked["kind"]) == (True, "intent", "tool_call")
    assert checked["text"] in outsider.good("check-disclosure", str(file), *key).out
    trust = ("--trust", str(ledger.home / "trust.json"))
    assert outsider.good("check-disclosure", str(file), *trust, "--json").json == checked
    told = " ".join(outsider.good("check-disclosure", str(file), "--unpinned").out.split())
    assert "only relative to the key in the file" in told
    other = VerifierKey(_key(ledger).name, bytes(range(32)))
    assert outsider.run("check-disclosure", str(file), "--key", str(other)).code == 1
    plaintext = json.loads(file.read_text())["plaintext"]
    file.write_text(file.read_text().replace(plaintext, plaintext[:4] + plaintext[4:].swapcase()))
    assert outsider.run("check-disclosure", str(file), *key).code == 1


def test_of_two_events_of_one_id_each_can_be_proven_and_disclosed(tmp_path: Path) -> None:
    """The first is taken, and a note says so; --index names the other. `publish` tells of the conflict, too."""
    cli = Cli(tmp_path / "home")
    cli.make(TENANT)
    first, second = event(text="one"), event(text="two")
    second.event_id = first.event_id
    with cli.up("--without-query") as up:
        lines = line(first) + line(second)
        done = cli.good("publish", "-", "--tenant", TENANT, "--to", up.gateway, "--wait", stdin=lines)
    assert "note: line 2: an event with this id was taken before with another body" in done.err
    identity, file = str(UUID(bytes=first.event_id)), tmp_path / "d.json"
    plain = cli.good("prove", identity, *READER, "--json")
    assert "2 events of this id are sealed" in plain.err
    (other,) = plain.json["also_at"]
    assert cli.good("prove", identity, "--index", str(other), *READER, "--json").json["index"] == other
    assert cli.run("prove", identity, "--index", "9", *READER).code == 1
    cli.good("disclose", identity, "input", "--index", str(other), "-o", str(file), *READER)
    told = cli.good("check-disclosure", str(file), "--trust", str(cli.home / "trust.json"), "--json").json
    assert (told["index"], told["text"]) == (other, "two")


def test_whoever_checks_says_whom_he_trusts(tmp_path: Path) -> None:
    """Without a key, a trust file or the wish to go without, checking is wrong usage that explains itself."""
    file = tmp_path / "disclosure.json"
    file.write_text("{}")
    for given in ((), ("--key", "x", "--unpinned"), ("--key", "x", "--trust", str(file))):
        done = Cli(tmp_path / "no-home").run("check-disclosure", str(file), *given)
        assert (done.code, done.out) == (2, "")
        assert "only a key that you have from elsewhere shows whose log it is" in " ".join(done.err.split())


def test_a_slot_that_is_not_there_names_those_that_are(ledger: Cli, tmp_path: Path) -> None:
    """Asking for a content that the event does not have is answered with the names of those it has."""
    event_id = _one(ledger, "SELECT event_id_uuid AS id FROM requests LIMIT 1")["id"]
    done = ledger.run("disclose", event_id, "nonsense", *READER, "-o", str(tmp_path / "x.json"))
    assert done.code == 2
    assert "output" in done.err
    assert not (tmp_path / "x.json").exists()


def test_reading_leaves_a_trace_before_the_answer(ledger: Cli) -> None:
    """Each answer is preceded by an Access event with reader, role and case; no gateway, no answer."""
    ledger.good("seal", "--drain")
    before = _one(ledger, "SELECT count(*) AS n FROM access")["n"]
    refused = ledger.run("reconstruct", "--user", USER, *READER, "--to", "127.0.0.1:9")
    assert (refused.code, refused.out) == (3, "")
    ledger.good("reconstruct", "--user", USER, *READER)
    ledger.good("seal", "--drain")
    rows = _rows(ledger, "SELECT reader, reader_role, case_id, query_kind FROM access ORDER BY log_index")
    assert len(rows) >= before + 2
    assert rows[-1] == {
        "reader": "auditor.jo",
        "reader_role": "auditor",
        "case_id": "INC-7",
        "query_kind": "reconstruct",
    }


def test_checkpoints_are_for_everybody(ledger: Cli) -> None:
    """`checkpoint` prints the newest signed note; a tenant without events has none yet."""
    (found,) = ledger.good("checkpoint", "--tenant", TENANT, "--json").json
    assert ledger.good("checkpoint", "--tenant", TENANT).out == found["note"]
    assert ledger.run("checkpoint", "--tenant", "quiet").code == 3


def _key(ledger: Cli) -> VerifierKey:
    (log,) = ledger.good("tenant", "show", TENANT, "--json").json["logs"]
    return VerifierKey.parse(log["verifier_keys"][0])


def _rows(ledger: Cli, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = ledger.good("sql", query, *READER, "--json").json
    return found


def _one(ledger: Cli, query: str) -> dict[str, Any]:
    (row,) = _rows(ledger, query)
    return row
