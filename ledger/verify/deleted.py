"""Logs whose rows are gone: accepted only under the signed final statement that a round committed, and told.

The statement's signature is checked wherever the placement that holds it is read (`ledger.segments.history`), its size
and root against the log's last statement where the round commits it (R10), and that nothing was added since (R11).
What is left to do here is to say that the log was not looked into, and to hold the first look at the partition, by
which its rows were passed over, against the walk through the rounds.
"""

from __future__ import annotations

from datetime import UTC, datetime

from ledger.segments.state import PartitionState
from ledger.verify.job import Job
from ledger.verify.plan import Plan
from ledger.verify.report import LATER, Place


def check_deleted(job: Job, plan: Plan, state: PartitionState) -> None:
    """Notes every deleted log; a finding for one that was passed over and is not deleted."""
    for log_id, (digest, placement) in plan.placements.items():
        if not placement.is_deletion or not job.concerns(log_id):
            continue
        where = f"log {log_id.hex()}"
        if not state.head(log_id).is_deleted:
            message = (
                f"placement {digest.hex()} says that it is deleted, and does not hold; its rows were not looked at"
            )
            job.collector.add(Place(state.partition, LATER), where, "placement", message)
            continue
        statement = placement.final_statement()
        at = datetime.fromtimestamp(statement.signed_at_ms / 1_000, UTC).isoformat(timespec="seconds")
        told = f"{where}, tenant {statement.tenant}: deleted under the final statement of {at}"
        job.collector.note(f"{told}; its {placement.size} events are not there to be looked at")
        job.collector.count(deleted_logs=1)
        promised = job.awaited.forget(log_id)
        if promised:
            job.collector.note(f"{where}: {promised} events promised by receipts can't be looked up any more")
