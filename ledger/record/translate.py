"""A submitted event, checked and taken apart: payload fields, contents, persons.

`translate` is the one place that decides where a submitted value goes: into the payload (names, numbers, times,
digests), into a content (free text, bytes), or behind a pseudonym (persons; the identifier itself becomes the content
`actor.user` or `subjects.<n>`). It needs no key and no clock; `ledger.record.assemble` adds what depends on those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from ledger.errors import Rejected
from ledger.keys.provider import HolderRef
from ledger.record.bodies import BODIES
from ledger.record.envelope import ENVELOPE_NAMES, envelope_of
from ledger.record.fields import Values, symbol
from ledger.record.names import PERSONS_MAX, bounded, check_clear, check_no_identifier, identifier, may_hold, name
from ledger.record.payload import BODY_FIELDS
from ledger.record.schemas import PAYLOAD, text_fields
from ledger.record.submission import check_event_id
from ledger.redaction.clear_names import held_in
from ledger.v1 import event_pb2 as pb

CLEAR_PERSON_FIELDS = {
    "change": ("author", "owner", "reviewers"),
    "access": ("reader",),
    "tool_call": ("approver",),
    "decision": ("human_reviewer",),
    "finding": ("owner",),
    "erasure": ("approvers",),
    "legal_hold": ("approvers",),
    "expiry": ("approvers",),
    "operation": ("approvers", "target"),
}
"""Body fields that hold accountable people in clear, exempt from the identifier check."""


TEXT_PLAIN = "text/plain"
_MEDIA_TYPES = {"text": TEXT_PLAIN, "data": "application/octet-stream"}
"""What a content is when the producer does not say; of one that is not here, nothing is known."""

_TEXT = pb.Content.DESCRIPTOR.fields_by_name["text"]


class ContentInput(NamedTuple):
    """One content as submitted. `data` is None where it is kept by reference (`reference` says where) or absent (None).

    `persons` are identifiers.
    """

    slot: str
    field: str
    media_type: str | None
    data: bytes | None
    reference: str | None
    declared_class: str
    persons: tuple[str, ...]


class Submission(NamedTuple):
    """A submitted event that passed every check.

    `envelope` holds every payload field by name, `body` the fields of its body; pseudonyms, commitments and what is the
    gateway's own are None still. `persons` are all identifiers named, without repeats; `actor_user` and `subjects` say
    who is who. `holders` are the persons or, where none is named, what stands in their place: the session, else the
    event.
    """

    event_id: bytes
    kind: str
    envelope: Values
    body: Values
    contents: tuple[ContentInput, ...]
    actor_user: str | None
    subjects: tuple[tuple[str, str | None], ...]
    persons: tuple[str, ...]
    holders: tuple[HolderRef, ...]
    session_id: str | None


@dataclass(slots=True)
class _Contents:
    """Collects the contents of one event; `named` are the names that they bring, with their paths."""

    event_class: str
    everyone: tuple[str, ...]
    found: list[ContentInput] = field(default_factory=list)
    persons: dict[str, None] = field(default_factory=dict)
    named: list[tuple[str, str]] = field(default_factory=list)

    def take(self, slot: str, path: str, content: pb.Content) -> None:
        given = content.ListFields()
        if len(given) == 1 and given[0][0] is _TEXT:  # nearly all are a text and nothing else
            data = given[0][1].encode("utf-8")
            self.found.append(ContentInput(slot, path, TEXT_PLAIN, data, None, self.event_class, self.everyone))
        else:
            self._take_any(slot, path, content)

    def _take_any(self, slot: str, path: str, content: pb.Content) -> None:
        which = content.WhichOneof("body")
        if which is None:
            raise Rejected(path, "has neither text nor data nor a reference, nor is it declared absent")
        if which == "absent" and not content.absent:
            raise Rejected(f"{path}.absent", "is false; a content that is there has text, data or a reference")
        if which == "reference" and not content.reference:
            raise Rejected(f"{path}.reference", "is empty")
        data = None
        if which == "text":
            data = content.text.encode("utf-8")
        elif which == "data":
            data = content.data
        persons = self.everyone
        if content.persons:
            bounded(content.persons, f"{path}.persons")
            persons = tuple(identifier(each, f"{path}.persons[{i}]") for i, each in enumerate(content.persons))
            self.persons.update(dict.fromkeys(persons))
        declared = self.event_class
        if content.classification:
            declared = symbol(content.classification, "Classification", f"{path}.classification")
        media_type = name(content.media_type, f"{path}.media_type") or _MEDIA_TYPES.get(which)
        reference = name(content.reference, f"{path}.reference")
        if media_type and media_type not in _MEDIA_TYPES.values():
            self.named.append((f"{path}.media_type", media_type))
        if reference:
            self.named.append((f"{path}.reference", reference))
        self.found.append(ContentInput(slot, path, media_type, data, reference, declared, persons))


def translate(event: pb.Event) -> Submission:
    """Checks a submitted event and takes it apart. Raises `Rejected` with the field that is wrong."""
    event_id: bytes = event.event_id
    check_event_id(event_id)
    kind = event.WhichOneof("body")
    if kind is None:
        raise Rejected("body", "is required: one of " + ", ".join(BODIES))
    actor_user, subjects, everyone = _persons(event)
    envelope = envelope_of(event, kind)
    session_id: str | None = envelope["session_id"]
    contents = _Contents(envelope["declared_class"], everyone)
    if actor_user:
        contents.found.append(_identity("actor.user", actor_user))
    for i, (subject, _) in enumerate(subjects):
        contents.found.append(_identity(f"subjects.{i}", subject))
    body = BODIES[kind](getattr(event, kind), contents.take)
    persons = tuple(dict.fromkeys([*everyone, *contents.persons])) if contents.persons else everyone
    if len(persons) > PERSONS_MAX:
        raise Rejected("persons", f"at most {PERSONS_MAX} persons in one event, got {len(persons)}")
    _check_names(envelope, kind, body, contents.named, subjects, persons)
    holders = tuple([HolderRef("person", each) for each in persons]) if persons else (stand_in(session_id, event_id),)
    return Submission(
        event_id, kind, envelope, body, tuple(contents.found), actor_user, subjects, persons, holders, session_id
    )


def stand_in(session_id: str | None, event_id: bytes) -> HolderRef:
    """What holds contents of which nobody says whose they are: the session, else the event."""
    return HolderRef("event", event_id.hex()) if session_id is None else HolderRef("session", session_id)


Subjects = tuple[tuple[str, str | None], ...]
"""Identifier and relation of each."""


def _persons(event: pb.Event) -> tuple[str | None, Subjects, tuple[str, ...]]:
    """The acting user, the subjects, and all of them without repeats."""
    actor = event.actor
    actor_user = identifier(actor.user.identifier, "actor.user.identifier") if actor.HasField("user") else None
    if not event.subjects:
        return actor_user, (), (actor_user,) if actor_user else ()
    bounded(event.subjects, "subjects")
    subjects = tuple(
        (identifier(each.identifier, f"subjects[{i}].identifier"), name(each.relation, f"subjects[{i}].relation"))
        for i, each in enumerate(event.subjects)
    )
    named = dict.fromkeys([*([actor_user] if actor_user else []), *(each for each, _ in subjects)])
    return actor_user, subjects, tuple(named)


def _identity(slot: str, person: str) -> ContentInput:
    return ContentInput(slot, slot, TEXT_PLAIN, person.encode("utf-8"), None, "confidential", (person,))


_TEXTS = text_fields(PAYLOAD)
"""By record, the payload fields that hold names (texts, not enums), and what they hold."""


class _Names(NamedTuple):
    """Where the names of a record stand: fields of one text, and fields of lists. Accountable people's are left out."""

    texts: tuple[str, ...]
    lists: tuple[str, ...]


