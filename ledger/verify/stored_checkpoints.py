"""The checkpoints stored after each round: signed, and what the rounds say.

They are derived, and one that is missing is no finding here. One that contradicts the rounds is: the ledger key signed
two histories.
"""

from __future__ import annotations

from ledger.canonical import Malformed
from ledger.errors import IntegrityError, LedgerError
from ledger.segments import names
from ledger.segments.checkpoints import CHECKPOINTS
from ledger.segments.objects import FileStore
from ledger.segments.round import EVENTS
from ledger.tenants import log_origin, rounds_origin
from ledger.trust import TrustedKeys
from ledger.verify.job import Job
from ledger.verify.report import Collector, Place
from ledger.verify.rounds import RoundSeen
from ledger.verify.since import open_trusted_checkpoint


def check_stored(store: FileStore, trust: TrustedKeys, collector: Collector, seen: RoundSeen) -> None:
    """The checkpoints of a round that was applied."""
    place = seen.place
    name = names.checkpoints_name(place.partition, place.round)
    if not store.exists(name):
        return
    expected = {rounds_origin(trust.ledger, place.partition): (seen.edge.size, seen.edge.root())}
    for statement in seen.statements:
        expected[log_origin(trust.ledger, statement.log_id)] = (statement.tree_size, statement.root)
    try:
        notes = CHECKPOINTS.decode(store.read(name)).notes
    except Malformed as error:
        collector.add(place, name, "checkpoint", f"is malformed: {error}")
        return
    except LedgerError as error:
        collector.error(place, error)
        return
    for number, note in enumerate(notes):
        try:
            checkpoint = open_trusted_checkpoint(note, trust)
        except IntegrityError as error:
            collector.add(place, name, "checkpoint", f"note {number}: {error}")
            continue
        collector.count(checkpoints=1)
        found = (checkpoint.size, checkpoint.root)
        if expected.get(checkpoint.origin) != found:
            message = f"note {number}, {checkpoint.origin}: size {found[0]}, root {found[1].hex()}; the round says"
            size, root = expected.get(checkpoint.origin, (0, b""))
            collector.add(place, name, "checkpoint", f"{message} size {size}, root {root.hex() or 'none'}")


def newest_shown(store: FileStore, trust: TrustedKeys, partition: int) -> tuple[int, str]:
    """The newest round that other objects show was published, and what shows it; -1 when they show none.

    Checkpoints of round n are signed once it is published. Its files are written before it is, so they show that n - 1
    was. Placements and compacted files are made of published rounds.
    """
    shown, witness = -1, ""
    for part, before in (("checkpoints", 0), ("events", 1), ("contents", 1), ("statements", 1)):
        for name in store.names_in(names.partition_folder(partition, part)):
            number = names.segment_number(name)
            if number is not None and number - before > shown:
                shown, witness = number - before, f"{name} is there"
    if shown < 0:
        folders = [names.partition_folder(partition, "placements")]
        folders += [f"logs/{log.log_id.hex()}/{EVENTS}" for log in trust.logs if log.partition == partition]
        for folder in folders:
            for name in store.names_in(folder)[:1]:
                shown, witness = 0, f"{name} is there"
    return shown, witness


def check_newest(job: Job, partition: int, numbers: list[int], shown: tuple[int, str]) -> None:
    """The newest rounds may be gone while other objects, or the ledger's memory, show that they were published."""
    newest, collector, where = numbers[-1] if numbers else -1, job.collector, f"partition {partition}"
    remembered = job.remembered.get(partition)
    if remembered is not None and remembered.number > shown[0]:
        shown = (remembered.number, f"the key store remembers round {remembered.number}")
    if shown[0] > newest:
        lost = f"rounds {newest + 1}-{shown[0]} are" if shown[0] > newest + 1 else f"round {shown[0]} is"
        collector.add(Place(partition, newest + 1), where, "hole", f"{lost} missing, though {shown[1]}")
    elif not numbers and job.begun:
        message = "has no rounds, and others have: its sealer never ran, or all of them were removed"
        collector.add(Place(partition), where, "hole", message)
    elif not numbers:
        collector.note(f"{where}: has no rounds, and nothing shows that it ever had")
