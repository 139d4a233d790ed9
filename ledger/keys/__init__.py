"""Keys, pseudonyms and signing keys: what is secret, how it is kept, and how it is forgotten.

Start at `provider` (what the record needs), `schema` (how it is kept) and `derive` (what is made of it).
"""
