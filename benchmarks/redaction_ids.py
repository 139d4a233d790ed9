"""Made-up national identification numbers with right check digits, for the redaction benchmark."""

from __future__ import annotations

from random import Random

from benchmarks.redaction_values import digits, grouped, letters, luhn_digit


def _mod97_key(number: int) -> str:
    return f"{97 - number % 97:02d}"


def us_ssn(rng: Random) -> str:
    area = rng.choice([rng.randrange(1, 666), rng.randrange(667, 900)])
    return f"{area:03d}-{rng.randrange(1, 100):02d}-{rng.randrange(1, 10000):04d}"


def us_ssn_bare(rng: Random) -> str:
    return us_ssn(rng).replace("-", "")


def uk_nino(rng: Random) -> str:
    text = (
        letters(rng, 1, "ABCEHJLMPRSTWXY")
        + letters(rng, 1, "ABCEHJLMPRSWXYZ")
        + digits(rng, 6)
        + letters(rng, 1, "ABCD")
    )
    return rng.choice([text, grouped(text, (2, 2, 2, 2, 1), " ")])


def de_tax_id(rng: Random) -> str:
    while True:
        pool = rng.sample("0123456789", 9)
        pool.append(rng.choice(pool))
        rng.shuffle(pool)
        if pool[0] != "0":
            break
    product = 10
    for each in pool:
        total = (int(each) + product) % 10 or 10
        product = total * 2 % 11
    text = "".join(pool) + str((11 - product) % 10)
    return rng.choice([text, grouped(text, (2, 3, 3, 3), " ")])


def fr_nir(rng: Random) -> str:
    body = f"{rng.choice('12')}{rng.randrange(100):02d}{rng.randrange(1, 13):02d}"
    body += f"{rng.randrange(1, 96):02d}{digits(rng, 3)}{rng.randrange(1, 1000):03d}"
    text = body + _mod97_key(int(body))
    return rng.choice([text, grouped(text, (1, 2, 2, 2, 3, 3, 2), " ")])


def es_dni(rng: Random) -> str:
    table = "TRWAGMYFPDXBNJZSQVHLCKE"
    if rng.random() < 0.4:
        first, rest = rng.randrange(3), digits(rng, 7)
        letter = table[int(f"{first}{rest}") % 23]
        return rng.choice([f"{'XYZ'[first]}{rest}{letter}", f"{'XYZ'[first]}-{rest}-{letter}"])
    body = digits(rng, 8)
    letter = table[int(body) % 23]
    return rng.choice([body + letter, f"{body}-{letter}", f"{body[:2]}.{body[2:5]}.{body[5:]}-{letter}"])


def it_codice_fiscale(rng: Random) -> str:
    consonants = "BCDFGLMNPRSTVZ"
    body = letters(rng, 6, consonants) + digits(rng, 2) + rng.choice("ABCDEHLMPRST")
    body += f"{rng.choice([0, 40]) + rng.randrange(1, 29):02d}{rng.choice('ABCDEFGHIL')}{digits(rng, 3)}"
    odd_digit = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21]
    odd_letter = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23]
    total = 0
    for place, each in enumerate(body):
        if place % 2 == 0:
            total += odd_digit[int(each)] if each.isdigit() else odd_letter[ord(each) - 65]
        else:
            total += int(each) if each.isdigit() else ord(each) - 65
    return body + chr(65 + total % 26)


def nl_bsn(rng: Random) -> str:
    while True:
        body = str(rng.randrange(1, 10)) + digits(rng, 7)
        last = sum(int(d) * w for d, w in zip(body, range(9, 1, -1), strict=True)) % 11
        if last < 10:
            text = f"{body}{last}"
            return rng.choice([text, text, grouped(text, (4, 2, 3), ".")])


