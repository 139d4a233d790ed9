"""Several master keys at once, so that one can follow another while every process goes on.

What a master key sealed names it (`master_key_id`), so a process needs to find keys by id:

    opening    by the id beside what is sealed
    sealing    by the id in `meta`, read in the transaction that writes: once a rotation has set it, nothing more is
               sealed under the key before, by no process, however long ago it was started

A ring is given one key and a way to look for more. It looks when it meets an id that it does not know, which is what
happens in a gateway while somebody else rotates; a key once found is kept, one that is nowhere is looked for again.

Master keys in files have a place for the one that follows and for those that went before:

    master.key                      the key
    master.key.next                 the one that follows, while a rotation is under way
    master.key.retired-<32 hex>     one that was followed, named by its id; opens key stores restored from a backup

`.next` is looked at first: the rotation's last step moves it to the key's own name in one step, so a look at both in
this order finds it in one of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from glob import escape
from pathlib import Path
from threading import Lock
from typing import NoReturn

from ledger.errors import Misconfigured
from ledger.keys.database import Rows
from ledger.keys.master import LocalMasterKey, MasterKey

CURRENT_MASTER_KEY = "master_key_id"
"""The name in `meta` under which the id of the key that seals stands."""

NEXT = ".next"
RETIRED = ".retired-"


class MasterRing:
    """A master key that finds others by their id. Safe for threads."""

    __slots__ = ("_current", "_known", "_lock", "_look")

    def __init__(self, current: MasterKey, look: Callable[[], Iterable[MasterKey]]) -> None:
        self._current = current
        self._known: dict[str, MasterKey] = {current.key_id: current}
        self._look = look
        self._lock = Lock()

    @property
    def key_id(self) -> str:
        """The id of the key that the configuration named when the ring was made."""
        return self._current.key_id

    def seal(self, plaintext: bytes, aad: bytes) -> bytes:
        """Sealed by that key."""
        return self._current.seal(plaintext, aad)

    def open(self, sealed: bytes, aad: bytes) -> bytes:
        """Opened by that key."""
        return self._current.open(sealed, aad)

    def find(self, key_id: str) -> MasterKey | None:
        """The key of this id, looked for where it is not known yet; None when it is nowhere."""
        with self._lock:
            if key_id not in self._known:
                for each in self._look():
                    self._known.setdefault(each.key_id, each)
            return self._known.get(key_id)

    def __repr__(self) -> str:
        return f"MasterRing({self.key_id})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a master key does not leave its process")


def master_named(master: MasterKey, key_id: str, where: str) -> MasterKey:
    """The key of this id: `master` itself or one of its ring. `Misconfigured`, naming `where`, when there is none."""
    if master.key_id == key_id:
        return master
    found = master.find(key_id) if isinstance(master, MasterRing) else None
    if found is None:
        raise Misconfigured(f"{where}: expected master key {key_id}, got {master.key_id}")
    return found


def sealing_master(rows: Rows, master: MasterKey) -> MasterKey:
    """The key that seals now. Call it in the write transaction that keeps what it seals."""
    found = rows.execute("SELECT value FROM meta WHERE name = ?", (CURRENT_MASTER_KEY,)).fetchone()
    return master if found is None else master_named(master, found[0], "key store")


def look_beside(path: Path) -> Iterator[LocalMasterKey]:
    """The master keys in files at and beside `path`, those that can be read."""
    beside = (each for each in sorted(path.parent.glob(f"{escape(path.name)}{RETIRED}*")))
    for each in (next_path(path), path, *beside):
        # A file that is absent, or half written by a rotation under way, holds no key that sealed anything.
        with suppress(Misconfigured):
            yield LocalMasterKey.load(each)


def next_path(path: Path) -> Path:
    """Where the key that follows the one at `path` waits."""
    return path.with_name(path.name + NEXT)


def retired_path(path: Path, master: MasterKey) -> Path:
    """Where a key that was at `path` is kept once another has followed it."""
    return path.with_name(path.name + RETIRED + master.key_id.rpartition(":")[2])
