"""The conventions by which instrumentation writes down what a model or a tool did, one file each.

A record may carry several at once. They are asked in the order of `CONVENTIONS`, field by field: who comes first and
has a field decides it, the others fill what is left.
"""

from __future__ import annotations

from ledger.otlp.conventions.clients import CLIENTS
from ledger.otlp.conventions.endpoint import ENDPOINT
from ledger.otlp.conventions.gen_ai import GEN_AI
from ledger.otlp.conventions.identity import IDENTITY
from ledger.otlp.reading import Convention

CONVENTIONS: tuple[Convention, ...] = (IDENTITY, ENDPOINT, GEN_AI, CLIENTS)
