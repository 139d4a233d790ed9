"""Against a checkpoint kept elsewhere: does the ledger of today continue that one?

A ledger's own files cannot show that its newest rounds are lost, or that all of it was written anew. A signed
checkpoint somebody else kept can: of a tenant's log, or of a partition's rounds. Checkpoints are signed after
published rounds only, so the log it speaks of must at some round have had exactly that size, and then that root.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ledger.errors import IntegrityError
from ledger.tenants import log_origin, rounds_origin
from ledger.tlog.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint_text
from ledger.tlog.merkle import EMPTY_ROOT
from ledger.tlog.note import VerifierKey, parse_note
from ledger.trust import TrustedKeys
from ledger.verify.report import LATER, Collector, Place


def open_trusted_checkpoint(text: str, trust: TrustedKeys) -> Checkpoint:
    """The checkpoint, signed by a ledger key that is or was trusted; `IntegrityError` otherwise.

    A checkpoint states no time, so a key's range cannot be held against it; rounds that it is compared with state
    theirs.
    """
    note = parse_note(text)
    origin = parse_checkpoint_text(note.text).origin
    for signature in note.signatures:
        if signature.name != origin:
            continue
        for key in (VerifierKey(origin, each.public_key) for each in trust.for_role("ledger")):
            if key.key_id == signature.key_id:
                return open_checkpoint(text, key)
    raise IntegrityError(f"checkpoint of {origin}: no trusted ledger key signed it")


@dataclass(slots=True)
class Since:
    """A checkpoint and what was seen of its log. `log_id` None: the rounds of `partition`."""

    checkpoint: Checkpoint
    log_id: bytes | None
    partition: int | None
    size: int = 0
    met: bool = False

    @classmethod
    def open(cls, text: str, trust: TrustedKeys) -> Since:
        """From the note's text; `IntegrityError` when it is not signed, or not of a log of this ledger."""
        checkpoint = open_trusted_checkpoint(text, trust)
        origin = checkpoint.origin
        tail = origin.removeprefix(f"{trust.ledger}/")
        if (match := re.fullmatch(r"log/([0-9a-f]{64})", tail)) and origin == log_origin(
            trust.ledger, bytes.fromhex(match[1])
        ):
            log = trust.log(bytes.fromhex(match[1]))
            made = cls(checkpoint, bytes.fromhex(match[1]), log.partition if log else None)
        elif (match := re.fullmatch(r"rounds/(0|[1-9][0-9]{0,8})", tail)) and origin == rounds_origin(
            trust.ledger, int(match[1])
        ):
            made = cls(checkpoint, None, int(match[1]))
        else:
            raise IntegrityError(f"checkpoint of {origin}: is not of a log or of rounds of {trust.ledger}")
        made.met = checkpoint.size == 0 and checkpoint.root == EMPTY_ROOT
        return made

    def observe(self, collector: Collector, place: Place, log_id: bytes | None, size: int, root: bytes) -> None:
        """The log (None: the rounds of the place's partition) has this size and root after a round."""
        if log_id != self.log_id or (log_id is None and place.partition != self.partition):
            return
        self.size = max(self.size, size)
        if size != self.checkpoint.size or self.met:
            return
        self.met = True
        if root != self.checkpoint.root:
            message = f"has the root {root.hex()} at size {size}, the checkpoint says {self.checkpoint.root.hex()}"
            collector.add(place, self.checkpoint.origin, "since", message)

    def finish(self, collector: Collector) -> None:
        """The finding, unless a round met the checkpoint."""
        if self.met:
            return
        place = Place(self.partition if self.partition is not None else LATER, LATER)
        what = "rounds" if self.log_id is None else "events"
        if self.size < self.checkpoint.size:
            message = (
                f"has {self.size} {what} that hold, the checkpoint kept elsewhere says {self.checkpoint.size}: "
                f"the newest {self.checkpoint.size - self.size} are lost or cannot be verified"
            )
        else:
            message = f"has {self.size} {what}, but no round ends at the {self.checkpoint.size} of the checkpoint"
        collector.add(place, self.checkpoint.origin, "since", message)
