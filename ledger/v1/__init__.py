"""Generated from proto/ledger/v1 by proto/generate.py; never edited by hand."""
