"""Which public keys are believed, for what and when; and which of its keys a role signs with.

| module           | owns                                                                         |
| ---------------- | ---------------------------------------------------------------------------- |
| `document`       | the trust file: keys with their ranges, and the logs a verifier may be told of |
| `reader`         | the file as it is now, for processes that outlive a change                   |
| `current_signer` | the newest key that the file holds good signs                                |
| `rotation`       | another generation of a key, and verifiers told of it                        |
"""

from ledger.trust.document import TrustedKey, TrustedKeys, TrustedLog

__all__ = ["TrustedKey", "TrustedKeys", "TrustedLog"]
