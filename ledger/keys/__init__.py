"""Keys, pseudonyms and signing keys: what is secret, how it is kept, and how it is forgotten.

Start at `provider` (what the record needs), `schema` (how it is kept) and `derive` (what is made of it).

| module                        | owns                                                                             |
| ----------------------------- | -------------------------------------------------------------------------------- |
| `provider`                    | what the record needs of a key store, whatever keeps it                          |
| `schema`, `rows`, `sealed_rows`, `sealing` | the tables; their SQL; rows between clear and sealed; how one is sealed |
| `derive`, `cipher`, `normalize`, `unicode14` | keys derived from secrets; encryption; identifiers in one form    |
| `store`, `hierarchy`, `cache` | `KeyProvider` over it all; tenant, look-up and bucket keys; keys lent for a time |
| `database`, `opening`         | what it is kept in; from a location to that                                      |
| `sqlite_database`, `sqlite_rows`, `read_only` | in an SQLite file, also one that cannot be written               |
| `postgresql_database`, `postgresql_rows` | in a schema on PostgreSQL                                             |
| `postgresql_connections`, `postgresql_url` | connections to its server; the URL that names it                    |
| `master`, `masters`, `master_ring` | the master key; where it is; several at once while one follows another      |
| `pkcs11`, `pkcs11_uri`        | keys that never leave a PKCS#11 token; the URI that names one                    |
| `rotation`                    | master and tenant keys: what they sealed is sealed anew                          |
| `signing`, `signing_store`    | a key that signs and shows nothing; signing keys at rest                         |
| `spool`                       | the keys to which producers seal their spools                                    |
| `process`                     | how a process of the ledger proves that it is one                                |
| `destruction`, `destruction_tables`, `doomed` | what is known of an erasure; its tables; what it would destroy   |
| `erasure`, `rewrapping`       | destroying keys; sealing anew what survives beside them                          |
| `suppression`, `holds`        | who may not be made anew; whose contents must be kept                            |
| `replay`                      | what a key store from a backup missed, done again                                |
| `tenant_deletion`, `deletion_record`, `tenant_seal` | a tenant's keys destroyed; how far that is; requests at rest |
"""