def _names_in(record: str, exempt: tuple[str, ...]) -> _Names:
    fields = [(each, inside) for each, inside in _TEXTS[record] if each not in exempt]
    return _Names(
        tuple(each for each, inside in fields if inside is None),
        tuple(each for each, inside in fields if inside is not None),
    )


def _values_of(fields: tuple[str, ...]) -> Callable[[Values], tuple[Any, ...]]:
    """What takes these fields out of a record, without a loop."""
    if len(fields) > 1:
        return itemgetter(*fields)
    return lambda values: tuple(values[each] for each in fields)


_BODY_NAMES = {kind: _names_in(BODY_FIELDS[kind], CLEAR_PERSON_FIELDS.get(kind, ())) for kind in BODY_FIELDS}


_BODY_TEXTS = {kind: _values_of(names.texts) for kind, names in _BODY_NAMES.items()}
_ENVELOPE_TEXTS = _values_of(tuple(each for each, _ in ENVELOPE_NAMES))


def _check_names(
    envelope: Values,
    kind: str,
    body: Values,
    named: list[tuple[str, str]],
    subjects: Subjects,
    persons: tuple[str, ...],
) -> None:
    """Refuses names that hold an identifier of a person of the event, an e-mail address or a token.

    All names are looked at as one text; only when something may be in there are they looked at one by one.
    """
    more = list(named)
    if envelope["derived_fields"]:
        more += [(f"derived_fields[{i}]", each) for i, each in enumerate(envelope["derived_fields"])]
    if subjects:
        more += [(f"subjects[{i}].relation", relation) for i, (_, relation) in enumerate(subjects) if relation]
    for attribute in _BODY_NAMES[kind].lists:
        if body[attribute]:
            more += _texts_in({attribute: body[attribute]}, BODY_FIELDS[kind], kind)
    single = filter(None, _ENVELOPE_TEXTS(envelope) + _BODY_TEXTS[kind](body))
    together = "\n".join([*single, *[text for _, text in more]])
    if persons and may_hold(together, persons):
        trace_id: bytes = envelope["trace_id"] or b""
        check_no_identifier([*_single_names(envelope, kind, body), *more], persons, trace_id.hex())
    if held_in(together) is not None:
        check_clear([*_single_names(envelope, kind, body), *more])


def _single_names(envelope: Values, kind: str, body: Values) -> Iterator[tuple[str, str]]:
    """Path and name of each field that holds one."""
    for attribute, path in ENVELOPE_NAMES:
        if envelope[attribute]:
            yield path, envelope[attribute]
    for attribute in _BODY_NAMES[kind].texts:
        if body[attribute]:
            yield f"{kind}.{attribute}", body[attribute]


def _texts_in(values: Values, record: str, path: str) -> Iterator[tuple[str, str]]:
    """Path and text of every text in `values`, which may lack fields of the record."""
    for attribute, inside in _TEXTS[record]:
        value = values.get(attribute)
        if not value:
            continue
        if inside is None:
            yield f"{path}.{attribute}", value
        elif inside == "string":
            for i, each in enumerate(value):
                yield f"{path}.{attribute}[{i}]", each
        else:
            for i, each in enumerate(value):
                yield from _texts_in(each, inside, f"{path}.{attribute}[{i}]")
