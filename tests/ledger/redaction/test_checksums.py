"""Check digits against published examples, and against every change of one digit."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledger.redaction import checksums

EXAMPLES: list[tuple[str, Callable[[str], bool], str]] = [
    ("luhn", checksums.luhn, "4111111111111111"),
    ("luhn", checksums.luhn, "79927398713"),
    ("iban", checksums.mod97, "GB82WEST12345698765432"),
    ("iban", checksums.mod97, "DE89370400440532013000"),
    ("verhoeff", checksums.verhoeff, "2363"),
    ("german tax number", checksums.mod11_10, "86095742719"),
    ("chinese resident number", checksums.mod11_2, "11010519491231002X"),
    ("swiss insurance number", checksums.ean13, "7569217076985"),
    ("dutch citizen number", checksums.dutch_eleven, "111222333"),
    ("pesel", checksums.pesel, "44051401359"),
    ("cpf", checksums.cpf, "52998224725"),
    ("nir", checksums.nir, "255081416802538"),
    ("belgian", checksums.belgian, "85073003328"),
    ("dni", checksums.dni, "12345678Z"),
    ("nie", checksums.dni, "X1234567L"),
    ("hetu", checksums.hetu, "131052-308T"),
    ("codice fiscale", checksums.codice_fiscale, "RSSMRA85T10A562S"),
]


@pytest.mark.parametrize(("name", "test", "number"), EXAMPLES, ids=[f"{name} {number}" for name, _, number in EXAMPLES])
def test_a_published_example_is_right_and_any_other_last_character_is_wrong(
    name: str, test: Callable[[str], bool], number: str
) -> None:
    """Each scheme takes the example its definition gives, and no other check character behind the same body."""
    alphabet = "0123456789" if number[-1].isdigit() else "ABCDEFGHJKLMNPQRSTUVWXYZ"
    assert [last for last in alphabet if test(number[:-1] + last)] == [number[-1]], name
