"""The parts of the gateway that need neither network nor log."""

from __future__ import annotations

import os

import pytest

from ledger.errors import Unavailable
from ledger.gateway.admission import Admission, Busy
from ledger.gateway.batches import Batch, BatchCutter, ReadyEvent, TooLarge
from ledger.gateway.clock import ReceptionClock
from ledger.gateway.remembered import BODIES_OF_ONE_ID_MAX, AcknowledgedBatch, RememberedEvents
from ledger.log.framing import RECEIPT_KIND, kind_of
from ledger.log.interface import batch_bytes
from ledger.receipt import ENTRIES_MAX, RECEIPT, ReceiptEntry, join
from ledger.record.assemble import AssembledEvent
from ledger.signed import SIGNED, verify
from ledger.tenants import TenantLog, log_origin
from ledger.tlog.note import signer_from_seed
from ledger.trust.current_signer import always

LOG_ID = bytes(range(32))
LOG = TenantLog(LOG_ID, "acme", 0, 0, log_origin("audit.example.org", LOG_ID))


def test_the_clock_never_goes_back() -> None:
    """A clock that is set back stands still until its old time is reached."""
    times = iter([5_000_000, 9_000_000, 4_000_000, 9_001_000])
    clock = ReceptionClock(lambda: next(times))
    assert [clock.now_us() for _ in range(4)] == [5_000, 9_000, 9_000, 9_001]


def cutter(batch_bytes_max: int) -> BatchCutter:
    signer = signer_from_seed("audit.example.org/gateway/gw-1", bytes(32))
    return BatchCutter(always(signer), signer.name, "gw-1", bytes(16), 1_000, batch_bytes_max)


def ready(index: int, size: int) -> ReadyEvent:
    event = AssembledEvent(os.urandom(16), os.urandom(size), os.urandom(32), (), os.urandom(32), os.urandom(32))
    return ReadyEvent(index, event, 1_700_000_000_000_000 + index)


@pytest.mark.parametrize("batch_bytes_max", [2_000, 5_000, 5_001, 20_000])
def test_batches_fit_and_could_hold_no_more(batch_bytes_max: int) -> None:
    """Each batch is within what the log takes by its own measure, and the next event would not have fitted."""
    made = cutter(batch_bytes_max)
    events = [ready(index, 50 + 37 * index % 900) for index in range(100)]
    batches = list(made.cut(LOG, events))
    assert all(isinstance(batch, Batch) for batch in batches)
    whole = [batch for batch in batches if isinstance(batch, Batch)]
    assert [event.index for batch in whole for event in batch.events] == list(range(100))
    for batch, following in zip(whole, [*whole[1:], None], strict=True):
        assert batch_bytes(batch.records) <= batch_bytes_max
        if following is not None:
            (larger,) = cutter(10**9).cut(LOG, [*batch.events, following.events[0]])
            assert isinstance(larger, Batch)
            assert batch_bytes(larger.records) > batch_bytes_max


def test_a_receipt_covers_exactly_its_batch() -> None:
    """A batch begins with a receipt that verifies, with one entry for each event after it, in their order."""
    made = cutter(4_000)
    for batch in made.cut(LOG, [ready(index, 300) for index in range(30)]):
        assert isinstance(batch, Batch)
        assert kind_of(batch.records[0]) == RECEIPT_KIND
        signed = SIGNED.decode(batch.records[0].value)
        verify(signed, made.signer(0).verifier_key, "receipt")
        receipt = RECEIPT.decode(signed.body)
        assert (receipt.gateway_id, receipt.log_origin, receipt.sealing_delay_ms) == ("gw-1", LOG.origin, 1_000)
        assert len(receipt) == len(batch.records) - 1
        assert receipt.entries == batch.entries == join([event.entry() for event in batch.events])


