"""What an importer is, and running one over files.

    importer: Record -> events          raises `Rejected(field, reason)` for a record that it can't take

A record gives all of its events or none, unless it is itself a batch: then the importer hands on what is wrong in it
among the events. What is wrong is handed on with its place, file and line; the records after it go on, or with `stop`
nothing does. What a right record holds and no event can is counted (`LeftOut`): nothing is left out in silence. The
same record must give the same events, to the last byte: ids derived (`ledger.client.ids.derived_event_id`) from the
source's own ids, times from the source, nothing from the clock. Then a second import of a file, or of a longer one that
holds it, adds only what is new.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ledger.errors import Rejected
from ledger.importers.records import Place, Record, Wrong, files_in, read
from ledger.v1 import event_pb2 as pb


@dataclass(frozen=True, slots=True)
class LeftOut:
    """So many things of a record that become no event; `what` is their name in the counts."""

    what: str
    count: int


Importer = Callable[[Record], Iterable[pb.Event | Wrong | LeftOut]]


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of file. `record` is what one record is called; `left_out` are names in folders that are no source.

    `pages`: an object with a list under this name stands for the list's elements.
    """

    record: str
    importer: Importer
    rows: Literal["json", "json or csv"] = "json"
    pages: str | None = None
    left_out: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Imported:
    """One event, and the place of the record that it came from."""

    place: Place
    event: pb.Event


def import_files(
    source: Source, paths: Iterable[Path], counts: Counter[str], *, stop: bool = False
) -> Iterator[Imported | Wrong]:
    """The events of files and folders, in their order.

    `counts`: records by their name, events by their kind, and what was left out, if anything was.
    """
    for path in files_in(paths, leave_out=source.left_out):
        counts["files"] += 1
        for found in read(path, source.rows, source.pages):
            counts[source.record] += isinstance(found, Record)
            events = _events(source.importer, found) if isinstance(found, Record) else found
            if isinstance(events, Wrong):
                yield events
                if stop:
                    return
                continue
            for imported in events:
                if isinstance(imported, LeftOut):
                    counts[imported.what] += imported.count
                    continue
                if isinstance(imported, Wrong):
                    yield imported
                    if stop:
                        return
                    continue
                counts[f"{imported.event.WhichOneof('body')}s"] += 1
                yield imported


def _events(importer: Importer, record: Record) -> list[Imported | Wrong | LeftOut] | Wrong:
    try:
        return [Imported(record.place, each) if isinstance(each, pb.Event) else each for each in importer(record)]
    except Rejected as error:
        return Wrong(record.place, error.field, error.reason)
