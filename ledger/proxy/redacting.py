"""Takes out of a request's body what patterns find, before it leaves.

Only text is looked into (`ledger.vendors.text_places`), and only the strings in which something was found are written
anew: everything else of the body stays to the byte, and it stays JSON. The strings are looked at together, so that a
value that is found in one place is taken out wherever it stands; a string that holds JSON itself (a tool's arguments)
is looked at as the JSON it is.

The placeholders are the ledger's own (`ledger.redaction`). A value has the same number as long as its correlation has,
so that a conversation that is sent again with every turn reads the same each time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.redaction.finding import Classification, Detector, Redacted, highest
from ledger.redaction.json_text import looks_like_json
from ledger.redaction.numbering import Numbering
from ledger.redaction.redactor import Redactor
from ledger.vendors.text_places import Places, text_places

BETWEEN = "\n\x1e\n"
"""Stands between texts that are looked at together."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What `pack` found in a body. `body`: without it. `opaque`: strings that can't be looked into."""

    body: bytes
    classification: Classification
    counts: tuple[tuple[str, int], ...]
    opaque: int
    pack: str


def look(body: bytes, redactor: Redactor, numbering: Numbering, also: Sequence[Detector] = ()) -> Looked | None:
    """Looks into a body; None where it is no JSON in UTF-8."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    places = text_places(text)
    if places is None:
        return None
    kept, found = _redacted([each.text for each in places.texts], redactor, numbering, also)
    counts: dict[str, int] = {}
    for each in found:
        for kind, count in each.counts:
            counts[kind] = counts.get(kind, 0) + count
    classification = highest(each.classification for each in found)
    pack = found[0].pack if found else redactor.identity
    return Looked(_written(text, places, kept), classification, tuple(sorted(counts.items())), places.opaque, pack)


def _redacted(
    texts: list[str], redactor: Redactor, numbering: Numbering, also: Sequence[Detector]
) -> tuple[list[str], list[Redacted]]:
    kept = list(texts)
    plain = [at for at, text in enumerate(texts) if not looks_like_json(text)]
    found = []
    if plain:
        whole = redactor.redact(BETWEEN.join(texts[at] for at in plain), numbering, "text/plain", also)
        parts = whole.text.split(BETWEEN)
        if len(parts) == len(plain):
            found.append(whole)
            for at, part in zip(plain, parts, strict=True):
                kept[at] = part
        else:
            # A text holds what stands between, or a value was found across it: each by itself.
            for at in plain:
                one = redactor.redact(texts[at], numbering, "text/plain", also)
                found.append(one)
                kept[at] = one.text
    for at in set(range(len(texts))) - set(plain):
        one = redactor.redact(texts[at], numbering, "application/json", also)
        found.append(one)
        kept[at] = one.text
    return kept, found


def _written(text: str, places: Places, kept: list[str]) -> bytes:
    parts: list[str] = []
    at = 0
    for place, new in zip(places.texts, kept, strict=True):
        if new != place.text:
            parts += [text[at : place.start], json.dumps(new, ensure_ascii=False)]
            at = place.end
    parts.append(text[at:])
    return "".join(parts).encode("utf-8", "surrogatepass")
