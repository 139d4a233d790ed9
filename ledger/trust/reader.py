"""The trust file as it is now, for processes that outlive a change: keys rotate, tenants come while they run."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ledger.errors import Misconfigured
from ledger.trust.document import TrustedKeys


def trust_reader(path: Path) -> Callable[[], TrustedKeys]:
    """Gives the trust that the file states; reads it again only when it was replaced, else gives the same object."""
    held: list[tuple[tuple[int, int, int], TrustedKeys]] = []

    def read() -> TrustedKeys:
        try:
            status = os.stat(path)
        except OSError as error:
            raise Misconfigured(f"{path}: cannot read the trusted keys: {error.strerror}") from None
        stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
        if not held or held[0][0] != stamp:
            held[:] = [(stamp, TrustedKeys.load(path))]
        return held[0][1]

    return read
