"""Check digits, one function a scheme: True where the number (ASCII, separators already removed) carries a right one.

Sources are the public definitions: ISO/IEC 7812 (Luhn), ISO 13616 and ISO/IEC 7064 (mod 97-10, mod 11-10, mod 11-2),
Verhoeff's dihedral scheme, and the issuing authorities' own for the national numbers.
"""

from __future__ import annotations

from collections.abc import Callable

_DIHEDRAL = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_TURN = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 5, 7, 6, 2, 8, 3, 0, 9, 4),
    (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7),
    (9, 4, 5, 3, 1, 2, 6, 8, 7, 0),
    (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5),
    (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)
_LUHN_DOUBLE = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_DNI_LETTERS = "TRWAGMYFPDXBNJZSQVHLCKE"
_HETU_LETTERS = "0123456789ABCDEFHJKLMNPRSTUVWXY"
_ODD_DIGITS = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)
_FISCALE_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        [*_ODD_DIGITS, *_ODD_DIGITS, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23],
        strict=True,
    )
)


def luhn(number: str) -> bool:
    total = 0
    for place, each in enumerate(reversed(number)):
        total += _LUHN_DOUBLE[int(each)] if place % 2 else int(each)
    return total % 10 == 0


def mod97(number: str) -> bool:
    """ISO 13616: the first four characters at the end, letters as two digits, remainder 1."""
    turned = number[4:] + number[:4]
    return int("".join(str(int(each, 36)) for each in turned)) % 97 == 1


def verhoeff(number: str) -> bool:
    state = 0
    for place, each in enumerate(reversed(number)):
        state = _DIHEDRAL[state][_TURN[place % 8][int(each)]]
    return state == 0


def mod11_10(number: str) -> bool:
    """ISO 7064 mod 11,10, as in the German tax number."""
    product = 10
    for each in number[:-1]:
        product = ((int(each) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(number[-1])


def mod11_2(number: str) -> bool:
    """ISO 7064 mod 11-2 with X for ten, as in the Chinese resident number."""
    total = 0
    for each in number[:-1]:
        total = (total + int(each)) * 2 % 11
    return "0123456789X"[(12 - total) % 11] == number[-1]


def ean13(number: str) -> bool:
    return sum(int(each) * (3 if place % 2 else 1) for place, each in enumerate(number)) % 10 == 0


def dutch_eleven(number: str) -> bool:
    """The eleven test: weights 9 to 2, then -1; eight digits count as nine with a leading zero."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    return sum(int(each) * weight for each, weight in zip(number.zfill(9), weights, strict=True)) % 11 == 0


def pesel(number: str) -> bool:
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)
    return sum(int(each) * weight for each, weight in zip(number, weights, strict=True)) % 10 == 0


def cpf(number: str) -> bool:
    if len(set(number)) == 1:
        return False
    for length in (9, 10):
        total = sum(int(each) * (length + 1 - place) for place, each in enumerate(number[:length]))
        if (total * 10 % 11) % 10 != int(number[length]):
            return False
    return True


def nir(number: str) -> bool:
    """The key is 97 less the remainder; Corsica's 2A and 2B count as 19 and 18."""
    body = number[:13].replace("2A", "19").replace("2B", "18")
    return body.isdigit() and 97 - int(body) % 97 == int(number[13:])


def belgian(number: str) -> bool:
    """97 less the remainder of the first nine digits, with a 2 before them for births from 2000 on."""
    key = int(number[9:])
    return key in (97 - int(number[:9]) % 97, 97 - int("2" + number[:9]) % 97)


def dni(number: str) -> bool:
    body = number[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return body.isdigit() and _DNI_LETTERS[int(body) % 23] == number[-1]


def hetu(number: str) -> bool:
    return _HETU_LETTERS[int(number[:6] + number[-4:-1]) % 31] == number[-1]


def codice_fiscale(number: str) -> bool:
    total = 0
    for place, each in enumerate(number[:15]):
        if place % 2 == 0:
            total += _FISCALE_ODD[each]
        else:
            total += int(each) if each.isdigit() else ord(each) - 65
    return chr(65 + total % 26) == number[15]


# The schemes that take digits alone: those a customer's own pattern may name.
OF_DIGITS: dict[str, Callable[[str], bool]] = {
    "luhn": luhn,
    "verhoeff": verhoeff,
    "mod11_10": mod11_10,
    "ean13": ean13,
    "mod97": mod97,
}
