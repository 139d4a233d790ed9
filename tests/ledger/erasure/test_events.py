"""The events of erasures, expiries and holds, as the gateway takes them."""

from __future__ import annotations

from dataclasses import replace

from ledger.erasure.events import events_of, hold_event
from ledger.keys.destruction import Request
from ledger.keys.holds import Hold
from ledger.record.names import IDS_MAX
from ledger.record.submission import submission_bytes
from ledger.record.translate import translate
from ledger.tenants import Tenant, TenantLog, log_origin
from tests.ledger.erasure.test_certificate import DONE, NAME, TENANT

LOGS = tuple(TenantLog(bytes([at]) * 32, "acme", at, 0, log_origin(NAME, bytes([at]) * 32)) for at in range(5))


MANY = Tenant("acme", TENANT.created_at, LOGS)


def test_made_again_they_are_the_same() -> None:
    """The same destruction gives the same bytes, so that publishing again gives repeats."""
    first = [submission_bytes(event) for _, event in events_of(DONE, TENANT, "b")]
    assert first == [submission_bytes(event) for _, event in events_of(DONE, TENANT, "b")]
    other = replace(DONE, destruction_id=b"e" * 16)
    assert events_of(other, TENANT, "b")[0][1].event_id != events_of(DONE, TENANT, "b")[0][1].event_id


def test_more_scopes_than_fit_give_more_events() -> None:
    """Every scope is named once in every log; the count of contents stands in the first event of its log."""
    scope_ids = tuple(at.to_bytes(16, "big") for at in range(IDS_MAX + 3))
    done = replace(DONE, scope_ids=scope_ids, counts={log.log_id.hex(): 10 + log.shard for log in LOGS})
    made = events_of(done, MANY, "b")
    assert len(made) == 10
    assert len({event.event_id for _, event in made}) == 10
    for log in LOGS:
        own = [event for each, event in made if each == log]
        assert tuple(scope for event in own for scope in event.erasure.scope_ids) == scope_ids
        assert [event.erasure.contents_count for event in own] == [10 + log.shard, 0]
        for event in own:
            assert translate(event).kind == "erasure"
            assert MANY.log_of(event.event_id) == log


def test_an_expiry_and_a_hold_are_taken() -> None:
    """Both pass the checks of every submitted event, and say what they are."""
    done = replace(DONE, kind="expiry", pseudonyms=(), retention_class="standard", month="2026-03")
    [(_, event)] = events_of(done, TENANT, "b")
    assert translate(event).body["month"] == "2026-03"
    assert tuple(event.expiry.key_ids_destroyed) == done.scope_ids
    placed = Hold("acme", "case-7", b"p" * 16, 1_790_000_000_000, None, False, Request("olga", (), "order", "why"))
    released = replace(placed, released_at_ms=1_790_000_100_000)
    assert translate(hold_event(placed, "b")).body["released"] is False
    assert translate(hold_event(released, "b")).body["released"] is True
    assert hold_event(placed, "b").event_id != hold_event(released, "b").event_id
