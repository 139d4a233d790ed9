"""What a ledger leaves on disk, searched to the last byte."""

from __future__ import annotations

import base64
import gzip
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ledger.home import Home
from tests.confidentiality.conversations import Conversations, conversations
from tests.confidentiality.disk_search import DiskSearch, forms
from tests.confidentiality.opened import opened_contents
from tests.ledger.cli.running import TENANT, Cli
from tests.policies import FULL

CANARY = "canary.bird@example.org"


@dataclass(frozen=True, slots=True)
class Used:
    """A ledger that was used from end to end, and what its processes said."""

    home: Home
    said: bytes
    data: Conversations


def use(folder: Path, policy: str | None) -> Used:
    """Conversations imported, sealed, compacted, asked for, verified; everything said on the way is kept."""
    data = conversations()
    assert data.users
    assert data.emails
    assert data.births
    assert data.streets
    file = folder / "conversations.jsonl"
    file.write_bytes(data.lines)
    cli = Cli(folder / "home")
    cli.make(TENANT)
    home = Home.open(folder / "home")
    if policy is not None:
        home.config(environment={}).ledger.capture_policy.write_text(policy)
    said = []
    with cli.up() as up:
        arguments = ("import", "openai-chat", str(file), "--tenant", TENANT, "--to", up.gateway, "--wait")
        said.append(cli.good(*arguments))
        user = sorted(data.users)[0]
        cli.good("reconstruct", "--tenant", TENANT, "--user", user, "--to", up.gateway)
        said.append(cli.run("publish", "-", "--tenant", TENANT, "--to", up.gateway, stdin=f'{{"input": "{user}"\n'))
        assert up.stop() == 0
        err = up.err
    said += [cli.good("seal", "--drain"), cli.good("compact"), cli.good("seal", "--drain"), cli.good("verify")]
    said += [cli.good("status"), cli.good("fsck")]
    file.unlink()
    return Used(home, "\n".join([err, *(each.out + each.err for each in said)]).encode(), data)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Used:
    """With the policy of a new ledger: redacted."""
    return use(tmp_path_factory.mktemp("redacted"), None)


def test_nothing_personal_stands_on_disk_in_clear(used: Used) -> None:
    """No user id, address or birth date of the conversations is found in any file, name or word, in any form."""
    search = DiskSearch(used.data.needles)
    assert search.in_folder(used.home.path) == []
    assert search.in_bytes(used.said, "what the processes said") == []


def test_redacted_contents_hold_nothing_that_has_a_pattern(used: Used) -> None:
    """With all keys at hand, no e-mail address, postal address or birth date stands in what was kept."""
    search = DiskSearch(used.data.emails | used.data.births | used.data.streets)
    contents = [each for each in opened_contents(used.home, (TENANT,)) if each.stored is not None]
    assert len(contents) > 30
    assert [
        found
        for each in contents
        for found in search.in_bytes(each.stored or b"", f"{each.payload['kind']} {each.descriptor['slot']}")
    ] == []
    assert any("⟨email:".encode() in (each.stored or b"") for each in contents)
    assert {each.descriptor["state"] for each in contents} == {"redacted"}


def test_metadata_mode_keeps_no_content_at_all(tmp_path: Path) -> None:
    """Under a policy of metadata nothing is stored that a key could open, and still nothing stands in clear."""
    used = use(tmp_path, FULL.replace('mode = "full"', 'mode = "metadata"'))
    contents = list(opened_contents(used.home, (TENANT,)))
    assert contents
    assert all(each.stored is None and each.descriptor["ciphertext_sha256"] is None for each in contents)
    assert DiskSearch(used.data.needles).in_folder(used.home.path) == []


@pytest.mark.parametrize("form", [name for name, _ in forms(CANARY)])
@pytest.mark.parametrize("place", ["file", "parquet", "gzip", "sqlite", "free page"])
def test_a_canary_is_found(tmp_path: Path, form: str, place: str) -> None:
    """The search finds what is planted: in every form, in files of every kind, in free pages of a database too."""
    written = dict(forms(CANARY))[form]
    planted = b"before " + (base64.b64encode(b"x" * int(form[-1]) + CANARY.encode()) if "base64" in form else written)
    file = tmp_path / "planted"
    if place == "file":
        file.write_bytes(planted)
    elif place == "parquet":
        pq.write_table(pa.table({"a": [[{"b": planted}]] * 100}), file, compression="ZSTD")
    elif place == "gzip":
        file.write_bytes(gzip.compress(planted))
    else:
        with sqlite3.connect(file) as rows:
            rows.execute("CREATE TABLE t (a BLOB)")
            rows.execute("INSERT INTO t VALUES (?)", (planted,))
            rows.commit()
            if place == "free page":
                rows.execute("PRAGMA secure_delete = OFF")
                rows.execute("DELETE FROM t")
        rows.close()
    assert {each.needle for each in DiskSearch([CANARY]).in_folder(tmp_path)} == {CANARY}


def test_a_canary_in_a_name_is_found(tmp_path: Path) -> None:
    """Names of files are searched as well."""
    (tmp_path / f"{CANARY}.txt").touch()
    assert DiskSearch([CANARY]).in_folder(tmp_path)
