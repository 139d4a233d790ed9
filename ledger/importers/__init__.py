"""From what people already have to events.

An importer is deterministic: the same input gives the same events, ids, numbers and boot id included, so importing
twice adds nothing.
"""
