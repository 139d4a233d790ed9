"""A tenant's export: what a departing customer takes along, and checks without the ledger and its keys.

    DIR/MANIFEST                     signed note: which files with which digests, of which logs; its absence: no export
    DIR/README.txt                   what is what, and how to check it with other tools
    DIR/trust.json                   public keys of the ledger, and the tenant's logs
    DIR/schemas/<SHA-256>.avsc       the Avro schemas of the payloads
    DIR/logs/<shard>/checkpoint.txt  signed: size and root
    DIR/logs/<shard>/statements-<nnnn>.bundle    segment statements and receipts, as rounds sealed them
    DIR/logs/<shard>/events-<nnnn>.parquet       every event: the columns of segments, by index
    DIR/logs/<shard>/contents-<nnnn>.parquet     decrypted contents with the salts of their commitments, where ordered

| module     | owns                                                        |
| ---------- | ----------------------------------------------------------- |
| `manifest` | the signed list of files                                    |
| `writing`  | an export from its beginning to its last file               |
| `opened`   | decrypting contents for it                                  |
| `readme`   | the text that goes along                                    |
| `checking` | what proves an export, with nothing but its files and a key |
| `record`   | what the ledger remembers of exports                        |
"""
