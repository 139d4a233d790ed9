"""What the built-in rules find, and what they leave."""

from __future__ import annotations

import pytest

from benchmarks.redaction_corpus import Half, texts
from ledger.redaction.matcher import Candidate, _add
from ledger.redaction.view import view_of
from tests.ledger.redaction import test_written_forms as written
from tests.ledger.redaction.shared import REDACTOR, redact

HALVES: tuple[Half, ...] = ("tuning", "measuring")

FOUND = [
    ("write to anna.meier@example.com now", "write to ⟨email:1⟩ now"),
    ("müller@bücher.example", "⟨email:1⟩"),
    ("メールはanna@example.comです", "メールは⟨email:1⟩です"),
    ("<bob+tag@mail.example.co.uk>,", "<⟨email:1⟩>,"),
    ("call +1 (415) 555-0123 2 bags", "call ⟨phone:1⟩ 2 bags"),
    ("0049 30 1234567", "⟨phone:1⟩"),
    ("+49 (0)30 1234567", "⟨phone:1⟩"),
    ("Tel. 06 12 34 56 78.", "Tel. ⟨phone:1⟩."),
    ("my phone number is 4155550123", "my phone number is ⟨phone:1⟩"),
    ('"phone": 4155550123', '"phone": ⟨phone:1⟩'),
    ("4111 1111 1111 1111", "⟨card:1⟩"),
    ("card 4111 1111 1111 1111 123, 4111-1111-1111-1111-110", "card ⟨card:1⟩ 123, ⟨card:2⟩"),
    ("4111 1111 1111 1111 203.0.113.7", "⟨card:1⟩ ⟨ipv4:1⟩"),
    ("phone 4155550123 2 bags, Tel. 030 1234567 12.05.2024", "phone ⟨phone:1⟩ 2 bags, Tel. ⟨phone:2⟩ 12.05.2024"),
    ("4111 1111 1111 1111 06 12 34 56 78", "⟨card:1⟩ ⟨phone:1⟩"),
    ("card:3782-822463-10005!", "card:⟨card:1⟩!"),
    ("DE89 3704 0044 0532 0130 00 bitte", "⟨iban:1⟩ bitte"),
    ("gb82west12345698765432", "⟨iban:1⟩"),
    ("from 203.0.113.7:443", "from ⟨ipv4:1⟩:443"),
    ("10.0.0.1-10.0.0.9, 198.51.100.0/24", "⟨ipv4:1⟩-⟨ipv4:2⟩, ⟨ipv4:3⟩/24"),
    ("http://[2001:db8::8a2e:370:7334]/x", "http://[⟨ipv6:1⟩]/x"),
    ("ip:2001:db8::8a2e:370:7334 mac:00:1A:2B:3C:4D:5E", "ip:⟨ipv6:1⟩ mac:⟨mac:1⟩"),
    ("00:1A:2b:3c:4d:5e and 001a.2b3c.4d5e", "⟨mac:1⟩ and ⟨mac:1⟩"),
    ("**Date of Birth:** April 5, 1990", "**Date of Birth:** ⟨birth_date:1⟩"),
    ("geb. 05.04.1990 in Köln", "geb. ⟨birth_date:1⟩ in Köln"),
    ("née le 5 avril 1990", "née le ⟨birth_date:1⟩"),
    ("生年月日：1990年4月5日", "生年月日：⟨birth_date:1⟩"),
    ("I live at 975 Sunset Drive, Apt 2, Austin, TX 78750.", "I live at ⟨address:1⟩."),
    ("10 Victoria Gardens, London SW1A 1AA", "⟨address:1⟩"),
    ("in der Königstraße 12a, 70173 Stuttgart", "in der ⟨address:1⟩"),
    ("12 bis rue de la Paix, 75002 Paris", "⟨address:1⟩"),
    ("Calle de Alcalá nº 20, 28014 Madrid", "⟨address:1⟩"),
    ("Via Giuseppe Garibaldi, 12", "⟨address:1⟩"),
    ("Prinsengracht 263a, 1016 GV Amsterdam", "⟨address:1⟩"),
    ("SSN 078-05-1120", "SSN ⟨us_ssn:1⟩"),
    ("social security number: 078051120", "social security number: ⟨us_ssn:1⟩"),
    ("QQ123456C is no NINO, AB 12 34 56 C is", "QQ123456C is no NINO, ⟨uk_nino:1⟩ is"),
    ("86 095 742 719", "⟨de_tax_id:1⟩"),
    ("2 55 08 14 168 025 38", "⟨fr_nir:1⟩"),
    ("DNI 12.345.678-Z, NIE X1234567L", "DNI ⟨es_dni:1⟩, NIE ⟨es_dni:2⟩"),
    ("RSSMRA85T10A562S", "⟨it_codice_fiscale:1⟩"),
    ("BSN 111222333", "BSN ⟨nl_bsn:1⟩"),
    ("PESEL 44051401359", "PESEL ⟨pl_pesel:1⟩"),
    ("personnummer 811228-9874", "personnummer ⟨se_personnummer:1⟩"),
    ("529.982.247-25", "⟨br_cpf:1⟩"),
    ("756.9217.0769.85", "⟨ch_ahv:1⟩"),
    ("85.07.30-033.28", "⟨be_national_number:1⟩"),
    ("131052-308T", "⟨fi_hetu:1⟩"),
    ("11010519491231002X", "⟨cn_resident_id:1⟩"),
    ("SIN 046 454 286", "SIN ⟨ca_sin:1⟩"),
    ("AKIAIOSFODNN7EXAMPLE", "⟨aws_key:1⟩"),
    ("Authorization: Bearer abcdef0123456789abcdef", "Authorization: Bearer ⟨bearer_token:1⟩"),
    ("postgres://app:s3cretpw@db.example.com/x", "postgres://app:⟨password:1⟩@db.example.com/x"),
    ("password=hunter2;x", "password=⟨password:1⟩;x"),
    ('{"password": "correct horse battery"}', '{"password": "⟨password:1⟩"}'),
    ("my password is hunter2!", "my password is ⟨password:1⟩"),
    ("Passwort: Geheim-2024", "Passwort: ⟨password:1⟩"),
    ('client_secret: "a1B2c3D4e5F6g7H8"', 'client_secret: "⟨secret:1⟩"'),
]

