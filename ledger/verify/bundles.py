"""The receipts in a round's bundle: signed by a gateway that was trusted then, for this log and event log."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import islice

from ledger.errors import IntegrityError
from ledger.receipt import Receipt
from ledger.tenants import log_origin
from ledger.trust import TrustedKeys
from ledger.verify.job import Job
from ledger.verify.receipts import open_receipt
from ledger.verify.rounds import RoundSeen

TOGETHER = 64
"""Receipts that one thread opens in one go."""

Opened = list[Receipt | IntegrityError]


@dataclass(slots=True)
class BundleReceipts:
    """Opens the receipts of one partition's rounds, in order; `begin` on other threads, `take` what became of them."""

    job: Job
    _incarnations: set[bytes] = field(default_factory=set)
    _begun: dict[int, list[Future[Opened]]] = field(default_factory=dict)

    def begin(self, seen: RoundSeen) -> None:
        """Starts to open the receipts of a round."""
        signed = [each for at in self._concerned(seen) for each in seen.receipts[at]]
        pieces = [signed[at : at + TOGETHER] for at in range(0, len(signed), TOGETHER)]
        self._begun[seen.round.number] = [self.job.pool.submit(_open_all, piece, self.job.trust) for piece in pieces]

    def take(self, seen: RoundSeen) -> list[list[Receipt]]:
        """For each statement its receipts that hold; what is wrong with the others is reported."""
        self._incarnations.add(seen.round.incarnation)
        opened = iter([each for future in self._begun.pop(seen.round.number) for each in future.result()])
        taken: list[list[Receipt]] = [[] for _ in seen.statements]
        for at in self._concerned(seen):
            statement = seen.statements[at]
            origin = log_origin(self.job.trust.ledger, statement.log_id)
            self.job.collector.count(receipts=len(seen.receipts[at]))
            for number, receipt in enumerate(islice(opened, len(seen.receipts[at]))):
                try:
                    if isinstance(receipt, IntegrityError):
                        raise receipt
                    self._check(receipt, origin)
                    taken[at].append(receipt)
                except IntegrityError as error:
                    where = f"{seen.where}, log {statement.log_id.hex()}"
                    self.job.collector.add(seen.place, where, "receipt", f"receipt {number}: {error}")
        return taken

    def _concerned(self, seen: RoundSeen) -> list[int]:
        return [at for at, statement in enumerate(seen.statements) if self.job.concerns(statement.log_id)]

    def _check(self, receipt: Receipt, origin: str) -> None:
        if receipt.log_origin != origin:
            raise IntegrityError("is of another log")
        if receipt.incarnation not in self._incarnations:
            raise IntegrityError(f"is of event log {receipt.incarnation.hex()}, which no round up to here has read")


def _open_all(signed: list[bytes], trust: TrustedKeys) -> Opened:
    opened: Opened = []
    for each in signed:
        try:
            opened.append(open_receipt(each, trust))
        except IntegrityError as error:
            opened.append(error)
    return opened
