"""The entry point: help, exit codes, errors in one line."""

from __future__ import annotations

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ledger.cli import main as entry
from ledger.errors import IntegrityError, Misconfigured, Unavailable
from tests.ledger.cli.running import ROOT, Cli


def _leaves(command: click.Command | None, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        return [path]
    context = click.Context(command)
    return [
        leaf
        for name in command.list_commands(context)
        for leaf in _leaves(command.get_command(context, name), (*path, name))
    ]


LEAVES = _leaves(entry.cli)


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_explains_itself_with_an_example(path: tuple[str, ...]) -> None:
    """`--help` of every command names an example that begins with the command itself."""
    command: click.Command = entry.cli
    for name in path:
        assert isinstance(command, click.Group)
        below = command.get_command(click.Context(command), name)
        assert below is not None
        command = below
    context = click.Context(command, info_name="audit-ledger " + " ".join(path))
    text = command.get_help(context)
    assert f"audit-ledger {' '.join(path)}" in text.partition("Example")[2]
    assert all(option.help for option in command.params if isinstance(option, click.Option) and option.name != "limit")


def test_every_command_is_there_and_has_its_place() -> None:
    """Every command that help puts in an order exists, from whichever package it comes, and none is without a place."""
    assert entry.cli.list_commands(click.Context(entry.cli)) == list(entry._ORDER)


def test_help_and_version_end_well(cli: Cli) -> None:
    """`--help` and `--version` print and end with 0 in a real process."""
    assert "Commands:" in cli.good("--help").out
    assert cli.good("--version").out.startswith("audit-ledger, version ")


@pytest.mark.parametrize("arguments", [("nonsense",), ("status", "--nonsense"), ("tenant", "add"), ("sql", "SELECT 1")])
def test_wrong_usage_is_two(cli: Cli, arguments: tuple[str, ...]) -> None:
    """An unknown command, an unknown option and a missing argument end with 2 and say so on stderr."""
    done = cli.run(*arguments)
    assert (done.code, done.out) == (2, "")
    assert "Error:" in done.err


def test_no_home_is_one_line_and_two(cli: Cli) -> None:
    """A home that does not exist is the operator's matter: 2, one line, no stack trace, what to do."""
    done = cli.run("status")
    assert done.code == 2
    assert done.err == f"error: {cli.home}: there is no ledger here; `init` makes one\n"


def test_no_gateway_is_three(cli: Cli) -> None:
    """Nobody at the gateway's address is unavailable: 3."""
    done = cli.run("publish", "-", "--tenant", "acme", "--to", "127.0.0.1:9", "--give-up", "0", stdin="{}\n")
    assert done.code == 3
    assert done.err.startswith("error: 127.0.0.1:9: unavailable: ")
    assert done.err.count("\n") == 1


def test_interrupted_is_130_and_quiet(cli: Cli) -> None:
    """SIGINT while it waits for input ends a command with 130 and no stack trace."""
    process = cli.start("publish", "-", "--tenant", "acme", "--to", "127.0.0.1:9", stdin=subprocess.PIPE)
    _await_blocked_read(process.pid)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in out + err


def test_a_reader_that_went_away_is_no_error(cli: Cli) -> None:
    """Output into a pipe that nobody reads any more ends quietly."""
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m ledger.cli.main --help | true; exit ${{PIPESTATUS[0]}}"],
        cwd=ROOT,
        env=cli.environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("error", "code"),
    [(IntegrityError("round 7: x"), 1), (Misconfigured("y"), 2), (Unavailable("z"), 3), (KeyboardInterrupt(), 130)],
)
def test_each_branch_of_errors_has_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int
) -> None:
    """The exit code tells who has to act."""
    assert _fail_with(monkeypatch, error) == code
    err = capsys.readouterr().err
    assert err.strip() == ("" if isinstance(error, KeyboardInterrupt) else f"error: {error}")


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOENT, 2), (errno.EACCES, 2), (errno.EROFS, 2), (errno.ENOSPC, 3)]
)
def test_a_file_that_fails_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, code: int
) -> None:
    """A file named wrongly is wrong usage, a full disk unavailable; neither is a finding or a mistake of ours."""
    assert _fail_with(monkeypatch, OSError(number, os.strerror(number), "out/proof.txt")) == code
    assert capsys.readouterr().err == f"error: out/proof.txt: {os.strerror(number)}\n"


def test_a_mistake_of_ours_is_one_line_with_an_id(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected exception shows its kind and an id, never its text, which could hold anything."""
    assert _fail_with(monkeypatch, RuntimeError("secret")) == 1
    assert re.fullmatch(r"error [0-9a-f]{8}: unexpected RuntimeError; .*\n", capsys.readouterr().err)


def test_the_stack_trace_is_there_for_who_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """AUDIT_LEDGER_DEBUG=1 shows where an unexpected exception comes from."""
    monkeypatch.setenv("AUDIT_LEDGER_DEBUG", "1")
    assert _fail_with(monkeypatch, RuntimeError("where")) == 1
    assert "Traceback" in capsys.readouterr().err


def _fail_with(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> object:
    @click.command(name="fail")
    def fail() -> None:
        raise error

    monkeypatch.setitem(entry.cli.commands, "fail", fail)
    monkeypatch.setattr(sys, "argv", ["audit-ledger", "fail"])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    return ended.value.code


def _await_blocked_read(pid: int) -> None:
    """Until the process sleeps in a read of its standard input."""
    while not Path(f"/proc/{pid}/syscall").read_text().startswith("0 0x0 "):
        if not Path(f"/proc/{pid}").exists():
            raise AssertionError("the process ended")
