"""Deleting a whole tenant: from the order to the signed final statement.

| module       | owns                                                                          |
| ------------ | ----------------------------------------------------------------------------- |
| `events`     | the last event of each of the tenant's logs, and what `_org` is told           |
| `ending`     | where the tenant's logs end: what was sealed last, and by which round          |
| `remains`    | which files hold rows of the tenant                                           |
| `proposing`  | the placements by which a round commits the final statement                   |
| `proceeding` | the steps, in their order, from wherever they stopped                         |
| `opening`    | from a ledger's home to the parts                                             |

The keys are destroyed in `ledger.keys.tenant_deletion`; the statement is `ledger.final_statement`; the files are
removed by compaction, once other tenants' rows in them stand elsewhere.
"""
