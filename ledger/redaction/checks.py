"""What a pattern cannot say about a value: check digits, dates, neighbours.

A check is given the bytes of the matching view and the span of a candidate, and answers the span of the value (which
may be shorter), or None where it is none. Its cost is bounded by the length of the candidate and a constant number of
bytes around it. Rules name checks; a check whose answers change gets a new name (`card/2`), so that the digest of a
rule pack says what ran.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from ledger.redaction import checksums
from ledger.redaction import identity_numbers as numbers
from ledger.redaction.phone_numbers import announced, international, national

Span = tuple[int, int]
Check = Callable[[bytes, int, int], Span | None]

_DIGITS = frozenset(b"0123456789")
_HEX_DIGITS = frozenset(b"0123456789abcdefABCDEF")
_CARD_SIGNS = re.compile(rb"[^0-9]+")
_JOINERS = frozenset(b"-.,/+:")
_IBAN_PAIRS = (
    "AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DJ:27 "
    "DK:18 DO:28 EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HN:28 HR:21 HU:28 "
    "IE:22 IL:23 IQ:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 "
    "MK:19 MN:20 MR:27 MT:31 MU:30 NI:28 NL:18 NO:15 OM:23 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 RU:33 SA:24 "
    "SC:31 SD:18 SE:24 SI:19 SK:24 SM:27 SO:23 ST:25 SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20 YE:30"
)
_IBAN_LENGTHS = {pair[:2]: int(pair[3:]) for pair in _IBAN_PAIRS.split(" ")}


def stands_alone(view: bytes, start: int, end: int) -> bool:
    """Whether digits at [start, end) are not part of a longer number: a decimal, a longer code, a dotted version."""
    if start >= 2 and view[start - 1] in _JOINERS and view[start - 2] in _DIGITS:
        return False
    return not (end + 1 < len(view) and view[end] in b"-.,/" and view[end + 1] in _DIGITS)


def compact(view: bytes, start: int, end: int) -> str:
    """The candidate without separators, in capitals; "" where it is not ASCII."""
    raw = view[start:end]
    if not raw.isascii():
        return ""
    return "".join(filter(str.isalnum, raw.decode("ascii").upper()))


def _numbered(test: Callable[[str], bool]) -> Check:
    """A check of the compact form, for a number that stands alone."""

    def check(view: bytes, start: int, end: int) -> Span | None:
        if not stands_alone(view, start, end):
            return None
        number = compact(view, start, end)
        return (start, end) if number and test(number) else None

    return check


def _iban(view: bytes, start: int, end: int) -> Span | None:
    """Cut to its country's length: what follows in the same breath ("… 00 bitte") is not part of it."""
    land = view[start : start + 2].decode("ascii", "replace").upper()
    length = int(_IBAN_LENGTHS.get(land, 0))
    count = 0
    for place in range(start, end):
        if chr(view[place]).isalnum():
            count += 1
            if count == length:
                after = view[place + 1 : place + 2]
                if after.isalnum() or not checksums.mod97(compact(view, start, place + 1)):
                    return None
                return start, place + 1
    return None


def _fi_hetu(view: bytes, start: int, end: int) -> Span | None:
    raw = view[start:end].decode("ascii", "replace").upper()
    if not stands_alone(view, start, end) or not numbers.is_date(int(raw[4:6]), int(raw[2:4]), int(raw[:2])):
        return None
    return (start, end) if checksums.hetu(raw) else None


def _ipv4(view: bytes, start: int, end: int) -> Span | None:
    """Not a version ("version 1.2.3.4", "Chrome/120.0.0.0", "v1.2.3.4"), a section number, or this machine itself."""
    in_range = _RANGE_END.match(view, end) or _RANGE_START.search(view, max(0, start - 16), start)
    if not in_range:
        joined = view[start - 1 : start]
        if joined in (b"/", b"-", b".") and start >= 2 and chr(view[start - 2]).isalnum():
            return None
        if view[end : end + 1] in (b".", b"-") and view[end + 1 : end + 2].isalnum():
            return None
    before = view[max(0, start - 20) : start].decode("utf-8", "replace").lower().rstrip(" :=\"'\\([")
    if before.endswith(
        ("version", "ver", "ver.", " v", "section", "sec.", "§", "chapter", "clause", "build", "release")
    ):
        return None
    text = view[start:end]
    if text.startswith((b"127.", b"0.")) or text == b"255.255.255.255":
        return None
    return start, end


