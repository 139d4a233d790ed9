"""Is the ledger what it was when it was sealed, and all of it? `verify` proves, and changes nothing.

Three depths, each with what the one before says:

- `files`: every round of every partition, in order, by the rules of `ledger.segments.state`; statements, placements and
  receipts with their signatures; every file that is named, by its SHA-256. What is *missing* is a finding: a round
  in the middle, a file, a signature.
- `leaves`: every row exactly once; payload, leaf hash, chain and tree, up to each statement's root; every event
  covered by a receipt sealed beside it, every receipt's event sealed or still in time.
- `full`: every payload decoded, every column beside it compared; contents against the digests in the payloads;
  removals, repeats, marks and event ids.

Against something kept elsewhere it shows what the files alone cannot, the loss of the newest rounds: `since`, a signed
checkpoint; `receipts`, what gateways promised; `remembered`, what the ledger's own key store holds of them.

The first wrong thing is named precisely, and it goes on where that is sound. Memory does not grow with the number of
events: rows are read a batch at a time, what has to wait goes to temporary files (`ledger.verify.scratch`).

| module             | owns                                                                   |
| ------------------ | ---------------------------------------------------------------------- |
| `report`           | findings, their rules, the report                                      |
| `run`              | `verify`: one job over all partitions                                  |
| `job`              | what a verification works with                                         |
| `plan`             | the first look: each log's current placement                           |
| `partition`        | one partition, round by round                                          |
| `rounds`           | rounds in order, each checked before it is believed                    |
| `bundles`          | the receipts sealed in a round                                         |
| `placed`           | placements: their files, what they removed                             |
| `files`            | opening and hashing what is named                                      |
| `scan`             | events files into row tables                                           |
| `scratch`          | row tables and temporary files                                         |
| `columns`          | Arrow columns as numpy arrays                                          |
| `sealed_statement` | one statement whose rows are all there                                 |
| `leaves`           | its chain and tree                                                     |
| `receipts`         | a receipt's signature, and what it covers                              |
| `typed`            | payloads against the columns beside them                               |
| `statistics`       | what a file says of its row groups, by which readers skip rows         |
| `agreement`        | rows against what round, statement and receipts say                    |
| `identity`         | event ids, repeats, conflicts                                          |
| `contents`         | contents against the payloads that describe them                       |
| `explain`          | which slot differs                                                     |
| `awaited`          | promised events: found, pending, missing                               |
| `outside`          | receipts kept elsewhere                                                |
| `since`            | a checkpoint kept elsewhere                                            |
| `stored_checkpoints` | the checkpoints beside the rounds                                    |
| `deleted`          | logs whose rows are gone under a signed final statement                |
| `whereabouts`      | where the rows of one log stand                                        |
| `first_rows`       | the identity of single rows                                            |
"""

from ledger.verify.report import Counts, Depth, FindingLine, Head, Progress, ProgressCallback, Report
from ledger.verify.run import verify

__all__ = ["Counts", "Depth", "FindingLine", "Head", "Progress", "ProgressCallback", "Report", "verify"]
