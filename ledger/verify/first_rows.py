"""What the payloads at some indexes of a log say about their identity: for repeats that answer a receipt."""

from __future__ import annotations

import numpy as np

from ledger.errors import IntegrityError, Unavailable
from ledger.record.payload import decode_payload
from ledger.segments.history import History
from ledger.verify.identity import Identity
from ledger.verify.job import Job
from ledger.verify.whereabouts import pieces_of, rows_of


def first_rows(job: Job, partitions: list[int], log_id: bytes, indexes: list[int]) -> dict[int, Identity]:
    """Event id, submission digest and key id by index; an index that cannot be read or decoded is left out.

    Reports nothing: what cannot be read here was met before, and reported then.
    """
    log = job.trust.log(log_id)
    found: dict[int, Identity] = {}
    for partition in [log.partition] if log is not None else partitions:
        try:
            pieces = pieces_of(job.store, History(job.store, partition, job.trust), log_id)
            for batch in rows_of(job.store, pieces, log_id, ["payload"], np.array(indexes, np.int64)):
                for index, payload in zip(batch["index"].to_pylist(), batch["payload"].to_pylist(), strict=True):
                    values = decode_payload(payload)
                    names = ("event_id", "submission_digest", "submission_key_id")
                    event_id, digest, key_id = (values[name] for name in names)
                    found[index] = (event_id, digest, key_id)
        except (IntegrityError, Unavailable):
            continue
    return found
