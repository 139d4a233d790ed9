"""Following the published rounds: all is checked before it is believed, and what fails changes nothing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from ledger.errors import IntegrityError
from ledger.segments import names
from ledger.segments.history import History
from ledger.segments.holdings import Holdings
from ledger.segments.objects import FileStore
from ledger.segments.round import EVENTS, ROUND, STATEMENTS
from ledger.segments.state import PartitionState
from ledger.signed import SIGNED, BadSignature, Signed, sign
from ledger.trust import TrustedKey, TrustedKeys
from tests.ledger.segments.ledgers import (
    FIRST_US,
    KEYS,
    LEDGER,
    OTHER_SIGNER,
    RECEIPTS,
    SIGNER,
    a_ledger,
    follow,
    publish,
)
from tests.ledger.segments.partitions import LOGS, PARTITION, a_round, bundle_of, leaf, placement


def rewrite(store: FileStore, name: str, data: bytes) -> None:
    """Puts other bytes under a name, as somebody with the disk can."""
    store.path(name).write_bytes(data)


def test_a_good_ledger_is_followed_to_its_end(tmp_path: Path) -> None:
    """All rounds are read in order, with statements, receipts and placements."""
    store, told = a_ledger(tmp_path)
    state = PartitionState(PARTITION)
    seen = list(History(store, PARTITION, KEYS).follow(state))
    assert [each.round for each in seen] == [each.round for each in told]
    assert [list(each.statements) for each in seen] == [each.statements for each in told]
    assert seen[0].receipts == (RECEIPTS[LOGS[0]], RECEIPTS[LOGS[1]])
    assert [placed for _, placed in seen[1].placements] == told[1].placements
    assert state.next_number == 4
    assert state == follow(store)


def test_following_goes_on_from_where_it_stood(tmp_path: Path) -> None:
    """Rounds published later are taken in by the same state."""
    store, _ = a_ledger(tmp_path)
    state = follow(store)
    later = a_round(state, {LOGS[0]: [leaf(8)]}, sealed_at_us=FIRST_US + 9)
    before = state.copy()
    publish(store, later, receipts=False)
    rewrite(store, later.round.files[-1].name, bundle_of(later.statements))
    assert [each.round.number for each in History(store, PARTITION, KEYS).follow(state)] == [4]
    assert state.next_number == before.next_number + 1


def everything_named(store: FileStore) -> list[str]:
    """The objects that rounds vouch for and `follow` reads."""
    return [name for name in store.walk() if "/events/" not in name and "/contents/" not in name]


def test_every_flipped_bit_is_refused(tmp_path: Path) -> None:
    """A bit flipped in any round, bundle or placement is refused, the newest round's included."""
    store, _ = a_ledger(tmp_path)
    for name in everything_named(store):
        data = store.read(name)
        step = max(1, len(data) * 8 // 120)
        for bit in range(0, len(data) * 8, step):
            bent = bytearray(data)
            bent[bit // 8] ^= 1 << bit % 8
            rewrite(store, name, bytes(bent))
            with pytest.raises(IntegrityError):
                follow(store)
        rewrite(store, name, data)
    follow(store)


def test_every_missing_truncated_extended_or_swapped_object_is_refused(tmp_path: Path) -> None:
    """Loss is a finding like any other; one object does not pass for another of its kind."""
    store, _ = a_ledger(tmp_path)
    all_names = everything_named(store)
    newest = names.round_name(PARTITION, 3)
    for name in all_names:
        data = store.read(name)
        for other in (data[:-1], data[: len(data) // 2], b"", data + b"\x00", *(store.read(n) for n in all_names)):
            if other != data:
                rewrite(store, name, other)
                with pytest.raises(IntegrityError):
                    follow(store)
        store.remove(name)
        if name != newest:
            with pytest.raises(IntegrityError):
                follow(store)
        rewrite(store, name, data)
    follow(store)


def test_missing_rounds_are_named_as_ranges(tmp_path: Path) -> None:
    """A hole in the middle says which rounds, briefly."""
    store = FileStore(tmp_path)
    for number in (0, 2, 3, 7, 9):
        store.put(names.round_name(PARTITION, number), b"")
    history = History(store, PARTITION, KEYS)
    with pytest.raises(IntegrityError, match=r"partition 3: rounds are missing: 1, 4-6, 8$"):
        history.check_contiguous()
    assert history.published() == [0, 2, 3, 7, 9]
    assert History(FileStore(tmp_path / "none"), PARTITION, KEYS).check_contiguous() == 0


def test_other_files_in_the_folder_are_no_rounds(tmp_path: Path) -> None:
    """A copy of a round under other zeros is not a second round of that number."""
    store, _ = a_ledger(tmp_path)
    copy = tmp_path / "partitions/0003/rounds/0000000000001.round"
    copy.write_bytes(store.read(names.round_name(PARTITION, 1)))
    assert History(store, PARTITION, KEYS).published() == [0, 1, 2, 3]


def test_a_foreign_signature_is_refused(tmp_path: Path) -> None:
    """A gateway's key, an unknown key and a stripped signature sign no rounds."""
    store, told = a_ledger(tmp_path)
    body = ROUND.encode(told[3].round)
    name = names.round_name(PARTITION, 3)
    rewrite(store, name, sign(body, OTHER_SIGNER))
    with pytest.raises(BadSignature, match="not among the trusted keys"):
        follow(store)
    rewrite(store, name, SIGNED.encode(Signed(body, SIGNER.name, SIGNER.verifier_key.key_id, bytes(64))))
    with pytest.raises(BadSignature, match="does not hold"):
        follow(store)
    rewrite(store, name, body)
    with pytest.raises(IntegrityError, match="malformed"):
        follow(store)


def test_a_key_outside_its_time_signs_nothing(tmp_path: Path) -> None:
    """A retired key's signature counts only for what says it was sealed before."""
    store, _ = a_ledger(tmp_path)
    sealed = datetime.fromtimestamp(FIRST_US / 1e6, UTC)
    for not_before, not_after in (
        (datetime(2026, 12, 1, tzinfo=UTC), None),
        (datetime(2026, 1, 1, tzinfo=UTC), sealed),
    ):
        keys = TrustedKeys(LEDGER, (TrustedKey("ledger", SIGNER.name, SIGNER.public_key, not_before, not_after),))
        with pytest.raises(BadSignature, match="it is good from"):
            follow(store, keys)


@pytest.mark.parametrize("sealed_at_us", [2**64 - 1, 2**63])
def test_a_sealing_time_that_is_none_is_refused(tmp_path: Path, sealed_at_us: int) -> None:
    """A number that no calendar holds is not a crash."""
    store, told = a_ledger(tmp_path)
    rewrite(
        store,
        names.round_name(PARTITION, 3),
        sign(ROUND.encode(replace(told[3].round, sealed_at_us=sealed_at_us)), SIGNER),
    )
    with pytest.raises(IntegrityError, match="sealing time"):
        follow(store)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "partitions/0003/rounds/../x", "A"])
def test_a_bundle_named_outside_the_store_is_refused(tmp_path: Path, name: str) -> None:
    """A round, even well signed, cannot make a reader open other files."""
    store, told = a_ledger(tmp_path)
    files = tuple(replace(each, name=name) if each.role == STATEMENTS else each for each in told[3].round.files)
    rewrite(store, names.round_name(PARTITION, 3), sign(ROUND.encode(replace(told[3].round, files=files)), SIGNER))
    with pytest.raises(IntegrityError, match="not an object name"):
        follow(store)


def test_receipts_other_than_the_statement_names_change_nothing(tmp_path: Path) -> None:
    """A bundle that dropped a receipt is refused before anything of its round is believed."""
    store, told = a_ledger(tmp_path)
    state = PartitionState(PARTITION)
    history = History(store, PARTITION, KEYS)
    history.step(state)
    lying = bundle_of(told[1].statements, {LOGS[0]: RECEIPTS[LOGS[0]][:1], LOGS[1]: RECEIPTS[LOGS[1]]})
    digest = sha256(lying).digest()
    name = names.segment_name(PARTITION, STATEMENTS, 1, digest)
    store.put(name, lying)
    files = tuple(
        replace(each, name=name, sha256=digest, bytes=len(lying)) if each.role == STATEMENTS else each
        for each in told[1].round.files
    )
    rewrite(store, names.round_name(PARTITION, 1), sign(ROUND.encode(replace(told[1].round, files=files)), SIGNER))
    before = state.copy()
    with pytest.raises(IntegrityError, match="receipts differ"):
        history.step(state)
    assert state == before


def test_a_placement_that_lies_changes_nothing(tmp_path: Path) -> None:
    """A round whose placement does not descend is refused as a whole: its statements are not applied either."""
    store, _ = a_ledger(tmp_path)
    state = follow(store)
    lying = placement(state, LOGS[0], previous=bytes(32))
    told = a_round(state, {LOGS[0]: [leaf(9)]}, placements=[lying], sealed_at_us=FIRST_US + 9)
    publish(store, told, receipts=False)
    rewrite(store, told.round.files[-1].name, bundle_of(told.statements))
    before = state.copy()
    with pytest.raises(IntegrityError, match="R10"):
        History(store, PARTITION, KEYS).step(state)
    assert state == before


def test_holdings_tell_where_rows_stand(tmp_path: Path) -> None:
    """A placed log's rows stand in its placement and the rounds behind it, another's in its rounds."""
    store, told = a_ledger(tmp_path)
    holdings = Holdings(History(store, PARTITION, KEYS))
    assert len(holdings.refresh()) == 4
    placed = holdings.logs[LOGS[0]]
    assert placed.size == 3
    assert [(each.role, each.first_index, each.end_index, each.round, each.shared) for each in placed.files()] == [
        (EVENTS, 0, 2, -1, False),
        ("contents", 0, 2, -1, False),
        (EVENTS, 2, 3, 1, True),
    ]
    other = holdings.logs[LOGS[1]]
    assert [(each.first_index, each.end_index, each.shared) for each in other.files()] == [
        (0, 1, True),
        (1, 3, True),
        (3, 4, False),
    ]
    assert other.files()[0].name == told[0].round.files[0].name
    assert holdings.refresh() == []
