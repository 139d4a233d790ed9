"""Rules for ways to reach or tell a person: e-mail, telephone, network addresses, birth dates."""

from __future__ import annotations

from ledger.redaction.finding import Classification
from ledger.redaction.fragments import BEFORE, EDGE, GLUE, LETTER, trigger, whole
from ledger.redaction.rule import Rule

_CLASS: Classification = "confidential"
_LOCAL_SIGNS = r"0-9_.%+'~^-"
# Letters of scripts written without blanks and of others beyond `LETTER`: as a name before the sign of an address only.
_OTHER = r"\x{530}-\x{1FFF}\x{3040}-\x{30FF}\x{3400}-\x{4DBF}\x{4E00}-\x{9FFF}\x{AC00}-\x{D7AF}"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]{1,2})"
_HEX = r"[0-9A-Fa-f]{1,4}"
_PAIR = r"[0-9A-Fa-f]{2}"
# Where a row of pairs or groups begins: not after another pair, but after a label ("mac:").
_ROW = r"(?:^|[^0-9A-Za-z:-]|(?:^|[^0-9A-Fa-f])[:-]|[G-Zg-z][0-9A-Fa-f]*[:-])"
_MAC_TRIGGER = rf"{_ROW}{_PAIR}(?:(?:[:-]{_PAIR}){{5}}[:-]?(?:[^:0-9A-Za-z-]|$)|{_PAIR}\.{_PAIR}{_PAIR}\.)"

_PHONE_WORDS = (
    r"(?:tele)?phone(?:[ _-]?(?:numbers?|no\.?)|s)?|cell(?:phone)?|mobile(?:[ _-]?numbers?|s)?|whatsapp|wa\.me|"
    r"fax|sms|msisdn|(?:my|home|work|office|contact) number|"
    r"call(?: me)?(?: back)?(?: at| on)|reach me(?: at| on)|tel(?:efon(?:nummer)?)?|handy(?:nummer)?|mobil(?:nummer)?|"
    r"rufnummer|téléphone|tél|portable|teléfono|telefono|móvil|movil|celular|cellulare|telefone|telemóvel|telefoon|komórka"
)
# The number of a field ("phone_2").
_NTH = r"(?:[_-]?[0-9][\"'\\]*\s?[:=])?"
_PHONE_CAMEL = r"(?:Tele|Cell)?[Pp]hone(?:Numbers?|No|s)?|Mobile(?:Numbers?|No)?|Cell|Fax|Tel|Msisdn"
# Where a number ends: `x55` is an extension.
_PHONE_END = r"(?:\b|_|x[0-9])"
_CALL = r"\b(?:call|dial|ring|text)(?: (?:me|us|him|her|them|back)){0,2}"
_MONTHS = (
    r"jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|février|mar(?:ch)?|märz|mars|apr(?:il)?|avril|may|mai|june?|juni|juin|"
    r"july?|juli|juillet|aug(?:ust)?|août|sept?(?:ember|embre)?|o[ck]t(?:ober|obre)?|nov(?:ember|embre)?|"
    r"de[cz](?:ember)?|décembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre|diciembre|"
    r"gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre|janeiro|fevereiro|março|maio|junho|julho|"
    r"setembro|outubro|novembro|dezembro|januari|februari|maart|mei|augustus|stycznia|lutego|marca|kwietnia|maja|czerwca|"
    r"lipca|sierpnia|września|października|listopada|grudnia|maj"
)
_YEAR = r"(?:19|20)[0-9]{2}"
_DATE = (
    rf"(?:{_YEAR}[-/. ][0-9]{{1,2}}[-/. ][0-9]{{1,2}}|"
    rf"[0-9]{{1,2}} ?[-/. ] ?[0-9]{{1,2}} ?[-/. ] ?(?:{_YEAR}|[0-9]{{2}})|"
    rf"(?i:[0-9]{{1,2}}(?:st|nd|rd|th|er|\.|º)?(?: of| de)?[ -]?(?:{_MONTHS})\.?,?"
    rf"(?: de| del)?[ -]?(?:{_YEAR}|[0-9]{{2}}))|"
    rf"(?i:(?:{_MONTHS})\.? [0-9]{{1,2}}(?:st|nd|rd|th)?,? {_YEAR})|{_YEAR}[01][0-9][0-3][0-9]|"
    rf"[0-3][0-9][0-3][0-9]{_YEAR})"
)
_DATE_ASIAN = rf"{_YEAR}年[0-9]{{1,2}}月[0-9]{{1,2}}日"
# A date ends at a word's end, or where a time begins (`1980-03-12T00:00:00Z`).
_DATE_END = r"(?:\b|_|T[0-9])"
_DATED = rf"(?:({_DATE}){_DATE_END}|({_DATE_ASIAN}))"
_BORN = (
    r"born|date[ _-]?of[ _-]?birth|birth[ _-]?dates?|birth[ _-]?days?|d\.?o\.?b\.?|geboren|geburtsdatum|geburtstag|"
    r"geb\.|née?|date[ _-]de[ _-]naissance|nací|nacid[oa]|fecha[ _-]de[ _-]nacimiento|nat[oa]|data[ _-]di[ _-]nascita|"
    r"data[ _-]de[ _-]nascimento|nascid[oa]|nasci|geboortedatum|data[ _-]urodzenia|urodzon[ya]|födelsedatum|född|"
    r"fødselsdato"
)
_BORN_CAMEL = r"DateOfBirth|DOB|Do[Bb]|Birth(?:[Dd]ate|[Dd]ay)|BornOn"
_BORN_ASIAN = r"生年月日|出生日期|出生于"


