"""Whoever has the ledger key and lies: signatures and digests all fit, one thing does not, and it is named."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest

from ledger.record.payload import decode_payload, encode_payload
from ledger.segments.objects import FileStore
from ledger.segments.round import CONTENTS, EVENTS
from ledger.verify import verify
from tests.ledger.verify.built import Built
from tests.ledger.verify.forge import Draft, relink, seal, take_apart, with_values
from tests.ledger.verify.lying import Lie, forged, rules_of, set_value


def _nothing(built: Built, drafts: list[Draft]) -> None:
    """Sealed again as it was."""


def _relinked(built: Built, drafts: list[Draft]) -> None:
    """Leaves, chains and trees computed anew from the same payloads."""
    relink(drafts)


@pytest.mark.parametrize("lie", [_nothing, _relinked])
def test_the_forge_itself_is_honest(plain: Built, empty_store: FileStore, lie: Lie) -> None:
    """What the forge seals without a lie passes, so what a lie brings out is the lie."""
    assert forged(plain, empty_store, lie).findings == ()


# --- depth leaves ---------------------------------------------------------------------------------------------------


def _payload(draft: Draft, row: int, **changed: object) -> None:
    values = decode_payload(draft.events["payload"][row].as_py())
    set_value(draft, EVENTS, "payload", row, encode_payload({**values, **changed}))


def _altered_payload(built: Built, drafts: list[Draft]) -> None:
    _payload(drafts[0], 1, submitted_by="somebody else")


def _altered_payload_and_leaf(built: Built, drafts: list[Draft]) -> None:
    from ledger.tlog.merkle import leaf_hash

    _payload(drafts[0], 1, submitted_by="somebody else")
    set_value(drafts[0], EVENTS, "leaf_hash", 1, leaf_hash(drafts[0].events["payload"][1].as_py()))


def _altered_leaf(built: Built, drafts: list[Draft]) -> None:
    set_value(drafts[0], EVENTS, "leaf_hash", 1, bytes(32))


def _short_leaf(built: Built, drafts: list[Draft]) -> None:
    set_value(drafts[0], EVENTS, "leaf_hash", 1, bytes(31))


def _altered_chain(built: Built, drafts: list[Draft]) -> None:
    set_value(drafts[0], EVENTS, "chain_hash", 1, bytes(32))


def _short_chain(built: Built, drafts: list[Draft]) -> None:
    set_value(drafts[0], EVENTS, "chain_hash", 1, bytes(33))


def _twice_the_same_index(built: Built, drafts: list[Draft]) -> None:
    set_value(drafts[0], EVENTS, "index", 1, drafts[0].events["index"][0].as_py())


def _rows_out_of_order(built: Built, drafts: list[Draft]) -> None:
    order = [1, 0, *range(2, drafts[0].events.num_rows)]
    drafts[0].events = drafts[0].events.take(pa.array(order))


def _row_of_another_log(built: Built, drafts: list[Draft]) -> None:
    set_value(drafts[0], EVENTS, "log_id", 0, bytes(32))


def _no_leaf_column(built: Built, drafts: list[Draft]) -> None:
    drafts[0].events = drafts[0].events.drop_columns(["leaf_hash"])


def _swapped_payloads(built: Built, drafts: list[Draft]) -> None:
    one, other = (drafts[0].events["payload"][row].as_py() for row in (0, 1))
    set_value(drafts[0], EVENTS, "payload", 0, other)
    set_value(drafts[0], EVENTS, "payload", 1, one)


def _row_removed_and_relinked(built: Built, drafts: list[Draft]) -> None:
    """A sealer that never sealed an event it had a receipt for."""
    drafts[0].events = drafts[0].events.slice(1)
    relink(drafts)


def _row_added_and_relinked(built: Built, drafts: list[Draft]) -> None:
    """A sealer that made an event up, for which no gateway signed."""
    last = next(
        row for row in range(drafts[0].events.num_rows) if drafts[0].events["log_id"][row].as_py() == built.acme
    )
    made_up = drafts[0].events.slice(last, 1)
    drafts[0].events = pa.concat_tables([drafts[0].events, made_up]).sort_by([("log_id", "ascending")])
    row = max(row for row in range(drafts[0].events.num_rows) if drafts[0].events["log_id"][row].as_py() == built.acme)
    _payload(drafts[0], row, submitted_by="nobody")
    relink(drafts)


def _receipts_left_out(built: Built, drafts: list[Draft]) -> None:
    drafts[0].receipts = [() for _ in drafts[0].receipts]


def _receipts_of_the_other_log(built: Built, drafts: list[Draft]) -> None:
    drafts[0].receipts = drafts[0].receipts[::-1]


def _repeat_kept_quiet(built: Built, drafts: list[Draft]) -> None:
    for draft in drafts:
        draft.statements = [replace(statement, repeats=()) for statement in draft.statements]


LEAF_LIES: list[tuple[Lie, set[str]]] = [
    (_altered_payload, {"leaf", "chain", "root", "uncovered"}),
    (_altered_payload_and_leaf, {"chain", "root", "uncovered"}),
    (_altered_leaf, {"leaf"}),
    (_short_leaf, {"leaf"}),
    (_altered_chain, {"chain"}),
    (_short_chain, {"chain"}),
    (_twice_the_same_index, {"rows"}),
    (_rows_out_of_order, {"rows"}),
    (_row_of_another_log, {"rows"}),
    (_no_leaf_column, {"format"}),
    (_swapped_payloads, {"leaf", "chain", "root"}),
    (_row_removed_and_relinked, {"missing-event"}),
    (_row_added_and_relinked, {"uncovered"}),
    (_receipts_left_out, {"uncovered"}),
    (_receipts_of_the_other_log, {"receipt", "uncovered"}),
    (_repeat_kept_quiet, {"missing-event"}),
]


@pytest.mark.parametrize(("lie", "rules"), LEAF_LIES, ids=[lie.__name__ for lie, _ in LEAF_LIES])
def test_lies_about_leaves_are_named(plain: Built, empty_store: FileStore, lie: Lie, rules: set[str]) -> None:
    """Depth `leaves` names a row that is not what the statement, the chain, the tree or the receipts say."""
    report = forged(plain, empty_store, lie, depth="leaves", rounds=2, now_us=2**62)
    assert rules <= rules_of(report), [str(finding) for finding in report.findings]
    assert report.findings[0].where.startswith(("partitions/0000/events/000000000000-", "partition 0, round "))


def test_a_promised_event_is_pending_until_its_delay_has_passed(plain: Built, empty_store: FileStore) -> None:
    """An event left out is no finding while its receipt's delay runs, and a missing event afterwards."""
    assert "missing-event" in rules_of(forged(plain, empty_store, _row_removed_and_relinked, "leaves", now_us=2**62))
    early = verify(empty_store, plain.trust, depth="leaves", now_us=0)
    assert "missing-event" not in rules_of(early)
    assert early.counts.pending == 1


