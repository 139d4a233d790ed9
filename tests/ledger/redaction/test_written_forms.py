"""Values are found in the forms that programs and careless writers give them."""

from __future__ import annotations

import pytest

from tests.ledger.redaction.shared import redact

ANNOUNCED = [
    ('{"home_phone":"4155552671"}', '{"home_phone":"⟨phone:1⟩"}'),
    ('{"customer_phone": 4155552671}', '{"customer_phone": "⟨phone:1⟩"}'),
    ('{"mobilePhone":"4155552671"}', '{"mobilePhone":"⟨phone:1⟩"}'),
    (
        '{"contactPhone":"4155552671","workMobile":"4155552672"}',
        '{"contactPhone":"⟨phone:1⟩","workMobile":"⟨phone:2⟩"}',
    ),
    (
        '{"phoneNumbers":["4155552671","415 555 2672", 4155552673],"n":[4155552674]}',
        '{"phoneNumbers":["⟨phone:1⟩","⟨phone:2⟩", "⟨phone:3⟩"],"n":[4155552674]}',
    ),
    ('{"phones": ["n/a", "4155552671"]}', '{"phones": ["n/a", "4155552671"]}'),
    ('{"user_dob":"1980-03-12"}', '{"user_dob":"⟨birth_date:1⟩"}'),
    ('{"passenger_date_of_birth":"12/03/1980"}', '{"passenger_date_of_birth":"⟨birth_date:1⟩"}'),
    ("guest_date_of_birth=1980-03-12&x=1", "guest_date_of_birth=⟨birth_date:1⟩&x=1"),
    (
        '{"guestDateOfBirth":"1980-03-12","userDob":"1981-03-12"}',
        '{"guestDateOfBirth":"⟨birth_date:1⟩","userDob":"⟨birth_date:2⟩"}',
    ),
    ('{"user_ssn":"078051120"}', '{"user_ssn":"⟨us_ssn:1⟩"}'),
    ('{"userSsn":"078051120"}', '{"userSsn":"⟨us_ssn:1⟩"}'),
    ('{"customer_address":"12 Broadway, New York"}', '{"customer_address":"⟨address:1⟩"}'),
    ('{"customerAddress":"12 Broadway, New York"}', '{"customerAddress":"⟨address:1⟩"}'),
    ("shipping_zip: 78750", "shipping_zip: ⟨address:1⟩"),
    ('{"phone1":"4155552671","userPhone_2":"4155552672"}', '{"phone1":"⟨phone:1⟩","userPhone_2":"⟨phone:2⟩"}'),
    ('{"phone":{"number":"4155552671"}}', '{"phone":{"number":"⟨phone:1⟩"}}'),
    ('{"customerZip":"10001"}', '{"customerZip":"⟨address:1⟩"}'),
    ("client_bsn=111222333", "client_bsn=⟨nl_bsn:1⟩"),
]

DATES = [
    ('{"dob":"1980-03-12T00:00:00Z"}', '{"dob":"⟨birth_date:1⟩T00:00:00Z"}'),
    ("born 1980-03-12T08:30 and dob 1980-03-12", "born ⟨birth_date:1⟩T08:30 and dob ⟨birth_date:1⟩"),
    ("date of birth, 12.03.1980", "date of birth, ⟨birth_date:1⟩"),
    ("DOB 12031980", "DOB ⟨birth_date:1⟩"),
    ("dob: 12-Mar-1980, DOB 12MAR80", "dob: ⟨birth_date:1⟩, DOB ⟨birth_date:2⟩"),
    ("dob_1980-03-12_x", "dob_⟨birth_date:1⟩_x"),
]

NUMBERS = [
    ("PAN_4111111111111111", "PAN_⟨card:1⟩"),
    ("user_4111111111111111_x", "user_⟨card:1⟩_x"),
    ("_4111111111111111_5555555555554444_", "_⟨card:1⟩_⟨card:2⟩_"),
    ("_078-05-1120_", "_⟨us_ssn:1⟩_"),
    ("4111.1111.1111.1111", "⟨card:1⟩"),
    ("4111_1111_1111_1111", "⟨card:1⟩"),
    ("4111  1111  1111  1111", "⟨card:1⟩"),
    ("4111 1111\r\n1111-1111", "⟨card:1⟩"),
    ("4111\n1111\n1111\n1111", "⟨card:1⟩"),
    ('{"x":"4111\\n1111\\n1111\\n1111"}', '{"x":"⟨card:1⟩"}'),
    ("4111·1111·1111·1111", "⟨card:1⟩"),
    ("card=4111+1111+1111+1111&x=1", "card=⟨card:1⟩&x=1"),
    ("card=4111%201111%201111%201111&x=1", "card=⟨card:1⟩&x=1"),
    ("ssn=078%2D05%2D1120", "ssn=⟨us_ssn:1⟩"),
    ("iban_DE89370400440532013000", "iban_⟨iban:1⟩"),
    ("DE89  3704  0044  0532  0130  00", "⟨iban:1⟩"),
    ("DE89+3704+0044+0532+0130+00", "⟨iban:1⟩"),
    ("nino_AB123456C_", "nino_⟨uk_nino:1⟩_"),
    ("user_756.9217.0769.85", "user_⟨ch_ahv:1⟩"),
]

