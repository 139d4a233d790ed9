"""What holds for all tests."""

from __future__ import annotations

from hypothesis import settings

# A slow machine is no finding: examples have no deadline.
settings.register_profile("ledger", deadline=None)
settings.load_profile("ledger")
