"""Whether a name that will stand in clear, for ever, holds what must not.

Names (ids, versions, paths, regions) become part of the signed payload: nobody can take anything out of them again. Of
the built-in rules those are asked here that a name does not meet by accident: e-mail addresses, and tokens that carry
their issuer's mark. Numbers are not looked for: an order number that happens to be a valid card number is no reason to
lose an event.

An e-mail address that is a machine's is let through: `git@…`, service accounts of cloud vendors.
"""

from __future__ import annotations

import re

from ledger.redaction.builtin import BUILTIN
from ledger.redaction.matcher import Matcher
from ledger.redaction.rule import RulePack
from ledger.redaction.view import view_of

TYPES = frozenset(
    {
        "email",
        "private_key",
        "jwt",
        "anthropic_key",
        "openai_key",
        "github_token",
        "slack_token",
        "stripe_key",
    }
)
_MACHINE = re.compile(rb"git@.*|noreply@.*|.*\.gserviceaccount\.com|.*@[^@]*\.local", re.I | re.S)
_matcher = Matcher(RulePack("clear-names", "1", tuple(rule for rule in BUILTIN.rules if rule.type in TYPES)))


def held_in(text: str) -> str | None:
    """The type of what `text` holds and a name must not; None where it holds nothing such."""
    data = view_of(text).data
    for found in sorted(_matcher.candidates(data), key=lambda each: (each.start, each.priority)):
        if found.rule.type != "email" or not _MACHINE.fullmatch(data[found.start : found.end]):
            return found.rule.type
    return None
