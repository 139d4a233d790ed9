"""A labelled set of texts to measure redaction by: seeded, several languages and forms, with tricky look-alikes.

`texts("tuning")` and `texts("measuring")` are disjoint halves of the same draw. Rules may be looked at against the
first only; the second gives the figures. The set was fixed before the rules were written, and a test holds its digest,
so that neither half can follow the rules.

A text is prose, a log line, or JSON (with the escapes writers use, numbers bare and in strings, JSON in strings). About
one value in twelve is disguised as word processors do it: full-width digits, no-break spaces and hyphens, zero-width
characters, soft hyphens. Labels are spans of characters of the text as it stands; a value may stand in JSON escaped.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Literal

from benchmarks.redaction_phrases import FILLER, NEGATIVE, POSITIVE

Half = Literal["tuning", "measuring"]
TEXTS = 8_000
SEED = "redaction corpus 1"
_FULL_WIDTH = {ord(c): ord(c) + 0xFEE0 for c in "0123456789"}
_BREAKABLE = ("email", "phone", "card", "iban", "us_ssn", "fr_nir", "in_aadhaar", "birth_date", "ca_sin", "de_tax_id")
_KEYS = {
    "birth_date": ("dob", "date_of_birth", "birthDate", "geburtsdatum", "birthday"),
    "password": ("password", "db_password", "passwd"),
    "phone": ("phone", "phone_number", "mobile", "tel"),
    "us_ssn": ("ssn",),
    "nl_bsn": ("bsn",),
    "ca_sin": ("sin",),
    "br_cpf": ("cpf",),
    "in_aadhaar": ("aadhaar", "aadhaar_number"),
    "se_personnummer": ("personnummer",),
    "aws_key": ("aws_secret_access_key",),
    "azure_key": ("AccountKey",),
    "bearer_token": (),
}
_BARE = ("card", "pl_pesel", "us_ssn", "br_cpf", "in_aadhaar", "de_tax_id", "fr_nir")


@dataclass(frozen=True, slots=True)
class Label:
    """One value in a text: the characters [start, end) and what they are."""

    start: int
    end: int
    type: str


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and every value in it that should be found."""

    text: str
    media_type: str
    labels: tuple[Label, ...]


@cache
def texts(half: Half) -> tuple[Labelled, ...]:
    """One half of the set."""
    offset = 0 if half == "tuning" else 1
    return tuple(_draw(number) for number in range(offset, TEXTS, 2))


def digest() -> str:
    """SHA-256 over every text and label, hexadecimal."""
    state = hashlib.sha256()
    for number in range(TEXTS):
        each = _draw(number)
        labels = [[label.start, label.end, label.type] for label in each.labels]
        state.update(json.dumps([each.text, each.media_type, labels]).encode() + b"\n")
    return state.hexdigest()


def _draw(number: int) -> Labelled:
    rng = Random(f"{SEED}/{number}")
    form = rng.choices(("prose", "json"), (0.62, 0.38))[0]
    return _prose(rng) if form == "prose" else _json(rng)


def _disguise(rng: Random, kind: str, value: str) -> str:
    if kind not in _BREAKABLE or rng.random() > 0.085:
        return value
    way = rng.randrange(5)
    if way == 0 and kind != "email":
        return value.translate(_FULL_WIDTH)
    if way == 1:
        return value.replace(" ", "\u00a0")
    if way == 2:
        return value.replace("-", "\u2011")
    middle = rng.randrange(1, len(value))
    return value[:middle] + ("\u200b" if way == 3 else "\u00ad") + value[middle:]


def _positive(rng: Random) -> tuple[str, str, str]:
    """A type, a sentence with a slot, and a value for it."""
    kind = rng.choice(list(POSITIVE))
    maker, _, sentences = rng.choice(POSITIVE[kind])
    return kind, rng.choice(sentences), _disguise(rng, kind, maker(rng))


def _negative(rng: Random) -> str:
    maker, sentences = rng.choice(NEGATIVE)
    return rng.choice(sentences).format(maker(rng))


def _prose(rng: Random) -> Labelled:
    parts: list[tuple[str, str, str]] = [("", each, "") for each in rng.sample(FILLER, rng.randrange(0, 5))]
    parts += [_positive(rng) for _ in range(rng.choice((0, 1, 1, 1, 2, 3)))]
    parts += [("", _negative(rng), "") for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    rng.shuffle(parts)
    glue = rng.choice((" ", "\n", "\n\n", " | "))
    text, labels = "", []
    for kind, sentence, value in parts:
        if text:
            text += glue
        if kind:
            before, _, after = sentence.partition("{}")
            text += before
            labels.append(Label(len(text), len(text) + len(value), kind))
            text += value + after
        else:
            text += sentence
    return Labelled(text, "text/plain", tuple(labels))


def _json(rng: Random) -> Labelled:
    """An object whose values hold slots as private-use characters, filled in after it was written as JSON."""
    slots: list[tuple[str, str, bool]] = []

    def slot(kind: str, value: str, bare: bool = False) -> str:
        slots.append((kind, value, bare))
        return f"\ue000{len(slots) - 1}\ue001"

    body: dict[str, object] = {
        "id": rng.randrange(10**6),
        "created_at": "2026-02-11T08:28:51Z",
        "ok": rng.random() < 0.5,
    }
    for place in range(rng.choice((0, 1, 1, 2, 3))):
        kind, sentence, value = _positive(rng)
        keys = _KEYS.get(kind, (f"field{place}", "value", "data"))
        digits_only = value.isascii() and value.isdigit() and value[0] != "0"
        if kind in _BARE and digits_only and rng.random() < 0.6:
            body[f"{rng.choice(keys)}"] = slot(kind, value, bare=True)
        elif keys and "://" not in sentence and rng.random() < 0.5:
            body[rng.choice(keys)] = slot(kind, value)
        else:
            body[f"text{place}"] = sentence.replace("{}", slot(kind, value))
    for place in range(rng.randrange(0, 4)):
        body[f"note{place}"] = _negative(rng) if rng.random() < 0.8 else rng.randrange(10 ** rng.randrange(3, 12))
    if rng.random() < 0.3:
        body["comment"] = rng.choice(FILLER)
    items = list(body.items())
    rng.shuffle(items)
    nested = rng.random() < 0.2
    text = json.dumps(dict(items), ensure_ascii=False, indent=rng.choice((None, None, 2)))
    if nested:
        text = json.dumps({"name": "call_tool", "arguments": text}, ensure_ascii=False)
    return _fill(rng, text, slots, 2 if nested else 1)


def _fill(rng: Random, text: str, slots: list[tuple[str, str, bool]], depth: int) -> Labelled:
    escapes = rng.random() < 0.15
    done, labels, rest = "", [], text
    while "\ue000" in rest:
        before, _, rest = rest.partition("\ue000")
        number, _, rest = rest.partition("\ue001")
        kind, value, bare = slots[int(number)]
        written = value
        for level in range(depth):
            written = json.dumps(written, ensure_ascii=False)[1:-1]
            if escapes and level == 0:
                written = written.replace("@", "\\u0040").replace("/", "\\/")
        if bare:
            quote = '"' if depth == 1 else '\\"'
            before, rest = before[: -len(quote)], rest[len(quote) :]
        done += before
        labels.append(Label(len(done), len(done) + len(written), kind))
        done += written
    return Labelled(done + rest, "application/json", tuple(sorted(labels, key=lambda label: label.start)))
