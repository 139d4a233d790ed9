"""What the demo does to a copy of the sealed files, as somebody would who has write access to them and no key."""

from __future__ import annotations

from pathlib import Path

from ledger.errors import Misconfigured
from ledger.segments import names


def flip_bit(segments: Path) -> str:
    """Turns one bit over in the middle of the largest file of events; says what was done."""
    files = sorted(segments.glob("partitions/*/events/*.parquet"), key=lambda each: (each.stat().st_size, each.name))
    if not files:
        raise Misconfigured(f"{segments}: there is no file of events to tamper with")
    path = files[-1]
    data = bytearray(path.read_bytes())
    at = len(data) // 2
    data[at] ^= 0x01
    path.write_bytes(data)
    return f"one bit of {path.relative_to(segments)}, byte {at:,} of {len(data):,}, turned over"


def cut_end(segments: Path, keep: int) -> str:
    """Takes away everything of partition 0 behind its first `keep` rounds, so that no file tells of it."""
    rounds = 0
    for path in sorted(segments.glob("partitions/0000/*/*")):
        name = path.relative_to(segments).as_posix()
        number = names.round_number(name)
        rounds += number is not None
        number = number if number is not None else names.segment_number(name)
        if number is not None and number >= keep:
            path.unlink()
    return f"all but the first {keep} of {rounds} rounds taken away, with every file that they name"
