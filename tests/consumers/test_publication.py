"""A round is written, read back, signed, and published once: `consumers.publication`."""

from __future__ import annotations

import errno
import io
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from consumers.publication import Fenced
from consumers.sealer import PartitionSealer, SealerLimits
from ledger.errors import IntegrityError, OutcomeUnknown, Unavailable
from ledger.record.payload import decode_payload, encode_payload
from ledger.segments import names
from ledger.segments.checkpoints import read_checkpoints
from ledger.segments.objects import FileStore
from ledger.segments.round import EVENTS
from ledger.tlog.checkpoint import open_checkpoint
from ledger.tlog.merkle import leaf_hash
from ledger.tlog.note import VerifierKey
from ledger.trust import TrustedKeys
from tests.consumers import hostile
from tests.consumers.sealed import sealed_in, unnamed
from tests.small_ledger import SmallLedger, request


class DamagedStore(FileStore):
    """A store whose disk does something to what is under certain names, when it is read or before it is written."""

    def __init__(
        self,
        root: Path,
        part: str,
        on_read: Callable[[bytes], bytes] = lambda data: data,
        on_put: Callable[[bytes], bytes] = lambda data: data,
    ) -> None:
        super().__init__(root)
        self._part = part
        self._on_read = on_read
        self._on_put = on_put

    def read(self, name: str) -> bytes:
        """As the disk gives it."""
        data = super().read(name)
        return self._on_read(data) if f"/{self._part}/" in name else data

    def put(self, name: str, data: bytes) -> bool:
        """As the disk takes it."""
        return super().put(name, self._on_put(data) if f"/{self._part}/" in name else data)


