"""What must hold from row to row: the leaves of one statement, in index order.

The statements before it were checked the same way, so its beginning (chain, edge of the tree) is what the rounds say,
and one wrong statement does not make the next ones wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ledger.segments.statement import Statement
from ledger.tlog.merkle import CompactRange, link
from ledger.verify.columns import differing, joined


@dataclass(frozen=True, slots=True)
class Stretch:
    """A statement's rows in index order, all of them there; `before` is the log's tree when it begins."""

    statement: Statement
    before: CompactRange
    rows: np.ndarray

    def leaves(self) -> list[bytes]:
        """The leaf hashes, computed from the payloads."""
        data = self.rows["leaf"].tobytes()
        return [data[at : at + 32] for at in range(0, len(data), 32)]


def absent(rows: np.ndarray) -> np.ndarray:
    """The rows of a table that no file filled."""
    return np.flatnonzero(rows["seen"] == 0)


def check_leaves(stretch: Stretch, leaves: list[bytes]) -> Iterator[tuple[str, str]]:
    """(rule, message) for each thing wrong with the chain and the tree of a statement."""
    statement = stretch.statement
    linked = link(statement.chain_before, leaves)
    stored = np.frombuffer(stretch.rows["chain"].tobytes(), np.uint8).reshape(len(leaves), 32)
    wrong = differing(stored, joined(linked, 32))
    if len(wrong):
        row = int(wrong[0])
        yield (
            "chain",
            f"index {statement.first_index + row}: chain_hash is {stored[row].tobytes().hex()}, "
            f"the leaves link to {linked[row].hex()}",
        )
    if linked and linked[-1] != statement.chain_after:
        yield (
            "chain",
            f"the leaves link to {linked[-1].hex()}, the statement's chain ends in {statement.chain_after.hex()}",
        )
    root = stretch.before.extend(leaves).root()
    if root != statement.root:
        yield (
            "root",
            f"the first {statement.tree_size} leaves have the root {root.hex()}, the statement says "
            f"{statement.root.hex()}",
        )
