"""Erasure and expiry in the key store: what is destroyed, what survives, and that a kill changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from unittest import mock

import pytest

from ledger.errors import IntegrityError, Rejected, Unavailable
from ledger.keys.database import KeyDatabase, Rows
from ledger.keys.destruction import Destruction, Held, Request
from ledger.keys.erasure import Destructions
from ledger.keys.holds import Holds
from ledger.keys.master import LocalMasterKey
from ledger.keys.provider import HolderRef, ScopeRef
from ledger.keys.sqlite_database import SqliteDatabase
from ledger.keys.store import KeyCacheLimits, KeyStore
from ledger.keys.suppression import sweep
from tests.ledger.keys.places import Place

MASTER = LocalMasterKey(b"m" * 32)
REQUEST = Request("olga", ("paul",), "GDPR Art. 17", "asked for by letter")
MIA, JON, EVE = (HolderRef("person", name) for name in ("mia", "jon", "eve"))
ALONE, BOTH = HolderRef("session", "s-mia"), HolderRef("session", "s-both")
AMENDED = HolderRef("event", "e1")
SUPPRESSED_S = 3_600


@dataclass(slots=True)
class World:
    """A key store with three people, a clock that stands, and what everybody's keys were."""

    place: Place
    database: KeyDatabase
    now_ms: int = 1_000_000

    def store(self) -> KeyStore:
        """Without memory: every answer is read."""
        return KeyStore(self.database, MASTER, KeyCacheLimits(lease_s=0.0))

    def destructions(self) -> Destructions:
        return Destructions(self.database, MASTER, lambda: self.now_ms, lease_s=30)

    def fill(self) -> dict[ScopeRef, tuple[bytes, bytes]]:
        """Scopes of two months for everybody, with links; their ids and keys."""
        holders = [MIA, JON, EVE, ALONE, BOTH, AMENDED]
        refs = [ScopeRef(each, "standard", month) for each in holders for month in ("2026-10", "2026-11")]
        links = [(ALONE, MIA), (BOTH, MIA), (BOTH, JON), (AMENDED, MIA)]
        grant = self.store().acquire("acme", holders, refs, links)
        return {ref: (scope.scope_id, scope.key) for ref, scope in grant.scopes.items()}

    def finish(self, destruction: Destruction) -> Destruction:
        """Every step that is left."""
        work, which = self.destructions(), destruction.destruction_id
        if not destruction.reached("destroyed"):
            self.now_ms = max(self.now_ms, destruction.marked_at_ms + 30_000)
            work.rewrap(which)
            work.destroy(which, SUPPRESSED_S)
        if not work.get(which).reached("wiped"):
            work.wipe(which)
        work.counted(which, {b"l" * 32: 3})
        work.published(which)
        work.finish(which)
        return work.get(which)


@pytest.fixture
def world(place: Place) -> World:
    return World(place, place.create())


def keys_of(world: World, known: dict[ScopeRef, tuple[bytes, bytes]]) -> dict[ScopeRef, bytes]:
    """The keys that a reader still gets, checked against what they were."""
    found = world.store().scope_keys("acme", [scope_id for scope_id, _ in known.values()])
    for scope_id, key in known.values():
        assert found.get(scope_id, key) == key
    return {ref: found[scope_id] for ref, (scope_id, _) in known.items() if scope_id in found}


def test_all_of_a_person_is_destroyed_and_everybody_else_is_whole(world: World) -> None:
    """Her scopes, her sessions' and her amended events' are gone; other people's keys and pseudonyms are as before."""
    known = world.fill()
    before = world.store().acquire("acme", [JON, EVE], [], []).holders
    done = world.finish(world.destructions().mark_persons("acme", ["mia"], REQUEST))
    assert {ref.holder for ref in keys_of(world, known)} == {JON, EVE}
    assert len(keys_of(world, known)) == 4
    assert world.store().acquire("acme", [JON, EVE], [], []).holders == before
    assert done.finished
    assert set(done.scope_ids) == {known[ref][0] for ref in known if ref.holder not in (JON, EVE)}
    assert len(done.pseudonyms) == 1
    assert done.keys_destroyed >= 8 + 4
    assert done.counts == {(b"l" * 32).hex(): 3}
    assert done.request == Request("olga", ("paul",), "GDPR Art. 17", "")


