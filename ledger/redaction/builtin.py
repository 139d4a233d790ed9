"""The built-in rule pack. Its digest is held by a test: whoever changes a rule raises the version with it."""

from __future__ import annotations

from ledger.redaction.builtin_addresses import ADDRESSES
from ledger.redaction.builtin_contacts import CONTACTS
from ledger.redaction.builtin_identities import IDENTITIES
from ledger.redaction.builtin_secrets import SECRETS
from ledger.redaction.rule import RulePack

BUILTIN = RulePack("builtin", "1", (*SECRETS, *IDENTITIES, *CONTACTS, *ADDRESSES))
