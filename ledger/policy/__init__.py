"""The capture policy: what is kept of an event, how long, and which vendor may have been given it.

A policy is a versioned TOML file. The gateway decides by it, once for each class of data in an event, before anything
is encrypted; every event carries the name and version of the policy that governed it, and loading another version is
itself an event (a Change of `_org`).

| module             | owns                                                                        |
| ------------------ | --------------------------------------------------------------------------- |
| `document`, `file` | the file: its parts, and what is wrong with one; reading it where it stands |
| `rules`            | the decision for (tenant, kind, class, vendor)                              |
| `plain`            | what a policy does, in words                                                |
| `builtin`          | the policy of a new ledger                                                  |
| `register`         | which policy was in force when, and that no version says two things         |
"""

from ledger.policy.document import parse_policy
from ledger.policy.rules import IN_FLIGHT, MODES, InFlight, Mode, Policy, RetentionClass, Rule, Ruling

__all__ = ["IN_FLIGHT", "MODES", "InFlight", "Mode", "Policy", "RetentionClass", "Rule", "Ruling", "parse_policy"]
