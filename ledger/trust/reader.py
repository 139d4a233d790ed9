"""The trust file as it is now, for processes that outlive a change: keys rotate, tenants come while they run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ledger.trust.document import TrustedKeys
from ledger.watched_file import Watched


def trust_reader(path: Path) -> Callable[[], TrustedKeys]:
    """Gives the trust that the file states; reads it again only when it was replaced, else gives the same object."""
    return Watched((path,), lambda: TrustedKeys.load(path)).get
