"""A ledger of a million events in minutes: real rounds, written by the sealer's code, without gateway or event log.

Users have sessions of ten requests, many sessions at a time, so that a user's events lie apart in the ledger. The
events of the users to be asked for (`asked`) are assembled as a gateway does it, and their contents open. All others
are copies of such events under ids, sessions and pseudonyms of their own, with a ciphertext of the same size: as large
and as costly to read, but of nobody's keys.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.corpus import event_id, requests
from consumers.admission import Admitted
from consumers.assembly import draft, seen_rows
from consumers.compaction import CompactionLimits, Compactor
from consumers.identity import Identified
from consumers.proposals import Proposals
from consumers.publication import Publication, Stretch
from ledger.config import LedgerConfig
from ledger.home import Home, OpenKeys, ledger_key_name
from ledger.record.assemble import AssembledEvent, ContentLimits, Reception, assemble, digest_of, needs
from ledger.record.capture import Capture
from ledger.record.columns import decode_columns
from ledger.record.content import ContentSealer
from ledger.record.payload import decode_payload, encode_payload
from ledger.record.schemas import PAYLOAD
from ledger.record.submission import submission_bytes
from ledger.record.translate import translate
from ledger.segments.objects import FileStore
from ledger.segments.round import ORDINARY
from ledger.segments.state import PartitionState
from ledger.tlog.merkle import leaf_hashes
from ledger.trust import TrustedKeys
from ledger.trust.current_signer import always
from ledger.v1 import event_pb2 as pb

TENANT = "acme"
EVENTS_A_USER, EVENTS_A_SESSION, SESSIONS_AT_A_TIME = 50, 10, 200
ROUND_ROWS = 50_000
TEMPLATES = 200


@dataclass(slots=True)
class LargeLedger:
    """`fill` it, `compact` it, `close` it. `asked`: the users whose contents open, by number."""

    folder: Path
    size: int
    asked: list[int]
    home: Home = field(init=False)
    config: LedgerConfig = field(init=False)
    keys: OpenKeys = field(init=False)
    state: PartitionState = field(default_factory=lambda: PartitionState(0))
    _templates: list[AssembledEvent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = Home.create(self.folder / "home", name="benchmark.example", partitions=1)
        self.config = self.home.config()
        self.keys = self.home.keys(self.config)
        self.keys.tenants.add(TENANT)
        self.home.write_trust(self.config, self.keys)

    @property
    def users(self) -> int:
        """How many users there are."""
        return max(self.size // EVENTS_A_USER, 1)

    @property
    def store(self) -> FileStore:
        """The sealed files."""
        return FileStore(self.config.ledger.segments)

    def close(self) -> None:
        """Lets go of the files."""
        self.keys.close()

    def fill(self) -> None:
        """Seals all events, round after round."""
        events = self._events()
        for at in range(0, self.size, ROUND_ROWS):
            self._seal([next(events) for _ in range(min(ROUND_ROWS, self.size - at))])

    def compact(self) -> None:
        """Compacts, and commits that."""
        trust = TrustedKeys.load(self.config.ledger.trust)
        Compactor(self.store, 0, trust, CompactionLimits()).run()
        placements = Proposals(self.store, 0).acceptable(self.state, trust)
        self.state = self._publication().publish(self.state, None, self._stretch(0), placements).state

    def _events(self) -> Iterator[AssembledEvent]:
        dice, wanted = random.Random(5), set(self.asked)
        begun = 0

        def session() -> tuple[int, int, list[int]]:
            nonlocal begun
            begun += 1
            return dice.randrange(self.users), begun, [0]

        running = [session() for _ in range(SESSIONS_AT_A_TIME)]
        pseudonyms = [os.urandom(16) for _ in range(self.users)]
        submitted = requests(TEMPLATES)
        self._templates = [self._assemble(each) for each in submitted]
        values = [_encodable(each.payload) for each in self._templates]
        while True:
            place = dice.randrange(len(running))
            user, number, told = running[place]
            told[0] += 1
            if told[0] == EVENTS_A_SESSION:
                running[place] = session()
            at = dice.randrange(TEMPLATES)
            names = {"session_id": f"session-{number}", "correlation_id": f"case-{number}"}
            if user in wanted:
                event = pb.Event()
                event.CopyFrom(submitted[at])
                event.event_id = event_id()
                event.actor.user.identifier = f"user-{user:06d}"
                event.story.session_id, event.story.correlation_id = names.values()
                yield self._assemble(event)
            else:
                fresh = {"event_id": event_id(), "actor_user": pseudonyms[user], **names}
                payload = encode_payload({**values[at], **fresh})
                template = self._templates[at]
                yield AssembledEvent(
                    fresh["event_id"], payload, b"", template.contents, template.submission_digest, b""
                )

    def _assemble(self, event: pb.Event) -> AssembledEvent:
        reception = Reception(TENANT, 0, time.time_ns() // 1_000, "benchmark", "0", "local", "none")
        capture = Capture("full", "benchmark/1", "standard")
        submission = translate(event)
        wanted = needs(submission, capture, reception.month)
        grant = self.keys.store.acquire(TENANT, wanted.holders, wanted.scopes, wanted.links)
        digest = digest_of(submission, submission_bytes(event), grant, TENANT)
        return assemble(submission, digest, grant, capture, reception, ContentLimits(), ContentSealer())

    def _seal(self, events: list[AssembledEvent]) -> None:
        payloads = [each.payload for each in events]
        rows, slots, ciphertexts = [], [], []
        for at, each in enumerate(events):
            for slot, ciphertext in each.contents:
                rows.append(at)
                slots.append(slot)
                ciphertexts.append(ciphertext)
        (log,) = self._logs()
        count = len(events)
        admitted = Admitted(
            log_table=(log,),
            logs=np.zeros(count, np.int64),
            offsets=np.arange(self.state.next_offset, self.state.next_offset + count),
            payloads=payloads,
            leaves=leaf_hashes(payloads),
            schemas=[PAYLOAD.sha256] * count,
            payload_columns=decode_columns(PAYLOAD, payloads),
            contents=pa.table(
                {
                    "row": pa.array(rows, pa.int64()),
                    "slot": pa.array(slots, pa.large_string()),
                    "ciphertext": pa.array(ciphertexts, pa.large_binary()),
                }
            ),
            receipts=(),
            quarantined=(),
        )
        stretch = self._stretch(count)
        laid = draft(
            self.state, admitted, seen_rows(admitted), Identified(np.zeros(count, bool), {}, {}), stretch.sealed_at_us
        )
        self.state = self._publication().publish(self.state, laid, stretch, ()).state

    def _logs(self):  # type: ignore[no-untyped-def]
        found = self.keys.tenants.get(TENANT)
        return found.logs if found is not None else ()

    def _stretch(self, count: int) -> Stretch:
        now_us = max(time.time_ns() // 1_000, self.state.sealed_at_us)
        first = self.state.next_offset
        last_record = sha256(str(first + count).encode()).digest()
        return Stretch(ORDINARY, now_us, self.config.ledger.incarnation_bytes, first, first + count, last_record)

    def _publication(self) -> Publication:
        name = ledger_key_name(self.config.ledger.name)
        signer = self.keys.store.signing_key("ledger", name).signer(name)
        return Publication(self.store, always(signer), self.config.sealer.row_group_rows)


def _encodable(payload: bytes) -> dict[str, object]:
    """A payload's values as they are encoded: times as microseconds."""
    values = decode_payload(payload)
    for name in ("occurred_at", "received_at"):
        values[name] = round(values[name].timestamp() * 1_000_000)
    return values
