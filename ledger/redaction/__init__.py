"""Redaction: what can be recognized is taken out of contents before they are encrypted or leave the process.

`Redactor` (redactor) applies a rule pack (rule, builtin, custom) and other detectors (finding.Detector) to one text,
with numbers from a `Numbering` (numbering). Nothing here does I/O or knows of events, keys or policies. What is
found, and what patterns cannot find, is in docs/REDACTION.md.

| module                                  | owns                                                                  |
| --------------------------------------- | --------------------------------------------------------------------- |
| `redactor`, `json_text`                 | takes the values out of a text; where a JSON text's strings stand     |
| `rule`, `custom`                        | rules and rule packs; those that a customer defines                   |
| `builtin`, `builtin_addresses`, `builtin_contacts` | the built-in pack: addresses, ways to reach a person,      |
| `builtin_identities`, `builtin_secrets`, `fragments` | payment and identity numbers, credentials; pieces they share |
| `matcher`, `view`                       | one pass for all triggers; a text as the rules see it, mapped back    |
| `checks`, `checksums`                   | what a pattern cannot say: dates, neighbours, check digits            |
| `identity_numbers`, `phone_numbers`     | such tests of identity and telephone numbers                          |
| `known_values`, `presidio`              | other detectors: values known already; names and places by a model    |
| `numbering`, `normalize`, `placeholder` | which number a value gets, in what form, and what stands in its place |
| `clear_names`                           | whether a name that will stand in clear holds what must not           |
| `finding`                               | what is reported: findings, counts, the class that follows            |
"""
