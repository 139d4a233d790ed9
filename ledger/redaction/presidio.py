"""Presidio as a detector: what models of a language find (names, places) beside the rules. The extra `presidio`
installs it.

The analyzer is the caller's: which recognizers, which language model and how they are configured decide what is
found, so its maker names a `version` that changes with any of them. Nothing of Presidio is imported here.

A model costs about a hundred times what the rules do (docs/REDACTION.md): it belongs to a gateway that has time, or in
front of a review, not in the way of every event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from ledger.errors import Misconfigured
from ledger.redaction.finding import Classification, Detection

_NO_TYPE = re.compile("[^a-z0-9_]+")


class Result(Protocol):
    """What an analyzer answers for one value: Presidio's `RecognizerResult`."""

    @property
    def start(self) -> int: ...

    @property
    def end(self) -> int: ...

    @property
    def entity_type(self) -> str: ...

    @property
    def score(self) -> float: ...


class Analyzer(Protocol):
    """What is used of Presidio's `AnalyzerEngine`."""

    def analyze(
        self, text: str, language: str, *, entities: list[str] | None, score_threshold: float
    ) -> Sequence[Result]:
        """The values found in `text`."""
        ...


class PresidioDetector:
    """A `Detector` that asks a Presidio analyzer.

    `entities` are Presidio's names ("PERSON"); None for all it knows. Results below `score_min` don't count. The type
    of a placeholder is the entity's name in lower case.
    """

    def __init__(
        self,
        analyzer: Analyzer,
        version: str,
        *,
        language: str = "en",
        entities: Sequence[str] | None = None,
        score_min: float = 0.5,
        classification: Classification = "confidential",
    ) -> None:
        if not version:
            raise Misconfigured("presidio: the analyzer's version must be named; it says what ran")
        self._analyzer = analyzer
        self._language = language
        self._entities = None if entities is None else list(entities)
        self._score_min = score_min
        self._version = version
        self._classification = classification

    @property
    def name(self) -> str:
        return "presidio"

    @property
    def version(self) -> str:
        return self._version

    @property
    def classification(self) -> Classification:
        return self._classification

    def find(self, text: str) -> Iterable[Detection]:
        """The values the analyzer finds in `text` with at least the score asked for."""
        found = self._analyzer.analyze(text, self._language, entities=self._entities, score_threshold=self._score_min)
        return [
            Detection(each.start, each.end, _type(each.entity_type)) for each in found if each.score >= self._score_min
        ]


def _type(entity: str) -> str:
    """An entity's name as the type of a placeholder."""
    return _NO_TYPE.sub("_", entity.lower()).strip("_0123456789")[:32].strip("_") or "entity"
