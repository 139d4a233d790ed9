"""Values that the caller knows already: the identifiers of the persons an event names, say.

No pattern finds a user name; but where an event says who acts and whom it concerns, those identifiers need not stay in
its contents. They are found as whole words, without regard to case. The values live as long as this object and are in
none of its answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ledger.errors import Misconfigured
from ledger.redaction.finding import Classification, Detection
from ledger.redaction.placeholder import is_type

VALUE_CHARS_MIN = 3
VALUES_MAX = 256


class KnownValues:
    """A `Detector` of given values. Those under `VALUE_CHARS_MIN` characters are passed over: they stand everywhere.

    `values` maps each value to the type of its placeholder ("user").
    """

    def __init__(self, values: Mapping[str, str], classification: Classification = "confidential") -> None:
        if len(values) > VALUES_MAX:
            raise Misconfigured(f"known values: {len(values)} given, at most {VALUES_MAX} are looked for")
        for type_ in values.values():
            if not is_type(type_):
                raise Misconfigured("known values: a type must be lower-case ASCII letters, digits and underscores")
        self._values = {value.lower(): type_ for value, type_ in values.items() if len(value) >= VALUE_CHARS_MIN}
        self._classification = classification

    @property
    def name(self) -> str:
        return "known"

    @property
    def version(self) -> str:
        return "1"

    @property
    def classification(self) -> Classification:
        return self._classification

    def find(self, text: str) -> Iterable[Detection]:
        """Every place where one of the values stands as a word of its own."""
        seen = text.lower()
        if len(seen) != len(text):
            seen = "".join(low if len(low := each.lower()) == 1 else each for each in text)
        found = []
        for value, type_ in self._values.items():
            at = seen.find(value)
            while at >= 0:
                end = at + len(value)
                if not seen[at - 1 : at].isalnum() and not seen[end : end + 1].isalnum():
                    found.append(Detection(at, end, type_))
                at = seen.find(value, end)
        return found
