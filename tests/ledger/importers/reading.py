"""Importing files in tests: what became of their records."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from ledger.importers.records import Wrong
from ledger.importers.run import Source, import_files
from ledger.record.submission import parse_submission
from ledger.record.translate import translate
from ledger.v1.event_pb2 import Event


def events_of(source: Source, *paths: Path) -> list[Event]:
    """The events of files in which nothing is wrong, each held to what every gateway asks."""
    found = []
    for each in import_files(source, paths, Counter()):
        assert not isinstance(each, Wrong), each
        translate(parse_submission(each.event.SerializeToString())[0])
        found.append(each.event)
    return found


def wrong_in(source: Source, path: Path) -> list[Wrong]:
    """What is wrong in a file."""
    return [each for each in import_files(source, [path], Counter()) if isinstance(each, Wrong)]


def written(path: Path, *records: Any) -> Path:
    """A file of JSON Lines."""
    path.write_text("".join(f"{json.dumps(each)}\n" for each in records))
    return path
