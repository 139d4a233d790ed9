"""The built-in scenario: an afternoon of a shop's support desk, small enough to read and with something to find in it.

`audit-ledger demo` publishes it. What an auditor can find: under revision 2 of the prompt the agent offers refunds by
itself, one of them refused by policy; the revision is rolled back, but a worker that was not restarted goes on using
it; an e-mail was begun and nothing says whether it was sent.

| module          | owns                                                                        |
| --------------- | --------------------------------------------------------------------------- |
| `support_desk`  | the story, told                                                             |
| `prompts`       | its prompt: two revisions                                                   |
| `governance`    | the Changes that put prompts, models, a policy and an agent into production |
| `conversations` | what the agent then did                                                     |
"""

from ledger.scenario.support_desk import CUSTOMERS, ScenarioEvent, support_desk

__all__ = ["CUSTOMERS", "ScenarioEvent", "support_desk"]