def test_an_event_that_fits_no_batch_is_named_and_costs_nothing_else() -> None:
    """An event larger than a batch is reported with its size; those around it stay together."""
    pieces = list(cutter(2_000).cut(LOG, [ready(0, 100), ready(1, 3_000), ready(2, 100)]))
    large = [piece for piece in pieces if isinstance(piece, TooLarge)]
    assert [(piece.index, piece.size_bytes > piece.room_bytes) for piece in large] == [(1, True)]
    assert [[event.index for event in piece.events] for piece in pieces if isinstance(piece, Batch)] == [[0, 2]]


def acknowledged(ids: list[bytes], digests: list[bytes]) -> AcknowledgedBatch:
    entries = join(
        [ReceiptEntry(id_, digest, b"k" * 32, b"l" * 32, 7) for id_, digest in zip(ids, digests, strict=True)]
    )
    return AcknowledgedBatch(LOG_ID, b"receipt", entries, 0, 9)


def test_what_is_remembered_is_what_the_receipt_says() -> None:
    """Digest, key and leaf of a remembered event come out of its batch's entries."""
    remembered = RememberedEvents(10)
    ids, digests = [os.urandom(16) for _ in range(3)], [os.urandom(32) for _ in range(3)]
    remembered.add(acknowledged(ids, digests), ids)
    found = remembered.find(LOG_ID, [ids[1], b"?" * 16])
    assert list(found) == [ids[1]]
    (one,) = found[ids[1]]
    assert (one.submission_digest, one.submission_key_id, one.leaf_hash) == (digests[1], b"k" * 32, b"l" * 32)
    assert remembered.find(bytes(32), ids) == {}


def test_memory_is_bounded_and_the_first_goes_first() -> None:
    """Beyond the limit the event acknowledged first is forgotten, although it was asked for."""
    remembered = RememberedEvents(4)
    ids = [os.urandom(16) for _ in range(6)]
    remembered.add(acknowledged(ids[:3], [b"d" * 32] * 3), ids[:3])
    remembered.find(LOG_ID, ids[:1])
    remembered.add(acknowledged(ids[3:], [b"d" * 32] * 3), ids[3:])
    assert len(remembered) == 4
    assert list(remembered.find(LOG_ID, ids)) == ids[2:]


def test_bodies_of_one_id_are_bounded() -> None:
    """An id under which ever new bodies come does not fill the memory."""
    remembered = RememberedEvents(1_000)
    for index in range(20):
        remembered.add(acknowledged([b"i" * 16], [bytes([index]) * 32]), [b"i" * 16])
    assert len(remembered.find(LOG_ID, [b"i" * 16])[b"i" * 16]) == len(remembered) == BODIES_OF_ONE_ID_MAX


def test_nothing_is_remembered_where_the_limit_is_zero() -> None:
    """A limit of zero turns the memory off."""
    remembered = RememberedEvents(0)
    remembered.add(acknowledged([b"i" * 16], [b"d" * 32]), [b"i" * 16])
    assert remembered.find(LOG_ID, [b"i" * 16]) == {}


def test_admission_counts_calls_and_bytes_until_their_end() -> None:
    """Room is taken when admitted and given back at the end, whatever way it ends."""
    admission = Admission(2, 100, 50)
    with admission.admit(60):
        with pytest.raises(Busy) as refused, admission.admit(41):
            pass
        assert refused.value.retry_after_ms == 50
        with pytest.raises(KeyError), admission.admit(40):
            raise KeyError
        with admission.admit(40), pytest.raises(Busy), admission.admit(0):
            pass
    assert (admission.calls, admission.bytes) == (0, 0)
    admission.close()
    with pytest.raises(Unavailable, match="stopping"), admission.admit(1):
        pass


def test_no_batch_has_more_events_than_a_sealer_takes() -> None:
    """However large an append may be, no receipt covers more events than a sealer takes behind one."""
    pieces = list(cutter(10**9).cut(LOG, [ready(index, 1) for index in range(ENTRIES_MAX + 1)]))
    assert [len(piece.events) for piece in pieces if isinstance(piece, Batch)] == [ENTRIES_MAX, 1]
