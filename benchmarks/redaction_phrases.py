"""The sentences the labelled texts of the redaction benchmark are made of, in several languages.

`{}` is where the value stands. A kind has several makers where its written forms differ in what they need around them:
a bare nine-digit number is a social security number only where the sentence says so.
"""

from __future__ import annotations

from random import Random

from benchmarks import redaction_ids as ids
from benchmarks import redaction_lookalikes as unlike
from benchmarks import redaction_values as v
from benchmarks.redaction_addresses import address
from benchmarks.redaction_values import Maker, digits, letters


def phone(rng: Random) -> str:
    area, exchange, line = (
        f"{rng.randrange(2, 10)}{digits(rng, 2)}",
        f"{rng.randrange(2, 10)}{digits(rng, 2)}",
        digits(rng, 4),
    )
    return rng.choice(
        [
            f"+1 ({area}) {exchange}-{line}",
            f"+1-{area}-{exchange}-{line}",
            f"({area}) {exchange}-{line}",
            f"{area}-{exchange}-{line}",
            f"{area}.{exchange}.{line}",
            f"+44 20 7{digits(rng, 3)} {digits(rng, 4)}",
            f"+447{digits(rng, 9)}",
            f"07{digits(rng, 3)} {digits(rng, 6)}",
            f"020 7{digits(rng, 3)} {digits(rng, 4)}",
            f"+49 (0)30 {rng.randrange(1, 10)}{digits(rng, 6)}",
            f"+49 17{digits(rng, 1)} {rng.randrange(1, 10)}{digits(rng, 6)}",
            f"030/{rng.randrange(1, 10)}{digits(rng, 7)}",
            f"0{rng.choice('67')} {' '.join(digits(rng, 2) for _ in range(4))}",
            f"0{rng.choice('1234567')}.{'.'.join(digits(rng, 2) for _ in range(4))}",
            f"+33 {rng.choice('1267')} {' '.join(digits(rng, 2) for _ in range(4))}",
            f"+34 6{digits(rng, 2)} {digits(rng, 3)} {digits(rng, 3)}",
            f"+39 3{digits(rng, 2)} {digits(rng, 3)} {digits(rng, 4)}",
            f"+48 {rng.randrange(500, 900)} {digits(rng, 3)} {digits(rng, 3)}",
            f"+55 (11) 9{digits(rng, 4)}-{digits(rng, 4)}",
            f"(11) 9{digits(rng, 4)}-{digits(rng, 4)}",
            f"+91 9{digits(rng, 4)} {digits(rng, 5)}",
            f"+46 70-{rng.randrange(1, 10)}{digits(rng, 2)} {digits(rng, 2)} {digits(rng, 2)}",
            f"+31 6 {rng.randrange(1, 10)}{digits(rng, 7)}",
            f"+81 90-{digits(rng, 4)}-{digits(rng, 4)}",
            f"00 49 89 {rng.randrange(1, 10)}{digits(rng, 6)}",
        ]
    )


def phone_in_words(rng: Random) -> str:
    return rng.choice(
        [
            f"6{digits(rng, 8)}",
            f"{rng.randrange(2, 10)}{digits(rng, 2)} {rng.randrange(2, 10)}{digits(rng, 2)} {digits(rng, 4)}",
            f"6{digits(rng, 2)} {digits(rng, 3)} {digits(rng, 3)}",
            f"0151 {digits(rng, 8)}",
            f"0{rng.randrange(1, 10)}{digits(rng, 9)}",
        ]
    )


