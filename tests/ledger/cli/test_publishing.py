"""`publish` and `import`, against a running ledger."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from ledger.canonical import blob
from ledger.cli.connecting import IN_CLEAR
from ledger.cli.delivering import Delivery, deliver
from ledger.cli.sending import Placed, Sender
from ledger.errors import Unavailable
from ledger.tlog.checkpoint import open_checkpoint
from ledger.tlog.note import VerifierKey
from tests.ledger.cli.events import conversation, event, line
from tests.ledger.cli.running import ROOT, TENANT, Cli, Up

SHARED = ROOT.parent / "shared" / "data" / "airline-conversations.jsonl.gz"


def _to(up: Up) -> tuple[str, ...]:
    return ("--tenant", TENANT, "--to", up.gateway)


def test_published_and_waited_for_is_sealed(served: tuple[Cli, Up]) -> None:
    """`publish --wait` returns with a checkpoint that the tenant's key signed and that covers the events."""
    cli, up = served
    before = _sealed(cli)
    lines = "".join(line(event(text=str(number))) for number in range(3))
    done = cli.good("publish", "-", *_to(up), "--wait", "--json", stdin=lines).json
    assert (done["accepted"], done["repeat"], done["rejected"]) == (3, 0, 0)
    (log,) = cli.good("tenant", "show", TENANT, "--json").json["logs"]
    checkpoint = open_checkpoint(done["checkpoints"][0], VerifierKey.parse(log["verifier_keys"][0]))
    assert checkpoint.size == before + 3 == _sealed(cli)


def test_published_twice_is_sealed_once(served: tuple[Cli, Up]) -> None:
    """The same lines again are repeats, and nothing new is sealed."""
    cli, up = served
    lines = line(event()) + line(event())
    cli.good("publish", "-", *_to(up), "--wait", stdin=lines)
    before = _sealed(cli)
    again = cli.good("publish", "-", *_to(up), "--wait", "--json", stdin=lines).json
    assert (again["accepted"], again["repeat"], _sealed(cli)) == (0, 2, before)


def test_what_is_refused_is_listed_and_the_rest_is_published(served: tuple[Cli, Up], tmp_path: Path) -> None:
    """A line that is no event and an event that the gateway rejects are named with line and field; exit code 1."""
    cli, up = served
    bad = event()
    bad.request.vendor = "a\tb"
    file = tmp_path / "events.jsonl"
    file.write_text(line(event()) + "not an event\n\n" + line(bad) + '{"requst": {}}\n' + line(event()))
    done = cli.run("publish", str(file), *_to(up))
    assert done.code == 1
    assert "accepted: 2, repeat: 0, rejected: 3" in done.out
    refused = done.err.splitlines()
    assert [each.split(": ")[1] for each in refused] == ["line 2, column 1", "line 4", "line 5"]
    assert refused[0] == "rejected: line 2, column 1: no event: expected a JSON value"
    assert refused[1].startswith("rejected: line 4: request.vendor: ")
    assert "requst" not in done.err
    told = cli.run("publish", str(file), *_to(up), "--json").json
    assert [(each["line"], each["column"]) for each in told["refused"]] == [(2, 1), (4, None), (5, None)]


def test_receipts_are_kept_and_hold(served: tuple[Cli, Up], tmp_path: Path) -> None:
    """The file that `--receipts` writes is one that `verify --receipts` finds sealed."""
    cli, up = served
    kept = tmp_path / "receipts.bin"
    cli.good("publish", "-", *_to(up), "--wait", "--receipts", str(kept), stdin=line(event()) + line(event()))
    report = cli.good("verify", "--receipts", str(kept), "--json").json
    assert (report["passed"], report["counts"]["outside_entries"]) == (True, 2)


def test_receipts_that_could_not_be_kept_are_not_asked_for(served: tuple[Cli, Up], tmp_path: Path) -> None:
    """Where the receipts' file can't be written nothing is sent: sent again, events bring no others."""
    cli, up = served
    before = _sealed(cli)
    done = cli.run("publish", "-", *_to(up), "--receipts", str(tmp_path / "no" / "r.bin"), stdin=line(event()))
    assert (done.code, done.out) == (2, "")
    assert "there is no folder" in done.err
    assert _sealed(cli) == before


def test_an_event_that_no_message_can_hold_is_refused_and_the_rest_goes_on(served: tuple[Cli, Up]) -> None:
    """What is too large for any message is named by its line at once; it is not tried again as if the gateway were
    busy, and the lines after it are published."""
    cli, up = served
    large = line(event(text="z" * (16 * 1024 * 1024)))
    done = cli.run("publish", "-", *_to(up), stdin=line(event()) + large + line(event()))
    assert (done.code, done.out) == (1, "accepted: 2, repeat: 0, rejected: 1\n")
    assert "rejected: line 2: at most " in done.err


