"""Rules for payment and identity numbers: cards, IBAN, and the documented list of national ids (docs/REDACTION.md).

A number with a strong check, or in a written form that nothing else has, is found wherever it stands. A bare row of
digits with a weak check is found only where a word announces it.
"""

from __future__ import annotations

from ledger.redaction.fragments import AFTER, BEFORE, announced, trigger
from ledger.redaction.rule import Rule

_SSN = r"ssn|social[ _-]?security(?:[ _-]?(?:number|no\.?|#))?"
_BSN = r"bsn|burgerservicenummer|sofi-?nummer"
_PERSONNUMMER = r"personnummer|personnr|pnr|samordningsnummer"
_CPF = r"cpf(?:/mf)?|cadastro de pessoas? físicas?"
_AADHAAR = r"aadhaar|aadhar|uidai|uid"
_AADHAAR_NATIVE = r"आधार"
_HETU = r"hetu(?:ni)?|henkilötunnus"
_SIN = r"sin|social[ _-]?insurance(?:[ _-]?(?:number|no\.?))?|nas|numéro d'assurance sociale"


# Shapes by which a number's rules are tried. They know digits only as such: a trigger that told first digits apart
# would multiply the states of the one automaton that looks for all of them.
def _bare(count: str) -> str:
    return rf"{BEFORE}[0-9]{{{count}}}{AFTER}"


def _identity(type_: str, pattern: str, starts: str, name: str = "") -> Rule:
    return Rule(name or type_, type_, pattern, "restricted", trigger=starts, check=type_, normal="compact")


IDENTITIES: tuple[Rule, ...] = (
    # Announced by a word: these stand first, so that the word decides where two kinds of number look the same.
    _identity("us_ssn", announced(_SSN, r"[0-9]{3}[ -]?[0-9]{2}[ -]?[0-9]{4}\b"), trigger(_SSN), "us_ssn.announced"),
    _identity("br_cpf", announced(_CPF, r"[0-9]{11}\b"), trigger(_CPF), "br_cpf.announced"),
    _identity("in_aadhaar", announced(_AADHAAR, r"[2-9][0-9]{11}\b"), trigger(_AADHAAR), "in_aadhaar.announced"),
    _identity(
        "se_personnummer",
        announced(_PERSONNUMMER, r"(?:19|20)?[0-9]{6}[-+]?[0-9]{4}\b"),
        trigger(_PERSONNUMMER),
        "se_personnummer.announced",
    ),
    _identity("nl_bsn", announced(_BSN, r"(?:[0-9]{8,9}|[0-9]{4}\.[0-9]{2}\.[0-9]{3})\b"), trigger(_BSN)),
    _identity("ca_sin", announced(_SIN, r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}\b"), trigger(_SIN)),
    _identity(
        "fi_hetu",
        announced(_HETU, r"[0-3][0-9][01][0-9]{3}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]\b"),
        trigger(_HETU),
        "fi_hetu.announced",
    ),
    # Wherever they stand.
    _identity(
        "card",
        r"\b(?:[2-6][0-9]{3}[- ][0-9]{4}[- ][0-9]{4}[- ][0-9]{4}(?:[- ][0-9]{3})?"
        r"|3[47][0-9]{2}[- ][0-9]{6}[- ][0-9]{5}|3[0689][0-9]{2}[- ][0-9]{6}[- ][0-9]{4}"
        r"|[2-6][0-9]{12,18})\b",
        rf"{BEFORE}[2-6][0-9]{{12,18}}{AFTER}|[0-9]{{4}}[- ](?:[0-9]{{4}}[- ][0-9]{{4}}|[0-9]{{6}})[- ][0-9]{{4}}",
    ),
    _identity(
        "iban",
        r"(?i)\b[A-Z]{2}[0-9]{2}(?:[ -]?[A-Z0-9]){11,30}",
        rf"{BEFORE}[A-Za-z]{{2}}[0-9]{{2}}[ -]?[A-Za-z0-9]{{4}}[ -]?[A-Za-z0-9]{{4}}",
    ),
    _identity("cn_resident_id", r"\b[1-9][0-9]{16}[0-9Xx]\b", r"[0-9]{17}"),
    _identity(
        "fr_nir",
        r"\b[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}\b",
        rf"{_bare('15')}|[0-9]{{5}}2[AB]|[0-9] [0-9]{{2}} [0-9]{{2}} [0-9]",
    ),
    _identity("ch_ahv", r"\b756(?:\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}|[0-9]{10})\b", r"756(?:[0-9]{10}|\.[0-9]{4}\.)"),
    _identity(
        "it_codice_fiscale",
        r"\b(?i:[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z])\b",
        rf"{BEFORE}(?i:[A-Z]{{6}}[0-9LMNP-V]{{2}}[A-EHLMPRST][0-9LMNP-V]{{2}}[A-Z][0-9LMNP-V]{{3}}[A-Z])",
    ),
    _identity("us_ssn", r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b", r"[0-9]{3}-[0-9]{2}-[0-9]{4}"),
    _identity(
        "uk_nino",
        r"\b[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]\b",
        r"[A-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Z]",
    ),
    _identity("be_national_number", r"\b[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}\b", r"\.[0-9]{2}-[0-9]{3}\."),
    _identity(
        "fi_hetu",
        r"\b[0-3][0-9][01][0-9]{3}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]\b",
        rf"{BEFORE}[0-9]{{6}}[-+A-FU-Y][0-9]{{3}}[0-9A-Y]{AFTER}",
    ),
    _identity(
        "es_dni",
        r"\b(?:[0-9]{2}\.[0-9]{3}\.[0-9]{3}|[0-9]{8}|[XYZ][ -]?[0-9]{7})[ -]?[A-HJ-NP-TV-Z]\b",
        r"(?:[0-9]{8}|[XYZ][ -]?[0-9]{7})[ -]?[A-Z]\b|\.[0-9]{3}\.[0-9]{3}[ -]?[A-Z]",
    ),
    _identity("br_cpf", r"\b[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}\b", r"\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"),
    _identity("in_aadhaar", r"\b[2-9][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}\b", r"[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}"),
    _identity("in_aadhaar", rf"{_AADHAAR_NATIVE}[^0-9\n]*([2-9][0-9]{{11}})\b", _AADHAAR_NATIVE, "in_aadhaar.native"),
    _identity(
        "se_personnummer",
        r"\b(?:19|20)?[0-9]{6}[-+][0-9]{4}\b",
        rf"{BEFORE}(?:[0-9]{{6}}|[0-9]{{8}})[-+][0-9]{{4}}{AFTER}",
    ),
    _identity("pl_pesel", r"\b[0-9]{11}\b", _bare("11")),
    _identity(
        "de_tax_id",
        r"\b(?:[1-9][0-9]{10}|[1-9][0-9] [0-9]{3} [0-9]{3} [0-9]{3})\b",
        rf"{_bare('11')}|[0-9] [0-9]{{3}} [0-9]{{3}} [0-9]{{3}}",
    ),
)
