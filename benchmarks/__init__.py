"""Benchmarks: what the ledger costs, as ratios to a floor that is measured in the same run.

    python -m benchmarks                 all of them
    python -m benchmarks ingest seal     some of them
    python -m benchmarks --smoke         each once and small: does it still run?

Machines differ and drift; a ratio to the floor of the same run is what to compare. Durability is never relaxed: the
embedded log runs with synchronous=FULL, Kafka with acks=all and an idempotent producer, sealed files are fsynced.
"""
