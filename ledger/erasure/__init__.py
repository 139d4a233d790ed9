"""Erasing a person, ending a month, holding both up: from the order to the certificate.

| module        | owns                                                                        |
| ------------- | --------------------------------------------------------------------------- |
| `affected`    | which sealed contents an erasure makes unreadable                           |
| `events`      | the Erasure, Expiry and LegalHold events                                    |
| `proceeding`  | the steps, in their order, from wherever they stopped                       |
| `certificate` | the signed statement of what was erased                                     |

The keys are destroyed in `ledger.keys.erasure`; the bytes leave the segments by `consumers.compaction`.
"""
