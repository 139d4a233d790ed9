"""Made-up postal addresses in the written forms of several countries, for the redaction benchmark."""

from __future__ import annotations

from random import Random

from benchmarks.redaction_values import Maker, digits, letters

_US_STREETS = ("Sunset", "Maple", "Oak Hill", "Martin Luther King", "Lincoln", "Cedar Creek", "2nd", "Washington")
_US_KINDS = ("Drive", "Street", "Avenue", "Ave", "Blvd", "Lane", "Road", "St.", "Court", "Parkway", "Way")
_US_TOWNS = ("Austin, TX", "Portland, OR", "New York, NY", "San Diego, CA", "St. Paul, MN")
_UK_STREETS = ("High Street", "Station Road", "Victoria Gardens", "Mill Lane", "Church Close", "Queens Crescent")
_UK_TOWNS = ("London", "Leeds", "Bristol", "Milton Keynes", "Edinburgh")
_DE_STREETS = (
    "Hauptstraße",
    "Goethestr.",
    "Lindenweg",
    "Marktplatz",
    "Schillerallee",
    "Berliner Straße",
    "Am Mühlenweg",
    "Königstraße",
)
_DE_TOWNS = ("Berlin", "München", "Köln", "Frankfurt am Main", "Leipzig")
_FR_STREETS = (
    "rue de la Paix",
    "avenue Victor Hugo",
    "boulevard Saint-Michel",
    "place de l'Église",
    "chemin des Vignes",
    "rue Émile Zola",
)
_FR_TOWNS = ("Paris", "Lyon", "Marseille", "Saint-Étienne")
_ES_STREETS = (
    "Calle Mayor",
    "Avenida de la Constitución",
    "Calle de Alcalá",
    "Plaza España",
    "Paseo del Prado",
    "C/ San Juan",
)
_ES_TOWNS = ("Madrid", "Sevilla", "Valencia")
_IT_STREETS = ("Via Roma", "Via Giuseppe Garibaldi", "Piazza della Repubblica", "Corso Italia", "Viale dei Mille")
_IT_TOWNS = ("Milano", "Roma", "Torino")
_NL_STREETS = ("Dorpsstraat", "Prinsengracht", "Kerkweg", "Julianalaan", "Stationsplein")
_NL_TOWNS = ("Amsterdam", "Utrecht", "Den Haag")


def address(country: str) -> Maker:
    """The maker of addresses of one country."""
    return {"us": _us, "uk": _uk, "de": _de, "fr": _fr, "es": _es, "it": _it, "nl": _nl}[country]


def _us(rng: Random) -> str:
    number, side = rng.randrange(1, 9999), rng.choice(["", "", "N ", "West "])
    street = f"{number} {side}{rng.choice(_US_STREETS)} {rng.choice(_US_KINDS)}"
    unit = rng.choice(
        ["", "", f", Apt {rng.randrange(1, 99)}", f", Suite {rng.randrange(100, 999)}", f" #{rng.randrange(1, 40)}"]
    )
    return rng.choice([street, f"{street}{unit}, {rng.choice(_US_TOWNS)} {rng.choice('123456789')}{digits(rng, 4)}"])


def _uk(rng: Random) -> str:
    area = f"{rng.choice(['SW', 'N', 'LS', 'BS', 'EC', 'M'])}{rng.randrange(1, 20)}"
    code = f"{area} {rng.randrange(1, 10)}{letters(rng, 2, 'ABDEFGHJLNPQRSTUWXYZ')}"
    flat = rng.choice(["", "", "Flat 3, "])
    return f"{flat}{rng.randrange(1, 250)} {rng.choice(_UK_STREETS)}, {rng.choice(_UK_TOWNS)} {code}"


def _de(rng: Random) -> str:
    street = f"{rng.choice(_DE_STREETS)} {rng.randrange(1, 200)}{rng.choice(['', '', 'a', ' b'])}"
    return rng.choice([street, f"{street}, {rng.randrange(10, 99)}{digits(rng, 3)} {rng.choice(_DE_TOWNS)}"])


def _fr(rng: Random) -> str:
    street = f"{rng.randrange(1, 200)}{rng.choice(['', '', ' bis'])}{rng.choice([' ', ', '])}{rng.choice(_FR_STREETS)}"
    return rng.choice([street, f"{street}, {rng.randrange(10, 95)}{digits(rng, 3)} {rng.choice(_FR_TOWNS)}"])


def _es(rng: Random) -> str:
    street = f"{rng.choice(_ES_STREETS)}{rng.choice([', ', ' ', ' nº '])}{rng.randrange(1, 200)}"
    return rng.choice([street, f"{street}, {rng.randrange(10, 52)}{digits(rng, 3)} {rng.choice(_ES_TOWNS)}"])


def _it(rng: Random) -> str:
    street = f"{rng.choice(_IT_STREETS)}{rng.choice([', ', ' '])}{rng.randrange(1, 200)}"
    return rng.choice([street, f"{street}, {rng.randrange(10, 98)}{digits(rng, 3)} {rng.choice(_IT_TOWNS)}"])


def _nl(rng: Random) -> str:
    street = f"{rng.choice(_NL_STREETS)} {rng.randrange(1, 300)}{rng.choice(['', 'a'])}"
    return rng.choice(
        [
            street,
            f"{street}, {rng.randrange(1000, 9999)} {letters(rng, 2, 'ABCDEGHJKLMNPRSTVWXZ')} {rng.choice(_NL_TOWNS)}",
        ]
    )