def _follows_group(view: bytes, start: int) -> bool:
    """Whether a hexadecimal group of the same row stands before: "ab:" does, the label in "mac:" does not."""
    if start < 1 or view[start - 1] not in b":-.":
        return False
    at = start - 1
    while at > 0 and start - at < 8 and chr(view[at - 1]).isalnum():
        at -= 1
    group = view[at : start - 1]
    return bool(group) and all(each in _HEX_DIGITS for each in group)


def _ipv6(view: bytes, start: int, end: int) -> Span | None:
    """A real address with a digit in it: `ad::be` is a name in a program."""
    if view[end : end + 1] in (b":", b"_") or view[start - 1 : start] in (b".", b"_") or _follows_group(view, start):
        return None
    text = view[start:end].decode("ascii")
    if len(text) < 6 or not any(each.isdigit() for each in text):
        return None
    try:
        found = ipaddress.IPv6Address(text)
    except ValueError:
        return None
    return None if found.is_loopback or found.is_unspecified else (start, end)


def _mac(view: bytes, start: int, end: int) -> Span | None:
    """Six pairs and no more: a longer row of pairs is a fingerprint."""
    if _follows_group(view, start):
        return None
    if view[end : end + 1] in (b":", b"-", b".") and view[end + 1 : end + 2].isalnum():
        return None
    return (start, end) if end - start <= 17 and len(set(view[start:end])) > 3 else None


def _email(view: bytes, start: int, end: int) -> Span | None:
    """Not the end of a credential in a URL, the account of a host (`ssh://git@…`), nor a file name (`logo@2x.png`)."""
    while view[start : start + 1] in (b".", b"-", b"'", b"%", b"+"):
        start += 1
    text = view[start:end]
    last = text.rsplit(b".", 1)[-1].lower()
    if last in _FILE_ENDINGS or view[start : start + 1] == b"@":
        return None
    if last in _FILE_ENDINGS_TOO and (_VERSIONED.search(text) or not text[:1].isalpha()):
        return None
    whole = _LOCAL_PART.search(view, max(0, start - 64), start)
    local = start if whole is None else whole.start()
    before = view[max(0, local - 100) : local]
    if (
        before.endswith(b"://")
        and not before[:-3].lower().endswith(_MAIL_SCHEMES)
        and b"." not in view[local:end].partition(b"@")[0]
    ):
        return None
    scheme = before.rfind(b"://")
    if scheme >= 0 and b":" in before[scheme + 3 :] and not any(each in b" /\n\t\"'" for each in before[scheme + 3 :]):
        return None
    return start, end


