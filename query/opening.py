"""From a ledger's home, or its parts, to what answers are read from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ledger.config import LedgerConfig
from ledger.home import OpenKeys
from ledger.keys.provider import ScopeKeys
from ledger.segments.objects import FileStore
from ledger.tenants import TenantRegistry
from ledger.trust import TrustedKeys
from ledger.trust.reader import trust_reader
from query.checkpoints import CheckpointReader
from query.contents import ContentReader
from query.files import VouchedFiles
from query.lookup import LookupIndex
from query.proving import Prover
from query.reading import Sources
from query.row_maps import RowMaps
from query.rows import RowReader
from query.view import LedgerView


def sources(config: LedgerConfig, keys: OpenKeys) -> Sources:
    """What answers about this home are read from."""
    return sources_of(
        FileStore(config.ledger.segments),
        config.ledger.derived,
        trust_reader(config.ledger.trust),
        keys.store,
        keys.tenants,
    )


def sources_of(
    store: FileStore,
    derived: Path,
    trust: Callable[[], TrustedKeys],
    keys: ScopeKeys,
    tenants: TenantRegistry,
) -> Sources:
    """The same from its parts. Derived files go to `derived`/query and `derived`/tiles."""
    view = LedgerView(store, trust, tenants.partitions())
    files = VouchedFiles(store)
    rows = RowReader(files, RowMaps(derived / "query" / "rows", files))
    return Sources(
        view=view,
        files=files,
        index=LookupIndex(derived / "query", view, files),
        rows=rows,
        prover=Prover(derived / "tiles", rows),
        contents=ContentReader(rows, keys),
        checkpoints=CheckpointReader(store, trust),
        keys=keys,
        tenants=tenants,
    )