def test_a_session_shared_with_others_can_be_spared(world: World) -> None:
    """With `keep_shared` a session that others are linked to keeps its keys, and stays linked to them."""
    known = world.fill()
    world.finish(world.destructions().mark_persons("acme", ["mia"], REQUEST, keep_shared=True))
    assert {ref.holder for ref in keys_of(world, known)} == {JON, EVE, BOTH}
    world.finish(world.destructions().mark_persons("acme", ["jon"], REQUEST))
    assert {ref.holder for ref in keys_of(world, known)} == {EVE}


def test_nothing_of_her_is_left_in_the_files(world: World) -> None:
    """No sealed row or old bucket key of hers stands in a table, index, free page or SQLite's log any more."""
    world.fill()
    with world.database.read() as rows:
        mia = world.destructions()._ring(rows, "acme").holder_hash(MIA)
        sealed = [each for (each,) in rows.execute("SELECT sealed FROM holders WHERE holder_hash = ?", (mia,))]
        sealed += [each for (each,) in rows.execute("SELECT sealed FROM scopes WHERE holder_hash = ?", (mia,))]
        sealed += [each for (each,) in rows.execute("SELECT sealed FROM bucket_keys WHERE bucket = ?", (mia[0],))]
    assert len(sealed) == 4
    assert all(each in world.place.on_disk() for each in sealed)
    world.finish(world.destructions().mark_persons("acme", ["mia"], REQUEST))
    assert [each for each in sealed if each in world.place.on_disk()] == []
    assert mia in world.place.on_disk(), "the suppression entry is there"
    assert sweep(world.database, world.now_ms + SUPPRESSED_S * 1_000 - 1) == 0
    assert sweep(world.database, world.now_ms + SUPPRESSED_S * 1_000) == 3
    assert mia not in world.place.on_disk()


def test_keys_are_hidden_from_the_mark_on(world: World) -> None:
    """A marked person's keys are given to no gateway and no reader, though they are still there."""
    known = world.fill()
    world.destructions().mark_persons("acme", ["mia"], REQUEST)
    store = world.store()
    scope = ScopeRef(MIA, "standard", "2026-12")
    grant = store.acquire("acme", [MIA, JON], [scope], [(HolderRef("session", "new"), MIA)])
    assert set(grant.holders) == {JON}
    assert not grant.scopes
    assert grant.suppressed == {MIA}
    assert store.pseudonym("acme", "mia") is None
    assert {ref.holder for ref in keys_of(world, known)} == {JON, EVE}


def test_an_erased_person_is_not_made_anew_before_her_time_is_over(world: World) -> None:
    """Until the sweep an event that names her gets no keys; afterwards she is somebody new."""
    world.fill()
    old = world.store().pseudonym("acme", "mia")
    world.finish(world.destructions().mark_persons("acme", ["mia"], REQUEST))
    assert world.store().acquire("acme", [MIA, ALONE, BOTH], [], []).suppressed == {MIA, ALONE}
    sweep(world.database, world.now_ms + SUPPRESSED_S * 1_000)
    grant = world.store().acquire("acme", [MIA], [], [])
    assert not grant.suppressed
    assert grant.holders[MIA].pseudonym != old


def test_the_lease_is_waited_out(world: World) -> None:
    """Nothing is destroyed while a cache may still hold the keys."""
    world.fill()
    marked = world.destructions().mark_persons("acme", ["mia"], REQUEST)
    assert world.destructions().lease_left_s(marked) == 30
    with pytest.raises(Unavailable):
        world.destructions().rewrap(marked.destruction_id)
    with pytest.raises(IntegrityError, match="marked"):
        world.destructions().destroy(marked.destruction_id, SUPPRESSED_S)


def test_one_at_a_time(world: World) -> None:
    """A second erasure of a tenant waits until the first is destroyed; another tenant's does not."""
    world.fill()
    first = world.destructions().mark_persons("acme", ["mia"], REQUEST)
    with pytest.raises(Unavailable, match="another erasure is under way"):
        world.destructions().mark_persons("acme", ["jon"], REQUEST)
    world.store().acquire("globex", [JON], [], [])
    world.destructions().mark_persons("globex", ["jon"], REQUEST)
    assert {each.tenant for each in world.destructions().unfinished()} == {"acme", "globex"}
    world.finish(first)
    world.destructions().mark_persons("acme", ["jon"], REQUEST)