def test_receipts_of_what_was_acknowledged_outlive_giving_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that goes away in the middle takes no receipt with it: the file has those given until then."""
    sender = Sender("127.0.0.1:1", TENANT)

    def send(_: Iterable[Placed]) -> Iterator[int]:
        sender.sent.receipts.append(b"receipt")
        yield 1
        raise Unavailable("away")

    monkeypatch.setattr(Sender, "send", lambda _, events: send(events))
    kept = tmp_path / "receipts.bin"
    delivery = Delivery(tmp_path, TENANT, "127.0.0.1:1", IN_CLEAR, False, kept, 1, True)
    with pytest.raises(Unavailable):
        deliver(iter(()), delivery, [], {}, lambda: sender)
    assert kept.read_bytes() == blob.encode(b"receipt")


def test_an_unknown_tenant_is_two(served: tuple[Cli, Up]) -> None:
    """Nothing is published to a tenant that nobody made."""
    cli, up = served
    done = cli.run("publish", "-", "--tenant", "nobody", "--to", up.gateway, stdin=line(event()))
    assert done.code == 2
    assert done.err == f"error: {up.gateway}: tenant: there is no such tenant\n"


def test_imported_twice_adds_nothing(served: tuple[Cli, Up], tmp_path: Path) -> None:
    """A conversation becomes requests and tool calls; the same file again, and as part of a longer one, adds only
    what is new."""
    cli, up = served
    file, longer = tmp_path / "talk.jsonl", tmp_path / "longer.jsonl.gz"
    file.write_text(conversation())
    longer.write_bytes(gzip.compress((conversation(conversation_id="talk-0") + conversation()).encode()))
    first = cli.good("import", "openai-chat", str(file), *_to(up), "--wait", "--json").json
    assert {name: first[name] for name in ("conversations", "requests", "tool_calls", "accepted", "repeat")} == {
        "conversations": 1,
        "requests": 2,
        "tool_calls": 1,
        "accepted": 3,
        "repeat": 0,
    }
    before = _sealed(cli)
    again = cli.good("import", "openai-chat", str(file), *_to(up), "--wait", "--json").json
    assert (again["accepted"], again["repeat"], _sealed(cli)) == (0, 3, before)
    more = cli.good("import", "openai-chat", str(longer), *_to(up), "--wait", "--json").json
    assert (more["accepted"], more["repeat"], _sealed(cli)) == (3, 3, before + 3)


def test_a_bad_record_is_named_and_the_rest_is_imported(served: tuple[Cli, Up], tmp_path: Path) -> None:
    """File, line and field of what is wrong are named and make the exit code 1; what stands around it is imported, in
    several files too; with `--stop` nothing behind it is."""
    cli, up = served
    file, other = tmp_path / "bad.jsonl", tmp_path / "other.jsonl"
    file.write_text(conversation(conversation_id="a") + conversation(user_id=7) + "{\n" + conversation())
    other.write_text(conversation(conversation_id="b") + conversation(model=""))
    done = cli.run("import", "openai-chat", str(file), str(other), *_to(up))
    assert done.code == 1
    assert done.out.startswith("files: 2, conversations: 5, requests: 6, tool calls: 3, accepted: ")
    assert done.err.splitlines() == [
        f"rejected: {file}:2: user_id: expected a text that is not empty",
        f"rejected: {file}:3: is not JSON in UTF-8",
        f"rejected: {other}:2: model: expected a text that is not empty",
    ]
    stopped = cli.run("import", "openai-chat", str(file), str(other), *_to(up), "--stop", "--json")
    assert (stopped.code, stopped.json["files"], stopped.json["requests"]) == (1, 1, 2)
    assert [(each["file"], each["line"]) for each in stopped.json["refused"]] == [(str(file), 2)]


def test_a_torn_file_is_told_as_the_file(cli: Cli, tmp_path: Path) -> None:
    """What is wrong with no single line is said of the file."""
    file = tmp_path / "talk.jsonl.gz"
    file.write_bytes(gzip.compress(conversation().encode())[:-9])
    done = cli.run("import", "openai-chat", str(file), "--tenant", TENANT, "--dry-run")
    assert (done.code, done.err) == (1, f"rejected: {file}: is not a whole gzip file\n")


def test_a_dry_run_needs_no_gateway(cli: Cli, tmp_path: Path) -> None:
    """`--dry-run` counts, and neither opens a home nor connects to anything; it reads standard input and folders."""
    file = tmp_path / "talks" / "2024" / "talk.jsonl"
    file.parent.mkdir(parents=True)
    file.write_text(conversation())
    expected = "files: 1, conversations: 1, requests: 2, tool calls: 1, accepted: 0, repeat: 0, rejected: 0\n"
    dry = ("--tenant", TENANT, "--dry-run")
    assert cli.good("import", "openai-chat", str(file), *dry).out == expected
    assert cli.good("import", "openai-chat", str(tmp_path / "talks"), *dry).out == expected
    assert cli.good("import", "openai-chat", "-", *dry, stdin=conversation()).out == expected


def test_a_dry_run_finds_what_a_gateway_would_refuse(cli: Cli, tmp_path: Path) -> None:
    """Each event is held to what every gateway asks: a name with a tab in it is refused before anything is sent."""
    file = tmp_path / "talk.jsonl"
    file.write_text(conversation(vendor="a\tb"))
    done = cli.run("import", "openai-chat", str(file), "--tenant", TENANT, "--dry-run", "--stop")
    assert done.code == 1
    assert done.err.startswith(f"rejected: {file}:1: request.vendor: ")


def test_the_real_conversations_are_read_whole(cli: Cli) -> None:
    """The file of a hundred real conversations is understood to its last message."""
    if not SHARED.exists():
        pytest.skip(f"{SHARED.name} is not there")
    counts = cli.good("import", "openai-chat", str(SHARED), "--tenant", TENANT, "--dry-run", "--json").json
    assert (counts["conversations"], counts["requests"], counts["tool_calls"]) == (100, 1381, 621)


def _sealed(cli: Cli) -> int:
    tenants = cli.good("status", "--json").json["tenants"]
    return next(each["events"] for each in tenants if each["tenant"] == TENANT)
