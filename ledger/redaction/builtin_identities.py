"""Rules for payment and identity numbers: cards, IBAN, and the documented list of national ids (docs/REDACTION.md).

A number with a strong check, or in a written form that nothing else has, is found wherever it stands. A bare row of
digits with a weak check is found only where a word announces it.
"""

from __future__ import annotations

from ledger.redaction.fragments import AFTER, BEFORE, EDGE, announced, trigger, whole
from ledger.redaction.rule import Rule

_SSN = r"ssn|social[ _-]?security(?:[ _-]?(?:number|no\.?|#))?"
_SSN_CAMEL = r"Ssn|SSN|SocialSecurity(?:Number|No)?"
_BSN = r"bsn|burgerservicenummer|sofi-?nummer"
_PERSONNUMMER = r"personnummer|personnr|pnr|samordningsnummer"
_CPF = r"cpf(?:/mf)?|cadastro de pessoas? físicas?"
# `uid` at the end of a name (`user_uid`) is a program's own number.
_AADHAAR = r"aadhaar|aadhar|uidai|\buid"
_AADHAAR_NATIVE = r"आधार"
_HETU = r"hetu(?:ni)?|henkilötunnus"
_SIN = r"sin|social[ _-]?insurance(?:[ _-]?(?:number|no\.?))?|nas|numéro d'assurance sociale"


# What may stand between the groups of a card's number; a line break written as an escape is two in the view.
_SIGNS = r"[ \t\r\n.+_-]"
_APART = rf"{_SIGNS}{{1,4}}"


# Shapes by which a number's rules are tried. They know digits only as such: a trigger that told first digits apart
# would multiply the states of the one automaton that looks for all of them.
def _bare(count: str) -> str:
    return rf"{BEFORE}[0-9]{{{count}}}{AFTER}"


def _identity(type_: str, pattern: str, starts: str, name: str = "") -> Rule:
    return Rule(name or type_, type_, pattern, "restricted", trigger=starts, check=type_, normal="compact")


