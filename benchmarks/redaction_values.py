"""Made-up values of the types the redaction rules look for; national ids and look-alikes stand in files of their own.

Nothing here belongs to anybody: every value comes from a seeded generator, with the check digits its kind demands
computed here, independently of the rules that are measured. A maker takes a `Random` and returns one written form.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from random import Random

Maker = Callable[[Random], str]

_ALNUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
HEX = "0123456789abcdef"
GIVEN = [
    "anna",
    "ben",
    "carla",
    "david",
    "elena",
    "farid",
    "greta",
    "hugo",
    "ines",
    "jonas",
    "kavya",
    "luca",
    "maria",
    "nina",
    "omar",
    "paula",
    "raj",
    "sofia",
    "tom",
    "yusuf",
]
FAMILY = [
    "schmidt",
    "martin",
    "garcia",
    "rossi",
    "jansen",
    "kowalski",
    "silva",
    "nilsson",
    "sharma",
    "keller",
    "tremblay",
    "virtanen",
    "wang",
    "okafor",
]
_HOSTS = [
    "example.com",
    "example.org",
    "mail.example.net",
    "posteo.de",
    "orange.fr",
    "libero.it",
    "wp.pl",
    "uol.com.br",
    "corp.example.co.uk",
]


def digits(rng: Random, count: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(count))


def letters(rng: Random, count: int, alphabet: str = _ALNUM) -> str:
    return "".join(rng.choice(alphabet) for _ in range(count))


def grouped(text: str, sizes: tuple[int, ...], glue: str) -> str:
    """`text` cut into pieces of `sizes`, joined by `glue`."""
    pieces, at = [], 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    return glue.join(pieces)


def luhn_digit(body: str) -> str:
    total = 0
    for place, each in enumerate(reversed(body)):
        value = int(each) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def email(rng: Random) -> str:
    given, family, host = rng.choice(GIVEN), rng.choice(FAMILY), rng.choice(_HOSTS)
    local = rng.choice(
        [
            f"{given}.{family}",
            f"{given}_{family}{rng.randrange(99)}",
            f"{given[0]}{family}",
            f"{given}+news",
            f"{given}-{family}",
        ]
    )
    address = f"{local}@{host}"
    return rng.choice([address, address, address, address.upper(), address.title()])


def card(rng: Random) -> str:
    prefix, length, sizes = rng.choice(
        [
            ("4", 16, (4, 4, 4, 4)),
            (f"5{rng.randrange(1, 6)}", 16, (4, 4, 4, 4)),
            (str(rng.randrange(2221, 2720)), 16, (4, 4, 4, 4)),
            (rng.choice(["34", "37"]), 15, (4, 6, 5)),
            ("6011", 16, (4, 4, 4, 4)),
            (str(rng.randrange(3528, 3590)), 16, (4, 4, 4, 4)),
            ("36", 14, (4, 6, 4)),
        ]
    )
    body = prefix + digits(rng, length - 1 - len(prefix))
    number = body + luhn_digit(body)
    return rng.choice([number, grouped(number, sizes, " "), grouped(number, sizes, "-")])


def iban(rng: Random) -> str:
    land, bban = rng.choice(
        [
            ("DE", digits(rng, 18)),
            ("FR", digits(rng, 23)),
            ("ES", digits(rng, 20)),
            ("NL", letters(rng, 4, "ABCDEFGHJKLMN") + digits(rng, 10)),
            ("GB", letters(rng, 4, "ABCDEFGHJKLMN") + digits(rng, 14)),
            ("IT", letters(rng, 1, "ABCDEFGHJKLMN") + digits(rng, 22)),
            ("CH", digits(rng, 17)),
            ("PL", digits(rng, 24)),
            ("BE", digits(rng, 12)),
            ("SE", digits(rng, 20)),
        ]
    )
    number = int("".join(str(int(c, 36)) for c in bban + land + "00"))
    whole = f"{land}{98 - number % 97:02d}{bban}"
    spaced = " ".join(whole[i : i + 4] for i in range(0, len(whole), 4))
    return rng.choice([whole, spaced, spaced, whole.lower()])


def ipv4(rng: Random) -> str:
    return f"{rng.randrange(1, 224)}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}".replace(
        "127.", "128.", 1
    )


def ipv6(rng: Random) -> str:
    groups = [f"{rng.randrange(1, 65536):x}" for _ in range(8)]
    full = ":".join(["2001", "db8", *groups[2:]])
    return rng.choice(
        [
            full,
            full.upper(),
            f"2001:db8::{groups[3]}:{groups[4]}1",
            f"fe80::{groups[1]}:{groups[2]}ff:fe{digits(rng, 2)}:{groups[5]}",
        ]
    )


def mac(rng: Random) -> str:
    pairs = [letters(rng, 2, HEX) for _ in range(6)]
    joined = rng.choice([":".join(pairs), "-".join(pairs), grouped("".join(pairs), (4, 4, 4), ".")])
    return rng.choice([joined, joined.upper()])


def aws_key(rng: Random) -> str:
    return rng.choice(["AKIA", "ASIA"]) + letters(rng, 16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")


def aws_secret(rng: Random) -> str:
    return letters(rng, 20) + rng.choice("/+") + letters(rng, 19)


def gcp_key(rng: Random) -> str:
    return rng.choice(["AIza" + letters(rng, 34) + "_", "ya29." + letters(rng, 60), "GOCSPX-" + letters(rng, 28)])


def azure_storage_key(rng: Random) -> str:
    return letters(rng, 86) + "=="


def azure_client_secret(rng: Random) -> str:
    return f"{letters(rng, 3)}8Q~{letters(rng, 34)}"


def github_token(rng: Random) -> str:
    return rng.choice(
        [f"gh{rng.choice('pousr')}_{letters(rng, 36)}", f"github_pat_{letters(rng, 22)}_{letters(rng, 59)}"]
    )


def slack_token(rng: Random) -> str:
    return f"xox{rng.choice('bpa')}-{digits(rng, 12)}-{digits(rng, 12)}-{letters(rng, 24)}"


def stripe_key(rng: Random) -> str:
    return f"{rng.choice(['sk', 'rk', 'pk'])}_{rng.choice(['live', 'test'])}_{letters(rng, 24)}"


def openai_key(rng: Random) -> str:
    return rng.choice(
        [f"sk-{letters(rng, 20)}T3BlbkFJ{letters(rng, 20)}", f"sk-proj-{letters(rng, 60)}-{letters(rng, 40)}"]
    )


def anthropic_key(rng: Random) -> str:
    return f"sk-ant-api03-{letters(rng, 60)}-{letters(rng, 30)}AA"


def private_key(rng: Random) -> str:
    kind = rng.choice(["RSA ", "EC ", "", "OPENSSH ", "ENCRYPTED "])
    lines = "\n".join(letters(rng, 64) for _ in range(rng.randrange(3, 9)))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n{letters(rng, 30)}==\n-----END {kind}PRIVATE KEY-----"


def jwt(rng: Random) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return (
        f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{part({'sub': digits(rng, 10), 'iat': 1700000000})}.{letters(rng, 43)}"
    )


def bearer_token(rng: Random) -> str:
    return letters(rng, rng.randrange(24, 48)) + digits(rng, 2)


def password(rng: Random) -> str:
    return rng.choice(
        [
            f"{rng.choice(FAMILY).title()}{rng.randrange(10, 9999)}!",
            letters(rng, rng.randrange(8, 20)) + digits(rng, 1) + rng.choice("!$%#*"),
            f"{rng.choice(GIVEN)}-{rng.choice(FAMILY)}-{digits(rng, 3)}",
        ]
    )
