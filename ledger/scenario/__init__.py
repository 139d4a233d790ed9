"""The built-in scenario: an afternoon of a shop's support desk, small enough to read and with something to find in it.

`support_desk` tells it; `prompts` holds its two prompt revisions; `governance` makes the Changes that put prompts,
models, a policy and an agent into production, `conversations` what the agent then did. `audit-ledger demo` publishes
it.

What an auditor can find: under revision 2 of the prompt the agent offers refunds by itself, one of them refused by
policy; the revision is rolled back, but a worker that was not restarted goes on using it; an e-mail was begun and
nothing says whether it was sent.
"""

from ledger.scenario.support_desk import CUSTOMERS, ScenarioEvent, support_desk

__all__ = ["CUSTOMERS", "ScenarioEvent", "support_desk"]