_MONTHS = {
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
    "de": [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ],
    "fr": [
        "janvier",
        "février",
        "mars",
        "avril",
        "mai",
        "juin",
        "juillet",
        "août",
        "septembre",
        "octobre",
        "novembre",
        "décembre",
    ],
    "es": [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
    "it": [
        "gennaio",
        "febbraio",
        "marzo",
        "aprile",
        "maggio",
        "giugno",
        "luglio",
        "agosto",
        "settembre",
        "ottobre",
        "novembre",
        "dicembre",
    ],
}


def _birth(language: str) -> Maker:
    def make(rng: Random) -> str:
        year, month, day = rng.randrange(1935, 2012), rng.randrange(1, 13), rng.randrange(1, 29)
        name = _MONTHS[language][month - 1]
        forms = {
            "en": [
                f"{name} {day}, {year}",
                f"{day} {name} {year}",
                f"{month:02d}/{day:02d}/{year}",
                f"{name[:3]} {day}, {year}",
                f"{day}th {name} {year}",
            ],
            "de": [f"{day:02d}.{month:02d}.{year}", f"{day}. {name} {year}", f"{day}.{month}.{year % 100:02d}"],
            "fr": [f"{day} {name} {year}", f"{day:02d}/{month:02d}/{year}"],
            "es": [f"{day} de {name} de {year}", f"{day:02d}/{month:02d}/{year}"],
            "it": [f"{day} {name} {year}", f"{day:02d}/{month:02d}/{year}"],
        }
        return rng.choice([*forms[language], f"{year}-{month:02d}-{day:02d}"])

    return make


# type -> [(maker, language, sentences)]
POSITIVE: dict[str, list[tuple[Maker, str, tuple[str, ...]]]] = {
    "email": [
        (v.email, "en", ("Please write to {} about it.", "Contact: {}", "My e-mail is {}, thanks.", "From: <{}>")),
        (v.email, "de", ("Schreiben Sie an {}.", "Meine Adresse lautet {}!")),
        (v.email, "fr", ("Mon adresse est {} ; merci.", "Écrivez à {}.")),
        (v.email, "ja", ("メールは{}です。", "連絡先：{}")),
    ],
    "phone": [
        (phone, "en", ("Call me at {} tomorrow.", "Reach us on {}.", "The number {} is mine.", "Fax {}")),
        (phone, "de", ("Sie erreichen mich unter {}.", "Tel.: {}", "Bitte unter {} zurückrufen.")),
        (phone, "fr", ("Appelez le {} ce soir.", "Tél. {}")),
        (phone, "es", ("Puede llamar al {}.", "Mi número: {}")),
        (phone_in_words, "en", ("My phone number is {}.", "Mobile: {}", "phone {}")),
        (phone_in_words, "de", ("Telefon: {}", "Meine Handynummer ist {}.")),
        (phone_in_words, "es", ("Mi teléfono es {}.", "Móvil: {}")),
        (phone_in_words, "fr", ("Téléphone : {}", "Mon portable : {}")),
    ],
    "card": [
        (v.card, "en", ("Charge my card {} please.", "Card number: {}", "I paid with {} yesterday.", "{} exp 04/27")),
        (v.card, "de", ("Meine Kreditkarte {} wurde belastet.", "Kartennummer {}")),
        (v.card, "es", ("La tarjeta {} no funciona.",)),
    ],
    "iban": [
        (v.iban, "en", ("Send it to {} today.", "IBAN: {}", "my account {} was closed")),
        (v.iban, "de", ("Bitte auf {} überweisen.", "Kontoverbindung {}, danke")),
        (v.iban, "nl", ("Maak het over naar {} a.u.b.",)),
    ],
    "ipv4": [
        (
            v.ipv4,
            "en",
            (
                "Login from {} was blocked.",
                "Client {}:443 timed out",
                "host={} port=22",
                "http://{}/index.html",
                "Blocked network {}/24",
            ),
        )
    ],
    "ipv6": [
        (v.ipv6, "en", ("Login from {} was blocked.", "The client at {} timed out", "http://[{}]:8080/", "addr {}/64"))
    ],
    "mac": [(v.mac, "en", ("Device {} joined.", "hwaddr {}", "MAC address: {}", "Das Gerät {} ist neu."))],
    "birth_date": [
        (
            _birth("en"),
            "en",
            (
                "My date of birth is {}.",
                "DOB: {}",
                "She was born on {} in Leeds.",
                "**Date of Birth:** {}",
                "Passenger Ana (DOB {})",
                "born {}",
            ),
        ),
        (_birth("de"), "de", ("Ich bin am {} geboren.", "Geburtsdatum: {}", "geboren am {} in Köln", "Max, geb. {}")),
        (_birth("fr"), "fr", ("Je suis né le {} à Lyon.", "Date de naissance : {}", "née le {}")),
        (_birth("es"), "es", ("Nací el {}.", "Fecha de nacimiento: {}", "nacido el {} en Lugo")),
        (_birth("it"), "it", ("Sono nata il {}.", "Data di nascita: {}", "nato il {} a Bari")),
    ],
    "address": [
        (address("us"), "en", ("I live at {}.", "Ship it to {} please.", "Address: {}")),
        (address("uk"), "en", ("I live at {}.", "Send it to {} please.", "Address: {}")),
        (address("de"), "de", ("Ich wohne in der {}.", "Anschrift: {}", "Lieferung an {} bitte")),
        (address("fr"), "fr", ("J'habite {}.", "Adresse : {}", "Livrez au {} svp")),
        (address("es"), "es", ("Vivo en {}.", "Dirección: {}")),
        (address("it"), "it", ("Abito in {}.", "Indirizzo: {}")),
        (address("nl"), "nl", ("Ik woon op {}.", "Adres: {}")),
    ],
    "us_ssn": [
        (ids.us_ssn, "en", ("My SSN is {}.", "{} is on the form", "tax file {}")),
        (ids.us_ssn_bare, "en", ("SSN {}", "social security number: {}")),
    ],
    "uk_nino": [(ids.uk_nino, "en", ("National Insurance number {}.", "NINO: {}", "the form says {} there"))],
    "de_tax_id": [
        (
            ids.de_tax_id,
            "de",
            ("Meine Steuer-ID ist {}.", "IdNr. {}", "Steueridentifikationsnummer: {}", "auf dem Bescheid steht {}"),
        )
    ],
    "fr_nir": [(ids.fr_nir, "fr", ("Numéro de sécurité sociale : {}", "mon NIR {}", "voici : {}."))],
    "es_dni": [(ids.es_dni, "es", ("Mi DNI es {}.", "NIE: {}", "documento {}"))],
    "it_codice_fiscale": [(ids.it_codice_fiscale, "it", ("Codice fiscale: {}", "il mio CF è {}.", "dati {}"))],
    "nl_bsn": [(ids.nl_bsn, "nl", ("Mijn BSN is {}.", "burgerservicenummer: {}", "BSN {}"))],
    "pl_pesel": [(ids.pl_pesel, "pl", ("PESEL: {}", "Mój numer PESEL to {}.", "w formularzu {} proszę"))],
    "se_personnummer": [
        (ids.se_personnummer, "sv", ("Mitt personnummer är {}.", "Personnummer {}", "kund {}")),
        (ids.se_personnummer_bare, "sv", ("Personnummer: {}",)),
    ],
    "br_cpf": [
        (ids.br_cpf, "pt", ("Meu CPF é {}.", "CPF: {}", "cadastro {} ativo")),
        (ids.br_cpf_bare, "pt", ("CPF {}", "meu cpf: {}")),
    ],
    "in_aadhaar": [
        (ids.in_aadhaar, "en", ("Aadhaar: {}", "My Aadhaar number is {}.", "UIDAI record {}")),
        (ids.in_aadhaar_bare, "hi", ("मेरा आधार {} है।", "Aadhaar no. {}")),
    ],
    "ch_ahv": [(ids.ch_ahv, "de", ("AHV-Nummer: {}", "Meine AHV-Nr. ist {}.", "Versicherte {}"))],
    "be_national_number": [
        (ids.be_national_number, "nl", ("Rijksregisternummer: {}", "numéro national {}", "dossier {}"))
    ],
    "fi_hetu": [(ids.fi_hetu, "fi", ("Henkilötunnus: {}", "Hetuni on {}.", "asiakas {}"))],
    "cn_resident_id": [(ids.cn_resident_id, "zh", ("身份证号：{}", "我的身份证是{}。", "id card {}"))],
    "ca_sin": [(ids.ca_sin, "en", ("My SIN is {}.", "Social Insurance Number: {}", "SIN: {}"))],
    "aws_key": [
        (v.aws_key, "en", ("use key {}", "AWS_ACCESS_KEY_ID={}", "{} was revoked")),
        (v.aws_secret, "en", ("aws_secret_access_key = {}", "AWS_SECRET_ACCESS_KEY={}")),
    ],
    "gcp_key": [(v.gcp_key, "en", ("key={}", "The Google key {} leaked.", "token {}"))],
    "azure_key": [
        (v.azure_storage_key, "en", ("DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={}",)),
        (v.azure_client_secret, "en", ("client value {}", "the app uses {} there")),
    ],
    "github_token": [(v.github_token, "en", ("git token {}", "GITHUB_TOKEN={}", "export GH={} && run"))],
    "slack_token": [(v.slack_token, "en", ("slack {}", "SLACK_BOT_TOKEN={}", "use {} for the bot"))],
    "stripe_key": [(v.stripe_key, "en", ("stripe.api_key = '{}'", "STRIPE_KEY={}", "key {} leaked"))],
    "openai_key": [(v.openai_key, "en", ("OPENAI_API_KEY={}", "my key is {}", "key: {}"))],
    "anthropic_key": [(v.anthropic_key, "en", ("ANTHROPIC_API_KEY={}", "my key is {}", "key: {}"))],
    "private_key": [(v.private_key, "en", ("here it is:\n{}\nthanks", "{}", "cat id_rsa\n{}\n$ exit"))],
    "jwt": [(v.jwt, "en", ("Authorization: Bearer {}", "cookie session={}; path=/", "decode {} for me"))],
    "bearer_token": [
        (
            v.bearer_token,
            "en",
            ("Authorization: Bearer {}", "curl -H 'authorization: bearer {}' https://api.example.com"),
        )
    ],
    "password": [
        (
            v.password,
            "en",
            ("password={}", "My password is {}", "PASSWORD: {}", 'pwd="{}"', "passwd = '{}'", "DB_PASSWORD={} ./run"),
        ),
        (v.password, "de", ("Passwort: {}", "Mein Passwort ist {}")),
        (v.password, "es", ("contraseña: {}",)),
        (v.password, "fr", ("mot de passe : {}",)),
        (
            lambda rng: letters(rng, 12) + digits(rng, 2),
            "en",
            ("postgres://app:{}@db.example.com:5432/main", "https://user:{}@git.example.org/repo.git"),
        ),
    ],
}

# What a text holds besides: look-alikes in the sentences they come in.
NEGATIVE: list[tuple[Maker, tuple[str, ...]]] = [
    (unlike.uuid, ("request {} failed", "id={}", "Vorgang {}", "trace {}")),
    (unlike.sha, ("commit {}", "sha256:{}", "etag {}", "digest {}")),
    (unlike.version, ("release {}", "upgraded to {}", "pip install foo=={}")),
    (
        unlike.dotted_version,
        ("version {}", "Chrome/{} Safari/537.36", "firmware version {} is out", "Version: {}", "v{}"),
    ),
    (unlike.timestamp, ("at {}", "updated {}", "last seen: {}", "depart {} from gate 4")),
    (unlike.isbn, ("ISBN {}", "the book (ISBN: {})")),
    (unlike.price, ("total {}", "it costs {}.", "Der Preis: {}")),
    (unlike.flight, ("flight {}", "Flug {} ist verspätet", "on {} tomorrow")),
    (
        unlike.order_number,
        ("order {}", "Bestellnummer {}", "tracking {}", "reference {} is open", "número de pedido {}", "case no. {}"),
    ),
    (unlike.handle, ("see {}", "file {}", "follow {}")),
    (lambda rng: f"{rng.randrange(1, 13)}:{rng.randrange(60):02d}", ("meet at {} pm", "um {} Uhr")),
    (
        lambda rng: f"{rng.randrange(1, 90)}.{digits(rng, 6)}, -{rng.randrange(1, 170)}.{digits(rng, 6)}",
        ("location {}", "at {}"),
    ),
    (
        lambda rng: str(rng.randrange(100, 99999)),
        ("max_tokens={}", "{} tokens used", "token count: {}", "{} rows", "seat {}", "in {} steps"),
    ),
    (
        lambda rng: rng.choice(["required", "null", "<your password>", "${DB_PASSWORD}", "********"]),
        ("password: {}", "PASSWORD={}", "api_key: {}"),
    ),
    (
        lambda rng: f"{rng.randrange(1, 40)}.{rng.randrange(1, 20)}.{rng.randrange(1, 9)}.{rng.randrange(1, 9)}",
        ("see section {}", "§ {} applies"),
    ),
    (lambda rng: ":".join(letters(rng, 2, "0123456789ABCDEF") for _ in range(20)), ("fingerprint {}", "SHA1 {}")),
    (lambda rng: rng.choice(["std::vector", "fs::read", "ad::be", "Foo::Bar::baz"]), ("call {} here", "the class {}")),
    (
        lambda rng: rng.choice(
            [
                "the bearer of good news",
                "token ring networks",
                "a secret: nobody knows",
                "Password reset instructions",
                "born to run",
                "call me later",
                "street food at 5 stands",
                "an der Straße",
            ]
        ),
        ("{}.", "about {}"),
    ),
    (
        lambda rng: f"{rng.choice([2019, 2021, 2024])}-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}",
        ("Invoice date {}", "delivered on {}", "Reisedatum: {}"),
    ),
    (lambda rng: f"{digits(rng, 2)} {digits(rng, 2)} {digits(rng, 2)}", ("numbers {}", "code {}")),
]

FILLER = (
    "Thank you for getting in touch with us.",
    "I would like to change my booking, please.",
    "The baggage allowance depends on the fare you chose.",
    "Could you confirm that the refund was issued?",
    "Vielen Dank für Ihre Anfrage, wir melden uns in Kürze.",
    "Die Lieferung verzögert sich leider um einige Tage.",
    "Merci de votre patience, nous traitons votre demande.",
    "Le dossier a été transmis au service concerné.",
    "Gracias por su mensaje; lo revisamos enseguida.",
    "Il pacco è stato spedito ieri sera.",
    "Dziękujemy za kontakt, odpowiemy wkrótce.",
    "Obrigado pelo contato; já estamos verificando.",
    "Tack för ditt meddelande, vi återkommer.",
    "ご連絡ありがとうございます。",
    "我们会尽快处理您的请求。",
    "Step 3 of 5: review the summary and confirm.",
    "The model answered in 812 ms with 1,204 tokens.",
    "Everything looks fine to me 👍 🎉",
)
