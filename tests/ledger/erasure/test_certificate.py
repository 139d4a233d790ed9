"""The certificate: what it says, and that nobody else can say it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from ledger.erasure.certificate import certificate_text, check_certificate, sign_certificate
from ledger.erasure.events import events_of
from ledger.errors import IntegrityError
from ledger.keys.destruction import Destruction, Request
from ledger.keys.signing import SigningKey
from ledger.tenants import Tenant, TenantLog, log_origin
from ledger.tlog.note import NoteError
from ledger.trust import TrustedKey, TrustedKeys

NAME = "audit.test"
SIGNER = SigningKey(b"s" * 32).signer(f"{NAME}/ledger")
GATEWAY = SigningKey(b"g" * 32).signer(f"{NAME}/ledger")
LOG = TenantLog(b"l" * 32, "acme", 0, 0, log_origin(NAME, b"l" * 32))
TENANT = Tenant("acme", datetime(2026, 1, 1, tzinfo=UTC), (LOG,))
DONE = Destruction(
    destruction_id=b"d" * 16,
    tenant="acme",
    kind="erasure",
    phase="done",
    request=Request("olga", ("paul",), "GDPR Art. 17", ""),
    retention_class=None,
    month=None,
    marked_at_ms=1_790_000_000_000,
    destroyed_at_ms=1_790_000_030_000,
    pseudonyms=(b"p" * 16,),
    scope_ids=(b"a" * 16, b"b" * 16),
    keys_destroyed=5,
    counts={LOG.log_id.hex(): 7},
)


def trust(until: datetime | None = None) -> TrustedKeys:
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    return TrustedKeys(NAME, (TrustedKey("ledger", SIGNER.name, SIGNER.public_key, long_ago, until),))


def note(done: Destruction = DONE) -> bytes:
    return sign_certificate(certificate_text(NAME, done, TENANT), SIGNER).encode()


def test_it_says_who_what_when_and_where() -> None:
    """Everything that the docstring lists stands in it, and the events it names are those that were published."""
    text = check_certificate(note(), trust())
    [(_, event)] = events_of(DONE, TENANT, "any build")
    assert text.splitlines() == [
        "audit.test/certificate/v1",
        f"erasure {'64' * 16}",
        "tenant acme",
        f"pseudonym {'70' * 16}",
        "requested by olga",
        "approved by paul",
        "legal ground GDPR Art. 17",
        "marked 2026-09-21T14:13:20.000+00:00",
        "destroyed 2026-09-21T14:13:50.000+00:00",
        "keys destroyed 5",
        "scopes destroyed 2 " + sha256(b"a" * 16 + b"b" * 16).hexdigest(),
        "contents made unreadable 7",
        f"event {event.event_id.hex()} in {LOG.origin}",
    ]


def test_an_altered_or_foreign_one_is_refused() -> None:
    """Another word, another key, another ledger or a key past its end: none of them is the ledger's certificate."""
    with pytest.raises(NoteError, match="does not verify"):
        check_certificate(note().replace(b"paul", b"mark"), trust())
    other = sign_certificate(certificate_text(NAME, DONE, TENANT), GATEWAY).encode()
    with pytest.raises(NoteError):
        check_certificate(other, trust())
    with pytest.raises(NoteError, match="certificate: is none of"):
        check_certificate(sign_certificate("audit.test/log/x\n", SIGNER).encode(), trust())
    with pytest.raises(IntegrityError):
        check_certificate(note(), trust(datetime(2026, 9, 1, tzinfo=UTC)))
    check_certificate(note(), trust(datetime(2026, 9, 21, tzinfo=UTC) + timedelta(days=1)))
    with pytest.raises(NoteError, match="at most"):
        check_certificate(b"x" * 1_000_000, trust())


@pytest.mark.parametrize("said", ["2026-09-21", "2026-09-21T14:13:50.000", "2026-13-21T14:13:50.000+00:00", "then"])
def test_a_time_in_another_form_is_refused(said: str) -> None:
    """A note may come from anybody: a time that cannot be compared with a key's range is none, and no crash."""
    text = certificate_text(NAME, DONE, TENANT).replace("2026-09-21T14:13:50.000+00:00", said)
    with pytest.raises(NoteError, match="certificate: expected a time such as"):
        check_certificate(sign_certificate(text, SIGNER).encode(), trust())


def test_nothing_unfinished_is_certified() -> None:
    """Before the event is durable there is no certificate."""
    with pytest.raises(IntegrityError, match="not finished"):
        certificate_text(NAME, replace(DONE, phase="counted"), TENANT)


def test_an_expiry_names_class_and_month() -> None:
    """The certificate of an expiry has those in place of a pseudonym."""
    done = replace(DONE, kind="expiry", pseudonyms=(), retention_class="standard", month="2026-03")
    text = check_certificate(note(done), trust())
    assert "class standard\nmonth 2026-03\nrequested by" in text
    assert "pseudonym" not in text
