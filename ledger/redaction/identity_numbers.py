"""Tests of identity numbers in compact form: ranges, dates inside them, check digits.

Each takes the letters (capitals) and digits of a candidate whose shape its rule has made sure of.
"""

from __future__ import annotations

from collections.abc import Callable

from ledger.redaction import checksums

# First digits and lengths: Mastercard and Mir, Maestro, Visa, American Express, Diners, JCB, Discover, UnionPay.
_CARD_RANGES = (
    ("4", (13, 16, 19)),
    ("34", (15,)),
    ("37", (15,)),
    ("36", (14,)),
    ("38", (14,)),
    ("39", (14,)),
    ("65", (16, 17, 18, 19)),
    ("62", (16, 17, 18, 19)),
    ("6011", (16, 17, 18, 19)),
    ("50", (16, 17, 18, 19)),
)


def is_date(year: int, month: int, day: int) -> bool:
    return (
        1 <= month <= 12
        and 1 <= day <= (31, 29 if year % 4 == 0 else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
    )


def card(number: str) -> bool:
    length = len(number)
    if length == 16 and (
        51 <= int(number[:2]) <= 55 or 2200 <= int(number[:4]) <= 2204 or 2221 <= int(number[:4]) <= 2720
    ):
        return checksums.luhn(number)
    known = any(number.startswith(prefix) and length in lengths for prefix, lengths in _CARD_RANGES)
    known = known or (length == 14 and 300 <= int(number[:3]) <= 305)
    known = known or (16 <= length <= 19 and (3528 <= int(number[:4]) <= 3589 or 644 <= int(number[:3]) <= 649))
    known = known or (16 <= length <= 19 and 56 <= int(number[:2]) <= 58)
    return known and len(set(number)) > 1 and checksums.luhn(number)


def us_ssn(number: str) -> bool:
    return number[:3] not in ("000", "666") and number[0] != "9" and number[3:5] != "00" and number[5:] != "0000"


def uk_nino(number: str) -> bool:
    return number[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")


def de_tax_id(number: str) -> bool:
    """One digit of the first ten stands twice or three times, the others once at most."""
    repeats = sorted((number[:10].count(each) for each in set(number[:10])), reverse=True)
    return repeats[0] in (2, 3) and all(each == 1 for each in repeats[1:]) and checksums.mod11_10(number)


def pl_pesel(number: str) -> bool:
    month = int(number[2:4])
    year = {0: 1900, 20: 2000}.get(month // 20 * 20, 0) + int(number[:2])
    return year >= 1900 and is_date(year, month % 20, int(number[4:6])) and checksums.pesel(number)


def se_personnummer(number: str) -> bool:
    """A co-ordination number has 60 added to its day."""
    short = number[-10:]
    day = int(short[4:6])
    return is_date(int(short[:2]), int(short[2:4]), day - 60 if day > 60 else day) and checksums.luhn(short)


def be_national_number(number: str) -> bool:
    return int(number[2:4]) <= 12 and int(number[4:6]) <= 31 and checksums.belgian(number)


def cn_resident_id(number: str) -> bool:
    year = int(number[6:10])
    return 1900 <= year < 2100 and is_date(year, int(number[10:12]), int(number[12:14])) and checksums.mod11_2(number)


def bounded(test: Callable[[str], bool], letters: bool) -> Callable[[str], bool]:
    """A scheme for any pattern's values: of 5 to 64 characters, digits alone unless the scheme takes letters."""
    return lambda number: 5 <= len(number) <= 64 and (letters or number.isdigit()) and test(number)
