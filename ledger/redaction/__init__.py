"""Redaction: what can be recognized is taken out of contents before they are encrypted or leave the process.

`Redactor` (redactor) applies a rule pack (rule, builtin, custom) and other detectors (finding.Detector) to one text,
with numbers from a `Numbering` (numbering). Nothing here does I/O or knows of events, keys or policies. What is
found, and what patterns cannot find, is in docs/REDACTION.md.
"""
