"""The receipts in a round's bundle: signed by a gateway that was trusted then, for this log and event log."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.errors import IntegrityError
from ledger.receipt import Receipt
from ledger.tenants import log_origin
from ledger.verify.job import Job
from ledger.verify.receipts import open_receipt
from ledger.verify.rounds import RoundSeen


@dataclass(slots=True)
class BundleReceipts:
    """Opens the receipts of one partition's rounds, in order."""

    job: Job
    _incarnations: set[bytes] = field(default_factory=set)

    def open(self, seen: RoundSeen, at: int) -> list[Receipt]:
        """The receipts beside a statement that hold; what is wrong with the others is reported."""
        self._incarnations.add(seen.round.incarnation)
        statement = seen.statements[at]
        if not self.job.concerns(statement.log_id):
            return []
        where = f"{seen.where}, log {statement.log_id.hex()}"
        origin = log_origin(self.job.trust.ledger, statement.log_id)
        good = []
        for number, signed in enumerate(seen.receipts[at]):
            self.job.collector.count(receipts=1)
            try:
                receipt = open_receipt(signed, self.job.trust)
                self._check(receipt, origin)
                good.append(receipt)
            except IntegrityError as error:
                self.job.collector.add(seen.place, where, "receipt", f"receipt {number}: {error}")
        return good

    def _check(self, receipt: Receipt, origin: str) -> None:
        if receipt.log_origin != origin:
            raise IntegrityError("is of another log")
        if receipt.incarnation not in self._incarnations:
            raise IntegrityError(f"is of event log {receipt.incarnation.hex()}, which no round up to here has read")