def pl_pesel(rng: Random) -> str:
    year, month, day = rng.randrange(1940, 2012), rng.randrange(1, 13), rng.randrange(1, 29)
    body = f"{year % 100:02d}{month + (20 if year >= 2000 else 0):02d}{day:02d}{digits(rng, 4)}"
    return body + str(-sum(int(d) * w for d, w in zip(body, (1, 3, 7, 9) * 3, strict=False)) % 10)


def se_personnummer(rng: Random) -> str:
    year = rng.randrange(1940, 2010)
    body = f"{year % 100:02d}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}{digits(rng, 3)}"
    text = f"{body[:6]}-{body[6:]}{luhn_digit(body)}"
    return rng.choice([text, text, f"{year // 100}{text}"])


def se_personnummer_bare(rng: Random) -> str:
    return se_personnummer(rng).replace("-", "")


def br_cpf(rng: Random) -> str:
    body = digits(rng, 8) + rng.choice("123456789")
    for _ in range(2):
        total = sum(int(d) * w for d, w in zip(reversed(body), range(2, 12), strict=False))
        body += str(0 if total % 11 < 2 else 11 - total % 11)
    return f"{body[:3]}.{body[3:6]}.{body[6:9]}-{body[9:]}"


def br_cpf_bare(rng: Random) -> str:
    return br_cpf(rng).replace(".", "").replace("-", "")


_DIHEDRAL = [
    "0123456789",
    "1234067895",
    "2340178956",
    "3401289567",
    "4012395678",
    "5987604321",
    "6598710432",
    "7659821043",
    "8765932104",
    "9876543210",
]
_TURN = ["0123456789", "1576283094", "5803796142", "8916043527", "9453126870", "4286573901", "2793806415", "7046913258"]


def in_aadhaar(rng: Random) -> str:
    body = rng.choice("23456789") + digits(rng, 10)
    for last in "0123456789":
        state = 0
        for place, each in enumerate(reversed(body + last)):
            state = int(_DIHEDRAL[state][int(_TURN[place % 8][int(each)])])
        if state == 0:
            return grouped(body + last, (4, 4, 4), rng.choice([" ", " ", "-"]))
    raise ValueError("no Verhoeff digit")


def in_aadhaar_bare(rng: Random) -> str:
    return in_aadhaar(rng).replace(" ", "").replace("-", "")


def ch_ahv(rng: Random) -> str:
    body = "756" + digits(rng, 9)
    text = body + str(-sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(body)) % 10)
    return rng.choice([grouped(text, (3, 4, 4, 2), "."), grouped(text, (3, 4, 4, 2), "."), text])


def be_national_number(rng: Random) -> str:
    year = rng.randrange(1940, 2012)
    body = f"{year % 100:02d}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}{rng.randrange(1, 998):03d}"
    text = body + _mod97_key(int(("2" if year >= 2000 else "") + body))
    return f"{text[:2]}.{text[2:4]}.{text[4:6]}-{text[6:9]}.{text[9:]}"


def fi_hetu(rng: Random) -> str:
    year = rng.randrange(1940, 2012)
    day, serial = (
        f"{rng.randrange(1, 29):02d}{rng.randrange(1, 13):02d}{year % 100:02d}",
        f"{rng.randrange(2, 900):03d}",
    )
    return f"{day}{'A' if year >= 2000 else '-'}{serial}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(day + serial) % 31]}"


def cn_resident_id(rng: Random) -> str:
    place, year = rng.choice(["110105", "310104", "440305", "510107"]), rng.randrange(1940, 2012)
    body = f"{place}{year}{rng.randrange(1, 13):02d}{rng.randrange(1, 29):02d}{digits(rng, 3)}"
    total = sum(int(d) * pow(2, 17 - i, 11) for i, d in enumerate(body))
    return body + "10X98765432"[total % 11]


def ca_sin(rng: Random) -> str:
    body = rng.choice("1234567") + digits(rng, 7)
    text = body + luhn_digit(body)
    return rng.choice([text, grouped(text, (3, 3, 3), " "), grouped(text, (3, 3, 3), "-")])