LEFT = [
    "order 123-4567890-1234567, invoice INV-2026-00417",
    "550e8400-e29b-41d4-a716-446655440000",
    "version 1.2.3.4, Chrome/120.0.6099.109, v10.0.19041.1, section 4.3.2.1, 127.0.0.1 and ::1",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "2026-02-11T08:28:51Z, 1700000000, 1700000000000, 08:28:51, 2026-02-11 10:00:00.123456",
    "ISBN 978-3-16-148410-0 at $1,299.00 or 1 299,00 €",
    "flight HAT136 on 2024-05-20 from gate 4, seat 12A",
    "logo@2x.png, @scope/pkg@1.2.3, foo@localhost",
    "ssh://git@github.com/x, 1.2.3.4-alpine, 1.2.3.4.5",
    "std::vector ad::be Foo::Bar",
    "max_tokens=4096 and the token count: 812",
    "password: required, api_key: null, PASSWORD=${DB_PASSWORD}, pwd=********, password: <yours>",
    "Password reset instructions; the bearer of good news; born to run; call me later",
    "password = url_user_password; password = self._get(url); password=prompt('x'), password:\n  :param bytes x",
    "coordinates 48.137154, 11.576124 and 0.4111111111111111",
    "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD",
    "4111 1111 1111 1112 has a wrong check digit, GB82 WEST 1234 5698 7654 33 too",
    "street food at 5 stands, an der Straße, the Spring 2024 term",
]


@pytest.mark.parametrize(("text", "expected"), FOUND, ids=[text[:30] for text, _ in FOUND])
def test_a_value_is_found_in_the_forms_people_write(text: str, expected: str) -> None:
    """Exactly the value goes, whatever stands around it."""
    assert redact(text).text == expected


@pytest.mark.parametrize("text", LEFT, ids=[text[:30] for text in LEFT])
def test_look_alikes_are_left(text: str) -> None:
    """Numbers and words that only look like values stay."""
    assert redact(text).text == text


def test_a_private_key_goes_whole() -> None:
    """Header, body and footer are one finding; a key whose end was cut off goes as far as its body reaches."""
    body = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"] * 4)
    key = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----"
    assert redact(f"here:\n{key}\nthanks").text == "here:\n⟨private_key:1⟩\nthanks"
    cut = f"-----BEGIN PRIVATE KEY-----\n{body}"
    assert redact(f"{cut}\nand more words").text == "⟨private_key:1⟩\nand more words"


def test_the_class_of_a_text_follows_from_what_was_found() -> None:
    """Nothing: public; a way to reach somebody: confidential; a card, an identity number or a secret: restricted."""
    assert redact("nothing here").classification == "public"
    assert redact("anna@example.com").classification == "confidential"
    assert redact("anna@example.com, 4111111111111111").classification == "restricted"
    assert redact("password=hunter2").classification == "restricted"


def test_counts_say_how_many_of_each_type() -> None:
    """Findings are counted, not different values, in order of the type's name."""
    found = redact("a@example.com, b@example.com, a@example.com, 4111111111111111")
    assert found.counts == (("card", 1), ("email", 3))
    assert [each.number for each in found.findings] == [1, 2, 1, 1]


def test_a_value_found_once_is_taken_out_wherever_it_stands() -> None:
    """What only its context gave away the first time does not stay behind where it stands alone."""
    assert redact("SSN 078051120; again 078051120").text == "SSN ⟨us_ssn:1⟩; again ⟨us_ssn:1⟩"


def test_a_trigger_never_hides_what_its_rule_finds() -> None:
    """Each rule tried on every labelled text finds the same values as with its trigger looked for first."""
    matcher = REDACTOR._matcher
    programs = written.ANNOUNCED + written.DATES + written.NUMBERS + written.PHONES + written.EMAILS
    forms = (
        [text for text, _ in FOUND + programs]
        + LEFT
        + written.LEFT
        + [each.text for half in HALVES for each in texts(half)[::2]]
    )
    for text in forms:
        data = view_of(text).data
        tried: list[Candidate] = []
        for rule in matcher._rules:
            _add(tried, rule, data)
        seen = {(each.rule.name, each.start, each.end) for each in matcher.candidates(data)}
        assert {(each.rule.name, each.start, each.end) for each in tried} == seen, text
