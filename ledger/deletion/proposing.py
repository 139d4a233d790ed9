"""The placements by which rounds commit a final statement: one for each of the tenant's logs, proposed like any other.

The sealer takes a proposal that descends from the log's last placement and whose statement says the log's size and
root. A compactor may have been faster with a placement of its own: then the deletion is proposed anew, behind it.
"""

from __future__ import annotations

from hashlib import sha256

from ledger.deletion.ending import LogEnd
from ledger.segments import names
from ledger.segments.objects import FileStore
from ledger.segments.placement import Placement, encode_placement


def propose_deletion(store: FileStore, end: LogEnd, statement: str) -> bytes | None:
    """Writes and proposes the deletion of a log; its digest, None when the log is deleted already."""
    if end.head.is_deleted:
        return None
    placement = Placement(
        log_id=end.log.log_id,
        sequence_number=end.head.placement_number + 1,
        previous=end.head.placement,
        size=end.head.size,
        files=(),
        removed=(),
        final=statement,
    )
    data = encode_placement(placement)
    digest = sha256(data).digest()
    store.put(names.placement_name(end.log.partition, digest), data)
    store.put(names.proposal_name(end.log.partition, digest), b"")
    return digest
