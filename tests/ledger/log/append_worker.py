"""A process that appends to an embedded event log while a test makes its system calls fail or kills it.

    python -m tests.ledger.log.append_worker PATH

It opens the log, says `READY <thread id of the writer>`, waits for a line on standard input, appends (alone, in groups,
over two partitions, through a checkpoint) and tells each outcome in a line of its own as soon as it has it:
`ACK label partition first`, `NOT label` (surely not appended) or `UNKNOWN label`. Last it says `END` and closes.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from pathlib import Path

from ledger.errors import OutcomeUnknown, Unavailable
from ledger.log import embedded_writer
from ledger.log.embedded import EmbeddedLog
from tests.ledger.log.conformance import batch

ROUNDS = 4
RECORDS = 6
SIZE = 9_000


async def main(path: Path) -> None:
    """Run the scenario."""
    # Small enough for a checkpoint to come in the middle.
    embedded_writer.CHECKPOINT_BYTES = 200_000
    log = EmbeddedLog(path)
    await log.start()
    (writer,) = (thread for thread in threading.enumerate() if thread.name.startswith("append "))
    say(f"READY {writer.native_id}")
    await asyncio.to_thread(sys.stdin.readline)
    for turn in range(ROUNDS):
        await append(log, f"alone-{turn}", 0)
        await asyncio.gather(*(append(log, f"group-{turn}-{n}", n % 2) for n in range(3)))
    say("END")
    await log.close()


async def append(log: EmbeddedLog, label: str, partition: int) -> None:
    """One append and its outcome."""
    try:
        first = await log.append(partition, batch(label, RECORDS, SIZE), 20)
    except OutcomeUnknown:
        say(f"UNKNOWN {label}")
    except Unavailable:
        say(f"NOT {label}")
    else:
        say(f"ACK {label} {partition} {first}")


def say(line: str) -> None:
    """One line, out at once: nothing of it may be lost with the process."""
    os.write(1, line.encode() + b"\n")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
