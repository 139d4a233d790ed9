"""Erasing a person, ending a month, holding both up: from the order to the certificate.

| module                      | owns                                                                       |
| --------------------------- | -------------------------------------------------------------------------- |
| `affected`                  | which sealed contents an erasure makes unreadable                          |
| `months`                    | which retention classes and months are past their time                     |
| `events`                    | the Erasure, Expiry and LegalHold events                                   |
| `proceeding`                | the steps, in their order, from wherever they stopped                      |
| `certificate`               | the signed statement of what was erased                                    |
| `sealed_facts`, `restoring` | what sealed events say of keys; a key store from a backup brought up to it |
| `opening`                   | from a ledger's home to the parts                                          |

The keys are destroyed in `ledger.keys.erasure`; the bytes leave the segments by `consumers.compaction`.
"""
