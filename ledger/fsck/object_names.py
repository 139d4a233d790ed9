"""Which kind of object a name is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Part = Literal["rounds", "events", "contents", "statements", "checkpoints", "placements", "proposals"]

_PARTITION = r"partitions/(?P<partition>[0-9]{4}|[1-9][0-9]{4,})"
_NUMBER = r"(?P<number>[0-9]{12}|[1-9][0-9]{12,})"
_DIGEST = r"(?P<digest>[0-9a-f]{64})"
_PATTERNS = (
    re.compile(rf"{_PARTITION}/(?P<part>rounds)/{_NUMBER}\.round"),
    re.compile(rf"{_PARTITION}/(?P<part>events|contents)/{_NUMBER}-[0-9a-f]{{16}}\.parquet"),
    re.compile(rf"{_PARTITION}/(?P<part>statements)/{_NUMBER}-[0-9a-f]{{16}}\.bundle"),
    re.compile(rf"{_PARTITION}/(?P<part>checkpoints)/{_NUMBER}\.checkpoints"),
    re.compile(rf"{_PARTITION}/(?P<part>placements)/{_DIGEST}\.placement"),
    re.compile(rf"{_PARTITION}/(?P<part>proposals)/{_DIGEST}"),
)
_COMPACTED = re.compile(r"logs/(?P<log>[0-9a-f]{64})/(?:events|contents)/[0-9a-f]{32}\.parquet")


@dataclass(frozen=True, slots=True)
class PartitionObject:
    """An object of a partition: its part, and its round's number or its placement's digest."""

    partition: int
    part: str
    number: int = -1
    digest: bytes = b""


@dataclass(frozen=True, slots=True)
class CompactedObject:
    """A compacted file of a log."""

    log_id: bytes


def kind_of(name: str) -> PartitionObject | CompactedObject | None:
    """What a name stands for; None when nothing here gives such names."""
    for pattern in _PATTERNS:
        if match := pattern.fullmatch(name):
            found = match.groupdict()
            number = int(found["number"]) if found.get("number") else -1
            digest = bytes.fromhex(found["digest"]) if found.get("digest") else b""
            return PartitionObject(int(found["partition"]), found["part"], number, digest)
    if match := _COMPACTED.fullmatch(name):
        return CompactedObject(bytes.fromhex(match["log"]))
    return None
