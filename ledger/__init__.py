"""AI Audit Ledger: the record, its keys, the event log, the gateway and everything an answer is proved with.

`consumers` (sealing) and `query` (answers) build on this package; it imports neither.
"""

__version__ = "0.1.0"
