"""The text that goes with every export."""

README = """\
An export of one tenant's log from an AI Audit Ledger
=====================================================

Check it with the ledger's own program, which needs neither the ledger nor a key:

    audit-ledger check-export DIR --trust TRUST.json

TRUST.json is the ledger's file of public keys, from elsewhere than this folder: whoever made the folder can have made
the trust.json in it, too. `--unpinned` checks against that one; then all rests on the key ids it prints.

What is here
------------
MANIFEST                     A C2SP signed note that lists every file with SHA-256 and size. Without it, this is no
                             export. Signed by the ledger's key.
trust.json                   The ledger's public keys with their ranges, and this tenant's logs.
schemas/<SHA-256>.avsc       Avro schemas of the payloads, in parsing canonical form; the name is the file's SHA-256.
logs/<shard>/
  checkpoint.txt             A C2SP checkpoint: origin, size, root. Signed by the ledger's key under the log's origin.
  events-<nnnn>.parquet      Every event, by index. `payload` is the signed evidence; all other columns but the
                             ledger's own (log_id, index, round, sealed_at, partition, offset, leaf_hash, chain_hash,
                             mark, subject) are decoded from it.
  statements-<nnnn>.bundle   What the ledger stated of the log round by round, and the receipts its gateways signed.
  contents-<nnnn>.parquet    Decrypted contents, if they were ordered: log_id, index, slot, event_id, media_type,
                             state, salt, content.

Checking it with other tools
----------------------------
leaf hash   = SHA-256(0x00 || payload)
chain hash  = SHA-256(chain hash before || leaf hash), 32 zero bytes before the first
root        = RFC 6962 tree hash over the leaf hashes in the order of index; it stands in checkpoint.txt
payload     = C3 01 || 8-byte fingerprint || Avro datum under a schema of schemas/
commitment  = SHA-256(salt || content); it stands in the payload, in `contents`, under the slot

In SQL (DuckDB), the chain: no row may come back.

    SELECT "index" FROM (
      SELECT "index", chain_hash, leaf_hash, lag(chain_hash) OVER (ORDER BY "index") AS before
      FROM 'logs/0/events-*.parquet')
    WHERE "index" > 0 AND chain_hash <> unhex(sha256(before || leaf_hash));
"""
