"""Fixtures of the tests of `ledger`."""

from tests.ledger.keys.places import place
from tests.postgresql.server import postgresql

__all__ = ["place", "postgresql"]
