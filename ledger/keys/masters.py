"""Where the master key is, and its rotation from one place to the next.

A location is a file (relative to the home) or a `pkcs11:` URI (`ledger.keys.pkcs11_uri`). Another kind of place, the
key service of a cloud say, is another implementation of `ledger.keys.master.MasterKey` and another branch of
`open_master`: nothing else asks what a master key is.

`rotate_master` does the steps of `ledger.keys.rotation`. What there is to do it reads from what is there:

| beside the file | `meta` names     | what is done                                                            |
| --------------- | ---------------- | ----------------------------------------------------------------------- |
| `.next`         | either key       | a rotation was interrupted: it goes on                                  |
| no `.next`      | not the file's   | the configuration names a new key, or a backup came back: to that key   |
| no `.next`      | the file's       | a new key is made                                                       |

A token's key is made in the token, by an operator; then the configuration names it, and the one before it as
`master_key_previous`, and the second case holds.

One rotation at a time (`KeyDatabase.alone`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import IntegrityError, Misconfigured
from ledger.keys.database import KeyDatabase
from ledger.keys.master import LocalMasterKey, MasterKey, sync_folder
from ledger.keys.master_ring import MasterRing, look_beside, next_path, retired_path
from ledger.keys.pkcs11 import Pkcs11MasterKey
from ledger.keys.pkcs11_uri import is_token_uri
from ledger.keys.rotation import OnStep, current_master_id, reseal_by_master, rows_by_master


@dataclass(frozen=True, slots=True)
class MasterKeys:
    """The locations that a configuration names. `previous`: empty where no other place went before."""

    home: Path
    location: str
    previous: str = ""

    def open(self) -> MasterRing:
        """The key at the location, which finds the others there are. `Misconfigured` when it is not there."""
        return MasterRing(open_master(self.location, self.home), self.look)

    def look(self) -> Iterator[MasterKey]:
        """Every master key there is at and beside the locations."""
        for location in filter(None, (self.location, self.previous)):
            if not is_token_uri(location):
                yield from look_beside(self.home / location)
                continue
            with suppress(Misconfigured):
                yield open_master(location, self.home)


@dataclass(frozen=True, slots=True)
class MasterRotated:
    """What a rotation of the master key came to. `kept`: the file that holds the key before, None if it has none."""

    before: str
    after: str
    rows: int
    is_forgotten: bool
    kept: Path | None


def open_master(location: str, home: Path) -> MasterKey:
    """The master key at a location; `Misconfigured` when there is none that can be used."""
    return Pkcs11MasterKey(location) if is_token_uri(location) else LocalMasterKey.load(home / location)


def rotate_master(database: KeyDatabase, keys: MasterKeys, on_step: OnStep = lambda step: None) -> MasterRotated:
    """A new master key, or the rest of a rotation that was interrupted. Blocks, seconds for ten thousand tenants.

    `on_step` is told of each step once it is durable.
    """
    with database.alone("rotation"):
        before = current_master_id(database)
        ring = keys.open()
        target, file = _target(keys, ring, before, on_step)
        resealed = reseal_by_master(database, MasterRing(target, keys.look), target, on_step)
        left = rows_by_master(database).keys() - {target.key_id}
        if left:
            raise IntegrityError(
                f"key store {database.where}: rows are left under master key {', '.join(sorted(left))}"
            )
        kept = None if file is None else _put_in_place(file, on_step)
        return MasterRotated(before, target.key_id, resealed.rows, resealed.is_forgotten, kept)


def _target(keys: MasterKeys, ring: MasterRing, before: str, on_step: OnStep) -> tuple[MasterKey, Path | None]:
    """The key to seal under, and the file in whose place its own is to be put, if it is."""
    file = None if is_token_uri(keys.location) else keys.home / keys.location
    if file is not None and next_path(file).exists():
        try:
            return LocalMasterKey.load(next_path(file)), file
        except Misconfigured:
            if before != ring.key_id:
                raise
            # Half written when its maker was killed: nothing was sealed under it, for `meta` never named it.
            next_path(file).unlink()
    if before != ring.key_id:
        if ring.find(before) is None:
            raise Misconfigured(f"master key {before} sealed the key store and is at none of the places configured")
        return ring, None
    if file is None:
        raise Misconfigured(
            "the master key is in a token: make a new one there, name it in ledger.master_key and the one before it in "
            "ledger.master_key_previous, then rotate"
        )
    made = LocalMasterKey.create(next_path(file))
    on_step("made")
    return made, file


def _put_in_place(file: Path, on_step: OnStep) -> Path:
    """Give `.next` the file's name, and keep the file. A crash in between leaves the file and its second name."""
    retired = retired_path(file, LocalMasterKey.load(file))
    with suppress(FileExistsError):
        os.link(file, retired)
    sync_folder(file.parent)
    on_step("kept")
    next_path(file).replace(file)
    sync_folder(file.parent)
    on_step("in place")
    return retired