def test_nobody_is_erased_for_a_wrong_name(world: World) -> None:
    """An unknown person is refused, and nothing was marked, though the others are known."""
    world.fill()
    with pytest.raises(Rejected, match="no such person"):
        world.destructions().mark_persons("acme", ["mia", "nobody"], REQUEST)
    assert world.destructions().all() == []
    assert world.store().pseudonym("acme", "mia") is not None


def test_a_hold_forbids_erasure_and_expiry_and_is_named(world: World) -> None:
    """Under a hold on Jon neither he, nor Mia who shares a session, nor the month is destroyed; released, he is."""
    known = world.fill()
    holds = Holds(world.database, MASTER)
    holds.place("acme", "case-7", "jon", REQUEST)
    assert holds.place("acme", "case-7", "JON", REQUEST).stands
    for name in ("jon", "mia"):
        with pytest.raises(Held, match="case-7"):
            world.destructions().mark_persons("acme", [name], REQUEST)
    with pytest.raises(Held, match="case-7"):
        world.destructions().mark_month("acme", "standard", "2026-10", REQUEST)
    assert len(keys_of(world, known)) == len(known)
    with pytest.raises(Rejected, match="another hold"):
        holds.place("acme", "case-7", "eve", REQUEST)
    assert not holds.release("acme", "case-7", REQUEST).stands
    world.finish(world.destructions().mark_persons("acme", ["jon"], REQUEST))


def test_what_is_being_destroyed_is_not_said_to_be_held(world: World) -> None:
    """A hold on who is marked, or whose month is, is refused; on somebody else it stands; afterwards it does again."""
    world.fill()
    holds = Holds(world.database, MASTER)
    marked = world.destructions().mark_persons("acme", ["mia"], REQUEST)
    for name in ("mia", "jon"):
        with pytest.raises(Rejected, match="an erasure of hers is under way"):
            holds.place("acme", "case-7", name, REQUEST)
    assert holds.place("acme", "case-8", "eve", REQUEST).stands
    holds.release("acme", "case-8", REQUEST)
    world.finish(marked)
    with pytest.raises(Rejected, match="no such person"):
        holds.place("acme", "case-7", "mia", REQUEST)
    expiring = world.destructions().mark_month("acme", "standard", "2026-10", REQUEST)
    assert expiring is not None
    with pytest.raises(Rejected, match="an expiry of hers is under way"):
        holds.place("acme", "case-7", "jon", REQUEST)
    world.finish(expiring)
    assert holds.place("acme", "case-7", "jon", REQUEST).stands


def test_a_released_hold_keeps_no_hash_of_who_is_erased(world: World) -> None:
    """Nothing that a guess could be checked against is left in holds that she was under; others' are as they were."""
    world.fill()
    holds = Holds(world.database, MASTER)
    with world.database.read() as rows:
        ring = world.destructions()._ring(rows, "acme")
        mia, eve = ring.holder_hash(MIA), ring.holder_hash(EVE)
    for hold_id, name in (("case-1", "mia"), ("case-2", "mia"), ("case-3", "eve")):
        holds.place("acme", hold_id, name, REQUEST)
        holds.release("acme", hold_id, REQUEST)
    before = holds.all("acme")
    world.finish(world.destructions().mark_persons("acme", ["mia"], REQUEST))
    sweep(world.database, world.now_ms + SUPPRESSED_S * 1_000)
    assert mia not in world.place.on_disk()
    assert eve in world.place.on_disk()
    assert holds.all("acme") == before
    with pytest.raises(Rejected, match="another hold"):
        holds.place("acme", "case-1", "eve", REQUEST)