def test_a_wrong_statement_does_not_make_the_next_ones_wrong(plain: Built, empty_store: FileStore) -> None:
    """What is altered in round 0 is named for round 0 only."""
    report = forged(plain, empty_store, _altered_payload, depth="full")
    assert {finding.where.split(",")[1] for finding in report.findings if "," in finding.where} == {" round 0"}


# --- depth full -----------------------------------------------------------------------------------------------------


def _column(role: str, column: str, value: object, number: int = 0, row: int = 1) -> Lie:
    def lie(built: Built, drafts: list[Draft]) -> None:
        set_value(drafts[number], role, column, row, value)

    lie.__name__ = f"{role}_{column}"
    return lie


def _nested_column(built: Built, drafts: list[Draft]) -> None:
    request = drafts[0].events["request"][1].as_py()
    set_value(drafts[0], EVENTS, "request", 1, {**request, "model_requested": "gpt-zero"})


def _descriptor_column(built: Built, drafts: list[Draft]) -> None:
    contents = drafts[0].events["contents"][1].as_py()
    contents[0]["retention_class"] = "short"
    set_value(drafts[0], EVENTS, "contents", 1, contents)


def _extra_column(built: Built, drafts: list[Draft]) -> None:
    count = drafts[0].events.num_rows
    drafts[0].events = drafts[0].events.append_column("verdict", pa.array(["innocent"] * count))


def _payload_as_text(built: Built, drafts: list[Draft]) -> None:
    at = drafts[0].events.column_names.index("payload")
    texts = pa.array(["text"] * drafts[0].events.num_rows)
    drafts[0].events = drafts[0].events.set_column(at, "payload", texts)


def _column_twice(built: Built, drafts: list[Draft]) -> None:
    drafts[0].events = drafts[0].events.append_column("kind", drafts[0].events["kind"])


def _content_column_more(built: Built, drafts: list[Draft]) -> None:
    drafts[0].contents = drafts[0].contents.append_column("note", drafts[0].contents["slot"])


