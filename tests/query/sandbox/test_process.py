"""A child that was taken over: whatever it says, the parent ends it, keeps its bounds and runs nothing of it."""

from __future__ import annotations

import logging

import pyarrow as pa
import pytest

from ledger.errors import LedgerError, Misconfigured, Rejected, Unavailable
from query.sandbox import SqlLimits, SqlResult, SqlTable, process, run_sql
from query.sandbox import run as run_module

PROLOGUE = """
import json, os, sys, time
def say(kind, body):
    raw(json.dumps([kind, body]).encode())
def raw(text):
    data = len(text).to_bytes(4, "big") + text
    while data:
        data = data[os.write(int(sys.argv[2]), data):]
"""
READY = 'say("ready", {"landlock": 1})\nsay("columns", {"names": ["a"], "types": ["INTEGER"]})\n'
LIMITS = SqlLimits(time_s=2, rows_max=10, result_bytes_max=1_000)


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> object:
    """Answers a query with a script in the child's place."""

    def answer(script: str) -> SqlResult:
        monkeypatch.setattr(process, "_START", PROLOGUE + script)
        return run_sql(query="SELECT 1", tables=[SqlTable("t", data=pa.table({"n": [1]}))], limits=LIMITS)

    return answer


def test_an_honest_stand_in(child) -> None:  # type: ignore[no-untyped-def]
    """The stand-in's words are understood (else the tests below would prove nothing)."""
    assert child(READY + 'say("rows", [[1], [2]])\nsay("end", {"truncated_by": None})').rows == [(1,), (2,)]


@pytest.mark.parametrize(
    "script",
    [
        'raw(b"nonsense")',
        'raw(b"[]")',
        'raw(b"\\x80\\x04pickled")',
        'raw(b"[" * 100000)',
        'say("unheard", {})',
        'say("ready", {})',
        'say("ready", {"landlock": "no"})',
        'say("end", {"truncated_by": None})',
        'os.write(int(sys.argv[2]), b"\\xff\\xff\\xff\\xff")',
        READY + 'say("rows", 5)',
        READY + 'say("rows", [5])',
        READY + 'say("rows", [[1, 2]])\nsay("end", {"truncated_by": None})',
        READY + 'say("rows", [[1]] * 11)',
        READY + 'say("rows", [["x" * 100000]])',
        READY + 'say("rows", [["x" * 2000000]])',
        READY + READY,
        READY + 'say("columns", {"names": ["b"], "types": ["INTEGER"]})',
        'say("rows", [[1]])',
        'say("ready", {"landlock": 1})\nsay("end", {"truncated_by": None})',
        READY + 'raw(b\'["rows",[[\' + b"9" * 5000 + b"]]]")',
        READY + "while True: say('rows', [])",
        READY + 'say("error", {"wall": "__class__", "message": ""})',
        READY + 'say("error", [])',
    ],
)
def test_nonsense_is_no_answer(script: str, child) -> None:  # type: ignore[no-untyped-def]
    """What breaks the protocol or exceeds the limits ends the child, and is never taken for rows."""
    with pytest.raises(Rejected, match="sent nonsense"):
        child(script)


def test_silence_ends_with_the_clock(child) -> None:  # type: ignore[no-untyped-def]
    """A child that says nothing more is stopped when its time is up."""
    with pytest.raises(Rejected, match="time_s = 2"):
        child(READY + "time.sleep(600)")


def test_chatter_ends_with_the_clock(child) -> None:  # type: ignore[no-untyped-def]
    """A child that talks for ever without an answer is stopped too."""
    with pytest.raises(Rejected, match="time_s = 2"):
        child(READY + 'while True:\n    say("rows", [])\n    time.sleep(0.05)')


def test_readiness_cannot_be_claimed_twice(child) -> None:  # type: ignore[no-untyped-def]
    """A child cannot set its clock back by claiming to be ready again and again."""
    with pytest.raises(Rejected, match="sent nonsense"):
        child('while True:\n    say("ready", {"landlock": 1})\n    time.sleep(0.5)')


def test_a_child_that_is_never_ready(child, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """A machine too busy to start the child is nobody's fault yet: try again."""
    monkeypatch.setattr(run_module, "START_S", 0.5)
    with pytest.raises(Unavailable, match=r"not ready within 0\.5 s"):
        child("time.sleep(600)")


def test_a_child_that_cannot_start(child, caplog: pytest.LogCaptureFixture) -> None:  # type: ignore[no-untyped-def]
    """What it wrote before it was ready is in the operator's log."""
    with caplog.at_level(logging.ERROR), pytest.raises(Misconfigured, match="could not be started"):
        child('sys.exit("no such module")')
    assert "no such module" in caplog.text


def test_last_words_over_rows_are_not_logged(child, caplog: pytest.LogCaptureFixture) -> None:  # type: ignore[no-untyped-def]
    """Once it could read rows, what it wrote to stderr may quote them and is kept out of the log."""
    with caplog.at_level(logging.ERROR), pytest.raises(Rejected, match="crashed its process"):
        child(READY + 'sys.exit("row content")')
    assert "row content" not in caplog.text


@pytest.mark.parametrize(
    ("signal", "error"), [("SIGKILL", "memory_bytes"), ("SIGABRT", "memory_bytes"), ("SIGSEGV", "crashed")]
)
def test_a_death_is_told_by_its_signal(signal: str, error: str, child) -> None:  # type: ignore[no-untyped-def]
    """Ends that mean out of memory name that limit; others are called a crash."""
    with pytest.raises(LedgerError, match=error):
        child(READY + f"import signal\nos.kill(os.getpid(), signal.{signal})")


def test_stderr_has_a_bound(child, caplog: pytest.LogCaptureFixture) -> None:  # type: ignore[no-untyped-def]
    """A child cannot fill the parent's memory or log through stderr."""
    with caplog.at_level(logging.ERROR), pytest.raises(Misconfigured):
        child('for _ in range(100): os.write(2, b"x" * 65536)')
    assert len(caplog.text) < 20_000
