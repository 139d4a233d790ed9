"""From the event log to sealed evidence: the sealer and the compactor."""