def _column_missing(built: Built, drafts: list[Draft]) -> None:
    drafts[0].events = drafts[0].events.drop_columns(["purpose"])


def _schema_not_pinned(built: Built, drafts: list[Draft]) -> None:
    drafts[0].statements = [replace(each, schemas=(bytes(32),)) for each in drafts[0].statements]


def _undecodable(built: Built, drafts: list[Draft]) -> None:
    payload = drafts[0].events["payload"][1].as_py()
    set_value(drafts[0], EVENTS, "payload", 1, payload[:-1])
    relink(drafts)


def _unknown_schema(built: Built, drafts: list[Draft]) -> None:
    payload = drafts[0].events["payload"][1].as_py()
    set_value(drafts[0], EVENTS, "payload", 1, payload[:2] + bytes(8) + payload[10:])
    relink(drafts)


def _other_tenant(built: Built, drafts: list[Draft]) -> None:
    _payload(drafts[0], 1, tenant="gamma")
    set_value(drafts[0], EVENTS, "tenant", 1, "gamma")
    relink(drafts)


def _other_shard(built: Built, drafts: list[Draft]) -> None:
    _payload(drafts[0], 1, shard=7)
    set_value(drafts[0], EVENTS, "shard", 1, 7)
    relink(drafts)


def _content_gone(built: Built, drafts: list[Draft]) -> None:
    drafts[0].contents = drafts[0].contents.slice(1)


def _content_twice(built: Built, drafts: list[Draft]) -> None:
    drafts[0].contents = pa.concat_tables([drafts[0].contents.slice(0, 1), drafts[0].contents])


def _contents_file_gone(built: Built, drafts: list[Draft]) -> None:
    drafts[0].contents = None


def _contents_swapped(built: Built, drafts: list[Draft]) -> None:
    one, other = (drafts[0].contents["ciphertext"][row].as_py() for row in (0, 1))
    set_value(drafts[0], CONTENTS, "ciphertext", 0, other)
    set_value(drafts[0], CONTENTS, "ciphertext", 1, one)


def _mark_without_statement(built: Built, drafts: list[Draft]) -> None:
    set_value(drafts[0], EVENTS, "mark", 1, "conflict")


def _marks_dropped(built: Built, drafts: list[Draft]) -> None:
    drafts[1].statements = [replace(each, conflicts=(), undetermined=()) for each in drafts[1].statements]
    count = drafts[1].events.num_rows
    drafts[1].events = with_values(drafts[1].events, "mark", list(range(count)), [None] * count)


def _conflict_called_undetermined(built: Built, drafts: list[Draft]) -> None:
    for at, statement in enumerate(drafts[1].statements):
        drafts[1].statements[at] = replace(
            statement, conflicts=(), undetermined=(*statement.conflicts, *statement.undetermined)
        )
    marks = ["undetermined" if mark else None for mark in drafts[1].events["mark"].to_pylist()]
    drafts[1].events = with_values(drafts[1].events, "mark", list(range(len(marks))), marks)


def _mark_points_elsewhere(built: Built, drafts: list[Draft]) -> None:
    for at, statement in enumerate(drafts[1].statements):
        drafts[1].statements[at] = replace(
            statement, conflicts=tuple(replace(mark, first_index=1) for mark in statement.conflicts)
        )


def _repeat_points_elsewhere(built: Built, drafts: list[Draft]) -> None:
    for at, statement in enumerate(drafts[1].statements):
        repeats = tuple(replace(repeat, first_index=1) for repeat in statement.repeats)
        drafts[1].statements[at] = replace(statement, repeats=repeats)


def _repeat_of_nothing(built: Built, drafts: list[Draft]) -> None:
    for at, statement in enumerate(drafts[1].statements):
        repeats = tuple(replace(repeat, first_index=10**6) for repeat in statement.repeats)
        drafts[1].statements[at] = replace(statement, repeats=repeats)


def _id_twice_without_mark(built: Built, drafts: list[Draft]) -> None:
    values = decode_payload(drafts[0].events["payload"][0].as_py())
    _payload(drafts[0], 1, event_id=values["event_id"])
    set_value(drafts[0], EVENTS, "event_id", 1, values["event_id"])
    relink(drafts)


