"""Yesterday's key store put back: erased stays erased, and what is lost is named."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ledger.erasure.events import hold_event
from ledger.erasure.restoring import Restored, Restoring
from ledger.key_store_age import KeyStoreBehind, check_not_behind, explained_by
from ledger.keys.database import KeyDatabase
from ledger.keys.destruction import Destruction, Held
from ledger.keys.holds import Holds
from ledger.keys.master import LocalMasterKey
from ledger.keys.provider import HolderRef
from ledger.keys.replay import KeyReplay
from ledger.keys.store import KeyCacheLimits, KeyStore
from ledger.keys.tenant_deletion import TenantDeletions, Waits
from ledger.newest_rounds import NewestRounds
from ledger.v1 import event_pb2 as pb
from tests.ledger.erasure.erasing import REQUEST, Killed, Published, destructions, proceeding
from tests.ledger.keys.places import Place
from tests.small_ledger import SmallLedger, request


@pytest.fixture
async def small(tmp_path: Path, place: Place) -> AsyncIterator[SmallLedger]:
    made = SmallLedger(tmp_path / "ledger", key_store=place.location())
    await made.start("acme")
    await made.publish("acme", request("mia", "m", session_id="s-mia"), request("jon", "j", session_id="s-jon"))
    await made.publish("acme", request(None, "whose?", session_id="s-later"))
    await made.seal()
    yield made
    await made.close()


async def put_back(small: SmallLedger, place: Place, backup: object) -> None:
    """The backup in the place of the key store."""
    await small.close()
    place.put_back(backup)
    await small.start()


def check(small: SmallLedger) -> None:
    """Whether the key store may be opened."""
    explains = explained_by(small.database, small.tenants)
    check_not_behind(small.store, lambda: small.newest_rounds, 1, explains, lambda seconds: None)


def restore(small: SmallLedger) -> Restored:
    """All of it; what became of acme."""
    return _restore(small, small.database)["acme"]


def _restore(small: SmallLedger, database: KeyDatabase) -> dict[str, Restored]:
    master = LocalMasterKey.load(small.folder / "master.key")
    work = KeyReplay(database, master, lease_s=0.0)
    newest = NewestRounds(database)
    restoring = Restoring(small.store, small.trust, small.tenants, work, newest, 60, _deletions(small))
    return {each.tenant: each for each in restoring.run()}


def _deletions(small: SmallLedger) -> TenantDeletions:
    return TenantDeletions(small.database, LocalMasterKey.load(small.folder / "master.key"), Waits(0.0, 0.0))


def keys(small: SmallLedger) -> KeyStore:
    """Without memory."""
    return KeyStore(small.database, LocalMasterKey.load(small.folder / "master.key"), KeyCacheLimits(lease_s=0.0))


async def erase(small: SmallLedger, person: str) -> Destruction:
    """To the end, and sealed."""
    marked = destructions(small).mark_persons("acme", [person], REQUEST)
    done = await proceeding(small, Published(small)).go_on(marked.destruction_id)
    await small.seal()
    return done


async def test_erased_stays_erased(small: SmallLedger, place: Place) -> None:
    """A store from before an erasure is refused; restored, it has destroyed the same scopes and no others."""
    backup = place.back_up()
    check(small)
    done = await erase(small, "mia")
    await put_back(small, place, backup)
    assert set(keys(small).scope_keys("acme", done.scope_ids)) == set(done.scope_ids), "back from the dead"
    with pytest.raises(KeyStoreBehind, match="restore"):
        check(small)
    found = restore(small)
    check(small)
    assert (found.erasures, found.pseudonyms) == (1, ())
    assert keys(small).scope_keys("acme", done.scope_ids) == {}
    assert keys(small).acquire("acme", [HolderRef("person", "mia")], [], []).suppressed
    assert keys(small).pseudonym("acme", "jon") is not None
    [again] = destructions(small).all()
    assert (again.destruction_id, again.finished) == (done.destruction_id, True)
    assert restore(small).erasures == 0


async def test_a_month_that_expired_stays_expired(small: SmallLedger, place: Place) -> None:
    """An Expiry sealed after the backup is replayed like an erasure."""
    backup = place.back_up()
    with small.database.read() as rows:
        month = rows.execute("SELECT max(month) FROM scopes WHERE tenant = 'acme'").fetchone()[0]
    marked = destructions(small).mark_month("acme", "standard", month, REQUEST)
    assert marked is not None
    done = await proceeding(small, Published(small)).go_on(marked.destruction_id)
    await small.seal()
    await put_back(small, place, backup)
    assert restore(small).expiries == 1
    assert keys(small).scope_keys("acme", done.scope_ids) == {}
    assert keys(small).pseudonym("acme", "mia") is not None


async def test_what_was_made_after_the_backup_is_named(small: SmallLedger, place: Place) -> None:
    """A person met after it, and the scopes of her contents, are listed as unexplained; erased ones are not."""
    backup = place.back_up()
    await small.publish("acme", request("eve", "new", session_id="s-eve"), request("kim", "new", session_id="s-kim"))
    await small.seal()
    eve = small.keys.pseudonym("acme", "eve")
    await erase(small, "kim")
    await put_back(small, place, backup)
    found = restore(small)
    assert found.pseudonyms == (eve,)
    # The scopes of Eve, and of the Erasure's own reason.
    assert len(found.scope_ids) == 2
    assert found.erasures == 0


async def test_links_are_made_again(small: SmallLedger, place: Place) -> None:
    """A session that was joined to a person after the backup is hers again, and dies with her."""
    backup = place.back_up()
    await small.publish("acme", request("mia", "it was me", session_id="s-later"))
    await small.seal()
    await put_back(small, place, backup)
    assert restore(small).links == 1
    before = keys(small).acquire("acme", [HolderRef("session", "s-later")], [], []).holders
    assert before
    await erase(small, "mia")
    assert keys(small).acquire("acme", [HolderRef("session", "s-later")], [], []).suppressed


async def test_links_to_traces_are_made_again(small: SmallLedger, place: Place) -> None:
    """What came over OTLP in a trace in which a person was named is hers again after a restore."""
    backup = place.back_up()
    event = request("mia", "it was me", session_id="s-later")
    event.producer.capture_path, event.story.trace_id = pb.CAPTURE_PATH_OTLP, b"\x02" * 16
    await small.publish("acme", event)
    await small.seal()
    await put_back(small, place, backup)
    assert restore(small).links == 2
    await erase(small, "mia")
    assert keys(small).acquire("acme", [HolderRef("session", "02" * 16)], [], []).suppressed


async def test_a_store_that_lacks_keys_of_one_round_is_refused(small: SmallLedger, place: Place) -> None:
    """Behind by a round that it can explain, as after a sealer's kill, it serves; by one that it can't, it does not."""
    backup = place.back_up()
    await small.publish("acme", request("mia", "more", session_id="s-mia"))
    await small.seal()
    await put_back(small, place, backup)
    check(small)
    await small.seal()
    backup = place.back_up()
    await small.publish("acme", request("eve", "new", session_id="s-eve"))
    await small.seal()
    eve = small.keys.pseudonym("acme", "eve")
    await put_back(small, place, backup)
    with pytest.raises(KeyStoreBehind, match="restore"):
        check(small)
    found = restore(small)
    assert (found.pseudonyms, len(found.scope_ids)) == ((eve,), 1)
    check(small)


async def test_a_store_without_a_hold_that_was_sealed_since_is_refused(small: SmallLedger, place: Place) -> None:
    """Behind by the one round that has the hold, it would let be erased what nobody may erase."""
    backup = place.back_up()
    holds = Holds(small.database, LocalMasterKey.load(small.folder / "master.key"))
    await small.publish("acme", hold_event(holds.place("acme", "case-1", "mia", REQUEST), "test"))
    await small.seal()
    check(small)
    await put_back(small, place, backup)
    with pytest.raises(KeyStoreBehind, match="legal holds"):
        check(small)
    assert restore(small).holds == 1
    check(small)
    with pytest.raises(Held, match="case-1"):
        destructions(small).mark_persons("acme", ["mia"], REQUEST)


async def test_holds_stand_as_they_stood(small: SmallLedger, place: Place) -> None:
    """A hold placed after the backup stands again, and one that was released since does not."""
    holds = Holds(small.database, LocalMasterKey.load(small.folder / "master.key"))
    before = holds.place("acme", "case-1", "mia", REQUEST)
    await small.publish("acme", hold_event(before, "test"))
    await small.seal()
    backup = place.back_up()
    for changed in (holds.release("acme", "case-1", REQUEST), holds.place("acme", "case-2", "jon", REQUEST)):
        await small.publish("acme", hold_event(changed, "test"))
        await small.seal()
    await put_back(small, place, backup)
    assert restore(small).holds == 2
    found = Holds(small.database, LocalMasterKey.load(small.folder / "master.key")).all("acme")
    assert [(each.hold_id, each.stands, each.recorded) for each in found] == [
        ("case-1", False, True),
        ("case-2", True, True),
    ]
    with pytest.raises(Held, match="case-2"):
        destructions(small).mark_persons("acme", ["jon"], REQUEST)
    assert restore(small).holds == 0


async def test_an_erasure_that_the_backup_had_begun_is_finished(small: SmallLedger, place: Place) -> None:
    """A backup taken between mark and destruction ends destroyed, under the one id."""
    marked = destructions(small).mark_persons("acme", ["mia"], REQUEST)
    backup = place.back_up()
    done = await proceeding(small, Published(small)).go_on(marked.destruction_id)
    await small.publish("acme", request("jon", session_id="s-jon"))
    await small.seal()
    await small.publish("acme", request("jon", session_id="s-jon"))
    await small.seal()
    await put_back(small, place, backup)
    assert restore(small).erasures == 1
    [only] = destructions(small).all()
    assert only.finished
    assert keys(small).scope_keys("acme", done.scope_ids) == {}


async def test_killed_it_is_still_refused_and_done_again(small: SmallLedger, place: Place) -> None:
    """Before the last step the store stays behind, whatever was done; the next restore ends in the same."""
    backup = place.back_up()
    done = await erase(small, "mia")
    await put_back(small, place, backup)

    class Dying(KeyReplay):
        def wipe(self, destruction_id: bytes) -> None:
            raise Killed

    work = Dying(small.database, LocalMasterKey.load(small.folder / "master.key"), lease_s=0.0)
    restoring = Restoring(small.store, small.trust, small.tenants, work, small.newest_rounds, 60, _deletions(small))
    with pytest.raises(Killed):
        list(restoring.run())
    with pytest.raises(KeyStoreBehind):
        check(small)
    restore(small)
    check(small)
    assert keys(small).scope_keys("acme", done.scope_ids) == {}
    assert all(each.finished for each in destructions(small).all())
