"""Yesterday's key store put back after a tenant was deleted: deleted stays deleted."""

from __future__ import annotations

import pytest

from ledger.key_store_age import KeyStoreBehind
from ledger.keys.destruction import Held
from ledger.keys.holds import Holds
from ledger.keys.master import LocalMasterKey
from ledger.keys.store import KeyStore
from tests.ledger.deletion.deleting import ORDER, InProcess, Killed, deletions, proceeding, report
from tests.ledger.erasure.test_restoring import check, put_back, restore, small  # noqa: F401
from tests.ledger.keys.places import Place
from tests.small_ledger import SmallLedger


def keys_of(small: SmallLedger) -> int:  # noqa: F811
    """How many rows of keys the tenant has."""
    return sum(deletions(small).count("acme").values())


async def test_deleted_stays_deleted(small: SmallLedger, place: Place) -> None:  # noqa: F811
    """The backup's keys are destroyed again, though a hold stood in it; then the deletion is what it was."""
    holds = Holds(small.database, LocalMasterKey.load(small.folder / "master.key"))
    holds.place("acme", "CASE-1", "mia", ORDER)
    backup = place.back_up()
    holds.release("acme", "CASE-1", ORDER)
    deletions(small).close("acme", ORDER)
    statement = (await proceeding(small).go_on("acme")).statement
    await small.seal()
    await put_back(small, place, backup)
    with pytest.raises(KeyStoreBehind):
        check(small)
    assert KeyStore(small.database, LocalMasterKey.load(small.folder / "master.key")).pseudonym("acme", "mia")
    assert restore(small).deletion == "stated"
    check(small)
    assert keys_of(small) == 0
    found = await proceeding(small).go_on("acme")
    assert (found.finished, found.statement) == (True, statement)
    assert (found.request, found.deletion_id) == (ORDER, deletions(small).get("acme").deletion_id)
    assert report(small).passed


async def test_what_was_under_way_goes_on(small: SmallLedger, place: Place) -> None:  # noqa: F811
    """When only the last event was sealed, the tenant is closed again, and deleted by whoever resumes it."""
    backup = place.back_up()
    deletions(small).close("acme", ORDER)

    def die(step: str) -> None:
        if step == "destroying its keys":
            raise Killed

    with pytest.raises(Killed):
        await proceeding(small, InProcess(small), die).go_on("acme")
    which = deletions(small).get("acme").deletion_id
    await put_back(small, place, backup)
    assert restore(small).deletion == "ended"
    assert keys_of(small) > 0
    holds = Holds(small.database, LocalMasterKey.load(small.folder / "master.key"))
    holds.place("acme", "CASE-2", "mia", ORDER)
    with pytest.raises(Held, match="CASE-2"):
        await proceeding(small).go_on("acme")
    holds.release("acme", "CASE-2", ORDER)
    found = await proceeding(small).go_on("acme")
    assert (found.finished, found.deletion_id) == (True, which)
    assert found.request.requester == "olga"
    assert keys_of(small) == 0
    assert report(small).passed


async def test_an_older_copy_of_the_keys_does_not_open_with_the_new_ones(small: SmallLedger) -> None:  # noqa: F811
    """In the moment of destruction every key of the tenant becomes another one, and opens nothing."""
    from ledger.errors import IntegrityError

    store = KeyStore(small.database, LocalMasterKey.load(small.folder / "master.key"))
    scopes = [bytes(each) for each in _scopes(small)]
    assert store.scope_keys("acme", scopes)
    work = deletions(small)
    work.close("acme", ORDER)
    work.end("acme")
    work.destroy("acme")
    later = KeyStore(small.database, LocalMasterKey.load(small.folder / "master.key"))
    with pytest.raises(IntegrityError, match="does not open"):
        later.scope_keys("acme", scopes)
    assert later.pseudonym("acme", "mia") is None, "her hash is another one under the new look-up key"


async def test_clearing_goes_on_where_it_was_killed(small: SmallLedger) -> None:  # noqa: F811
    """Bucket by bucket, and any process ends what another began."""
    work = deletions(small)
    work.close("acme", ORDER)
    work.end("acme")
    work.destroy("acme")
    with pytest.raises(Killed):
        work.clear("acme", _die_at(100))
    assert deletions(small).get("acme").phase == "destroyed"
    deletions(small).clear("acme")
    assert keys_of(small) == 0
    assert deletions(small).get("acme").phase == "cleared"


def _die_at(bucket: int):  # type: ignore[no-untyped-def]
    def on_bucket(at: int) -> None:
        if at == bucket:
            raise Killed

    return on_bucket


def _scopes(small: SmallLedger) -> list[bytes]:  # noqa: F811
    with small.database.read() as rows:
        return [each for (each,) in rows.execute("SELECT scope_id FROM scopes WHERE tenant = 'acme'").fetchall()]
