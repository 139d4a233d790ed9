"""Values that look like something to redact and are not, for the redaction benchmark."""

from __future__ import annotations

from random import Random

from benchmarks.redaction_values import FAMILY, GIVEN, HEX, digits, grouped, letters


def uuid(rng: Random) -> str:
    text = letters(rng, 32, HEX)
    return grouped(text[:12] + "4" + text[13:], (8, 4, 4, 4, 12), "-")


def sha(rng: Random) -> str:
    return letters(rng, rng.choice([7, 40, 64]), HEX)


def version(rng: Random) -> str:
    a, b, c, d = (rng.randrange(0, 40) for _ in range(4))
    return rng.choice(
        [f"v{a}.{b}.{c}", f"{a}.{b}.{c}-rc.{d}", f"v{a}.{b}.{c}.{d}", f"{a}.{b}.{c}+build.{digits(rng, 4)}"]
    )


def dotted_version(rng: Random) -> str:
    return ".".join(str(rng.randrange(0, 120)) for _ in range(4))


def timestamp(rng: Random) -> str:
    day = f"{rng.randrange(2019, 2027)}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
    clock = f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d}"
    return rng.choice(
        [
            f"{day}T{clock}Z",
            f"{day} {clock}.{digits(rng, 6)}",
            f"{day}T{clock}+02:00",
            f"17{digits(rng, 8)}",
            f"17{digits(rng, 11)}",
            day,
            clock,
        ]
    )


def isbn(rng: Random) -> str:
    body = "978" + digits(rng, 9)
    text = body + str(-sum(int(d) * (3 if i % 2 else 1) for i, d in enumerate(body)) % 10)
    return rng.choice([text, grouped(text, (3, 1, 4, 4, 1), "-"), grouped(text, (3, 2, 6, 1, 1), "-")])


def price(rng: Random) -> str:
    whole, cents = rng.randrange(1, 99999), digits(rng, 2)
    return rng.choice(
        [
            f"${whole:,}.{cents}",
            f"{whole:,}.{cents} EUR".replace(",", " "),
            f"€ {whole}.{cents}",
            f"{whole}.00",
            f"USD {whole:,}",
        ]
    )


def flight(rng: Random) -> str:
    return f"{rng.choice(['LH', 'AF', 'BA', 'UA', 'HAT', 'DL'])}{rng.choice(['', ' '])}{rng.randrange(1, 9999)}"


def order_number(rng: Random) -> str:
    return rng.choice(
        [
            f"ORD-{digits(rng, 8)}",
            f"#{digits(rng, 7)}",
            f"{rng.choice('123456789')}{digits(rng, rng.choice([5, 6, 7, 9, 10, 11, 12, 15]))}",
            f"{digits(rng, 3)}-{digits(rng, 7)}-{digits(rng, 7)}",
            f"INV-{rng.randrange(2019, 2027)}-{digits(rng, 5)}",
            f"{letters(rng, 2, 'ABCDEFGH')}{digits(rng, 9)}{letters(rng, 2, 'ABCDEFGH')}",
            f"1Z{letters(rng, 6, 'ABCDEF0123456789')}{digits(rng, 10)}",
        ]
    )


def handle(rng: Random) -> str:
    return rng.choice(
        [
            f"@{rng.choice(GIVEN)}_{digits(rng, 2)}",
            f"logo@{rng.randrange(2, 4)}x.png",
            f"@scope/{rng.choice(FAMILY)}@{rng.randrange(9)}.1.0",
            f"{rng.choice(GIVEN)} at home",
        ]
    )
