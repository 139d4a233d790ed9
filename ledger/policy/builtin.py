"""The policy of a new ledger: `init` writes it as `policy.toml`, for its operator to change."""

from __future__ import annotations

DEFAULT_POLICY = """\
# What is kept of an event, how long, and which vendor may have been given it. `audit-ledger policy check` explains this
# file in words; give every change of it another version. A running gateway takes a new version by itself.
name = "default"
version = "1"

[default]
mode = "redacted"              # full, redacted or metadata
retention = "standard"         # a class of [retention]
unclassified = "confidential"  # what data counts as that nobody classified
# vendors = ["openai"]         # the only vendors that may receive data; without it, any
# in_flight = "redact"         # what the recording proxy does before data leaves: allow (without it), redact, refuse

[retention]                    # months kept after the month of receipt; 0: for ever
standard = 24
queries = 3
artifacts = 0

# The first rule that matches decides; what it leaves out is the default's. tenants, kinds and classes are optional.
[[rules]]
name = "artifacts are exact"   # prompts, models, policies: what was approved must be readable to the letter
kinds = ["change"]
mode = "full"
retention = "artifacts"

[[rules]]
name = "questions are short-lived"
kinds = ["access"]
retention = "queries"
"""
