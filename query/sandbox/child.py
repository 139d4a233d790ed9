"""The child's life: read the job, lock down, only then load the engine, answer, end.

Started by `query.sandbox.process` with two descriptors: where the job stands, and where the frames go.
"""

from __future__ import annotations

import os
import traceback

from ledger.errors import Misconfigured
from query.sandbox.lockdown import lock_down
from query.sandbox.wire import Job, frame, to_json

_MESSAGE_CHARS_MAX = 8_192
_EXIT_BUG = 70


class Mouth:
    """The pipe to the parent."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def say(self, kind: str, body_json: bytes) -> None:
        """Send one frame, whole."""
        rest = memoryview(frame(kind, body_json))
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def fail(self, wall: str, message: str) -> None:
        """Send the error that ends the conversation. Long messages are cut: they quote the query."""
        self.say("error", to_json({"wall": wall, "message": message[:_MESSAGE_CHARS_MAX]}))


def main(job_descriptor: int, out_descriptor: int) -> None:
    """Answer one job, then end the process at once: there is nothing in it worth an orderly shutdown."""
    try:
        _serve(job_descriptor, out_descriptor)
    except BaseException:
        traceback.print_exc()  # the parent logs what stands on stderr
        os._exit(_EXIT_BUG)
    os._exit(0)


def _serve(job_descriptor: int, out_descriptor: int) -> None:
    mouth = Mouth(out_descriptor)
    with open(job_descriptor, "rb") as file:
        file.seek(0)
        job = Job.decode(file.read())
    try:
        landlock = lock_down(job, keep=(out_descriptor,))
    except (Misconfigured, OSError, ValueError) as error:
        mouth.fail("box", str(error))
        return
    # Only here, under Landlock: importing DuckDB and pyarrow starts threads.
    from query.sandbox.engine import answer

    answer(job, landlock, mouth)
