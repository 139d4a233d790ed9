"""A transparency log, in the formats of RFC 6962 and C2SP: trees, their proofs, and the signed notes that state them.

Pure functions over values, without I/O, clock or keys of their own. Nothing here knows what a leaf of this ledger is.

| module         | owns                                                                     |
| -------------- | ------------------------------------------------------------------------ |
| `merkle`       | the tree: hashing, growing, proving, verifying; the hash chain beside it |
| `note`         | a short text and the signatures under it; keys as text                   |
| `checkpoint`   | the signed statement of how large a log is and what its root is          |
| `cosignature`  | a witness's word that it saw a checkpoint, and when                      |
| `proof_bundle` | everything needed to check one leaf without the log                      |
"""
