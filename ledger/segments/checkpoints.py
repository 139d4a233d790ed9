"""The checkpoints signed after a round, one file a round. Derived.

    file = canonical(tag "audit-ledger/checkpoints/v1", list of signed notes as text)

The rounds' own checkpoint comes first, then one for each log that the round touched, sorted by origin. They are signed
only from a published round, so no two of one origin can contradict each other. The file can be made again from the
round by whoever holds the ledger key.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.canonical import Malformed, sequence, structure, text
from ledger.errors import IntegrityError
from ledger.segments import names
from ledger.segments.objects import ObjectStore
from ledger.tlog.checkpoint import parse_checkpoint_text
from ledger.tlog.note import parse_note


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Signed notes, as text."""

    notes: tuple[str, ...]


CHECKPOINTS = structure(Checkpoints, tag="audit-ledger/checkpoints/v1", notes=sequence(text))


def read_checkpoints(store: ObjectStore, partition: int, number: int) -> dict[str, str]:
    """The checkpoints of a round by origin; empty when there is no file for it. Their signatures are not checked."""
    name = names.checkpoints_name(partition, number)
    if not store.exists(name):
        return {}
    try:
        notes = CHECKPOINTS.decode(store.read(name)).notes
        return {parse_checkpoint_text(parse_note(note).text).origin: note for note in notes}
    except (Malformed, IntegrityError) as error:
        raise IntegrityError(f"{name}: {error}") from None