# A name or a call in a program: `password = url_user_password`, `self._password`, `prompt(`.
_CODE = re.compile(rb"(?:self\.|[A-Za-z_][A-Za-z0-9_.]*\(|[A-Za-z_.]*password[A-Za-z_]*$)", re.IGNORECASE)
_RANGE_START = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}-\Z")
_RANGE_END = re.compile(rb"-[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_FILE_ENDINGS = frozenset(b"png jpg jpeg gif svg webp ico css js ts json html pdf tar gz exe".split())
# Endings of files that are top-level domains too, and what tells a file then: a size or version behind the sign.
_FILE_ENDINGS_TOO = frozenset((b"py", b"zip"))
_VERSIONED = re.compile(rb"(?:@|%40)v?[0-9]")
_LOCAL_PART = re.compile(rb"[A-Za-z0-9_.%+'~^-]+\Z")
_MAIL_SCHEMES = (b"mailto", b"sip", b"sips", b"xmpp", b"im", b"acct", b"smtp", b"skype")
_NO_SECRET = frozenset(
    b"required null none nil true false string text password passwort secret token optional undefined hidden redacted "
    b"example changeme empty missing invalid incorrect wrong expired reset field input type env and or the is".split()
)


def _secret(view: bytes, start: int, end: int) -> Span | None:
    """A value given, not a word about passwords: no placeholder, mask, variable or schema word."""
    while start < end and view[start] in b"([":
        start += 1
    while end > start and view[end - 1] in b".,;:)]}\\":
        end -= 1
    text = view[start:end]
    if len(text) < 4 or text.lower() in _NO_SECRET or text[:1] in b"<{$%" or _CODE.match(text) or len(set(text)) < 3:
        return None
    return start, end


def _secret_word(view: bytes, start: int, end: int) -> Span | None:
    """Where the sentence alone names it a secret, it must look like one: a digit or a sign among its letters."""
    span = _secret(view, start, end)
    if span is None:
        return None
    text = view[span[0] : span[1]].rstrip(b".!?")
    return span if not text.isalpha() and any(not chr(each).isalpha() and each < 128 for each in text) else None


def _token(view: bytes, start: int, end: int) -> Span | None:
    """A token is long and mixed: `max_tokens=4096` and `token: count` are not."""
    span = _secret(view, start, end)
    text = view[start:end]
    mixed = any(each in _DIGITS for each in text) and any(chr(each).isalpha() for each in text)
    return span if span is not None and len(text) >= 12 and mixed else None


def _street(view: bytes, start: int, end: int) -> Span | None:
    """The value of an address field: words and a number, not a host, a link or a key."""
    text = view[start:end]
    spaced = b" " in text.strip() and b"://" not in text and b"@" not in text
    return (start, end) if spaced and any(each in _DIGITS for each in text) else None


def _card(view: bytes, start: int, end: int) -> Span | None:
    """Blanks, line breaks and hyphens, or the same signs throughout, stand between the groups.

    Four groups of four and three digits more are a card of 19 digits, or one of 16 and something else.
    """
    signs = list(_CARD_SIGNS.finditer(view, start, end))
    found = _numbered(numbers.card)(view, start, end) if _alike(signs) else None
    if found is None and len(signs) == 4 and _alike(signs[:3]):
        found = _numbered(numbers.card)(view, start, signs[3].start())
    return found


def _alike(signs: list[re.Match[bytes]]) -> bool:
    """Whether these can be what parts the groups of one number."""
    return len({each.group() for each in signs}) <= 1 or not b"".join(each.group() for each in signs).strip(b" \t\r\n-")


def _phone(read: Callable[[str], list[int]], after_word: bool = False) -> Check:
    """`read` answers how many characters from the start can be a telephone number, the best first.

    Letters right before it are those of the announcing word where there is one (`after_word`: "Tel+49…").
    """

    def check(view: bytes, start: int, end: int) -> Span | None:
        if start >= 1 and ((view[start - 1 : start].isalnum() and not after_word) or view[start - 1] in b"+"):
            return None
        if start >= 2 and view[start - 1] in _JOINERS and view[start - 2] in _DIGITS:
            return None
        if start >= 2 and view[start - 1 : start] == b"-" and chr(view[start - 2]).isalnum():
            return None
        for length in read(view[start:end].decode("ascii")):
            after = view[start + length : start + length + 2]
            extension = after[:1] == b"x" and after[1:].isdigit()
            if extension or not (
                after[:1].isalnum() or (after[:1] in (b"-", b".", b"/", b":") and after[1:].isdigit())
            ):
                return start, start + length
        return None

    return check


CHECKS: dict[str, Check] = {
    "alone": _numbered(lambda number: True),
    "card": _card,
    "iban": _iban,
    "us_ssn": _numbered(numbers.us_ssn),
    "uk_nino": _numbered(numbers.uk_nino),
    "de_tax_id": _numbered(numbers.de_tax_id),
    "fr_nir": _numbered(checksums.nir),
    "es_dni": _numbered(checksums.dni),
    "it_codice_fiscale": _numbered(checksums.codice_fiscale),
    "nl_bsn": _numbered(lambda number: int(number) > 0 and checksums.dutch_eleven(number)),
    "pl_pesel": _numbered(numbers.pl_pesel),
    "se_personnummer": _numbered(numbers.se_personnummer),
    "br_cpf": _numbered(checksums.cpf),
    "in_aadhaar": _numbered(checksums.verhoeff),
    "ch_ahv": _numbered(checksums.ean13),
    "be_national_number": _numbered(numbers.be_national_number),
    "fi_hetu": _fi_hetu,
    "cn_resident_id": _numbered(numbers.cn_resident_id),
    "ca_sin": _numbered(checksums.luhn),
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "mac": _mac,
    "email": _email,
    "secret": _secret,
    "secret_word": _secret_word,
    "token": _token,
    "street": _street,
    "phone_international": _phone(international),
    "phone_national": _phone(national),
    "phone_announced": _phone(announced, after_word=True),
    **{name: _numbered(numbers.bounded(test, name == "mod97")) for name, test in checksums.OF_DIGITS.items()},
}
