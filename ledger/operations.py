"""What was done to the ledger itself, on its way into the log: rotations, restores, configuration, roles.

    open        it was begun; the row was durable before the first step
    ended       it is over, and the row says how
    recorded    its Operation event is durable; the row is gone

A row in the key store comes first, the work next, the event last. So nothing is done that leaves no trace, and no
command has to wait for an event log: the next gateway that runs on this ledger, one of its own processes, publishes
what is ended (`ledger.gateway.own_records`), within seconds where one runs already. The row makes the event, id and
all, so that several gateways publish one event.

Whoever takes up what was interrupted goes on with its row. One that nobody ends is published after `OPEN_S` as begun,
without an outcome; should it be ended later, that is an event of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import urandom
from typing import Literal

from ledger import __version__
from ledger.client.ids import derived_event_id
from ledger.keys.database import KeyDatabase, Rows
from ledger.tenants import ORG
from ledger.v1 import event_pb2 as pb

Action = Literal["rotation", "restore", "configuration", "role_grant"]

OPEN_S = 3_600
SERVICE = "audit-ledger"
NAME_CHARACTERS_MAX = 256

TABLES = (
    """CREATE TABLE IF NOT EXISTS operations (
        operation_id BLOB NOT NULL PRIMARY KEY,
        tenant TEXT NOT NULL,
        action TEXT NOT NULL,
        subject TEXT NOT NULL,
        requester TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        is_ended INTEGER NOT NULL,
        outcome TEXT NOT NULL
    )""",
    """CREATE TABLE IF NOT EXISTS recorded_files (
        gateway TEXT NOT NULL,
        file TEXT NOT NULL,
        sha256 BLOB NOT NULL,
        PRIMARY KEY (gateway, file)
    )""",
)
_COLUMNS = "operation_id, tenant, action, subject, requester, at_ms, is_ended, outcome"
_ACTIONS = {
    "rotation": pb.OPERATION_ACTION_ROTATION,
    "restore": pb.OPERATION_ACTION_RESTORE,
    "configuration": pb.OPERATION_ACTION_CONFIGURATION,
    "role_grant": pb.OPERATION_ACTION_ROLE_GRANT,
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How it ended: `target` says what it was done to, with key ids and versions; `count` of what it changed."""

    target: str = ""
    count: int | None = None
    succeeded: bool = True
    key_ids_destroyed: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `subject` tells one kind of work from another: "master key". Unix milliseconds.

    `outcome` is None while it is open.
    """

    operation_id: bytes
    tenant: str
    action: Action
    subject: str
    requester: str
    at_ms: int
    outcome: Outcome | None

    def event(self) -> pb.Event:
        """Its Operation event; the same for every gateway."""
        event = pb.Event(phase=pb.PHASE_SINGLE, classification=pb.CLASSIFICATION_CONFIDENTIAL)
        event.event_id = derived_event_id(self.at_ms, "operation", self.operation_id)
        event.occurred_at.FromMilliseconds(self.at_ms)
        event.producer.service = SERVICE
        event.producer.version = __version__
        event.producer.capture_path = pb.CAPTURE_PATH_STUB
        event.actor.credential_id = self.requester
        body = event.operation
        body.action = _ACTIONS[self.action]
        body.target = self.subject[:NAME_CHARACTERS_MAX]
        if self.outcome is not None:
            body.target = (self.outcome.target or self.subject)[:NAME_CHARACTERS_MAX]
            body.succeeded = self.outcome.succeeded
            body.key_ids_destroyed.extend(self.outcome.key_ids_destroyed)
            if self.outcome.count is not None:
                body.count = self.outcome.count
        return event


class Operations:
    """The operations of one ledger that are not recorded yet. Calls block."""

    def __init__(self, database: KeyDatabase, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._database = database
        self._now_ms = now_ms

    def begin(self, tenant: str, action: Action, subject: str, requester: str) -> bytes:
        """Its id, durable; that of one begun before and not ended, where this goes on with it."""
        self._make_tables()
        with self._database.write() as rows:
            found = rows.execute(
                "SELECT operation_id FROM operations "
                "WHERE tenant = ? AND action = ? AND subject = ? AND is_ended = 0 ORDER BY at_ms",
                (tenant, action, subject),
            ).fetchone()
            if found is not None:
                return bytes(found[0])
            return self._insert(rows, tenant, action, subject, requester, None)

    def end(self, operation_id: bytes, tenant: str, action: Action, subject: str, requester: str, how: Outcome) -> None:
        """It is over. If it was published as begun already, this is another event."""
        with self._database.write() as rows:
            known = rows.execute("SELECT 1 FROM operations WHERE operation_id = ?", (operation_id,)).fetchone()
            if known is None:
                self._insert(rows, tenant, action, subject, requester, how)
            else:
                rows.execute(
                    "UPDATE operations SET is_ended = 1, outcome = ? WHERE operation_id = ?",
                    (_encoded(how), operation_id),
                )

    @contextmanager
    def doing(self, tenant: str, action: Action, subject: str, requester: str) -> Iterator[list[Outcome]]:
        """The work in its block. Append how it ended; a block that raises leaves it open, for whoever goes on."""
        operation_id = self.begin(tenant, action, subject, requester)
        ended: list[Outcome] = []
        yield ended
        self.end(operation_id, tenant, action, subject, requester, ended[-1] if ended else Outcome())

    def note(self, tenant: str, action: Action, subject: str, requester: str, how: Outcome) -> None:
        """One that is over already, and could not be half done."""
        self._make_tables()
        with self._database.write() as rows:
            self._insert(rows, tenant, action, subject, requester, how)

    def note_file(
        self, gateway: str, file: str, sha256: bytes, action: Action, requester: str, how: Outcome, *, first: bool
    ) -> bool:
        """A file of a gateway's that is another one than when last looked at; False when nothing is to be recorded.

        `first`: whether the first look at it is to be recorded as well.
        """
        self._make_tables()
        with self._database.write() as rows:
            of = (gateway, file)
            found = rows.execute("SELECT sha256 FROM recorded_files WHERE gateway = ? AND file = ?", of).fetchone()
            if found is not None and bytes(found[0]) == sha256:
                return False
            rows.execute(
                "INSERT INTO recorded_files (gateway, file, sha256) VALUES (?, ?, ?) "
                "ON CONFLICT (gateway, file) DO UPDATE SET sha256 = excluded.sha256",
                (*of, sha256),
            )
            if found is None and not first:
                return False
            self._insert(rows, ORG, action, file, requester, how)
        return True

    def unrecorded(self) -> list[Operation]:
        """What is to be published now, oldest first."""
        with self._database.read() as rows:
            if not rows.has_table("operations"):
                return []
            found = rows.execute(
                f"SELECT {_COLUMNS} FROM operations WHERE is_ended = 1 OR at_ms <= ? ORDER BY at_ms, operation_id",
                (self._now_ms() - OPEN_S * 1_000,),
            ).fetchall()
        return [_operation(*row) for row in found]

    def waiting(self) -> int:
        """How many are not recorded, open ones among them."""
        with self._database.read() as rows:
            if not rows.has_table("operations"):
                return 0
            return int(rows.execute("SELECT count(*) FROM operations").fetchone()[0])

    def recorded(self, operation: Operation) -> None:
        """Its event is durable. A row that was ended since it was read stays: that is another event."""
        with self._database.write() as rows:
            rows.execute(
                "DELETE FROM operations WHERE operation_id = ? AND is_ended = ?",
                (operation.operation_id, int(operation.outcome is not None)),
            )
            if operation.outcome is None:
                # Ended meanwhile: the id is taken by the event that says "begun".
                rows.execute(
                    "UPDATE operations SET operation_id = ? WHERE operation_id = ?",
                    (urandom(16), operation.operation_id),
                )

    def _insert(
        self, rows: Rows, tenant: str, action: Action, subject: str, requester: str, how: Outcome | None
    ) -> bytes:
        operation_id = urandom(16)
        rows.execute(
            f"INSERT INTO operations ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                operation_id,
                tenant,
                action,
                subject,
                requester,
                self._now_ms(),
                int(how is not None),
                "" if how is None else _encoded(how),
            ),
        )
        return operation_id

    def _make_tables(self) -> None:
        with self._database.read() as rows:
            there = rows.has_table("recorded_files")
        if not there:
            with self._database.write() as rows:
                for statement in TABLES:
                    rows.define(statement)


def _encoded(how: Outcome) -> str:
    ids = [each.hex() for each in how.key_ids_destroyed]
    return json.dumps([how.target, how.count, how.succeeded, ids])


def _operation(
    operation_id: bytes,
    tenant: str,
    action: Action,
    subject: str,
    requester: str,
    at_ms: int,
    is_ended: int,
    outcome: str,
) -> Operation:
    how = None
    if is_ended:
        target, count, succeeded, ids = json.loads(outcome)
        how = Outcome(target, count, succeeded, tuple(bytes.fromhex(each) for each in ids))
    return Operation(bytes(operation_id), tenant, action, subject, requester, at_ms, how)
