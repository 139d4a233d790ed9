"""What a ledger remembers of its newest rounds, apart from them: one row a partition in the key store.

Sealed files can't show that the newest of them are gone: what is left is a ledger that ends earlier, whole and well
signed. Somebody else has to remember. Witnesses and kept checkpoints are the outsider's memory; this is the ledger's
own, for the restore that put back too little and the disk that lost a folder. It holds the number and the digest of the
newest round of each partition.

A sealer writes it after each round it published, and before it signs another holds the rounds against it: no number
is signed twice. `verify` and `fsck` in a home do the same. It may stay behind, by the rounds published since a crash or
since the backup a key store was restored from; it never goes ahead, and never back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ledger.errors import IntegrityError
from ledger.keys.database import KeyDatabase


@dataclass(frozen=True, slots=True)
class NewestRound:
    """A published round. `digest`: its `round_digest`, 32 bytes."""

    number: int
    digest: bytes

    def check_there(self, partition: int, published: int) -> None:
        """`IntegrityError` unless the round is among the `published` first."""
        if self.number >= published:
            raise IntegrityError(
                f"partition {partition}: {published} rounds are there, but round {self.number} was published: the "
                "newest rounds were lost. Put them back from a copy; no number is signed twice"
            )

    def check_same(self, partition: int, number: int, digest: bytes) -> None:
        """`IntegrityError` when the round of this number is another one."""
        if number == self.number and digest != self.digest:
            raise IntegrityError(
                f"partition {partition}, round {number}: has the digest {digest.hex()}, the round that was published "
                f"under this number had {self.digest.hex()}"
            )


class NewestRounds(Mapping[int, NewestRound]):
    """The memory of all partitions, by partition; each look-up sees what is there now. Calls block."""

    def __init__(self, database: KeyDatabase) -> None:
        self._database = database

    def __getitem__(self, partition: int) -> NewestRound:
        with self._database.read() as rows:
            found = rows.execute(
                'SELECT number, digest FROM newest_rounds WHERE "partition" = ?', (partition,)
            ).fetchone()
        if found is None:
            raise KeyError(partition)
        return NewestRound(*found)

    def __iter__(self) -> Iterator[int]:
        with self._database.read() as rows:
            found = rows.execute('SELECT "partition" FROM newest_rounds ORDER BY "partition"').fetchall()
        return iter([partition for (partition,) in found])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def advance(self, partition: int, newest: NewestRound) -> None:
        """Remember this round, unless a newer one is. Durable when it returns."""
        with self._database.write() as rows:
            rows.execute(
                'INSERT INTO newest_rounds ("partition", number, digest) VALUES (?, ?, ?) '
                'ON CONFLICT ("partition") DO UPDATE SET number = excluded.number, digest = excluded.digest '
                "WHERE excluded.number > newest_rounds.number",
                (partition, newest.number, newest.digest),
            )
