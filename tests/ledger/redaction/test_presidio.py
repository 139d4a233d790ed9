"""The adapter for Presidio, against a stand-in and, where it is installed, against Presidio itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from ledger.errors import Misconfigured
from ledger.redaction.presidio import PresidioDetector
from ledger.redaction.redactor import Redactor
from tests.ledger.redaction.shared import numbering


@dataclass
class _Result:
    start: int
    end: int
    entity_type: str
    score: float


class _Analyzer:
    """Finds one name, once surely and once hardly."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str] | None, float]] = []

    def analyze(
        self, text: str, language: str, *, entities: list[str] | None, score_threshold: float
    ) -> Sequence[_Result]:
        self.asked.append((language, entities, score_threshold))
        at = text.find("Mia Li")
        return [_Result(at, at + 6, "PERSON", 0.85), _Result(0, 2, "US-BANK.NUMBER", 0.05)] if at >= 0 else []


def test_what_presidio_finds_is_redacted_beside_the_rules() -> None:
    """Entities become types, low scores don't count, and the identity names the analyzer's version."""
    analyzer = _Analyzer()
    redactor = Redactor(detectors=[PresidioDetector(analyzer, "en-1", entities=["PERSON"], score_min=0.4)])
    found = redactor.redact("I am Mia Li, mia@example.com", numbering())
    assert found.text == "I am ⟨person:1⟩, ⟨email:1⟩"
    assert analyzer.asked == [("en", ["PERSON"], 0.4)]
    assert found.pack.endswith("+presidio/en-1")


def test_any_entity_name_becomes_a_type() -> None:
    """Whatever a recognizer calls its entity, the placeholder's type is lower-case letters and underscores."""
    redactor = Redactor(detectors=[PresidioDetector(_Analyzer(), "en-1", score_min=0.0)])
    assert redactor.redact("xx Mia Li", numbering()).text == "⟨us_bank_number:1⟩ ⟨person:1⟩"


def test_an_analyzer_without_a_version_is_refused() -> None:
    """An event must be able to say what ran."""
    with pytest.raises(Misconfigured, match="version"):
        PresidioDetector(_Analyzer(), "")


def test_presidio_itself_fits() -> None:
    """Presidio's own engine and recognizers work as a detector, with offsets in characters."""
    presidio = pytest.importorskip("presidio_analyzer", reason="the extra `presidio` is not installed")
    spacy = pytest.importorskip("spacy", reason="the extra `presidio` is not installed")
    engine = presidio.nlp_engine.SpacyNlpEngine()
    engine.nlp = {"en": spacy.blank("en")}
    registry = presidio.RecognizerRegistry(supported_languages=["en"])
    ticket = presidio.Pattern("ticket", r"\bTCK-\d{4}\b", 0.9)
    registry.add_recognizer(presidio.PatternRecognizer(supported_entity="TICKET", patterns=[ticket]))
    analyzer = presidio.AnalyzerEngine(registry=registry, nlp_engine=engine, supported_languages=["en"])
    redactor = Redactor(detectors=[PresidioDetector(analyzer, "blank-1")])
    assert redactor.redact("é😀 TCK-1234 of a@example.com", numbering()).text == "é😀 ⟨ticket:1⟩ of ⟨email:1⟩"