FULL_LIES: list[tuple[Lie, set[str]]] = [
    (_column(EVENTS, "submitted_by", "somebody else"), {"column"}),
    (_column(EVENTS, "kind", "change"), {"column"}),
    (_column(EVENTS, "actor_user", bytes(16)), {"column"}),
    (_column(EVENTS, "subject", bytes(16)), {"column"}),
    (_column(EVENTS, "subject", None), {"column"}),
    (_column(EVENTS, "round", 3), {"column"}),
    (_column(EVENTS, "partition", 1), {"column"}),
    (_column(EVENTS, "offset", 10**9), {"column"}),
    (_column(EVENTS, "offset", 0), {"column"}),
    (_column(EVENTS, "mark", "checked"), {"column"}),
    (_column(CONTENTS, "ciphertext", bytes(64)), {"content"}),
    (_column(CONTENTS, "slot", "other"), {"content"}),
    (_column(CONTENTS, "index", 10**6), {"content"}),
    (_column(CONTENTS, "event_id", bytes(16)), {"column"}),
    (_column(CONTENTS, "event_id", b"short"), {"column"}),
    (_column(CONTENTS, "subject", bytes(16)), {"column"}),
    (_column(CONTENTS, "log_id", bytes(32)), {"content"}),
    (_nested_column, {"column"}),
    (_descriptor_column, {"column"}),
    (_extra_column, {"column"}),
    (_payload_as_text, {"format"}),
    (_column_twice, {"format"}),
    (_content_column_more, {"format"}),
    (_column_missing, {"column"}),
    (_schema_not_pinned, {"schema"}),
    (_undecodable, {"payload"}),
    (_unknown_schema, {"schema"}),
    (_other_tenant, {"payload"}),
    (_other_shard, {"payload"}),
    (_content_gone, {"content"}),
    (_content_twice, {"content"}),
    (_contents_file_gone, {"content"}),
    (_contents_swapped, {"content"}),
    (_mark_without_statement, {"column"}),
    (_marks_dropped, {"identity"}),
    (_conflict_called_undetermined, {"identity"}),
    (_mark_points_elsewhere, {"identity"}),
    (_repeat_points_elsewhere, {"identity"}),
    (_repeat_of_nothing, {"R8"}),
    (_id_twice_without_mark, {"identity"}),
]


@pytest.mark.parametrize(("lie", "rules"), FULL_LIES, ids=[lie.__name__ for lie, _ in FULL_LIES])
def test_lies_about_columns_and_contents_are_named(
    plain: Built, empty_store: FileStore, lie: Lie, rules: set[str]
) -> None:
    """Depth `full` names a column, content, mark or id that is not what payload, statement and round say."""
    report = forged(plain, empty_store, lie, rounds=2)
    assert rules <= rules_of(report), [str(finding) for finding in report.findings]
    assert all(finding.where and finding.message for finding in report.findings)
    told = "".join(str(finding) for finding in report.findings)
    assert "somebody else" not in told, "messages hold names, places, sizes and digests only"
    assert "gpt-zero" not in told


# --- placements -----------------------------------------------------------------------------------------------------


def test_a_forked_chain_of_rounds_is_named(plain: Built, empty_store: FileStore) -> None:
    """Rounds that do not name their predecessor, go back in time or in offsets break their rule, by its name."""
    drafts = take_apart(plain.store, 0, plain.trust)
    earlier = drafts[1].round.sealed_at_us - 1
    lies = {
        "R2": {"previous": bytes(32)},
        "R4": {"sealed_at_us": earlier},
        "R5": {"first_offset": 0},
        "R1": {"kind": 9},
    }
    for at, (rule, changed) in enumerate(lies.items()):
        store = FileStore(empty_store.root / str(at))
        seal(
            store,
            0,
            drafts,
            plain.signer,
            lambda round_, changed=changed: replace(round_, **changed) if round_.number == 2 else round_,
        )
        report = verify(store, plain.trust, depth="files")
        assert (report.findings[0].where, report.findings[0].rule) == ("partition 0, round 2", rule)


def test_a_log_in_a_foreign_partition_is_named(plain: Built) -> None:
    """A log's partition is fixed when it is made; statements elsewhere are findings."""
    logs = tuple(replace(log, partition=1) if log.log_id == plain.acme else log for log in plain.trust.logs)
    report = verify(plain.store, replace(plain.trust, logs=logs), depth="files")
    assert rules_of(report) == {"partition", "hole"}
    assert [each.where for each in report.findings if each.rule == "hole"] == ["partition 1"]


def test_an_untrusted_gateway_is_named(plain: Built) -> None:
    """Receipts that no trusted gateway signed are findings, and what they cover is uncovered."""
    keys = tuple(key for key in plain.trust.keys if key.role != "gateway")
    report = verify(plain.store, replace(plain.trust, keys=keys), depth="leaves")
    assert rules_of(report) == {"receipt", "uncovered"}
