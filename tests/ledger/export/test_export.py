"""A tenant's export: whole and checkable by an outsider, or nothing; every lie in it is seen."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ledger.deletion.ending import Endings
from ledger.errors import IntegrityError, Misconfigured, Rejected
from ledger.export.checking import check_export
from ledger.export.manifest import NAME, ExportedFile, open_manifest, read_manifest, sign_manifest
from ledger.export.record import ExportMade, Exports, check_exported
from ledger.export.writing import Export, ExportParts, finish
from ledger.tenants import Tenant
from ledger.tlog.note import NoteSigner, signer_from_seed
from ledger.trust import TrustedKeys
from tests.consumers import erasing
from tests.ledger.deletion.deleting import Killed, delete
from tests.small_ledger import SmallLedger, request


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[SmallLedger]:
    made = SmallLedger(tmp_path / "ledger", partitions=2)
    await made.start("globex")
    made.tenants.add("acme", 2)
    for number in range(5):
        await made.publish("acme", request("mia" if number % 2 else "jon", f"text {number}"))
        await made.publish("globex", request("mia", f"elsewhere {number}"))
        for partition in range(2):
            await made.seal(partition)
    yield made
    await made.close()


def tenant_of(small: SmallLedger) -> Tenant:
    found = small.tenants.get("acme")
    assert found is not None
    return found


def export(small: SmallLedger, rows_a_file: int = 2) -> Export:
    """Of what is sealed now, in small files."""
    parts = ExportParts(
        small.store,
        small.trust(),
        small.keys,
        small.ledger_signer,
        "olga",
        time.time_ns() // 1_000_000,
        rows_a_file,
    )
    return Export(parts, tenant_of(small), Endings(small.store, small.trust).of(tenant_of(small)))


async def written(small: SmallLedger, target: Path, *, contents: bool = False) -> Path:
    """The whole of it."""

    async def on_access(events: int, contents: int) -> None:
        assert (events, contents) == (5, 15)

    _, staged = await export(small).write(target, on_access if contents else None)
    finish(staged, target)
    return target


async def test_an_outsider_checks_it_without_ledger_and_key(small: SmallLedger, tmp_path: Path) -> None:
    """With the trust file alone: events, receipts, roots; and the texts, once they were ordered."""
    trust = small.trust()
    plain = await written(small, tmp_path / "plain")
    whole = await written(small, tmp_path / "whole", contents=True)
    shutil.rmtree(small.folder / "segments")
    found = check_export(plain, trust)
    assert (found.events, found.contents, found.manifest.tenant) == (5, 0, "acme")
    assert found.receipts == 5
    assert check_export(whole, trust).contents == 15
    texts = {
        row["content"]
        for path in whole.rglob("contents-*.parquet")
        for row in pq.read_table(path).to_pylist()
        if row["slot"] == "input"
    }
    assert texts == {f"text {number}".encode() for number in range(5)}
    assert b"elsewhere 1" not in b"".join(path.read_bytes() for path in whole.rglob("*") if path.is_file())
    own = TrustedKeys.load(whole / "trust.json")
    assert {log.tenant for log in own.logs} == {"acme"}
    assert check_export(whole, own).events == 5


async def test_the_columns_are_those_of_segments(small: SmallLedger, tmp_path: Path) -> None:
    """Whoever reads segments reads an export: same names, same types."""
    folder = await written(small, tmp_path / "export")
    segment = next(name for name in small.store.walk() if "/events/" in name)
    expected = pq.read_schema(small.store.path(segment))
    for path in folder.rglob("events-*.parquet"):
        assert pq.read_schema(path).equals(expected)


async def test_erased_contents_are_not_in_it_and_counted(small: SmallLedger, tmp_path: Path) -> None:
    """What nobody can open is left out; the events are there."""
    scopes = erasing.destroy(small, "mia")
    await small.publish("acme", erasing.erasure(scopes))
    for partition in range(2):
        await small.seal(partition)
    small.keys = type(small.keys)(small.database, small.keys._hierarchy._master)  # type: ignore[attr-defined]

    async def on_access(events: int, contents: int) -> None:
        assert (events, contents) == (6, 9)

    manifest, staged = await export(small).write(tmp_path / "export", on_access)
    assert (manifest.contents, manifest.contents_closed) == (9, 6)
    assert check_export(staged, small.trust()).contents == 9


async def test_nothing_is_decrypted_before_the_access_is_durable(small: SmallLedger, tmp_path: Path) -> None:
    """When the Access can't be recorded, no content was written anywhere."""

    async def away(events: int, contents: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        await export(small).write(tmp_path / "export", away)
    staged = tmp_path / "export.unfinished"
    assert staged.is_dir()
    assert not list(staged.rglob("contents-*"))
    for path in staged.rglob("*"):
        assert path.is_dir() or b"text 1" not in path.read_bytes()


async def test_an_unfinished_one_is_none_and_is_begun_anew(small: SmallLedger, tmp_path: Path) -> None:
    """Under its name there is nothing before all is; what an interrupted one left is taken away by the next."""

    async def die(events: int, contents: int) -> None:
        raise Killed

    target = tmp_path / "export"
    with pytest.raises(Killed):
        await export(small).write(target, die)
    assert not target.exists()
    with pytest.raises(IntegrityError, match="no export, or an unfinished one"):
        check_export(tmp_path / "export.unfinished", small.trust())
    await written(small, target)
    assert not (tmp_path / "export.unfinished").exists()
    assert check_export(target, small.trust()).events == 5
    with pytest.raises(Misconfigured, match="never written over"):
        await export(small).write(target, None)
    strange = tmp_path / "strange.unfinished"
    strange.mkdir()
    (strange / "my thesis").write_text("years of work")
    with pytest.raises(Misconfigured, match="no unfinished export"):
        await export(small).write(tmp_path / "strange", None)
    assert (strange / "my thesis").exists()


def _cut(folder: Path) -> None:
    next(folder.rglob("events-0000.parquet")).unlink()


def _add(folder: Path) -> None:
    (folder / "more.txt").write_text("more")


def _flip(folder: Path) -> None:
    path = next(folder.rglob("statements-*.bundle"))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def _link(folder: Path) -> None:
    path = folder / "README.txt"
    copy = folder.parent / "README.txt"
    path.rename(copy)
    path.symlink_to(copy)


def _no_manifest(folder: Path) -> None:
    (folder / NAME).unlink()


@pytest.mark.parametrize("lie", [_cut, _add, _flip, _link, _no_manifest])
async def test_the_manifest_lists_every_file(small: SmallLedger, tmp_path: Path, lie: Callable[[Path], None]) -> None:
    """A file less, one more, another one, a link in place of one, and no manifest at all."""
    folder = await written(small, tmp_path / "export")
    lie(folder)
    with pytest.raises(IntegrityError):
        check_export(folder, small.trust())


def resign(folder: Path, signer: NoteSigner, **changes: object) -> None:
    """The manifest of what is there now, as the ledger itself would sign it if it lied."""
    before = read_manifest((folder / NAME).read_bytes())
    files = tuple(
        ExportedFile(path.relative_to(folder).as_posix(), sha256(path.read_bytes()).digest(), path.stat().st_size)
        for path in sorted(folder.rglob("*"), key=lambda each: each.relative_to(folder).as_posix())
        if path.is_file() and path.name != NAME
    )
    (folder / NAME).write_text(sign_manifest(replace(before, files=files, **changes), signer))  # type: ignore[arg-type]


def rewrite(path: Path, column: str, row: int, value: object) -> None:
    """One value of a Parquet file, another."""
    import pyarrow as pa

    table = pq.read_table(path)
    values = table[column].to_pylist()
    values[row] = value
    at = table.column_names.index(column)
    table = table.set_column(at, table.schema.field(column), pa.array(values, table.schema.field(column).type))
    pq.write_table(table, path)


async def test_even_the_ledger_cannot_lie_about_events(small: SmallLedger, tmp_path: Path) -> None:
    """With a manifest signed over the lie: leaf, chain, order, count, statements, contents."""
    honest = await written(small, tmp_path / "honest", contents=True)
    events = min(path.relative_to(honest) for path in honest.rglob("events-*.parquet"))
    contents = min(path.relative_to(honest) for path in honest.rglob("contents-*.parquet"))
    bundle = min(path.relative_to(honest) for path in honest.rglob("statements-*.bundle"))
    payload = pq.read_table(honest / events)["payload"][0].as_py()
    lies: dict[str, tuple[Callable[[Path], None], str]] = {
        "payload": (lambda to: rewrite(to / events, "payload", 0, payload[:-1] + b"x"), "not the leaf beside it"),
        "leaf": (lambda to: rewrite(to / events, "leaf_hash", 0, bytes(32)), "not the leaf beside it"),
        "chain": (lambda to: rewrite(to / events, "chain_hash", 0, bytes(32)), "chain breaks"),
        "index": (lambda to: rewrite(to / events, "index", 0, 9), "do not go on"),
        "log": (lambda to: rewrite(to / events, "log_id", 0, bytes(32)), "not the leaf beside it"),
        "content": (lambda to: rewrite(to / contents, "content", 0, b"invented"), "not what the payload committed to"),
        "salt": (lambda to: rewrite(to / contents, "salt", 0, bytes(32)), "not what the payload committed to"),
        "fewer": (lambda to: (to / events).unlink(), "end at index|do not go on|is missing"),
        "statements": (lambda to: (to / bundle).unlink(), "behind index|statements"),
    }
    for name, (lie, told) in lies.items():
        folder = tmp_path / name
        shutil.copytree(honest, folder)
        lie(folder)
        resign(folder, small.ledger_signer)
        with pytest.raises(IntegrityError, match=told):
            check_export(folder, small.trust())


async def test_it_rests_on_the_key_that_is_brought_along(small: SmallLedger, tmp_path: Path) -> None:
    """A stranger's manifest, another ledger's trust, another number of contents."""
    folder = await written(small, tmp_path / "export")
    stranger = signer_from_seed(small.ledger_signer.name, bytes(32))
    good = (folder / NAME).read_bytes()
    resign(folder, stranger)
    with pytest.raises(IntegrityError):
        check_export(folder, small.trust())
    resign(folder, small.ledger_signer, contents=1)
    with pytest.raises(IntegrityError, match="says 1 contents"):
        check_export(folder, small.trust())
    (folder / NAME).write_bytes(good)
    trust = small.trust()
    other = TrustedKeys("other.example", trust.keys)
    with pytest.raises(IntegrityError, match=r"other\.example"):
        check_export(folder, other)
    assert open_manifest(good, trust).requester == "olga"


async def test_the_final_statement_goes_on_from_it(small: SmallLedger, tmp_path: Path) -> None:
    """It is of the same tenant and logs, and no shorter; what is not, is refused."""
    folder = await written(small, tmp_path / "export")
    final = await delete(small, "acme")
    assert check_export(folder, small.trust(), final).events == 5
    with pytest.raises(IntegrityError):
        check_export(folder, small.trust(), await delete(small, "globex"))


async def test_what_a_deletion_demands_of_an_export(small: SmallLedger) -> None:
    """One there is, recent, of every event that others wrote; what the ledger itself wrote since does not count."""
    exports, endings, tenant = Exports(small.database), Endings(small.store, small.trust), tenant_of(small)
    now = time.time_ns() // 1_000_000
    day = 86_400_000

    def check(at_ms: int = now) -> ExportMade:
        return check_exported(exports, endings, tenant, endings.of(tenant), at_ms, 30)

    with pytest.raises(Rejected, match="never exported"):
        check()
    sizes = {end.log.log_id.hex(): end.head.size for end in endings.of(tenant)}
    exports.add(ExportMade("acme", now - day, bytes(32), 0, {name: size - 1 for name, size in sizes.items()}))
    with pytest.raises(Rejected, match="2 events of tenant acme came after"):
        check()
    made = ExportMade("acme", now, bytes(32), 0, sizes)
    exports.add(made)
    assert check() == made
    await small.publish("acme", erasing.erasure(()))
    for partition in range(2):
        await small.seal(partition)
    assert check() == made
    with pytest.raises(Rejected, match="older than 30 days"):
        check(now + 31 * day)
    await small.publish("acme", request("mia", "more"))
    for partition in range(2):
        await small.seal(partition)
    with pytest.raises(Rejected, match="1 events"):
        check()