def test_contents_shared_with_a_held_person_are_told(world: World) -> None:
    """Who marks is asked about the doomed scopes and the held ones, and can refuse."""
    known = world.fill()
    Holds(world.database, MASTER).place("acme", "case-7", "jon", REQUEST)
    asked: list[tuple[frozenset[bytes], frozenset[bytes]]] = []

    def refuse(doomed: frozenset[bytes], held: frozenset[bytes]) -> None:
        asked.append((doomed, held))
        raise Held("", "case-7")

    with pytest.raises(Held):
        world.destructions().mark_persons("acme", ["eve"], REQUEST, may_destroy=refuse)
    scopes = {
        who: {scope_id for ref, (scope_id, _) in known.items() if ref.holder in who} for who in ((EVE,), (JON, BOTH))
    }
    assert asked == [(scopes[EVE,], scopes[JON, BOTH])]


def test_a_month_of_a_class_expires_and_nothing_else(world: World) -> None:
    """Scopes of the month are gone, those of the next and all pseudonyms stay; nothing left to expire says so."""
    known = world.fill()
    marked = world.destructions().mark_month("acme", "standard", "2026-10", REQUEST)
    assert marked is not None
    assert {ref.month for ref in keys_of(world, known)} == {"2026-11"}
    done = world.finish(marked)
    assert set(done.scope_ids) == {known[ref][0] for ref in known if ref.month == "2026-10"}
    assert {ref.month for ref in keys_of(world, known)} == {"2026-11"}
    assert len(keys_of(world, known)) == 6
    assert world.store().pseudonym("acme", "mia") is not None
    assert world.destructions().mark_month("acme", "standard", "2026-10", REQUEST) is None


def crash_states(world: World, work: Callable[[], object]) -> list[object]:
    """What a kill during `work` can leave: copies for `put_back`, each different from the one before."""
    states: list[object] = []

    def snapshot(copy: object) -> None:
        if not states or copy != states[-1]:
            states.append(copy)

    database, place = world.database, world.place
    with ExitStack() as stack:
        if isinstance(database, SqliteDatabase):
            # Before each statement that finds the files changed: they are what a killed process leaves.
            writer = database._writer
            assert writer is not None
            writer.set_trace_callback(lambda _: snapshot(files_of(place)))
            stack.callback(writer.set_trace_callback, None)
            work()
            snapshot(files_of(place))
        else:
            # After each transaction: the server ends what a killed process had begun.
            real = database.write

            @contextmanager
            def watched() -> Iterator[Rows]:
                with real() as rows:
                    yield rows
                snapshot(place.back_up())

            stack.enter_context(mock.patch.object(database, "write", watched))
            snapshot(place.back_up())
            work()
    return states


def files_of(place: Place) -> dict[str, bytes]:
    """The database and its write-ahead log as they lie there."""
    return {each.name: each.read_bytes() for each in place.folder.glob("keys.db*") if not each.name.endswith("-shm")}


@pytest.mark.parametrize("kind", ["erasure", "expiry"])
def test_killed_at_any_moment_it_resumes_to_the_same_end(world: World, kind: str) -> None:
    """From every state of the files that a kill can leave, going on ends where it would have ended."""
    known = world.fill()

    def mark(of: World) -> Destruction | None:
        if kind == "erasure":
            return of.destructions().mark_persons("acme", ["mia"], REQUEST)
        return of.destructions().mark_month("acme", "standard", "2026-10", REQUEST)

    def work() -> None:
        marked = mark(world)
        assert marked is not None
        world.finish(marked)

    states = crash_states(world, work)
    assert len(states) >= 9, "a state before and after each step"
    expected = keys_of(world, known)
    [whole] = world.destructions().all()
    for state in states:
        world.place.put_back(state)
        resumed = World(world.place, world.place.open(), now_ms=world.now_ms)
        [left] = resumed.destructions().all() or [mark(resumed)]
        assert left is not None
        hidden = keys_of(resumed, known)
        assert hidden == expected, "marked or destroyed, what is doomed is never given out"
        done = resumed.finish(left)
        assert done.finished
        assert keys_of(resumed, known) == expected
        assert (set(done.scope_ids), done.keys_destroyed) == (set(whole.scope_ids), whole.keys_destroyed)
        with resumed.database.read() as rows:
            for table in ("doomed_holders", "doomed_scopes", "rewrapped"):
                assert rows.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
            # One key a bucket, and every row under it.
            assert rows.execute(
                "SELECT max(n) FROM (SELECT count(*) AS n FROM bucket_keys GROUP BY bucket) AS counted"
            ).fetchone() == (1,)
