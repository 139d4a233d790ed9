"""Rules for postal addresses: street and number in the forms of seven countries, with the town where it follows.

What makes an address recognizable is the kind of street ("Lane", "-straße", "rue") beside a house number. Houses
without a number, and streets that say no kind ("Unter den Linden 5", "12 Broadway"), are not found in prose; the
value of a field that is called an address is, in JSON.
"""

from __future__ import annotations

from ledger.redaction.finding import Classification
from ledger.redaction.fragments import CAPITAL, EDGE, GLUE, LETTER, TOWN, WORD, trigger
from ledger.redaction.rule import Rule

_CLASS: Classification = "confidential"

_ENGLISH = (
    r"Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Drive|Dr|Lane|Ln|Court|Ct|Parkway|Pkwy|Way|Place|Pl|Terrace|Close|"
    r"Crescent|Gardens|Square|Sq|Circle|Cir|Highway|Hwy|Trail|Grove|Mews|Row|Walk"
)
_UNIT = r"(?:,? ?(?:(?:Apt|Apartment|Suite|Ste|Unit|Flat|Floor|Room)\.? ?#?[A-Za-z0-9-]{1,6}|#[A-Za-z0-9-]{1,6}))?"
_UK_CODE = r"[A-Z]{1,2}[0-9][A-Z0-9]? [0-9][A-Z]{2}"
_US_CODE = r"(?:[A-Z]{2},? )?[0-9]{5}(?:-[0-9]{4})?"
_GERMAN = r"straße|strasse|str\.|weg|platz|allee|gasse|damm|ufer|chaussee"
_GERMAN_FIRST = r"(?:(?:Am|An der|An den|Im|In der|Zum|Zur|Auf der) )?"
_DUTCH = r"straat|laan|plein|gracht|kade|dijk|singel"
_FRENCH = r"rue|avenue|av\.|boulevard|bd|place|chemin|impasse|allée|quai|cours|square|passage"
_SPANISH = r"calle|c/|avenida|avda\.?|plaza|paseo|camino|carrera|ronda|travesía"
_ITALIAN = r"Via|Viale|Piazza|Corso|Largo|Vicolo|Piazzale"
_OF = r"(?:(?:de la|de las|de los|del|de|des|du|della|delle|dei|degli|di|la|le|les) |de l'|d'|l'|dell')?"
_NAME = rf"{_OF}{WORD}(?:[ -]{_OF}{WORD}){{0,3}}"
_POST = r"zip(?:[ _-]?code)?|postal[ _-]?code|post[ _-]?code|plz|postleitzahl|code[ _-]postal|código[ _-]postal"
_POST_CAMEL = r"Zip(?:Code)?|Post(?:al)?Code|Plz|PLZ"
_FIELD = (
    r"(?:street|postal|home|billing|shipping|mailing)?[_ -]?address(?:[_ -]?line)?[_ -]?[0-9]?|"
    r"street|strasse|straße|adresse|direccion|indirizzo"
)
_BOX = r"(?i:\bp\.? ?o\.? box|\bpostfach|\bboîte postale|\bapartado)"
_QUOTE = r"\\*[\"']+"


def _address(name: str, pattern: str, starts: str, check: str = "") -> Rule:
    return Rule(f"address.{name}", "address", pattern, _CLASS, trigger=starts, check=check, normal="words")


def _then(code: str) -> str:
    """A code and a town, on the same line or the next."""
    return rf"(?:[,\n]\s*{code} {TOWN})?"


ADDRESSES: tuple[Rule, ...] = (
    _address(
        "english",
        r"(?:\b(?:Flat|Apt|Unit) [0-9A-Z]{1,5},? )?\b[0-9]{1,6}[A-Za-z]?(?:-[0-9]{1,4})? (?:[NSEW]\.? )?"
        rf"(?:(?:[{CAPITAL}]|[0-9]{{1,3}}(?:st|nd|rd|th)\b)[{LETTER}'.-]*,? ){{1,4}}?"
        rf"(?:{_ENGLISH})\b\.?(?: (?:[NS]?[EW]|[NS])\b)?{_UNIT}"
        rf"(?:[,\n]\s*{TOWN},? (?:{_US_CODE}|{_UK_CODE}))?",
        rf" (?:{_ENGLISH})\b",
    ),
    _address(
        "box",
        rf"{_BOX} [0-9]{{1,6}}(?:[,\n]\s*{TOWN},? (?:{_US_CODE}|{_UK_CODE}))?",
        rf"{_BOX} [0-9]",
    ),
    _address(
        "german",
        rf"{_GERMAN_FIRST}(?:[{CAPITAL}][{LETTER}-]*(?:{_GERMAN})|(?:{WORD}[ -]){{1,2}}(?i:{_GERMAN}))"
        rf" [0-9]{{1,4}}(?:-[0-9]{{1,4}})?(?: ?[a-hA-H]\b)?{_then('(?:D-)?[0-9]{4,5}')}",
        rf"(?i:{_GERMAN}) [0-9]",
    ),
    _address(
        "dutch",
        rf"\b[{CAPITAL}][{LETTER}-]*(?:{_DUTCH}|weg) [0-9]{{1,4}}(?: ?[a-zA-Z]\b)?{_then('[0-9]{4} ?[A-Z]{2}')}",
        rf"(?:{_DUTCH}|weg) [0-9]",
    ),
    _address(
        "french",
        rf"\b[0-9]{{1,4}}(?: ?(?:bis|ter|quater))?,? (?i:{_FRENCH}) {_NAME}{_then('[0-9]{5}')}",
        rf"(?i:(?:[0-9]|bis|ter),? (?:{_FRENCH}) )",
    ),
    _address(
        "spanish",
        rf"(?i:\b(?:{_SPANISH})) ?{_NAME},? ?(?i:n[º°]\.? ?|núm\.? ?|#)?[0-9]{{1,4}}\b"
        rf"(?:, ?[0-9]{{1,2}}[º°ª](?: ?[A-Z]\b)?)?{_then('[0-9]{5}')}",
        trigger(_SPANISH),
    ),
    _address(
        "italian",
        rf"\b(?:{_ITALIAN}) {_NAME},? [0-9]{{1,4}}\b(?:/[A-Za-z]\b)?{_then('[0-9]{5}')}",
        rf"\b(?:{_ITALIAN}) ",
    ),
    _address(
        "field",
        rf"(?i:[\"'][a-z0-9_ .-]*(?:{_FIELD}){_QUOTE})\s?:\s?{_QUOTE}([^\"'\\\n]+)",
        rf"(?i:(?:{_FIELD}){_QUOTE}\s?:)",
        "street",
    ),
    _address(
        "postcode",
        rf"{trigger(_POST, _POST_CAMEL)}{GLUE}"
        rf"((?:[A-Z]-)?[0-9]{{4,5}}(?:-[0-9]{{3,4}})?|{_UK_CODE}|[0-9]{{4}} ?[A-Z]{{2}}){EDGE}",
        trigger(_POST, _POST_CAMEL),
    ),
)