IDENTITIES: tuple[Rule, ...] = (
    # Announced by a word: these stand first, so that the word decides where two kinds of number look the same.
    _identity(
        "us_ssn",
        announced(_SSN, r"[0-9]{3}[ .+-]?[0-9]{2}[ .+-]?[0-9]{4}", _SSN_CAMEL, EDGE),
        trigger(_SSN, _SSN_CAMEL),
        "us_ssn.announced",
    ),
    _identity("br_cpf", announced(_CPF, r"[0-9]{11}", after=EDGE), trigger(_CPF), "br_cpf.announced"),
    _identity(
        "in_aadhaar", announced(_AADHAAR, r"[2-9][0-9]{11}", after=EDGE), trigger(_AADHAAR), "in_aadhaar.announced"
    ),
    _identity(
        "se_personnummer",
        announced(_PERSONNUMMER, r"(?:19|20)?[0-9]{6}[-+]?[0-9]{4}", after=EDGE),
        trigger(_PERSONNUMMER),
        "se_personnummer.announced",
    ),
    _identity("nl_bsn", announced(_BSN, r"(?:[0-9]{8,9}|[0-9]{4}\.[0-9]{2}\.[0-9]{3})", after=EDGE), trigger(_BSN)),
    _identity("ca_sin", announced(_SIN, r"[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{3}", after=EDGE), trigger(_SIN)),
    _identity(
        "fi_hetu",
        announced(_HETU, r"[0-3][0-9][01][0-9]{3}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]", after=EDGE),
        trigger(_HETU),
        "fi_hetu.announced",
    ),
    # Wherever they stand.
    _identity(
        "card",
        whole(
            rf"[2-6][0-9]{{3}}{_APART}[0-9]{{4}}{_APART}[0-9]{{4}}{_APART}[0-9]{{4}}(?:{_APART}[0-9]{{3}})?"
            rf"|3[47][0-9]{{2}}{_APART}[0-9]{{6}}{_APART}[0-9]{{5}}|3[0689][0-9]{{2}}{_APART}[0-9]{{6}}{_APART}[0-9]{{4}}"
            r"|[2-6][0-9]{12,18}"
        ),
        rf"{BEFORE}[2-6][0-9]{{12,18}}{AFTER}|"
        rf"[0-9]{{4}}{_SIGNS}+(?:[0-9]{{4}}{_SIGNS}+[0-9]{{4}}|[0-9]{{6}}){_SIGNS}+[0-9]{{4}}",
    ),
    _identity(
        "iban",
        rf"(?i){EDGE}([A-Z]{{2}}[0-9]{{2}}(?:[ .+_-]{{0,2}}[A-Z0-9]){{11,30}})",
        rf"{BEFORE}[A-Za-z]{{2}}[0-9]{{2}}[ .+_-]{{0,2}}[A-Za-z0-9]{{4}}[ .+_-]{{0,2}}[A-Za-z0-9]{{4}}",
    ),
    _identity("cn_resident_id", whole(r"[1-9][0-9]{16}[0-9Xx]"), r"[0-9]{17}"),
    _identity(
        "fr_nir",
        whole(r"[12] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}"),
        rf"{_bare('15')}|[0-9]{{5}}2[AB]|[0-9] [0-9]{{2}} [0-9]{{2}} [0-9]",
    ),
    _identity("ch_ahv", whole(r"756(?:\.[0-9]{4}\.[0-9]{4}\.[0-9]{2}|[0-9]{10})"), r"756(?:[0-9]{10}|\.[0-9]{4}\.)"),
    _identity(
        "it_codice_fiscale",
        whole(r"(?i:[A-Z]{6}[0-9LMNP-V]{2}[A-EHLMPRST][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z])"),
        rf"{BEFORE}(?i:[A-Z]{{6}}[0-9LMNP-V]{{2}}[A-EHLMPRST][0-9LMNP-V]{{2}}[A-Z][0-9LMNP-V]{{3}}[A-Z])",
    ),
    _identity("us_ssn", whole(r"[0-9]{3}-[0-9]{2}-[0-9]{4}"), r"[0-9]{3}-[0-9]{2}-[0-9]{4}"),
    _identity(
        "uk_nino",
        whole(r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D]"),
        r"[A-Z]{2} ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-Z]",
    ),
    _identity(
        "be_national_number", whole(r"[0-9]{2}\.[0-9]{2}\.[0-9]{2}-[0-9]{3}\.[0-9]{2}"), r"\.[0-9]{2}-[0-9]{3}\."
    ),
    _identity(
        "fi_hetu",
        whole(r"[0-3][0-9][01][0-9]{3}[-+A-FU-Y][0-9]{3}[0-9A-FHJ-NPR-Y]"),
        rf"{BEFORE}[0-9]{{6}}[-+A-FU-Y][0-9]{{3}}[0-9A-Y]{AFTER}",
    ),
    _identity(
        "es_dni",
        whole(r"(?:[0-9]{2}\.[0-9]{3}\.[0-9]{3}|[0-9]{8}|[XYZ][ -]?[0-9]{7})[ -]?[A-HJ-NP-TV-Z]"),
        r"(?:[0-9]{8}|[XYZ][ -]?[0-9]{7})[ -]?[A-Z]\b|\.[0-9]{3}\.[0-9]{3}[ -]?[A-Z]",
    ),
    _identity("br_cpf", whole(r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"), r"\.[0-9]{3}\.[0-9]{3}-[0-9]{2}"),
    _identity("in_aadhaar", whole(r"[2-9][0-9]{3}[ -][0-9]{4}[ -][0-9]{4}"), r"[0-9]{4}[ -][0-9]{4}[ -][0-9]{4}"),
    _identity(
        "in_aadhaar", rf"{_AADHAAR_NATIVE}[^0-9\n]*([2-9][0-9]{{11}}){EDGE}", _AADHAAR_NATIVE, "in_aadhaar.native"
    ),
    _identity(
        "se_personnummer",
        whole(r"(?:19|20)?[0-9]{6}[-+][0-9]{4}"),
        rf"{BEFORE}(?:[0-9]{{6}}|[0-9]{{8}})[-+][0-9]{{4}}{AFTER}",
    ),
    _identity("pl_pesel", whole(r"[0-9]{11}"), _bare("11")),
    _identity(
        "de_tax_id",
        whole(r"(?:[1-9][0-9]{10}|[1-9][0-9] [0-9]{3} [0-9]{3} [0-9]{3})"),
        rf"{_bare('11')}|[0-9] [0-9]{{3}} [0-9]{{3}} [0-9]{{3}}",
    ),
)
