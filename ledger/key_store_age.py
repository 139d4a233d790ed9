"""Whether a key store is older than the ledger it belongs to: one that was put back from a backup.

Such a store still has keys that were destroyed since, and knows nothing of the persons met since. Serving from it would
bring back what was erased. It gives itself away: it remembers the newest round of each partition
(`ledger.newest_rounds`), written after each round, so that it is behind the published rounds by one at most, when a
sealer was killed in between. Then it has all that this round is about: no erasure, expiry or legal hold that it missed,
no contents under keys that it never had. Behind by more, or by one that tells it news: nobody opens it but `restore`,
which replays what it missed and lists what it can't explain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from ledger.canonical import Malformed
from ledger.errors import IntegrityError, Misconfigured
from ledger.keys.database import KeyDatabase
from ledger.keys.destruction import explained
from ledger.newest_rounds import NewestRound
from ledger.segments import names
from ledger.segments.objects import FileStore
from ledger.segments.round import EVENTS, ROUND
from ledger.segments.rows import from_parquet
from ledger.signed import SIGNED
from ledger.tenants import SYSTEM, TenantRegistry

DECIDING = ("erasure", "expiry", "legal_hold")
"""Kinds of event whose effect on a key store is lost with it: what is destroyed comes back, what is held can go."""
LOOKS = 4
PAUSE_S = 0.25
"""Two sealers that race can each be about to remember a round; a moment later one of them has."""


Explains = Callable[[str, frozenset[bytes]], bool]
"""Whether the key store knows these scopes of a tenant."""


class KeyStoreBehind(Misconfigured):
    """The key store is older than the ledger."""


def explained_by(database: KeyDatabase, tenants: TenantRegistry) -> Explains:
    """What a key store explains; of a tenant that is being deleted, anything."""

    def explains(name: str, scope_ids: frozenset[bytes]) -> bool:
        if name == SYSTEM:
            return True
        tenant = tenants.get(name)
        return tenant is not None and (tenant.state != "open" or explained(database, name, scope_ids))

    return explains


def check_not_behind(
    store: FileStore,
    remembered: Callable[[], Mapping[int, NewestRound]],
    partitions: int,
    explains: Explains,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """`KeyStoreBehind` when the rounds have gone on without this key store."""
    for look in range(LOOKS):
        if look:
            pause(PAUSE_S)
        known = dict(remembered())
        behind = [each for each in range(partitions) if _is_behind(store, each, known.get(each), explains)]
        if not behind:
            return
    partition = behind[0]
    newest = known[partition].number if partition in known else "none"
    raise KeyStoreBehind(
        f"the key store is older than the ledger: the newest round of partition {partition} that it knows is {newest}, "
        "later ones are published. It may hold keys that were destroyed since, and lack legal holds. Run `audit-ledger "
        "restore`, which replays the erasures, expiries and holds it missed, before anything else"
    )


def _is_behind(store: FileStore, partition: int, newest: NewestRound | None, explains: Explains) -> bool:
    following = newest.number + 1 if newest is not None else 0
    # That one may be published already; the one after it only by whoever remembered it.
    return store.exists(names.round_name(partition, following + 1)) or (
        store.exists(names.round_name(partition, following)) and _tells_news(store, partition, following, explains)
    )


def _tells_news(store: FileStore, partition: int, number: int, explains: Explains) -> bool:
    """Whether a round holds an event of `DECIDING`, or contents that the key store can't explain."""
    where = names.round_name(partition, number)
    try:
        file = ROUND.decode(SIGNED.decode(store.read(where)).body).file(EVENTS)
    except Malformed as error:
        raise IntegrityError(f"{where}: is malformed: {error}") from None
    if file is None:
        return False
    rows = from_parquet(store.read(file.name), file.name, ["kind", "tenant", "contents"])
    if any(kind in DECIDING for kind in rows["kind"].unique().to_pylist()):
        return True
    return not all(explains(tenant, scope_ids) for tenant, scope_ids in _scopes(rows))


def _scopes(rows: pa.Table) -> Iterator[tuple[str, frozenset[bytes]]]:
    """By tenant, the scopes under which its contents are sealed."""
    for tenant in rows["tenant"].unique().to_pylist():
        contents = pc.list_flatten(rows.filter(pc.equal(rows["tenant"], tenant))["contents"])
        sealed = contents.filter(pc.is_valid(pc.struct_field(contents, "ciphertext_sha256")))
        yield tenant, frozenset(pc.list_flatten(pc.struct_field(sealed, "scope_ids")).unique().to_pylist())