def _contact(type_: str, pattern: str, normal: str, starts: str = "", check: str = "", name: str = "") -> Rule:
    return Rule(name or type_, type_, pattern, _CLASS, trigger=starts, check=check, normal=normal)


def _phone(name: str, pattern: str, starts: str = "", check: str = "phone_national") -> Rule:
    return _contact("phone", pattern, "phone", starts, check, f"phone.{name}")


CONTACTS: tuple[Rule, ...] = (
    _contact(
        "email",
        rf"(?:[{LETTER}{_LOCAL_SIGNS}]+|[{_OTHER}]{{1,12}}(?:[0-9]{{0,16}}|[._+-][{LETTER}{_LOCAL_SIGNS}]*))"
        rf"(?:@|%40)[{LETTER}0-9-]+(?:\.[{LETTER}0-9-]+)*\.[{LETTER}]{{2,24}}",
        "email",
        r"(?:@|%40)[^\s@]+\.",
        "email",
    ),
    _contact(
        "ipv6",
        rf"\b(?:{_HEX}:){{7,}}{_HEX}\b|(?:\b{_HEX}(?::{_HEX}){{0,6}})?::(?:{_HEX}(?::{_HEX}){{0,6}})?\b",
        "lower",
        rf"::[0-9A-Fa-f:]*[0-9]|[0-9][0-9A-Fa-f:]*::|{_ROW}(?:{_HEX}:){{7}}{_HEX}(?:[^:0-9A-Za-z]|$)",
        "ipv6",
    ),
    _contact(
        "mac",
        rf"\b{_PAIR}(?:(?::{_PAIR}){{5,}}|(?:-{_PAIR}){{5,}}|{_PAIR}\.{_PAIR}{_PAIR}\.{_PAIR}{_PAIR})\b",
        "compact",
        _MAC_TRIGGER,
        "mac",
    ),
    _contact("ipv4", rf"\b{_OCTET}(?:\.{_OCTET}){{3}}\b", "text", r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]", "ipv4"),
    _contact("birth_date", rf"{trigger(_BORN, _BORN_CAMEL)},?{GLUE}{_DATED}", "words", trigger(_BORN, _BORN_CAMEL)),
    _contact("birth_date", rf"(?:{_BORN_ASIAN})[\s:：\"]*{_DATED}", "words", _BORN_ASIAN, "", "birth_date.asian"),
    _contact("birth_date", rf"\b({_DATE}),? geboren", "words", " geboren", "", "birth_date.before"),
    _phone(
        "international",
        r"(?:\+ ?|\b00 ?)[1-9](?:[ ()._\-/]{0,3}[0-9]){7,16}|\+[1-9][0-9]{0,2}(?:\+[0-9]{2,8}){2,5}",
        rf"\+ ?[1-9][0-9 ()./+_-]{{6}}|{BEFORE}00 ?[1-9][0-9]",
        "phone_international",
    ),
    _phone(
        "parentheses",
        rf"((?:\b1[ .-])?\([2-9][0-9]{{2}}\) ?[2-9][0-9]{{2}}[-. ][0-9]{{4}}|\([1-9][0-9]\) ?9?[0-9]{{4}}-[0-9]{{4}}|"
        rf"\(0[1-9][0-9]{{1,4}}\) ?[0-9]{{3,8}}(?:[ -][0-9]{{2,4}}){{0,3}}){_PHONE_END}",
        r"\([0-9]{2,6}\) ?[0-9]",
    ),
    _phone(
        "american",
        rf"{EDGE}((?:1[-. ])?(?:[2-9][0-9]{{2}}-[2-9][0-9]{{2}}-[0-9]{{4}}|"
        rf"[2-9][0-9]{{2}}\.[2-9][0-9]{{2}}\.[0-9]{{4}})){_PHONE_END}",
        r"[0-9]{3}(?:-[0-9]{3}-|\.[0-9]{3}\.)[0-9]{4}",
    ),
    _phone(
        "pairs",
        whole(r"0[1-9](?:(?: [0-9]{2}){4}|(?:\.[0-9]{2}){4}|(?:-[0-9]{2}){4})"),
        rf"{BEFORE}0[1-9][-. ][0-9]{{2}}[-. ][0-9]{{2}}[-. ][0-9]{{2}}[-. ][0-9]",
    ),
    _phone(
        "trunk",
        whole(
            r"0(?:7[0-9]{3} ?[0-9]{6}|7[0-9]{3} [0-9]{3} [0-9]{3}|2[0-9] [0-9]{4} [0-9]{4}|1[0-9]{3} [0-9]{5,6}|"
            r"1[0-9]{2} [0-9]{3} [0-9]{4}|1[5-7][0-9]{1,2}[ -][0-9]{7,8}|6[- ][0-9]{8}|4[0-9]{2} [0-9]{3} [0-9]{3}|"
            r"[1-9][0-9] [0-9]{3} [0-9]{2} [0-9]{2}|[1-9][0-9]{1,4} ?/ ?[0-9]{3,8}(?:[ -][0-9]{2,4}){0,3}|"
            r"[1-9][0-9]{0,3}-[0-9]{2,4}[ -][0-9]{2,4}(?:[ -][0-9]{2,4})?)"
        ),
        r"(?:^|[^0-9A-Za-z.,:-])0[1-9][0-9]{0,4}(?:[ /-]{1,3}[0-9]{2}|[0-9]{6})",
    ),
    _phone(
        "announced",
        rf"{trigger(_PHONE_WORDS, _PHONE_CAMEL)}{_NTH}{GLUE}"
        rf"(\+?\(?[0-9](?:[ ().\-/]{{0,2}}[0-9]){{6,14}}){_PHONE_END}",
        trigger(_PHONE_WORDS, _PHONE_CAMEL),
        "phone_announced",
    ),
    _phone(
        "called",
        rf"(?i:{_CALL}) "
        rf"((?:1[ .-])?\(?[2-9][0-9]{{2}}\)?[ .-]{{0,2}}[2-9][0-9]{{2}}[ .-]{{0,2}}[0-9]{{4}}){_PHONE_END}",
        rf"(?i:{_CALL}) \(?[1-9]",
    ),
)
