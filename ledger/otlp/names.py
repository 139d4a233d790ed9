"""What may become a name of an event: names stand in clear for ever, and the ledger refuses those that are none.

A span must not be lost because of one of its names. What cannot stand in clear (too long, control characters, free
text, an e-mail address, a token, the identifier of a person of the event) is left out of its field and kept in the
event's content `attributes`, encrypted and erasable, under the attribute that brought it.
"""

from __future__ import annotations

from collections.abc import Iterable

from ledger.errors import Rejected
from ledger.keys.normalize import normalize_v1
from ledger.record.names import check_no_identifier, identifier, may_hold, name
from ledger.redaction.clear_names import held_in


def fits(text: str) -> bool:
    """Whether a text can be a name."""
    try:
        return name(text, "") is not None
    except Rejected:
        return False


def is_identifier(text: str) -> bool:
    """Whether a text can be a person's identifier."""
    try:
        identifier(text, "")
        return bool(normalize_v1(text))
    except Rejected:
        return False


def may_not_stand(texts: Iterable[str], persons: tuple[str, ...]) -> bool:
    """Whether one of these names may hold what must not stand in clear. Cheap; asked of all names of an event at once.

    A denial is certain."""
    together = "\n".join(texts)
    return bool(persons and may_hold(together, persons)) or held_in(together) is not None


def stands(text: str, persons: tuple[str, ...], trace_id: bytes = b"") -> bool:
    """Whether a name can stand in clear beside these persons, in an event of this trace."""
    try:
        check_no_identifier([("", text)], persons, trace_id.hex())
    except Rejected:
        return False
    return held_in(text) is None