PHONES = [
    ("+1-415-555-2671x55", "⟨phone:1⟩x55"),
    ("415-555-2671x55", "⟨phone:1⟩x55"),
    ("tel_415-555-2671_home", "tel_⟨phone:1⟩_home"),
    ("_415-555-2671_", "_⟨phone:1⟩_"),
    ("Tel+4930123456", "Tel⟨phone:1⟩"),
    ("to=%2B4930123456&x", "to=⟨phone:1⟩&x"),
    ("to=%2B49+30+123456&x", "to=⟨phone:1⟩&x"),
    ("to=%2B49%2030%20123456&x", "to=⟨phone:1⟩&x"),
    ("call 415 555 2671", "call ⟨phone:1⟩"),
    ("please ring me back 4155552671.", "please ring me back ⟨phone:1⟩."),
    ("call 1 415 555 2671 or text 4155552672", "call ⟨phone:1⟩ or text ⟨phone:2⟩"),
    ("+1_415_555_2671, https://wa.me/14155552671", "⟨phone:1⟩, https://wa.me/⟨phone:2⟩"),
    ("from_+4930123456", "from_⟨phone:1⟩"),
]

EMAILS = [
    ("anna@empresa.com.py", "⟨email:1⟩"),
    ("anna@firma.zip", "⟨email:1⟩"),
    ("sip://anna@example.com", "sip://⟨email:1⟩"),
    ("mailto://anna.meier@example.com", "mailto://⟨email:1⟩"),
    ("ssh://anna.meier@example.com/x", "ssh://⟨email:1⟩/x"),
    ("anna&#64;example.com", "⟨email:1⟩"),
    ("anna&#x40;example&#46;com", "⟨email:1⟩"),
    ("anna&commat;example.com", "⟨email:1⟩"),
    ("anna%40example%2Ecom", "⟨email:1⟩"),
    ("山田@example.jp", "⟨email:1⟩"),
    ("山田77@example.jp", "⟨email:1⟩"),
    ("山田.taro@example.jp", "⟨email:1⟩"),
]

LEFT = [
    "module@2.py, logo@2x.zip, tool@v1.2.zip, ssh://git@github.com/x, git://git-user@github.com/x",
    "user_uid=234567890124, phone_model=Pixel7, telephone exchange, tool_call_id: 12345678, recall 4155552671",
    "4111 1111+1111.1111",
    '{"mac_address": "none", "email_address": "none5"}',
    "unborn_ 2024, reborn, date of birth, see page 12",
    "100%20 and &#128512; and a%2Fb",
    "x+4930123456",
]


@pytest.mark.parametrize(("text", "expected"), ANNOUNCED, ids=[text[:30] for text, _ in ANNOUNCED])
def test_the_words_of_a_programs_names_announce(text: str, expected: str) -> None:
    """`home_phone`, `homePhone` and a list's name announce what a word alone does."""
    assert redact(text).text == expected


@pytest.mark.parametrize(("text", "expected"), DATES, ids=[text[:30] for text, _ in DATES])
def test_a_birth_date_ends_where_a_time_begins(text: str, expected: str) -> None:
    """Timestamps, a comma behind the word, rows of eight digits."""
    assert redact(text).text == expected


@pytest.mark.parametrize(("text", "expected"), NUMBERS, ids=[repr(text)[:30] for text, _ in NUMBERS])
def test_a_number_is_found_between_underscores_and_with_other_signs(text: str, expected: str) -> None:
    """An underscore is an edge; the same signs between all groups are separators, encoded ones too."""
    assert redact(text).text == expected


@pytest.mark.parametrize(("text", "expected"), PHONES, ids=[text[:30] for text, _ in PHONES])
def test_a_telephone_number_may_touch_words(text: str, expected: str) -> None:
    """An extension, the announcing word, an underscore or an encoded plus beside it hides none."""
    assert redact(text).text == expected


@pytest.mark.parametrize(("text", "expected"), EMAILS, ids=[text[:30] for text, _ in EMAILS])
def test_an_address_is_found_in_links_and_markup(text: str, expected: str) -> None:
    """Domains that are endings of files too, schemes, HTML's escapes, names in other scripts."""
    assert redact(text).text == expected


@pytest.mark.parametrize("text", LEFT, ids=[repr(text)[:30] for text in LEFT])
def test_what_only_looks_like_these_forms_is_left(text: str) -> None:
    """Files, accounts of hosts, ids of calls, uneven separators."""
    assert redact(text).text == text