def flipped(data: bytes) -> bytes:
    """One bit of the middle changed."""
    changed = bytearray(data)
    changed[len(data) // 2] ^= 0x10
    return bytes(changed)


def cut_short(data: bytes) -> bytes:
    """The last byte lost."""
    return data[:-1]


def sealer_on(small: SmallLedger, store: FileStore) -> PartitionSealer:
    """A sealer of the small ledger that works with another store."""
    return PartitionSealer(replace(small.sealer()._parts, store=store), small.limits)


@pytest.mark.parametrize("damage", [flipped, cut_short])
@pytest.mark.parametrize("when", ["read", "put"])
@pytest.mark.parametrize("part", ["events", "contents", "statements"])
async def test_a_file_that_does_not_read_back_is_never_signed_for(
    small: SmallLedger, part: str, when: str, damage: Callable[[bytes], bytes]
) -> None:
    """A disk that changes what was written halts the sealer before the round; once that is put right all is sealed."""
    event = request()
    await small.publish("acme", event)
    store = DamagedStore(small.store.root, part, **{f"on_{when}": damage})
    sealer = sealer_on(small, store)
    await sealer.open()
    with pytest.raises(IntegrityError, match=f"{part}/.* SHA-256 is"):
        await sealer.seal_once(wait_s=0)
    assert small.store.names_in("partitions/0000/rounds") == []
    # Nothing is ever overwritten: what a broken disk left under a name, a person removes.
    for name in small.store.walk():
        small.store.remove(name)
    await small.seal()
    found = sealed_in(small)
    assert found.ids(small.tenant_log("acme").log_id) == [event.event_id]
    assert all("/rounds/" not in name for name in unnamed(small, found))


async def test_a_taken_number_fences_and_nothing_is_overwritten(small: SmallLedger) -> None:
    """Whoever comes second for a number stops; the round and the files of the first stand as they were."""
    await small.publish("acme", request(text="one"))
    late = small.sealer()
    await late.open()
    await small.seal()
    before = {name: small.store.read(name) for name in small.store.walk()}
    with pytest.raises(Fenced, match="round 0 was published by another sealer"):
        await late.seal_once(wait_s=0)
    assert {name: small.store.read(name) for name in before} == before
    assert late.state.next_number == 0
    found = sealed_in(small)
    assert len(found.rounds) == 1
    assert all(small.store.path(name).stat().st_nlink == 1 for name in small.store.walk())


async def test_a_fenced_sealer_opened_anew_goes_on(small: SmallLedger) -> None:
    """After losing a number a sealer that follows the rounds again seals what is left, once."""
    first, second = request(text="one"), request(text="two")
    await small.publish("acme", first)
    late = small.sealer()
    await late.open()
    await small.seal()
    with pytest.raises(Fenced):
        await late.seal_once(wait_s=0)
    await small.publish("acme", second)
    await late.open()
    outcome = await late.seal_once(wait_s=0)
    assert outcome is not None
    assert (outcome.number, outcome.events, outcome.repeats) == (1, 1, 0)
    assert sealed_in(small).ids(small.tenant_log("acme").log_id) == [first.event_id, second.event_id]


async def test_files_carry_number_and_digest_in_their_names(small: SmallLedger) -> None:
    """No two sealers can write different bytes under one name."""
    await small.publish("acme", request())
    await small.seal()
    (sealed,) = sealed_in(small).rounds
    for file in sealed.round.files:
        data = small.store.read(file.name)
        assert (sha256(data).digest(), len(data)) == (file.sha256, file.bytes)
        assert file.name == names.segment_name(0, file.role, 0, sha256(data).digest())


async def test_rows_stand_in_groups_of_the_configured_size(small: SmallLedger) -> None:
    """Row groups are as large as the limits say, the last one smaller."""
    small.limits = SealerLimits(round_age_ms=0, row_group_rows=3)
    await small.publish("acme", *(request(text=str(number)) for number in range(8)))
    await small.seal()
    (sealed,) = sealed_in(small).rounds
    file = sealed.round.file(EVENTS)
    assert file is not None
    metadata = pq.ParquetFile(io.BytesIO(small.store.read(file.name))).metadata
    assert [metadata.row_group(at).num_rows for at in range(metadata.num_row_groups)] == [3, 3, 2]


async def test_checkpoints_are_those_of_the_round(small: SmallLedger) -> None:
    """After each round the checkpoints of the rounds and of every log touched say the sizes and roots just sealed."""
    await small.publish("acme", request())
    await small.publish("globex", request("bob"), request("bob"))
    await small.seal()
    await small.publish("acme", request())
    sealer = small.sealer()
    await sealer.open()
    await sealer.seal_once(wait_s=0)
    notes = read_checkpoints(small.store, 0, 1)
    acme = small.tenant_log("acme")
    assert sorted(notes) == sorted([acme.origin, "audit.test/rounds/0"])
    public = small.ledger_signer.public_key
    of_log = open_checkpoint(notes[acme.origin], VerifierKey(acme.origin, public))
    head = sealer.state.head(acme.log_id)
    assert (of_log.size, of_log.root) == (2, head.edge.root())
    of_rounds = open_checkpoint(notes["audit.test/rounds/0"], VerifierKey("audit.test/rounds/0", public))
    assert (of_rounds.size, of_rounds.root) == (2, sealer.state.edge.root())


async def test_lost_checkpoints_are_signed_again(small: SmallLedger) -> None:
    """Checkpoints are derived: those of the newest round come back, the same, when the partition is opened."""
    await small.publish("acme", request())
    await small.seal()
    before = read_checkpoints(small.store, 0, 0)
    small.store.remove(names.checkpoints_name(0, 0))
    await small.sealer().open()
    assert read_checkpoints(small.store, 0, 0) == before
    assert len(before) == 2


async def test_a_disk_that_fills_up_behind_a_round_does_not_fail_it(
    small: SmallLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where only the checkpoints cannot be written the round stands, and they follow later."""
    await small.publish("acme", request())
    real = os.link

    def full(source: Path, target: Path) -> None:
        if target.suffix == ".checkpoints":
            raise OSError(errno.ENOSPC, "full")
        real(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("ledger.segments.objects.os.link", full)
        (outcome,) = await small.seal()
    assert outcome.number == 0
    assert read_checkpoints(small.store, 0, 0) == {}
    await small.sealer().open()
    assert len(read_checkpoints(small.store, 0, 0)) == 2


async def test_a_round_whose_folder_could_not_be_synced_is_found_again(
    small: SmallLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When nobody can say whether a round is durable the sealer stops, and opened anew goes on behind it."""
    event = request()
    await small.publish("acme", event)
    sealer = small.sealer()
    await sealer.open()
    real = os.fsync

    def failing(descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith("/rounds") and small.store.names_in(
            "partitions/0000/rounds"
        ):
            raise OSError(errno.EIO, "broken")
        real(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr("ledger.segments.objects.os.fsync", failing)
        with pytest.raises(OutcomeUnknown):
            await sealer.seal_once(wait_s=0)
    await sealer.open()
    assert sealer.state.next_number == 1
    assert await sealer.seal_once(wait_s=0) is None
    assert sealed_in(small).ids(small.tenant_log("acme").log_id) == [event.event_id]


async def test_a_full_disk_is_unavailable(small: SmallLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSPC before the commit is worth another try: nothing was published, and the try seals everything."""
    await small.publish("acme", request())
    sealer = small.sealer()
    await sealer.open()

    def full(source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr("ledger.segments.objects.os.link", full)
        with pytest.raises(Unavailable, match="full"):
            await sealer.seal_once(wait_s=0)
    outcome = await sealer.seal_once(wait_s=0)
    assert outcome is not None
    assert outcome.events == 1
    assert small.store.leftovers() == []


@pytest.mark.parametrize("why", ["unknown", "retired"])
async def test_nothing_is_signed_that_no_verifier_would_believe(small: SmallLedger, why: str) -> None:
    """With a ledger key that the trust does not hold, or not any more, no round is published."""
    await small.publish("acme", request())

    def trust() -> TrustedKeys:
        known = small.trust()
        keys = [key for key in known.keys if key.role != "ledger"]
        if why == "retired":
            ended = datetime.now(UTC) - timedelta(minutes=1)
            keys += [replace(key, not_after=ended) for key in known.for_role("ledger")]
        return TrustedKeys(known.ledger, tuple(keys), known.logs)

    sealer = PartitionSealer(replace(small.sealer()._parts, trust=trust), small.limits)
    await sealer.open()
    with pytest.raises(IntegrityError, match="ledger key"):
        await sealer.seal_once(wait_s=0)
    assert small.store.walk() == []
    assert [outcome.events for outcome in await small.seal()] == [1]


async def test_a_number_that_is_none_is_sealed_as_it_is(small: SmallLedger) -> None:
    """Not-a-number, infinity and minus zero under a valid receipt are evidence, and do not halt a partition."""
    log = small.tenant_log("acme")
    for value in (float("nan"), float("inf"), -0.0):
        event = small.accept("acme", request())
        values = decode_payload(event.payload)
        values["request"]["temperature"] = value
        values["request"]["parameters"] = [{"name": "penalty", "value": value}]
        payload = encode_payload(values)
        made = replace(event, payload=payload, leaf_hash=leaf_hash(payload))
        await small.log.append(0, hostile.batch(small, log, [made]), 10)
        assert [outcome.events for outcome in await small.seal()] == [1]
    assert len(sealed_in(small).ids(log.log_id)) == 3
